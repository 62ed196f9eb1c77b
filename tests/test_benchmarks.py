"""Figures of the documentation: each is of a run of a known commit, and a page shows it."""

import csv
import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
MEASURED = sorted((ROOT / "benchmarks" / "measured").glob("*.jsonl"))
TABLES = sorted((ROOT / "docs" / "benchmarks").iterdir())
PAGES = [path for path in (ROOT / "docs").rglob("*.rst") if "_build" not in path.parts]
JOBS = [path for path in PAGES if path.parent.name == "how_well" and path.stem != "index"]
SHOWN = re.compile(r"^ *(?::file:|\.\. include::) (\S+)$", re.MULTILINE)


def git(*arguments):
    return subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def history():
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("the history of the repository is not here")
    return set(git("rev-list", "HEAD").stdout.split())


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_runs_are_of_commits_before_this_one(path, history):
    commits = {json.loads(line)["commit"] for line in path.read_text().splitlines()}
    unknown = [c for c in commits if not any(full.startswith(c) for full in history)]
    assert not unknown, f"{path.name} has runs of no earlier commit: {unknown}"


def test_tables_are_what_the_runs_say():
    pages = ROOT / "benchmarks" / "pages.py"
    checked = subprocess.run(
        [sys.executable, pages, "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def shown_whole():
    """Return the files that pages show: tables with all of their columns, and texts."""
    return {
        (page.parent / name).resolve()
        for page in PAGES
        for name in SHOWN.findall(page.read_text())
    }


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_a_page_shows_each_table(path):
    assert path.resolve() in shown_whole(), f"no page of the docs shows {path.name}"


def test_the_readme_has_the_figures_of_the_front_page():
    with open(ROOT / "docs" / "benchmarks" / "front.csv", newline="") as file:
        jobs, figures = csv.reader(file)
    rows = (ROOT / "README.md").read_text().splitlines()
    assert f"| {' | '.join(jobs)} |" in rows
    assert f"| {' | '.join(figures)} |" in rows


def test_each_page_says_how_it_was_measured():
    assert len(JOBS) == 7
    pages = {page.stem: page for page in JOBS}
    pages["settings"] = ROOT / "docs" / "user_guide" / "choosing_settings.rst"
    for name, page in pages.items():
        assert f".. include:: ../benchmarks/{name}.txt" in page.read_text(), page.name
        assert f"python benchmarks/pages.py {name}" in page.read_text(), page.name
