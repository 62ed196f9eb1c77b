"""Plant defects in the package, one at a time, and see that the tests notice each of them.

    python -m tests.plant_defects [--list] [--why] [NAME ...]

A defect of `tests/defects` is planted in a forked child, which runs the tests that ought to
notice it. It is killed if one of them fails, and survives if all of them pass: then a test is
missing. Before that, the same tests have to pass without a defect. The exit status is 0 if
all defects are killed.
"""

import argparse
import contextlib
import importlib
import json
import os
import pkgutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
DEFECTS = TESTS / "defects"
PASSED = int(pytest.ExitCode.OK)
FAILED = int(pytest.ExitCode.TESTS_FAILED)

# The project's options, but for doctests and the choice of tests.
SETTINGS = ("-q", "-p", "no:cacheprovider", "-o", "addopts=--strict-markers")

# Errors that tell of a mistake in the defect, if they are raised where it is planted.
MISTAKES = ("NameError", "AttributeError", "TypeError", "ImportError", "KeyError")


def main():
    options = parse_arguments()
    defects = load_defects()
    unknown = set(options.names) - set(defects)
    if unknown:
        sys.exit(f"There is no defect {', '.join(sorted(unknown))}: see --list.")
    chosen = [defects[name] for name in options.names or defects]
    if options.list:
        for defect in chosen:
            print(f"{defect.kind:8} {defect.name}: {defect.breaks}")
        return
    check_unplanted(chosen)
    verdicts = [report(defect, options.why) for defect in chosen]
    summarise(chosen, verdicts)
    sys.exit(any(verdict != "killed" for verdict in verdicts))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="defects; default: all")
    parser.add_argument("--list", action="store_true", help="list defects, plant none")
    parser.add_argument("--why", action="store_true", help="print how each test failed")
    return parser.parse_args()


def load_defects():
    """Import the package, all modules of it, and the defects."""
    for package in ("skmade", "tests.defects"):
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return importlib.import_module("tests.defects.planting").DEFECTS


def import_what_tests_import(tests):
    """Collect tests once, so that children find all other packages imported."""
    with tempfile.TemporaryFile("w") as output, contextlib.redirect_stdout(output):
        pytest.main([*paths(tests), *SETTINGS, "--collect-only"])
    # The tests themselves are imported by the children, after the defect is planted.
    for name, module in list(sys.modules.items()):
        if name != "__main__" and is_a_test(module):
            del sys.modules[name]


def is_a_test(module):
    """Whether a module is of the tests, and none that plants defects."""
    path = Path(getattr(module, "__file__", None) or "/")
    return TESTS in path.parents and path.name != "__init__.py" and DEFECTS not in path.parents


def paths(tests):
    return [str(TESTS / test) for test in tests]


def check_unplanted(defects):
    """Leave the program if a test fails without a defect."""
    tests = sorted({test for defect in defects for test in defect.tests})
    start = time.monotonic()
    import_what_tests_import(tests)
    outcome = in_child(lambda: None, tests, options=())
    seconds = time.monotonic() - start
    if outcome["status"] != PASSED:
        sys.exit(f"Without a defect: {outcome['test'] or outcome['output']}")
    print(f"without a defect: {outcome['passed']} tests pass ({seconds:.1f} s)", flush=True)


def report(defect, why):
    """Plant a defect, print a line about it, and return the verdict."""
    start = time.monotonic()
    outcome = in_child(defect.plant, defect.tests, options=("-x",))
    seconds = time.monotonic() - start
    verdict = judge(outcome)
    found = {"killed": f"killed by {outcome['test']}", "survived": "SURVIVED"}
    line = found.get(verdict, f"BROKEN: {outcome['error'] or outcome['output']}")
    print(
        f"{defect.kind:8} {defect.name}: {defect.breaks} {line} ({seconds:.1f} s)", flush=True
    )
    if why and verdict == "killed":
        print(f"         {outcome['error']}")
    return verdict


def judge(outcome):
    """Tell a defect that is killed or survives from one that could not be planted."""
    if outcome["status"] == PASSED:
        return "survived"
    mistaken = outcome["planted"] and outcome["error"].startswith(MISTAKES)
    return "broken" if outcome["status"] != FAILED or mistaken else "killed"


def summarise(defects, verdicts):
    counts = Counter((d.kind, verdict) for d, verdict in zip(defects, verdicts, strict=True))
    for kind in dict.fromkeys(defect.kind for defect in defects):
        parts = [
            f"{counts[kind, verdict]} {verdict}"
            for verdict in ("killed", "survived", "broken")
            if counts[kind, verdict] or verdict == "killed"
        ]
        print(f"{kind}: {', '.join(parts)}")


def in_child(plant, tests, options):
    """Plant a defect and run tests in a forked child; return what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result")
        child = os.fork()
        if child == 0:
            run(plant, tests, options, Path(folder))
        os.waitpid(child, 0)
        if result.exists():
            return json.loads(result.read_text())
        output = Path(folder, "output").read_text()[-2000:]
        return {"status": None, "test": None, "error": "", "planted": False, "output": output}


def run(plant, tests, options, folder):
    """Be the child: plant, test, write the result, and end."""
    try:
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(output, stream)
        plant()
        watcher = Watcher()
        status = pytest.main([*paths(tests), *SETTINGS, *options], plugins=[watcher])
        sys.stdout.flush()
        outcome = vars(watcher) | {"status": int(status)}
        outcome["output"] = (folder / "output").read_text()[-2000:]
        (folder / "result").write_text(json.dumps(outcome))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


class Watcher:
    """A plugin of pytest that remembers the first test that fails, and how."""

    def __init__(self):
        self.test, self.error, self.planted, self.passed = None, "", False, 0

    def pytest_runtest_makereport(self, item, call):
        self.passed += call.when == "call" and call.excinfo is None
        if call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return
        if self.test is None:
            self.test = item.nodeid.rpartition("/")[2]
            self.error = call.excinfo.exconly().strip().partition("\n")[0]
            raised_in = Path(call.excinfo.traceback[-1].path)
            self.planted = raised_in.parent == DEFECTS


if __name__ == "__main__":
    main()
