"""Transforms of single columns: slopes, inverses, edges, and which are chosen."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmade._table import marginals as m
from skmade._table.column import location_and_spread
from skmade.datasets import Ring

N_SAMPLES = 1000


def columns(n_samples=N_SAMPLES, seed=0):
    """Draw standardised columns of many shapes."""
    rng = np.random.RandomState(seed)
    side = np.where(rng.random_sample(n_samples) < 0.6, -1, 1)
    drawn = {
        "gaussian": rng.normal(size=n_samples),
        "skewed": rng.exponential(size=n_samples),
        "a little skewed": rng.gamma(10, size=n_samples),
        "skewed to the left": -rng.lognormal(size=n_samples),
        "bimodal": 3 * side + rng.normal(size=n_samples),
        "far modes": 30 * side + rng.normal(size=n_samples),
        "heavy-tailed": rng.standard_t(1.5, size=n_samples),
        "skewed modes": np.exp(1.5 * side + 0.3 * rng.normal(size=n_samples)),
        "uniform": rng.uniform(size=n_samples),
    }
    for name, values in drawn.items():
        center, spread = location_and_spread(values, np.ones(n_samples))
        drawn[name] = (values - center) / spread
    return drawn


COLUMNS = columns()
TABLE = np.column_stack(list(COLUMNS.values()))


def fit(values, weight=None, step=1e-3, function=m.fit_marginals, described=None):
    weight = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float)
    described = ~np.isnan(values) if described is None else described
    return function(values, weight, described, np.full(values.shape[1], step))


def image_of(name):
    """Return the transform of one column, and its images."""
    values = COLUMNS[name][:, None]
    marginals = fit(values)
    return marginals, marginals.forward(values)[0][:, 0]


@pytest.fixture(scope="module")
def marginals():
    return fit(TABLE)


def test_columns_of_all_transforms_are_here(marginals):
    assert {(False, False), (True, False), (False, True)} <= set(
        zip(marginals.power != 1, marginals.is_mixture, strict=True)
    )


def test_inverse_undoes_forward(marginals):
    assert_allclose(marginals.inverse(marginals.forward(TABLE)[0]), TABLE, atol=1e-7)


def test_forward_undoes_inverse(marginals):
    images = np.tile(np.linspace(-8, 8, 401)[:, None], (1, TABLE.shape[1]))
    values = marginals.inverse(images)
    reached = marginals.forward(values)[0]
    # A power transform has no such low image where it would be of a value beyond all bounds.
    inside = np.abs(values) < m.MAX_STANDARDISED
    assert inside.mean() > 0.9
    assert_allclose(reached[inside], images[inside], atol=1e-6)


def test_missing_cells_stay_missing(marginals):
    holes = np.random.RandomState(0).random_sample(TABLE.shape) < 0.3
    values = np.where(holes, np.nan, TABLE)
    images, log_slopes = marginals.forward(values)
    complete, complete_slopes = marginals.forward(TABLE)
    assert_array_equal(np.isnan(images), holes)
    assert_array_equal(np.isnan(marginals.inverse(images)), holes)
    assert_array_equal(images[~holes], complete[~holes])
    assert_array_equal(log_slopes[~holes], complete_slopes[~holes])


def test_slopes_are_the_derivative_of_images(marginals):
    near = np.tile(np.linspace(-6, 6, 997)[:, None], (1, TABLE.shape[1]))
    for values in (near, TABLE):
        h = 1e-5
        above, below = (marginals.forward(values + s * h)[0] for s in (1, -1))
        slopes = np.exp(marginals.forward(values)[1])
        quotients = (above - below) / (2 * h)
        # At the ends of the knots the slope has a kink, within h of which the quotient is off.
        close = np.isclose(quotients, slopes, rtol=1e-3, atol=1e-6)
        assert close.mean() > 0.998


def test_images_are_monotone_and_finite_far_out(marginals):
    far = np.logspace(-3, 150, 2000)
    values = np.tile(np.r_[-far[::-1], 0, far][:, None], (1, TABLE.shape[1]))
    images, log_slopes = marginals.forward(values)
    assert np.isfinite(images).all()
    assert np.isfinite(log_slopes).all()
    assert (np.diff(images, axis=0) > 0).all()
    for beyond in (values[:, 0] > 1e3, values[:, 0] < -1e3):
        turns = np.sign(np.round(np.diff(log_slopes[beyond], axis=0), 9))
        assert ((turns >= 0).all(axis=0) | (turns <= 0).all(axis=0)).all()


def test_values_beyond_the_bound_have_the_bounds_image(marginals):
    bound = m.MAX_STANDARDISED
    values = np.tile([[1e200], [-1e300], [bound], [-bound]], (1, TABLE.shape[1]))
    changed = (marginals.power != 1) | marginals.is_mixture
    images = marginals.forward(values)[0][:, changed]
    assert_array_equal(images[:2], images[2:])


@pytest.mark.parametrize("name", ["skewed", "skewed to the left", "skewed modes"])
def test_images_of_skewed_columns_are_hardly_skewed(name):
    _, images = image_of(name)
    assert abs(stats.skew(images)) < 0.25 * abs(stats.skew(COLUMNS[name]))


@pytest.mark.parametrize(
    "name", ["skewed", "skewed to the left", "bimodal", "far modes", "heavy-tailed", "uniform"]
)
def test_images_are_closer_to_a_gaussian(name):
    _, images = image_of(name)
    before = stats.kstest(COLUMNS[name], "norm").statistic
    after = stats.kstest(images, "norm").statistic
    assert after < 0.05
    assert after < before
    assert_allclose(location_and_spread(images, np.ones(N_SAMPLES)), [0, 1], atol=0.1)


def test_log_slopes_are_what_the_transform_gains_in_likelihood():
    for name in ("skewed", "bimodal", "heavy-tailed"):
        marginals, images = image_of(name)
        _, log_slopes = marginals.forward(COLUMNS[name][:, None])
        before = stats.norm.logpdf(COLUMNS[name]).mean()
        assert (stats.norm.logpdf(images) + log_slopes[:, 0]).mean() > before + 0.05


def test_the_density_of_images_sums_to_one(marginals):
    grid = np.sinh(np.linspace(-12, 12, 24_001))  # dense near zero, where modes are narrow
    for column in range(TABLE.shape[1]):
        values = np.zeros((len(grid), TABLE.shape[1]))
        values[:, column] = grid
        images, log_slopes = (part[:, column] for part in marginals.forward(values))
        density = stats.norm.pdf(images) * np.exp(log_slopes)
        assert_allclose(np.trapezoid(density, grid), 1, atol=1e-3)


def test_gaussian_columns_are_left_as_they_are():
    values = np.random.RandomState(0).normal(size=(500, 60))
    marginals = fit(values)
    images, log_slopes = marginals.forward(values)
    assert not marginals.is_mixture.any()
    left = marginals.power == 1
    assert left.mean() > 0.9  # the criterion errs on a few of a hundred
    assert_array_equal(images[:, left], values[:, left])
    assert_array_equal(log_slopes[:, left], 0)
    assert marginals.n_params == (~left).sum()


def test_groups_of_equal_values_have_equal_means():
    for value in np.random.RandomState(0).normal(size=50):
        values = np.append(np.full(2527, value), np.linspace(5, 9, 600))
        points, share, n_rows = m._summary(values, np.ones(len(values)), n_points=400)
        assert points[0] == value
        assert_allclose(share[0], 2527 / 3127)
        assert_allclose([share.sum(), n_rows], [1, 3127])


def test_columns_with_few_cells_are_left_as_they_are():
    n = m.MIN_DESCRIBED
    values = np.full((100, 2), np.nan)
    values[: n - 1, 0], values[:n, 1] = np.logspace(0, 3, n - 1), np.logspace(0, 3, n)
    marginals = fit(values)
    assert marginals.power[0] == 1
    assert not marginals.is_mixture[0]
    assert marginals.power[1] != 1
    assert_array_equal(marginals.forward(values)[0][:, 0], values[:, 0])


def test_cells_that_are_not_described_change_nothing():
    values = TABLE.copy()
    described = np.random.RandomState(0).random_sample(values.shape) < 0.7
    values[~described] = 7.0
    holes = np.where(described, values, np.nan)
    fitted, expected = fit(values, described=described), fit(holes)
    for field in ("power", "center", "spread", "shares", "means", "scales", "knots"):
        assert_array_equal(getattr(fitted, field), getattr(expected, field))


def test_weights_count_rows():
    rng = np.random.RandomState(0)
    weight = rng.randint(1, 4, size=N_SAMPLES)
    weighted, repeated = fit(TABLE, weight), fit(np.repeat(TABLE, weight, axis=0))
    assert_allclose(weighted.power, repeated.power, atol=0.11)
    grid = np.tile(np.linspace(-1, 1, 41)[:, None], (1, TABLE.shape[1]))
    assert_allclose(weighted.forward(grid)[0], repeated.forward(grid)[0], atol=0.3)


def test_a_weight_says_how_many_rows_a_row_stands_for():
    # Rows that stand for few are not believed, others are.
    values = COLUMNS["a little skewed"][::25, None]
    assert fit(values, np.full(40, 0.05)).power == 1
    weighted, repeated = fit(values, np.full(40, 25.0)), fit(np.repeat(values, 25, axis=0))
    assert weighted.power == repeated.power < 1
    assert_allclose(weighted.forward(values)[0], repeated.forward(values)[0], atol=1e-6)


def test_the_order_of_rows_is_no_information():
    values = np.column_stack([columns(4000)[name] for name in ("skewed", "bimodal", "uniform")])
    rng = np.random.RandomState(1)
    order, weight = rng.permutation(4000), rng.randint(1, 4, size=4000).astype(float)
    for function in (m.fit_marginals, m.choose_marginals):
        first, permuted = (
            fit(values[rows], weight[rows], function=function) for rows in (slice(None), order)
        )
        assert first.n_params == permuted.n_params > 0
        expected, images = (part.forward(values)[0] for part in (first, permuted))
        assert_allclose(images, expected, atol=1e-6)


@pytest.mark.parametrize("step", [1e-3, 0.1, 0.5])
def test_no_component_is_narrower_than_a_step(step):
    recorded = np.round(np.random.RandomState(0).normal(size=(800, 1)) / step) * step
    spiky = np.where(np.arange(800)[:, None] % 2, recorded, 1.0)
    for values in (recorded, spiky):
        marginals = fit(values, step=step)
        used = marginals.shares > 0
        least = max(step / marginals.spread[0], m.MIN_MIXTURE_SCALE)
        assert (marginals.scales[used] >= least * (1 - 1e-9)).all()


def test_the_criterion_chooses_as_many_components_as_there_are_modes():
    marginals = fit(TABLE)
    n_components = dict(zip(COLUMNS, (marginals.shares > 0).sum(axis=1), strict=True))
    assert n_components["gaussian"] == 1
    assert n_components["bimodal"] == n_components["far modes"] == 3  # and the broad one
    assert n_components["heavy-tailed"] > 2


@pytest.mark.parametrize("power", [0.0, 0.05, 0.5, 1.0, 1.5, 1.95, 2.0])
def test_power_transform_is_that_of_scipy(power):
    values = np.r_[-np.logspace(-8, 3, 50), 0, np.logspace(-8, 3, 50)]
    powered = m.yeo_johnson(values, power)
    assert_allclose(powered, stats.yeojohnson(values, lmbda=power), rtol=1e-9)
    assert_allclose(m.inverse_yeo_johnson(powered, power), values, rtol=1e-7)


def test_several_powers_transform_as_each_of_them():
    values, powers = np.linspace(-5, 5, 11), np.array([[0.0], [0.7], [2.0]])
    expected = [m.yeo_johnson(values, float(power)) for power in powers[:, 0]]
    assert_allclose(m.yeo_johnson(values, powers), expected)


def test_the_power_is_about_the_most_likely_one():
    for name in ("skewed", "skewed to the left"):
        _, best = stats.yeojohnson(COLUMNS[name])
        expected = np.clip(best, 0, 2)
        assert abs(fit(COLUMNS[name][:, None]).power[0] - expected) < 0.15


def test_without_mixtures_the_powers_stay(marginals):
    plain = marginals.without_mixtures()
    assert not plain.is_mixture.any()
    assert_array_equal(plain.power, marginals.power)
    images, _ = plain.forward(TABLE)
    powered = [m.yeo_johnson(u, p) for u, p in zip(TABLE.T, plain.power, strict=True)]
    assert_allclose(images, (np.column_stack(powered) - plain.center) / plain.spread)
    assert plain.n_params == (marginals.power != 1).sum()
    assert_allclose(plain.inverse(images), TABLE, atol=1e-9)


def test_the_identity_changes_nothing():
    plain = m.Marginals.identity(TABLE.shape[1])
    images, log_slopes = plain.forward(TABLE)
    assert_array_equal(images, TABLE)
    assert_array_equal(log_slopes, 0)
    assert_array_equal(plain.inverse(TABLE), TABLE)
    assert plain.n_params == 0


@pytest.fixture
def edged():
    """Return transforms of which two columns have an edge, at 4.5 and at 12."""
    return replace(m.Marginals.identity(3), reach=np.array([3.0, 9.0, np.inf]))


def test_images_up_to_the_reach_stay_as_they_are(edged):
    values = np.linspace(-3, 3, 31)[:, None] * [1, 3, 100]
    images, log_slopes = edged.forward(values)
    assert_array_equal(images, values)
    assert_array_equal(log_slopes, 0)


def test_images_beyond_the_reach_have_their_slopes_and_inverses(edged):
    size = np.linspace(1.01, 1.32, 23)[:, None] * [3, 9, 9]
    values, h = np.concatenate([size, -size]), 1e-6
    images, log_slopes = edged.forward(values)
    rises = edged.forward(values + h)[0] - edged.forward(values - h)[0]
    assert_allclose(np.exp(log_slopes), rises / (2 * h), rtol=1e-6)
    assert_allclose(edged.inverse(images), values)
    assert (np.abs(images[:, :2]) > np.abs(values[:, :2])).all()
    assert_allclose(images[0], values[0], rtol=1e-6)  # smooth where it begins
    assert not edged.beyond_edge(images).any()


def test_transformed_columns_come_back_from_beyond_the_reach(marginals):
    edged = replace(marginals, reach=np.full(TABLE.shape[1], 2.0))
    images, _ = edged.forward(TABLE)
    within = ~edged.beyond_edge(images)
    changed = edged.is_mixture | (edged.power != 1)
    assert ((np.abs(images) > 2) & within).any(axis=0)[changed].all()
    assert_allclose(edged.inverse(images)[within], TABLE[within], rtol=1e-6, atol=1e-6)


def test_values_beyond_the_edge_are_known_by_their_images(edged):
    values = np.array([[4.5, 12.0, 1e150], [-1e9, -12.1, -1.0], [4.49, 11.9, 0.0]])
    images, log_slopes = edged.forward(values)
    assert np.isfinite([images, log_slopes]).all()
    assert_array_equal(edged.beyond_edge(images), [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert (np.abs(edged.inverse(np.full((1, 3), 1e300)))[0, :2] < [4.5, 12]).all()
    assert not edged.beyond_edge(np.full((1, 3), np.nan)).any()


def clustered(n_samples=900):
    """Draw two far groups of correlated rows, standardised."""
    rng = np.random.RandomState(0)
    covariance = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    noise = rng.multivariate_normal(np.zeros(3), covariance, size=n_samples)
    values = noise + np.where(rng.random_sample(n_samples) < 0.4, -3, 3)[:, None]
    return (values - values.mean(axis=0)) / values.std(axis=0)


def test_modes_that_come_from_clusters_of_rows_are_left_alone():
    values = clustered()
    assert fit(values).is_mixture.all()
    assert not fit(values, function=m.choose_marginals).is_mixture.any()


def test_modes_that_come_from_curves_are_left_alone():
    values = Ring().sample(1000, random_state=0)
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    assert fit(values).is_mixture.all()
    assert fit(values, function=m.choose_marginals).n_params == 0
    # Beside values that recur a Gaussian may be as narrow as it likes, and is not asked.
    described = np.random.RandomState(0).random_sample(values.shape) < 0.9
    chosen = fit(values, function=m.choose_marginals, described=described)
    assert chosen.is_mixture.all()


def test_modes_of_independent_columns_are_transformed():
    rng = np.random.RandomState(0)
    side = np.where(rng.random_sample((900, 3)) < 0.4, -3, 3)
    values = side + rng.normal(size=(900, 3))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    assert fit(values, function=m.choose_marginals).is_mixture.all()


def test_skewed_tables_are_transformed_and_gaussian_ones_are_not():
    gaussian = np.random.RandomState(0).normal(size=(600, 3))
    assert fit(gaussian, function=m.choose_marginals).n_params == 0
    assert (fit(np.exp(gaussian) - 1.5, function=m.choose_marginals).power < 1).all()


def test_tables_with_holes_and_undescribed_columns_can_be_chosen_for():
    values = np.c_[TABLE, np.zeros(N_SAMPLES)]
    values[np.random.RandomState(0).random_sample(values.shape) < 0.3] = np.nan
    described = ~np.isnan(values)
    described[:, -1] = False
    chosen = fit(values, function=m.choose_marginals, described=described)
    images, _ = chosen.forward(values)
    assert_array_equal(np.isnan(images), np.isnan(values))
    assert_array_equal(images[:, -1], values[:, -1])
    nothing = fit(values, function=m.choose_marginals, described=np.zeros_like(described))
    assert nothing.n_params == 0
