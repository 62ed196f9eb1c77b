"""The laws of single features: densities, masses, draws, units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import softmax

from skmade._network import conditionals as c
from skmade._network import mixtures, special
from tests.mixture_laws import (
    ATOMS,
    CODED,
    COUNTS,
    TRUNCATED,
    count_law,
    mixture_law,
    truncated_law,
)

TAIL = stats.t(4, scale=special.TAIL_SCALE)


@pytest.fixture(params=[1, 3])
def mixture(request):
    """Return a mixture law for two features and random parameters for five rows."""
    law = mixture_law(request.param)
    return law, np.random.RandomState(0).normal(size=(law.n_params, 2, 5))


@pytest.fixture(params=ATOMS.values(), ids=ATOMS.keys())
def mixture_with_atoms(request):
    """Return a mixture law for two features, with atoms or without."""
    return mixture_law(3, **request.param)


def repeated(params, n_rows):
    return np.repeat(params, n_rows, axis=2)


def reference_log_prob(law, params, value, feature):
    """Log-density of one cell of the mixture, by scipy."""
    n = law.n_components
    logits, means, raw, own = np.split(params, [n, 2 * n, 3 * n])
    present = ~np.isnan(law.atoms[feature])
    weights = softmax(np.append(logits, own[present]))
    means = np.append(means, law.atoms[feature, present])
    scales = law.floor[feature] + np.log1p(np.exp(raw + special.SOFTPLUS_ONE))
    scales = np.append(scales, law.atom_scales[feature, present])
    body = weights @ stats.norm(means, scales).pdf(value)
    return np.log((1 - special.TAIL_WEIGHT) * body + special.TAIL_WEIGHT * TAIL.pdf(value))


def test_mixture_log_prob_is_that_of_scipy(mixture):
    law, params = mixture
    value = np.linspace(-4, 4, 10).reshape(2, 5)
    logs = law.log_prob(params, value)
    for feature, row in np.ndindex(2, 5):
        expected = reference_log_prob(
            law, params[:, feature, row], value[feature, row], feature
        )
        assert_allclose(logs[feature, row], expected, rtol=1e-10)


def test_atoms_are_components_of_their_own(mixture_with_atoms):
    law = mixture_with_atoms
    value = np.array([[-1.0, 0.5, -1.003, 0.0, 1.7], [2.0, 0.0, 2.01, 0.01, -0.4]])
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    logs = law.log_prob(params, value)
    for feature, row in np.ndindex(2, 5):
        expected = reference_log_prob(
            law, params[:, feature, row], value[feature, row], feature
        )
        assert_allclose(logs[feature, row], expected, rtol=1e-10)


def test_a_law_of_some_features_is_that_of_all(mixture_with_atoms):
    law, rng = mixture_with_atoms, np.random.RandomState(0)
    params, value = rng.normal(size=(law.n_params, 2, 5)), rng.normal(size=(2, 5))
    uniform = rng.random_sample((2, 5))
    for positions in ([1], [1, 0], slice(0, 1)):
        some, own = law.at(positions), params[:, positions]
        expected = law.log_prob(params, value)[positions]
        assert_allclose(some.log_prob(own, value[positions]), expected, rtol=1e-14)
        expected = law.sample(params, uniform)[positions]
        assert_allclose(some.sample(own, uniform[positions]), expected, rtol=1e-14)


def test_mixture_distribution_function_is_the_integral_of_the_density(mixture):
    law, params = mixture
    grid = np.linspace(-60, 60, 60001)
    steps = np.diff(grid) * 0.5
    for row in range(5):
        own = params[:, :, row, None]
        density = np.exp(law.log_prob(own, np.tile(grid, (2, 1))))
        cdf = law.cdf(own, np.tile(grid, (2, 1)))
        expected = steps * (density[:, 1:] + density[:, :-1])
        assert_allclose(np.diff(cdf, axis=1), expected, atol=1e-6)


def test_mixture_draws_follow_the_distribution_function(mixture):
    assert_draws_follow_the_distribution_function(*mixture)


def test_draws_of_mixtures_with_atoms_follow_the_distribution_function(mixture_with_atoms):
    law = mixture_with_atoms
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    assert_draws_follow_the_distribution_function(law, params)


def assert_draws_follow_the_distribution_function(law, params):
    uniform = np.random.RandomState(0).random_sample((2, 20_000))
    for row in range(5):
        own = repeated(params[:, :, row, None], 20_000)
        drawn = blurred(law, law.sample(own, uniform))
        for levels in law.cdf(own, drawn):
            assert stats.kstest(levels, "uniform").pvalue > 1e-4


def blurred(law, drawn):
    """Draw from the narrow Gaussians that stand for atoms in a density, within the edges."""
    drawn, rng = drawn.copy(), np.random.RandomState(1)
    for feature, atom in np.argwhere(~np.isnan(law.atoms)):
        place, scale = law.atoms[feature, atom], law.atom_scales[feature, atom]
        ends = np.array([-np.inf, np.inf])
        if isinstance(law, mixtures.TruncatedMixture):
            ends = (law.edges[feature] - place) / scale
        cells = drawn[feature] == place
        near = stats.truncnorm(*ends, place, scale).rvs(len(cells), random_state=rng)
        drawn[feature] = np.where(cells, near, drawn[feature])
    return drawn


def test_atoms_are_drawn_exactly_as_often_as_their_shares_say(mixture_with_atoms):
    law, n_draws = mixture_with_atoms, 20_000
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 1))
    uniform = np.random.RandomState(0).random_sample((2, n_draws))
    drawn = law.sample(repeated(params, n_draws), uniform)
    for feature in range(2):
        logits = params[:, feature, 0]
        present = ~np.isnan(law.atoms[feature])
        shares = softmax(np.append(logits[:3], logits[9:][present])) * (1 - special.TAIL_WEIGHT)
        for atom, share in zip(law.atoms[feature, present], shares[3:], strict=True):
            n_exact = int((drawn[feature] == atom).sum())
            assert stats.binomtest(n_exact, n_draws, share).pvalue > 1e-4


def test_every_uniform_gives_a_finite_draw(mixture):
    law, params = mixture
    uniform = np.tile([0.0, 1e-300, 0.5, 1 - 1e-16], (2, 1))
    assert np.isfinite(law.sample(np.repeat(params[:, :, :1], 4, axis=2), uniform)).all()


def test_the_last_sliver_of_uniforms_draws_from_the_tail(mixture):
    law, params = mixture
    share = np.array([0.001, 0.3, 0.999])
    uniform = np.tile(1 - special.TAIL_WEIGHT * (1 - share), (2, 1))
    drawn = law.sample(np.repeat(params[:, :, :1], 3, axis=2), uniform)
    assert_allclose(drawn, np.tile(TAIL.ppf(share), (2, 1)), rtol=1e-6)


@pytest.mark.parametrize("value", [1e5, 1e100, 1e300, -1e300])
def test_far_values_have_finite_log_density(mixture, value):
    law, params = mixture
    logs = law.log_prob(params, np.full((2, 5), value))
    # Far out a Student t of 4 degrees of freedom falls with the fifth power.
    tail = np.log(3 / (8 * special.TAIL_SCALE)) - 5 * np.log(
        abs(value) / (2 * special.TAIL_SCALE)
    )
    assert_allclose(logs, np.log(special.TAIL_WEIGHT) + tail, rtol=1e-6)


@pytest.mark.parametrize("value", [1e5, 1e100, 1e300, -1e300])
def test_far_from_atoms_the_log_density_is_finite(mixture_with_atoms, value):
    law = mixture_with_atoms
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 5))
    assert np.isfinite(law.log_prob(params, np.full((2, 5), value))).all()


def test_scale_never_falls_below_its_floor():
    law = mixture_law(1, floor=(0.5,), atoms=((),), atom_scales=((),))
    params = np.array([0.0, 0.0, -1e6])[:, None, None]
    peak = np.exp(law.log_prob(params, np.zeros((1, 1))))
    assert_allclose(peak, stats.norm(0, 0.5).pdf(0), rtol=1e-3)


@pytest.fixture(params=TRUNCATED.values(), ids=TRUNCATED.keys())
def truncated(request):
    """Return the law of two features that end, and random parameters for five rows."""
    law = truncated_law(**request.param)
    return law, np.random.RandomState(0).normal(size=(law.n_params, 2, 5))


def pieces_between(low, high):
    """Points from edge to edge, or far out where there is none; dense beside components."""
    points = np.r_[np.linspace(-8, 8, 4001), np.linspace(-70, 70, 1401)]
    points = np.r_[points, np.geomspace(70, 1e4, 200), -np.geomspace(70, 1e4, 200)]
    low, high = np.clip([low, high], -1e4, 1e4)
    return np.unique(np.r_[low, points[(points > low) & (points < high)], high])


def test_truncated_densities_integrate_to_one_between_their_edges(truncated):
    law, params = truncated
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for feature, row in np.ndindex(2, 5):
        alone, pieces = law.at([feature]), pieces_between(*law.edges[feature])
        half = np.diff(pieces)[:, None] / 2
        points = ((pieces[:-1] + pieces[1:])[:, None] / 2 + half * nodes).reshape(1, -1)
        own = repeated(params[:, [feature], row : row + 1], points.shape[1])
        masses = np.exp(alone.log_prob(own, points)).reshape(-1, 12) @ weights * half[:, 0]
        assert_allclose(masses.sum(), 1, atol=1e-5)
        # Piece by piece, the integral is the rise of the distribution function.
        own = repeated(params[:, [feature], row : row + 1], len(pieces))
        levels = alone.cdf(own, pieces[None])[0]
        assert_allclose(np.diff(levels), masses, atol=1e-8, rtol=1e-5)


def test_truncated_densities_are_those_of_the_mixture_with_all_its_mass_inside(truncated):
    law, params = truncated
    mixture = mixtures.MixtureOfGaussians(3, law.floor, law.atoms, law.atom_scales)
    low, high = np.clip(law.edges, -1e3, 1e3).T[:, :, None]
    value = low + (high - low) * np.array([0.0, 0.01, 0.5, 0.9, 1.0])
    gap = mixture.log_prob(params, value) - law.log_prob(params, value)
    logits, means, scales = mixture.unpack(params)
    low, high = law.edges.T[:, :, None]
    parts = np.diff(stats.norm(means, scales).cdf([low + 0 * means, high + 0 * means]), axis=0)
    body = (softmax(logits, axis=0) * parts[0]).sum(axis=0)
    tail = TAIL.cdf(high) - TAIL.cdf(low)
    inside = (1 - special.TAIL_WEIGHT) * body + special.TAIL_WEIGHT * tail
    assert_allclose(np.exp(gap), inside, rtol=1e-5)


def test_distribution_functions_are_zero_below_the_edges_and_one_above(truncated):
    law, params = truncated
    own = repeated(params[:, :, :1], 2)
    far = np.array([[-1e300, 1e300]] * 2)
    assert_allclose(law.cdf(own, far), [[0, 1]] * 2, atol=1e-300)
    assert_allclose(law.cdf(own, np.clip(law.edges, -1e300, 1e300)), [[0, 1]] * 2, atol=1e-300)


def test_draws_between_edges_lie_there_and_follow_the_distribution_function(truncated):
    law, params = truncated
    uniform = np.random.RandomState(0).random_sample((2, 5000))
    drawn = law.sample(repeated(params[:, :, :1], 5000), uniform)
    assert (drawn >= law.edges[:, :1]).all()
    assert (drawn <= law.edges[:, 1:]).all()
    assert_draws_follow_the_distribution_function(law, params)


def test_every_uniform_gives_a_draw_between_the_edges(truncated):
    law, params = truncated
    uniform = np.tile([0.0, 1e-300, 0.5, 1 - 1e-16], (2, 1))
    drawn = law.sample(repeated(params[:, :, :1], 4), uniform)
    assert np.isfinite(drawn).all()
    assert ((drawn >= law.edges[:, :1]) & (drawn <= law.edges[:, 1:])).all()


@pytest.mark.parametrize("edge", [1e2, 1e4, 1e10, 1e100, 1e160, 1e300])
def test_far_edges_have_finite_densities_and_draws(edge):
    law = truncated_law(((-edge, edge), (edge, np.inf)))
    params = np.random.RandomState(0).normal(size=(law.n_params, 2, 4))
    value = np.array([[-edge, 0.0, 1.0, edge], edge * np.array([1.0, 1.5, 2.0, 4.0])])
    assert np.isfinite(law.log_prob(params, value)).all()
    drawn = law.sample(params, np.array([[1e-9, 0.3, 0.6, 1 - 1e-9]] * 2))
    assert np.isfinite(drawn).all()
    # Edges that no value comes near change nothing.
    plain = mixtures.MixtureOfGaussians(3, law.floor, law.atoms, law.atom_scales)
    gap = law.log_prob(params, value) - plain.log_prob(params, value)
    assert_allclose(gap[0], 0, atol=1e-6)


def test_some_features_that_end_are_those_of_all():
    law, rng = truncated_law(**TRUNCATED["with atoms"]), np.random.RandomState(0)
    params, value = rng.normal(size=(law.n_params, 2, 5)), rng.uniform(-0.5, 0.9, size=(2, 5))
    alone = law.at([1]).log_prob(params[:, [1]], value[[1]])
    assert_allclose(alone, law.log_prob(params, value)[[1]], rtol=1e-14)


def test_masses_between_images_are_differences_of_the_distribution_function(mixture):
    law, params = mixture
    for ends in ((-1.0, 0.5), (-1e9, 2.0), (-0.3, 1e9)):
        lower, upper = (np.full((2, 5), end) for end in ends)
        expected = law.cdf(params, upper) - law.cdf(params, lower)
        assert_allclose(np.exp(law.log_mass(params, lower, upper)), expected, rtol=1e-9)
        infinite = [
            np.where(np.abs(end) > 1e8, np.sign(end) * np.inf, end) for end in (lower, upper)
        ]
        assert_allclose(np.exp(law.log_mass(params, *infinite)), expected, rtol=1e-9)


def test_constant():
    law, params, values = c.Constant(), np.ones((1, 2, 3)), np.zeros((2, 3))
    assert (law.n_params, law.n_units) == (1, 0)
    assert law.units(values).shape == (2, 0, 3)
    assert_array_equal(law.log_prob(params, values), 0)
    assert_array_equal(law.sample(params, np.full((2, 3), 0.9)), 0)
    assert law.cdf(params[:, :1], np.array([[-1e-9, 0.0, 1.0]])).tolist() == [[0, 1, 1]]
    assert law.at([1]) is law


def test_units_of_numbers_are_bounded(mixture):
    law, _ = mixture
    value = np.array([[-1e300, 0.5, np.nan], [special.INPUT_BOUND + 1, -2.0, 1e300]])
    bound = special.INPUT_BOUND
    expected = [[[-bound, 0.5, np.nan]], [[bound, -2.0, bound]]]
    assert_array_equal(law.units(value), expected)


def test_bernoulli():
    law, logit = c.Bernoulli(), np.array([[[0.7, -40.0]]])
    zero, one = np.zeros((1, 2)), np.ones((1, 2))
    assert_allclose(np.exp(law.log_prob(logit, zero)) + np.exp(law.log_prob(logit, one)), one)
    assert_allclose(law.log_prob(logit, one), stats.logistic.logcdf(logit[0]))
    assert_allclose(law.cdf(logit, zero), stats.logistic.sf(logit[0]))
    assert law.cdf(logit, zero - 1).tolist() == [[0.0, 0.0]]
    assert law.cdf(logit, one).tolist() == [[1.0, 1.0]]
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    share = law.sample(np.full((1, 1, 20_000), 0.7), uniform).mean()
    assert abs(share - stats.logistic.cdf(0.7)) < 0.015
    assert law.units(one).tolist() == [[[1.0, 1.0]]]


def test_categorical():
    law = c.Categorical(4, np.zeros((1, 4), dtype=bool))
    logits = np.random.RandomState(0).normal(size=(4, 1, 2))
    probabilities = softmax(logits, axis=0)
    logs = [law.log_prob(logits, np.full((1, 2), float(level))) for level in range(4)]
    assert_allclose(np.exp(logs), probabilities)
    for level in range(4):
        expected = probabilities[: level + 1].sum(axis=0)
        assert_allclose(law.cdf(logits, np.full((1, 2), float(level))), expected)
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    drawn = law.sample(np.repeat(logits[:, :, :1], 20_000, axis=2), uniform)
    shares = np.bincount(drawn[0].astype(int), minlength=4) / 20_000
    assert_allclose(shares, probabilities[:, 0, 0], atol=0.015)
    edges = np.array([[0.0, 1 - 1e-17]])
    assert law.sample(logits, edges).tolist() == [[0.0, 3.0]]
    units = law.units(np.array([[2.0, np.nan]]))
    assert units[0].T.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_levels_that_no_row_had_have_no_mass():
    absent = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]], dtype=bool)
    law, rng = c.Categorical(4, absent), np.random.RandomState(0)
    params = rng.normal(size=(4, 3, 2))
    values = [np.full((3, 2), float(level)) for level in range(4)]
    with np.errstate(divide="ignore"):
        expected = np.log(softmax(np.where(absent.T[:, :, None], -np.inf, params), axis=0))
    assert_allclose([law.log_prob(params, value) for value in values], expected)
    levels = [law.cdf(params, value) for value in values]
    assert_allclose(levels, np.exp(expected).cumsum(axis=0))
    uniform = np.concatenate([[0.0, 1e-300, 1 - 1e-16], rng.random_sample(20_000)])
    many = np.repeat(params[:, :, :1], len(uniform), axis=2)
    drawn = law.sample(many, np.tile(uniform, (3, 1)))
    for feature in range(3):
        counts = np.bincount(drawn[feature].astype(int), minlength=4)
        assert (counts[absent[feature]] == 0).all()
        assert_allclose(counts / len(uniform), np.exp(expected[:, feature, 0]), atol=0.015)
    some = law.at([2, 0])
    assert_array_equal(some.absent, absent[[2, 0]])
    assert_array_equal(some.log_prob(params[:, [2, 0]], values[3][:2]), expected[3, [2, 0]])


@pytest.fixture(params=COUNTS.values(), ids=COUNTS.keys())
def count(request):
    """Return the law of a count, random parameters, its integers and their values."""
    law = count_law(**request.param)
    lowest, highest = (request.param.get(k, v) for k, v in (("lowest", 0.0), ("highest", 1e5)))
    integers = np.arange(max(lowest, -1e5), highest + 1)
    params = np.random.RandomState(0).normal(size=(law.n_params, 1, 1))
    return law, params, integers, (law.origin + integers * law.step)[None]


def test_masses_of_a_count_sum_to_one_over_the_integers(count):
    law, params, integers, values = count
    logs = law.log_prob(repeated(params, len(integers)), values)
    assert abs(np.exp(logs).sum() - 1) < 1e-6
    assert np.isfinite(logs).all()


def test_distribution_function_of_a_count_adds_up_its_masses(count):
    law, params, integers, values = count
    mass = np.exp(law.log_prob(repeated(params, len(integers)), values))
    assert_allclose(law.cdf(params, values), mass.cumsum(axis=1), atol=1e-5)
    between = values + 0.4 * law.step
    assert_allclose(law.cdf(params, between), law.cdf(params, values))


def test_draws_of_a_count_follow_its_masses(count):
    law, params, _, values = count
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    drawn = law.sample(repeated(params, 20_000), uniform)
    assert np.isin(drawn.round(6), values.round(6)).all()
    levels = law.cdf(params, values)[0]
    edges = np.searchsorted(levels, np.linspace(0.1, 0.9, 9))
    edges = np.unique(np.clip(edges, 0, len(levels) - 1))
    expected = np.diff(levels[edges], prepend=0, append=1)
    below = (drawn[0, :, None] <= values[0, edges] + law.step / 2).mean(axis=0)
    assert_allclose(np.diff(below, prepend=0, append=1), expected, atol=0.02)


def test_draws_of_a_count_lie_between_its_ends(count):
    law, params, *_ = count
    uniform = np.r_[0.0, 1e-300, np.linspace(1e-6, 1 - 1e-6, 1001), 1 - 1e-16][None]
    for moved in (-1e4, 0.0, 1e4):
        far = params.copy()
        far[3:6] += moved
        drawn = law.sample(repeated(far, uniform.shape[1]), uniform)
        assert (drawn >= law.lowest).all()
        assert (drawn <= law.highest).all()


def test_a_count_far_above_its_highest_integer_is_that_integer():
    law = count_law(5.0, lowest=-np.inf, highest=10.0)
    params = np.random.RandomState(0).normal(size=(law.n_params, 1, 1))
    params[3:6] = law.highest[0] + 60
    mass = np.exp(law.log_prob(params, law.highest[:, None]))
    assert 1 - special.TAIL_WEIGHT < mass[0, 0] <= 1
    assert law.cdf(params, law.highest[:, None]).tolist() == [[1.0]]
    drawn = law.sample(repeated(params, 3), np.array([[0.1, 0.5, 0.9]]))
    assert_array_equal(drawn, law.highest[0])


def test_a_count_far_below_its_lowest_integer_is_that_integer(count):
    law, params, *_ = count
    far_below = params.copy()
    far_below[3:6] = max(float(law.lowest[0]), -1e3) - 50 * (1 + float(law.step[0]))
    far_below[9:] = -1e9
    if np.isfinite(law.lowest).all():
        mass = np.exp(law.log_prob(far_below, law.lowest[:, None]))
        assert 1 - special.TAIL_WEIGHT < mass[0, 0] <= 1
        uniform = np.linspace(0.01, 0.99, 9)[None]
        assert_allclose(law.sample(repeated(far_below, 9), uniform), law.lowest[0])


@pytest.mark.parametrize("value", [1e10, 1e100, 1e300])
def test_far_counts_have_finite_masses(value):
    law = count_law(2.0)
    params, far = np.zeros((law.n_params, 1, 1)), np.array([[value]])
    assert np.isfinite(law.log_prob(params, far)).all()
    assert law.log_prob(params, 2 * far) < law.log_prob(params, far)


@pytest.fixture(params=CODED.values(), ids=CODED.keys())
def coded(request):
    """Return the law of codes, random parameters, integers and codes, and their values."""
    law = count_law(**request.param)
    codes = law.origin + law.step * np.array(request.param["codes"])
    integers = np.arange(-60_000.0, 60_000.0)
    params = np.random.RandomState(0).normal(size=(law.n_params, 1, 1))
    values = (law.origin + integers * law.step)[None]
    return law, params, values, codes[~np.isnan(codes)][None]


def test_masses_of_codes_and_of_the_integers_beside_them_sum_to_one(coded):
    law, params, values, codes = coded
    is_code = (np.abs(values - codes.T) < law.step / 2).any(axis=0)
    mass = np.exp(law.log_prob(repeated(params, values.shape[1]), values))[0]
    assert is_code.sum() == codes.shape[1]
    assert abs(mass.sum() - 1) < 1e-6
    assert 1 - special.TAIL_WEIGHT <= mass[is_code].sum() < 1
    assert (mass > 0).all()


def test_the_mixture_goes_to_the_nearest_code(coded):
    law, params, _, codes = coded
    plain = mixtures.MixtureOfGaussians(
        3, law.floor, law.atoms, 1e-3 * law.step[:, None] + 0 * law.atoms
    )
    edges = np.r_[-np.inf, (codes[0, 1:] + codes[0, :-1]) / 2, np.inf]
    expected = np.diff(np.r_[0.0, plain.cdf(params, edges[None, 1:-1])[0], 1.0])
    mass = np.exp(law.log_prob(repeated(params, codes.shape[1]), codes))[0]
    assert_allclose(mass, expected, atol=special.TAIL_WEIGHT)


def test_integers_beside_codes_have_the_tail_alone(coded):
    law, params, values, codes = coded
    others = values[:, (np.abs(values - codes.T) > law.step / 2).all(axis=0)]
    half = law.step / 2
    expected = np.log(special.TAIL_WEIGHT) + special.student_log_interval(
        others - half, others + half
    )
    assert_allclose(
        law.log_prob(repeated(params, others.shape[1]), others), expected, rtol=1e-9
    )


def test_draws_of_codes_are_codes_with_their_masses(coded):
    law, params, _, codes = coded
    uniform = np.random.RandomState(0).random_sample((1, 20_000))
    uniform[0, :3] = [0.0, 1e-300, 1 - 1e-16]
    drawn = law.sample(repeated(params, 20_000), uniform)
    assert np.isin(drawn, law.codes).all()
    mass = np.exp(law.log_prob(repeated(params, codes.shape[1]), codes))[0]
    shares = np.isclose(drawn, codes.T).mean(axis=1)
    assert_allclose(shares, mass, atol=0.015)


def test_distribution_function_of_codes_adds_up_their_masses(coded):
    law, params, values, codes = coded
    mass = np.exp(law.log_prob(repeated(params, values.shape[1]), values))
    # It has the tail's mass at codes, too.
    levels = law.cdf(params, values)
    assert_allclose(levels, mass.cumsum(axis=1), atol=special.TAIL_WEIGHT)
    before_first = values[:, values[0] < codes[0, 0] - law.step / 2]
    assert_array_equal(law.cdf(params, before_first), 0)
    assert_array_equal(law.cdf(params, values[:, values[0] > codes[0, -1] - law.step / 2]), 1)
    rises = np.diff(levels[0], prepend=0)
    is_code = (np.abs(values - codes.T) < law.step / 2).any(axis=0)
    assert_array_equal(rises[~is_code], 0)


def test_codes_of_one_feature_are_no_matter_of_another():
    coded = count_law(1.0, lowest=-np.inf, codes=(1.0, 4.0, 6.0))
    plain = count_law(5.0, codes=(np.nan,) * 3)
    constants = [
        np.concatenate([getattr(law, name) for law in (coded, plain)])
        for name in (
            "floor",
            "atoms",
            "atom_scales",
            "origin",
            "step",
            "lowest",
            "highest",
            "codes",
        )
    ]
    law, rng = mixtures.DiscretisedMixture(3, *constants), np.random.RandomState(0)
    params, uniform = rng.normal(size=(law.n_params, 2, 12)), rng.random_sample((2, 12))
    value = law.origin[:, None] + law.step[:, None] * np.arange(12)
    for position, alone in enumerate((coded, count_law(5.0))):
        own = params[:, [position]]
        for answer, given in (("log_prob", value), ("cdf", value), ("sample", uniform)):
            expected = getattr(alone, answer)(own, given[[position]])
            assert_allclose(
                getattr(law, answer)(params, given)[[position]], expected, rtol=1e-12
            )
            some = law.at([position])
            assert_array_equal(getattr(some, answer)(own, given[[position]]), expected)


@pytest.mark.parametrize("value", [1e10, 1e100, 1e300, -1e300])
def test_far_integers_beside_codes_have_finite_masses(value):
    law = count_law(2.0, lowest=-np.inf, codes=(1.0, 5.0))
    params = np.zeros((law.n_params, 1, 1))
    logs = [law.log_prob(params, np.array([[far]])) for far in (value, 2 * value)]
    assert np.isfinite(logs).all()
    assert logs[1] < logs[0]
