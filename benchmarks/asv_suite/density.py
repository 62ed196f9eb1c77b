"""Time, memory and quality of `MADEDensity` on small tables.

    asv run --config benchmarks/asv.conf.json --python=same --quick

One thread, so that figures of commits compare on busy machines.
"""

import statistics
import subprocess
import sys
import time
import warnings

import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

N_COLUMNS = 16
N_FITTED = 1000
N_SCORED = 10_000
N_DRAWN = 1000
ROUNDS = 5


def fitted(X):
    """Return a density of one member, after an epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an epoch is too short for all but this
        return MADEDensity(n_estimators=1, max_iter=1, random_state=0).fit(X)


class _OneThread:
    """Rows, and a density of them, that the benchmarks share."""

    timeout = 300

    def setup(self):
        """Limit threads, draw rows, fit."""
        torch.set_num_threads(1)
        self.limits = threadpool_limits(limits=1)
        gaussian = CorrelatedGaussian(N_COLUMNS)
        self.train = gaussian.sample(N_FITTED, random_state=0)
        self.test = gaussian.sample(N_SCORED, random_state=1)
        self.density = fitted(self.train)

    def teardown(self):
        """Give back the threads."""
        self.limits.restore_original_limits()


class Predict(_OneThread):
    """Score and draw."""

    def time_score_10000_rows(self):
        """Score many rows."""
        self.density.score_samples(self.test)

    def time_score_one_row(self):
        """Score a row."""
        self.density.score_samples(self.test[:1])

    def time_sample_1000_rows(self):
        """Draw many rows."""
        self.density.sample(N_DRAWN, random_state=0)

    def time_sample_one_row(self):
        """Draw a row."""
        self.density.sample(random_state=0)

    def peakmem_score_10000_rows(self):
        """Score many rows, in a process that has fitted few."""
        self.density.score_samples(self.test)

    def track_sample_by_score(self):
        """Time to draw rows, as a multiple of the time to score as many."""
        calls = (
            lambda: self.density.sample(N_DRAWN, random_state=0),
            lambda: self.density.score_samples(self.test[:N_DRAWN]),
        )
        rounds = [[seconds(call) for call in calls] for _ in range(ROUNDS + 1)][1:]
        return statistics.median(sample / score for sample, score in rounds)

    track_sample_by_score.unit = "times"


class Fit(_OneThread):
    """Fit few rows for an epoch."""

    def time_fit_1000_rows(self):
        """Fit a small table."""
        fitted(self.train)

    def peakmem_fit_10000_rows(self):
        """Fit a table of some length."""
        fitted(self.test)


class Quality(_OneThread):
    """What speed must not cost."""

    def track_held_out_log_likelihood_of_iris(self):
        """Mean log-likelihood of a fifth of iris, in nats per row."""
        train, test = train_test_split(load_iris().data, test_size=0.2, random_state=0)
        density = MADEDensity(n_estimators=2, random_state=0).fit(train)
        return float(density.score_samples(test).mean())

    track_held_out_log_likelihood_of_iris.unit = "nats"


class Import:
    """Start up."""

    timeout = 300

    def time_import(self):
        """Import in a fresh process; the start of Python is in it."""
        subprocess.run([sys.executable, "-c", "import skmade"], check=True)


def seconds(call):
    """Wall time of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
