"""What tests of laws share: log-densities of untrained ensembles, grids to integrate over."""

import itertools

import numpy as np
from scipy import stats

from skmade._prediction.scoring import log_density as score
from skmade._table.encoding import decode
from tests.ensembles import make_ensemble

MAX_BYTES = 2**26
ALPHA = 1e-4  # of every statistical test; seeds are fixed

MIXED = {"levels": (3,), "n_counts": 1, "n_binary": 1, "seed": 3}  # and a continuous column


def log_density(ensemble, X):
    return score(ensemble, np.asarray(X, dtype=float), MAX_BYTES)


def quantile_grid(ensemble, column, n_points):
    """Points of one column, dense around its centre, and far out up to its edge."""
    images = np.zeros((n_points, ensemble.table.n_features))
    images[:, column] = np.sinh(np.linspace(-5.7, 5.7, n_points)) * 0.3
    return decode(ensemble.table, images)[:, column]


def discrete_ensemble(**options):
    """Return members of five columns with 2, 2, 3, 4 and 2 labels, and all their states."""
    ensemble = make_ensemble(5, 3, levels=(3, 4), n_members=2, scale=0.4, **options)
    sizes = np.maximum(ensemble.table.n_levels, 2)
    return ensemble, np.array(list(itertools.product(*map(range, sizes))), dtype=float)


def goodness_of_fit(counts, expected):
    """P-value of counts under expected ones; those below five share one cell."""
    rare = expected < 5
    expected = np.append(expected[~rare], expected[rare].sum())
    counts = np.append(counts[~rare], counts[rare].sum())
    if expected[-1] < 5:  # too few for a cell of their own
        expected[0] += expected[-1]
        counts[0] += counts[-1]
        expected, counts = expected[:-1], counts[:-1]
    return stats.chisquare(counts, expected).pvalue
