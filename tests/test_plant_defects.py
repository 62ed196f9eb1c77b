"""The script that plants defects: what it plants, and how it judges."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import plant_defects


def test_defects_are_described_and_name_tests_that_exist():
    defects = plant_defects.load_defects().values()
    kinds = Counter(defect.kind for defect in defects)
    assert kinds.keys() == {"API", "density"}
    assert kinds["API"] >= 28
    assert kinds["density"] >= 17
    for defect in defects:
        assert defect.breaks.endswith("."), defect.name
        for test in defect.tests:
            path, _, name = test.partition("::")
            text = Path(plant_defects.TESTS, path).read_text()
            assert f"def {name.partition('[')[0]}(" in text, defect.name


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        ({"status": 0}, "survived"),
        ({"status": 1, "planted": False, "error": "TypeError: no"}, "killed"),
        ({"status": 1, "planted": True, "error": "ValueError: no"}, "killed"),
        ({"status": 1, "planted": True, "error": "TypeError: no"}, "broken"),
        ({"status": 4, "planted": False, "error": ""}, "broken"),  # no such test
        ({"status": None, "planted": False, "error": ""}, "broken"),
    ],
)
def test_only_a_test_that_fails_kills(outcome, verdict):
    assert plant_defects.judge(outcome) == verdict


@pytest.mark.slow
def test_all_defects_are_killed():
    script = [sys.executable, "-m", plant_defects.__name__]
    root = plant_defects.TESTS.parent
    done = subprocess.run(script, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("killed by") == len(plant_defects.load_defects())
