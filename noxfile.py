"""Run the tests with the oldest and with the newest versions that pyproject.toml claims.

``pipx run nox`` runs both, ``pipx run nox -s "tests(oldest)"`` one of them.
"""

import tomllib
from pathlib import Path

import nox

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
OLDEST_PYTHON, NEWEST_PYTHON = PROJECT["requires-python"].removeprefix(">="), "3.14"

# Every dependency at its lower bound, as 'numpy==2.0'; the newest are those that pip takes.
OLDEST = [requirement.replace(">=", "==", 1) for requirement in PROJECT["dependencies"]]


@nox.session
@nox.parametrize(
    ("python", "versions"),
    [nox.param(OLDEST_PYTHON, OLDEST, id="oldest"), nox.param(NEWEST_PYTHON, [], id="newest")],
)
def tests(session, versions):
    """Install skmade with these versions and run its tests."""
    session.install("-e", ".[test]", *versions)
    session.run("pytest", *session.posargs)
