"""Defects that show in the rest of the process: global state, threads, interrupts."""

import warnings

import numpy as np
import torch

from skmade import _fitting, _input
from skmade._prediction.walk import Walk
from skmade._table import checks
from skmade._training import loop

from .planting import defect, patch

GLOBAL = "test_interruptions.py::test_global_state_is_untouched"


@defect("API", "test_interruptions.py::test_a_failing_step_leaves_the_old_model")
def interrupted_fit_leaves_its_members():
    """After an interrupt the estimator has the members that were being trained."""

    @patch(_fitting, "_train")
    def train(old, estimator, context, cohorts, *args, **kwargs):
        try:
            return old(estimator, context, cohorts, *args, **kwargs)
        except BaseException:
            state = cohorts[0].ensemble.to_state()
            estimator._state = {**vars(estimator).get("_state", {}), **state}
            raise


@defect("API", GLOBAL)
def numpy_seeded():
    """fit seeds the global generator of NumPy."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, *args, **kwargs):
        np.random.seed(0)  # noqa: NPY002
        return old(estimator, *args, **kwargs)


@defect("API", GLOBAL)
def torch_seeded():
    """fit seeds the global generator of torch."""

    @patch(loop, "fit_network")
    def fit_network(old, *args, seed, **kwargs):
        torch.manual_seed(seed)
        return old(*args, seed=seed, **kwargs)


@defect("API", GLOBAL)
def global_generator_used():
    """Without a seed, draws are those of NumPy's global generator."""

    @patch(_input, "private_random_state")
    def random_state(old, seed):
        return np.random.mtrand._rand if seed is None else old(seed)


@defect("API", GLOBAL)
def gradients_switched_off():
    """After fit, torch computes no gradients."""

    @patch(_fitting, "fit_rows")
    def fit(old, *args, **kwargs):
        fitted = old(*args, **kwargs)
        torch.set_grad_enabled(False)
        return fitted


@defect("API", GLOBAL)
def default_type_changed():
    """After fit, the tensors of everybody are of double precision."""

    @patch(loop, "fit_network")
    def fit_network(old, *args, **kwargs):
        trained = old(*args, **kwargs)
        torch.set_default_dtype(torch.float64)
        return trained


@defect("API", GLOBAL)
def number_of_threads_changed():
    """fit sets the number of threads of torch."""

    @patch(loop, "fit_network")
    def fit_network(old, *args, **kwargs):
        torch.set_num_threads(torch.get_num_threads() + 1)
        return old(*args, **kwargs)


@defect("API", "test_warnings.py::test_warnings_are_at_the_line_of_the_call")
def warnings_at_lines_of_the_package():
    """Warnings point at a line of the package, which tells its users nothing."""

    @patch(checks, "warn_user")
    def warn_user(_, message, category=UserWarning):
        warnings.warn(message, category, stacklevel=3)


@defect("API", GLOBAL)
def warnings_silenced():
    """fit silences warnings for good."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, *args, **kwargs):
        warnings.simplefilter("ignore")
        return old(estimator, *args, **kwargs)


@defect("API", GLOBAL)
def error_handling_changed_after_an_error():
    """A fit that fails leaves NumPy's handling of overflow changed."""

    @patch(_fitting, "fit_rows")
    def fit(old, estimator, *args, **kwargs):
        before = np.seterr(over="ignore")
        old(estimator, *args, **kwargs)
        np.seterr(**before)
        return estimator


@defect("API", "test_concurrency.py::test_calls_in_threads_get_the_serial_answers")
def buffers_shared_by_threads():
    """All calls of a walk use the same buffers."""
    kept = {}

    @patch(Walk, "buffers")
    def buffers(old, self, *sizes):
        key = id(self), *sizes
        if key not in kept:
            kept[key] = self, old(self, *sizes)
        return kept[key][1]
