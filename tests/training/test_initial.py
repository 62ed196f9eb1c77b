"""The weights that training starts from."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_limits

from skmade._network.ensemble import Architecture
from skmade._table.encoding import encode
from skmade._table.learning import learn_columns
from skmade._training.initial import initial_weights


def correlated(n_rows, n_features):
    rng = np.random.RandomState(0)
    common = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, n_features))
    return common + rng.normal(size=(n_rows, n_features))


def start_of(X, n_masks=1, n_components=2, direct_connections=True):
    """Return a learned table, a shape for it and the arguments of `initial_weights`."""
    n_features = X.shape[1]
    table = learn_columns(X, np.ones(len(X)), np.full(n_features, "continuous"))
    architecture = Architecture((8,), "relu", n_components, True, direct_connections, False)
    rng = np.random.RandomState(1)
    ranks = np.stack([rng.permutation(n_features) for _ in range(n_masks)])
    arguments = encode(table, X), np.ones(len(X)), ranks, 0
    return table, architecture.build(table), arguments


def test_the_start_is_the_same_for_any_number_of_threads():
    found, X = [], correlated(80, 500)
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, "blas"):
            table, made, arguments = start_of(X)
            found.append((table, initial_weights(made, *arguments)))
    (one, expected), (other, weights) = found
    assert_array_equal(other.marginals.means, one.marginals.means)
    assert_array_equal(weights, expected)


@pytest.mark.parametrize("direct_connections", [True, False])
def test_a_wide_start_takes_little_more_memory_than_its_weights(direct_connections):
    _, made, arguments = start_of(correlated(40, 300), 1, 10, direct_connections)
    tracemalloc.start()
    try:
        weights = initial_weights(made, *arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A few matrices of units by units, in double precision.
    assert peak < weights.nbytes + 12 * 8 * 300**2
