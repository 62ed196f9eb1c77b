"""Regions: their probability, and draws within them, on random weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp

from skmade._network.within import Region, draw_within, log_masses
from skmade._prediction.drawing import draw
from skmade._prediction.regions import draw_in_region, log_probability
from skmade._table.regions import Asked, nearest_row
from tests.ensembles import OF_EACH_LAW, TRAININGS, ensemble_of_each_law, make_ensemble
from tests.laws import ALPHA, discrete_ensemble, goodness_of_fit, log_density

COLUMNS = list(OF_EACH_LAW)
INF = np.inf
# Regions of the columns of `ensemble_of_each_law`.
REGIONS = {
    "an interval": {0: Asked(None, -0.5, 1.0)},
    "an open end": {0: Asked(None, 0.3, INF), 4: Asked(None, -INF, 3, 1.0)},
    "an end that is an atom": {1: Asked(None, 0.0, 2.0)},
    "beside an atom": {1: Asked(None, 0.05, 2.0)},
    "next to an atom": {1: Asked(None, 1e-9, INF)},
    "within bounds": {2: Asked(None, 0.2, 0.9)},
    "the bound that is an atom": {3: Asked(None, 0.0, 0.3)},
    "counts": {4: Asked(None, 2.0, 5.0, 1.0), 5: Asked(np.array([3.0, 9.0]))},
    "labels": {6: Asked(np.array([1.0])), 7: Asked(np.array([0.0, 2.0]))},
    "mixed": {
        0: Asked(None, -INF, 0.5),
        3: Asked(None, 0.1, INF),
        7: Asked(np.array([0.0, 1.0])),
    },
}


def inside(X, asked):
    """Which rows are within a region."""
    found = np.ones(len(X), dtype=bool)
    for column, own in asked.items():
        if own.values is None:
            found &= (own.low <= X[:, column]) & (X[:, column] <= own.high)
        else:
            found &= np.isin(X[:, column], own.values)
    return found


@pytest.fixture(scope="module")
def of_each_law():
    options = {"order_agnostic": False, "connectivity_agnostic": False, "n_masks": 1}
    ensemble, _ = ensemble_of_each_law(n_members=3, **options)
    return ensemble, draw(ensemble, 40_000, np.random.RandomState(0))


@pytest.mark.parametrize("name", REGIONS)
def test_probabilities_are_the_shares_of_draws(of_each_law, name):
    ensemble, drawn = of_each_law
    probability = np.exp(log_probability(ensemble, REGIONS[name]))
    n_inside = int(inside(drawn, REGIONS[name]).sum())
    assert 400 < n_inside < 39_600
    # A region's draws are many enough for their error to be a third of that of a share.
    deviation = np.sqrt(probability * (1 - probability) / 40_000)
    assert abs(n_inside / 40_000 - probability) < 4.2 * deviation


@pytest.mark.parametrize("name", REGIONS)
def test_draws_are_inside_and_as_those_that_fall_there(of_each_law, name):
    ensemble, drawn = of_each_law
    found, n_effective = draw_in_region(ensemble, REGIONS[name], 3000, np.random.RandomState(1))
    assert inside(found, REGIONS[name]).all()
    assert n_effective > 1000
    others = drawn[inside(drawn, REGIONS[name])]
    for column in range(found.shape[1]):
        if len(np.unique(others[:, column])) == 1:
            continue
        ends = np.unique(np.quantile(others[:, column], np.linspace(0, 1, 9)))
        ends[0], ends[-1] = -INF, INF
        counts = [np.histogram(rows[:, column], ends)[0] for rows in (found, others)]
        used = np.sum(counts, axis=0) > 0
        assert stats.chi2_contingency(np.array(counts)[:, used]).pvalue > ALPHA / 10


@pytest.mark.parametrize("training", ["plain", "evidence", "order-agnostic"])
def test_probabilities_of_random_boxes(training):
    ensemble = make_ensemble(3, n_members=2, n_masks=2, scale=0.3, **TRAININGS[training])
    drawn = draw(ensemble, 30_000, np.random.RandomState(0))
    rng = np.random.RandomState(1)
    apart = []
    for _ in range(40):
        ends = np.sort(drawn[rng.randint(30_000, size=2)], axis=0)
        asked = {column: Asked(None, *ends[:, column]) for column in range(3)}
        probability = np.exp(log_probability(ensemble, asked))
        share = inside(drawn, asked).mean()
        deviation = np.sqrt(probability * (1 - probability) / 30_000) + 1e-4
        apart.append((share - probability) / deviation)
    assert np.abs(apart).max() < 4
    assert np.sqrt(np.mean(np.square(apart))) < 1.5


def test_draws_follow_the_density_within_a_box():
    ensemble = make_ensemble(2, n_members=2, n_masks=1, scale=0.4, **TRAININGS["direct"])
    asked = {0: Asked(None, -1.0, 0.8), 1: Asked(None, -0.7, 1.5)}
    drawn, _ = draw_in_region(ensemble, asked, 20_000, np.random.RandomState(0))
    axes = np.linspace(-1.0, 0.8, 61), np.linspace(-0.7, 1.5, 61)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_density(ensemble, grid)).reshape(61, 61)
    for axis in (0, 1):
        density = (np.take(density, range(60), axis) + np.take(density, range(1, 61), axis)) / 2
    cells = density.reshape(6, 10, 6, 10).sum(axis=(1, 3))
    counts = np.histogram2d(*drawn.T, bins=[axis[::10] for axis in axes])[0]
    expected = 20_000 * cells / cells.sum()
    assert goodness_of_fit(counts.ravel(), expected.ravel()) > ALPHA
    volume = np.prod([axis[1] - axis[0] for axis in axes])
    assert_allclose(np.exp(log_probability(ensemble, asked)), density.sum() * volume, rtol=0.01)


def test_labels_are_summed_up():
    ensemble, states = discrete_ensemble()
    asked = {1: Asked(np.array([0.0, 1.0])), 3: Asked(np.array([1.0]))}
    chosen = states[inside(states, asked)]
    expected = logsumexp(log_density(ensemble, chosen))
    assert_allclose(log_probability(ensemble, asked), expected, atol=1e-12)
    assert log_probability(ensemble, {}) == 0
    drawn, _ = draw_in_region(ensemble, asked, 20_000, np.random.RandomState(0))
    counts = [(drawn == state).all(axis=1).sum() for state in chosen]
    chances = np.exp(log_density(ensemble, chosen) - expected)
    assert sum(counts) == 20_000
    assert goodness_of_fit(np.array(counts), 20_000 * chances) > ALPHA


def test_single_values_count_by_their_density(of_each_law):
    ensemble, drawn = of_each_law
    for row in drawn[:3]:
        asked = {column: Asked(row[[column]]) for column in range(len(row))}
        assert_allclose(log_probability(ensemble, asked), log_density(ensemble, row[None])[0])
    # Of several numbers the likelier are drawn more often, by their densities in the column.
    values = np.quantile(drawn[:, 2], [0.05, 0.5, 0.95])
    logs = [log_probability(ensemble, {2: Asked(values[[k]])}) for k in range(3)]
    assert_allclose(log_probability(ensemble, {2: Asked(values)}), logsumexp(logs), atol=1e-6)


def test_regions_beyond_all_rows_are_of_the_background(of_each_law):
    ensemble, _ = of_each_law
    asked = {0: Asked(None, 1e6, INF)}
    row = np.full((1, len(COLUMNS)), np.nan)
    row[0, 0] = 1e6
    # The tail of a Student t of 4 degrees: of its density a quarter of the way.
    expected = log_density(ensemble, row)[0] + np.log(1e6 / 4)
    assert_allclose(log_probability(ensemble, asked), expected, atol=1e-3)
    drawn, n_effective = draw_in_region(ensemble, asked, 2000, np.random.RandomState(0))
    assert n_effective == INF
    assert (drawn[:, 0] >= 1e6).all()
    assert_allclose(np.median(drawn[:, 0]), 2**0.25 * 1e6, rtol=0.1)
    assert np.abs(drawn[:, 2]).max() > 5
    several = {0: Asked(np.array([-1e6, 1e6])), 7: Asked(np.array([1.0]))}
    drawn, _ = draw_in_region(ensemble, several, 1000, np.random.RandomState(0))
    assert set(drawn[:, 0]) == {-1e6, 1e6}
    assert (drawn[:, 7] == 1).all()


def test_masses_of_a_law_are_differences_of_its_distribution_function(of_each_law):
    ensemble, _ = of_each_law
    rng = np.random.RandomState(0)
    for name in ("plain", "positive"):
        law = ensemble.made.by_feature()[COLUMNS.index(name)][0]
        params = rng.normal(size=(law.n_params, 7))
        region = Region(None, None, -0.4, 0.9)
        found = logsumexp(log_masses(law, params, region), axis=0)
        ends = (np.full((1, 7), end) for end in (0.9, -0.4))
        above, below = (law.cdf(params[:, None], end)[0] for end in ends)
        assert_allclose(np.exp(found), above - below, atol=1e-9)
        uniform = np.tile((np.arange(2000) + 0.5) / 2000, 7)
        draws, mass = draw_within(law, np.repeat(params, 2000, axis=1), region, uniform)
        assert_allclose(mass[::2000], found)
        draws = draws.reshape(7, 2000)
        assert draws.min() >= -0.4
        assert draws.max() <= 0.9
        levels = law.cdf(np.repeat(params, 2000, axis=1)[:, None], draws.reshape(1, -1))
        levels = (levels.reshape(7, 2000) - below[:, None]) / (above - below)[:, None]
        assert_allclose(np.sort(levels, axis=1), np.tile(uniform[:2000], (7, 1)), atol=2e-3)


def test_the_nearest_row_of_a_region():
    ensemble = make_ensemble(2, n_members=1, n_masks=1)
    row = nearest_row(
        {0: Asked(None, 3.0, 5.0), 1: Asked(np.array([-9.0, 8.0]))}, ensemble.table
    )
    assert row.tolist() == [[3.0, 8.0]] or row.tolist() == [[3.0, -9.0]]
    assert np.isnan(nearest_row({0: Asked(None, 3.0, 5.0)}, ensemble.table)[0, 1])
