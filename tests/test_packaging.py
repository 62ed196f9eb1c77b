"""What other files repeat of pyproject.toml is what it says."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PYTHON = PROJECT["requires-python"].removeprefix(">=")
RECIPE = yaml.safe_load((ROOT / "docs" / "recipe.yaml").read_text())
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CI = (ROOT / ".ci" / "run").read_text()


def workflow(name):
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text())


def matrix(job):
    return job["strategy"]["matrix"]


def specifiers(requirements, **renamed):
    """Return the bounds of each package that is required, by its name."""
    split = (re.fullmatch(r"([\w-]+) *(.*)", text).groups() for text in requirements)
    return {renamed.get(name, name): set(bounds.split(",")) for name, bounds in split}


def test_the_recipe_is_of_this_version():
    assert RECIPE["context"] == {"version": PROJECT["version"], "python_min": PYTHON}
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert RECIPE["about"]["homepage"] == PROJECT["urls"]["Documentation"]


def test_the_recipe_requires_the_same():
    python, *run = RECIPE["requirements"]["run"]
    assert python == "python >=${{ python_min }}"
    assert specifiers(run) == specifiers(PROJECT["dependencies"], torch="pytorch")
    python, pip, *host = RECIPE["requirements"]["host"]
    assert (python, pip) == ("python ${{ python_min }}.*", "pip")
    assert specifiers(host) == specifiers(PYPROJECT["build-system"]["requires"])


def test_the_recipe_has_the_same_commands():
    scripts = [f"{name} = {target}" for name, target in PROJECT["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == scripts


def test_the_citation_is_of_this_version():
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["url"] == PROJECT["urls"]["Documentation"]
    assert CITATION["keywords"] == PROJECT["keywords"]
    assert CITATION["authors"] == PROJECT["authors"]


def test_the_linters_before_a_commit_are_those_of_ci():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    called = re.findall(r"^\.venv/bin/((?:ruff|mypy|lint-imports).*)$", CI, re.MULTILINE)
    linters = [re.sub(r" (\.|--check)(?= |$)", "", line) for line in called]
    hooks = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]
    assert len(linters) == 4
    assert [hook.replace(" --force-exclude", "") for hook in hooks] == linters


def test_the_versions_that_are_run_are_those_that_are_claimed():
    sessions = (ROOT / "noxfile.py").read_text()
    newest = re.search(r'NEWEST_PYTHON = .*"(3\.\d+)"$', sessions, re.MULTILINE)[1]
    jobs = workflow("versions")["jobs"]
    ends = {job["versions"]: job["python"] for job in matrix(jobs["dependencies"])["include"]}
    assert ends == {"oldest": PYTHON, "newest": newest}
    run = [*ends.values(), *matrix(jobs["python"])["python"]]
    minors = sorted(int(version.removeprefix("3.")) for version in run)
    assert minors == list(range(minors[0], minors[-1] + 1))
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    assert PYTHON in named
    assert set(named) <= set(run)
