"""What displays ask of any estimator, and what they leave alone."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmade.inspection import CalibrationDisplay, DensityDisplay

from .conftest import TEST, X

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_matplotlib_is_imported_where_something_is_drawn(made, monkeypatch):
    code = "import sys, skmade.inspection; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"DensityDisplay.from_estimator requires matplotlib"):
        DensityDisplay.from_estimator(made, X)
    with pytest.raises(ImportError, match=r"CalibrationDisplay.plot requires matplotlib"):
        CalibrationDisplay([0.5]).plot()


def test_global_generator_is_untouched(others):
    before = np.random.mtrand._rand.get_state()[1].copy()
    for density in others.values():
        CalibrationDisplay.from_estimator(density, TEST, n_drawn=50)
    assert_array_equal(np.random.mtrand._rand.get_state()[1], before)
