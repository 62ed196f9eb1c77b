"""What the docs say of the tests is so, the API page is complete, and links lead somewhere."""

import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (a docstring names it)

from skmade import MADEDensity
from tests.test_docstrings import public_names

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
GENERATED = {"_build", "api", "auto_examples"}
PROMISES = (DOCS / "promises.rst").read_text()
API = (DOCS / "api.rst").read_text()
CHECK_LINKS = DOCS / "check_links.py"


def test_the_api_page_names_what_is_public():
    listed = re.findall(r"^   (skmade\.[\w.]+)$", API, re.MULTILINE)
    names = list(public_names())
    methods = [name for name in names if name.rpartition(".")[0] in names]
    assert len(listed) > 10
    assert sorted(listed) == sorted(set(names) - set(methods))


def test_the_table_of_parameters_names_each_once():
    page = (TESTS.parent / "docs" / "user_guide" / "choosing_settings.rst").read_text()
    table = page.partition(".. _parameters-by-topic:")[2]
    named = re.findall(r"^ +(?:\*| ) - ``(\w+)``$", table, re.MULTILINE)
    assert sorted(named) == sorted(MADEDensity().get_params())


def test_every_test_that_a_promise_names_exists():
    named = re.findall(r"``([\w/]+\.py)::(\w+)``", PROMISES)
    assert len(named) > 50
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).exists()
        or not re.search(rf"^def {name}\(", (TESTS / file).read_text(), re.MULTILINE)
    ]
    assert not missing


def test_every_promise_names_a_test():
    promises = re.split(r"^\* ", PROMISES, flags=re.MULTILINE)[1:]
    assert len(promises) > 20
    assert [promise for promise in promises if "::test_" not in promise] == []


def test_tests_called_slow_are_slow():
    for line in re.findall(r"``([\w/]+\.py)::(\w+)``( \(slow)?", PROMISES):
        file, name, slow = line
        source = (TESTS / file).read_text()
        head = source[: source.index(f"def {name}(")].rpartition("\n\n")[2]
        of_file = "pytestmark = pytest.mark.slow" in source
        assert bool(slow) == (of_file or "pytest.mark.slow" in head), name


def inventories():
    """Return the names that each inventory lists, and what kind each name is of."""
    return {
        path.stem: [line.split()[:2] for line in path.read_text().splitlines()[3:]]
        for path in sorted((DOCS / "inventories").glob("*.txt"))
    }


def names_referred_to():
    """Return what roles of the pages and docstrings name, but not skmade's own names."""
    written = [p for p in DOCS.rglob("*.rst") if not GENERATED & set(p.parts)]
    written += [*DOCS.glob("examples/*/*.py"), *(TESTS.parent / "skmade").rglob("*.py")]
    role = re.compile(r":(?:class|func|meth|mod|obj):`(?:[^`<]*<)?~?([\w.]+)>?`")
    named = {name for path in written for name in role.findall(path.read_text())}
    return {name for name in named if re.match(r"(?!skmade\.)[a-z]\w*\.", name)}


def test_names_of_other_sites_are_in_the_inventories():
    listed = {name for entries in inventories().values() for name, _ in entries}
    assert len(names_referred_to()) > 15
    assert names_referred_to() - listed == set()


@pytest.mark.parametrize("library", inventories())
def test_an_inventory_lists_names_that_there_are(library):
    kinds = {"class": type, "mod": ModuleType}
    for name, kind in inventories()[library]:
        found = pkgutil.resolve_name(name)
        assert isinstance(found, kinds.get(kind, Callable)), name


LIVE_LINKS = """
<h1 id="top">Start</h1><a name="old"></a><form action="?q=1"></form>
<a href="#top"></a><a href="#old"></a><a href="#"></a><a href="guide/"></a>
<a href="guide/a%20page.html?v=2#part"></a><a href="//example.org/none"></a>
<a href="https://example.org/none#none"></a><a href="mailto:nobody@example.org"></a>
<img src="image.png" srcset="image.png, image.png 2x">
"""


def check_links(folder, more=""):
    """Run the checker on a small site, whose start page has more of the body."""
    site = folder / "site"
    (site / "guide").mkdir(parents=True)
    (site / "_static").mkdir()
    (site / "image.png").touch()
    (folder / "outside.html").touch()
    (site / "_static" / "macros.html").write_text('<a href="{{ template }}"></a>')
    (site / "guide" / "index.html").write_text('<a href="../index.html#top"></a>')
    (site / "guide" / "a page.html").write_text('<p id="part"></p><a href="index.html"></a>')
    (site / "index.html").write_text(LIVE_LINKS + more)
    command = [sys.executable, str(CHECK_LINKS), str(site)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_live_links_pass(tmp_path):
    run = check_links(tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("body", "link", "reason"),
    [
        ('<a href="none.html"></a>', "none.html", "no such file"),
        ('<img src="guide/image.png"/>', "guide/image.png", "no such file"),
        ('<img srcset="image.png, none.png 2x">', "none.png", "no such file"),
        ('<a href="#Top"></a>', "#Top", "no such anchor"),
        ('<a href="guide/#top"></a>', "guide/#top", "no such anchor"),
        ('<a href="../outside.html"></a>', "../outside.html", "leaves the site"),
    ],
)
def test_dead_links_are_found(tmp_path, body, link, reason):
    run = check_links(tmp_path, body)
    assert run.stdout == f"index.html: {link}: {reason}\n"
    assert run.returncode == 1


def test_a_site_without_pages_is_an_error(tmp_path):
    command = [sys.executable, str(CHECK_LINKS), str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
