"""How far a step goes: in units of what the start leaves unexplained."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import trapezoid

from skmade._network.ensemble import Architecture
from skmade._network.mixtures import MixtureOfGaussians
from skmade._table.encoding import encode
from skmade._table.learning import learn_columns
from skmade._table.numbers import Numbers
from skmade._training.members import draw_members
from skmade._training.rows import Rows, open_source
from skmade._training.strides import POWER, strides_of, unexplained
from tests.ensembles import ensemble_of_each_law
from tests.equations import paths


def of_features(made, member):
    """Return the law, its outputs' strides and biases of each feature that is a number."""
    strides, weights = member
    biases = made.unflatten(weights)[f"bias{len(made.hidden_layer_sizes)}"]
    for law, outputs, _ in made.by_feature():
        if isinstance(law, MixtureOfGaussians):
            yield law, strides[outputs], biases[outputs].astype(np.float64)


def test_strides_are_of_means_alone_and_of_no_more_than_one():
    ensemble, _ = ensemble_of_each_law(n_members=3)
    made, strides = ensemble.made, strides_of(ensemble.made, ensemble.weights)
    assert strides.shape == (3, len(made.output_features))
    means = np.zeros(strides.shape[1], dtype=bool)
    for law, outputs, _ in made.by_feature():
        if isinstance(law, MixtureOfGaussians):
            means[np.arange(outputs.start, outputs.stop)[law.parameters.means]] = True
    assert_array_equal(strides[:, ~means], 1.0)
    assert (strides[:, means] <= 1).all()
    assert (strides[:, means] > 0).all()
    assert (strides[:, means] < 1).any()
    for member in zip(strides, ensemble.weights, strict=True):
        for law, own, biases in of_features(made, member):
            expected = min(unexplained(law, biases), 1.0) ** POWER
            assert_allclose(own[law.parameters.means], expected)


def test_what_is_unexplained_is_the_deviation_of_the_mixture():
    law = MixtureOfGaussians(
        3, np.array([1e-3]), np.full((1, 0), np.nan), np.full((1, 0), np.nan)
    )
    biases = np.random.RandomState(0).normal(size=law.n_params)
    grid = np.linspace(-40, 40, 400_001)
    params = np.tile(biases[:, None, None], (1, 1, len(grid)))
    # The thin tail is left out of a standard deviation that it would make larger.
    near = np.exp(law.log_prob_once(params, grid[None])[0]) * (np.abs(grid) < 12)
    mass = trapezoid(near, grid)
    mean = trapezoid(grid * near, grid) / mass
    variance = trapezoid((grid - mean) ** 2 * near, grid) / mass
    assert_allclose(unexplained(law, biases), np.sqrt(variance), rtol=1e-3)


@pytest.mark.parametrize("noise", [1e-1, 1e-3])
@pytest.mark.parametrize("direct_connections", [True, False])
def test_strides_of_columns_that_nearly_depend_on_others_are_short(noise, direct_connections):
    rng = np.random.RandomState(0)
    first = rng.normal(size=400)
    X = np.column_stack([first, first + noise * rng.normal(size=400)])
    table = learn_columns(X, np.ones(400), np.array(["continuous"] * 2))
    architecture = Architecture((8,), "relu", 1, True, direct_connections, False)
    rows = Rows(open_source(table, Numbers(X), None, 0), 2)
    ranks = np.array([[[1, 2]], [[2, 1]]])
    drawn = draw_members(table, rows, architecture, ranks, [0, 1])
    strides, values = strides_of(drawn.made, drawn.weights), encode(table, X)
    for own, path, last in zip(strides, paths(drawn), (1, 0), strict=True):
        of_means, left = [], []
        outputs = path.outputs(values)
        for column, (law, places, _) in enumerate(drawn.made.by_feature()):
            of_means.append(own[places][law.parameters.means])
            mean = outputs[:, places][:, law.parameters.means]
            left.append((values[:, [column]] - mean).std())
        assert_allclose(of_means[1 - last], 1.0, rtol=0.1)
        if direct_connections:
            # The start believes in less than it explains: regressions are shrunk.
            assert left[last] ** POWER < of_means[last] < 0.5
        else:
            assert (of_means[last] <= 1).all()
