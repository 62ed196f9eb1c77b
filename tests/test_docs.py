"""What the docs say of the tests is so, and the API page has every public name."""

import re
from pathlib import Path

from test_docstrings import public_names

TESTS = Path(__file__).parent
PROMISES = (TESTS.parent / "docs" / "promises.rst").read_text()
API = (TESTS.parent / "docs" / "api.rst").read_text()


def test_the_api_page_names_what_is_public():
    listed = re.findall(r"^   (skmade\.[\w.]+)$", API, re.MULTILINE)
    names = list(public_names())
    methods = [name for name in names if name.rpartition(".")[0] in names]
    assert len(listed) > 10
    assert sorted(listed) == sorted(set(names) - set(methods))


def test_every_test_that_a_promise_names_exists():
    named = re.findall(r"``(test_\w+\.py)::(\w+)``", PROMISES)
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
    for line in re.findall(r"``(test_\w+\.py)::(\w+)``( \(slow)?", PROMISES):
        file, name, slow = line
        source = (TESTS / file).read_text()
        head = source[: source.index(f"def {name}(")].rpartition("\n\n")[2]
        assert bool(slow) == ("pytest.mark.slow" in head), name
