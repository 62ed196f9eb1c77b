"""What a saved estimator carries: the version of skmade, which the one that loads it checks."""

import warnings
from functools import cache
from importlib.metadata import version

from sklearn.base import BaseEstimator


@cache
def current_version():
    """Return the version of the skmade that runs."""
    return version("skmade")


class SavedMixin(BaseEstimator):
    """Warn on loading what another version saved, as scikit-learn does of its own versions.

    The version goes into the file and not onto the estimator: a copy of what was loaded is
    made by the version that runs, and warns no more.
    """

    def __getstate__(self):
        return {**super().__getstate__(), "_skmade_version": current_version()}

    def __setstate__(self, state):
        state = dict(state)
        saved, running = state.pop("_skmade_version", "unknown"), current_version()
        if saved != running:
            warnings.warn(
                f"This {type(self).__name__} was saved by skmade {saved} and is loaded by "
                f"skmade {running}, which may answer otherwise. Fit it again, or load it with "
                "the version that saved it.",
                UserWarning,
                stacklevel=3,
            )
        super().__setstate__(state)
