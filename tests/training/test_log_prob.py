"""The gradients of log-probabilities, written by hand, and their values."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmade._network import special
from skmade._network.conditionals import (
    Bernoulli,
    Categorical,
    Constant,
    DiscretisedMixture,
    TruncatedMixture,
)
from skmade._training import log_prob as gradients
from tests.mixture_laws import (
    ATOMS,
    CODED,
    COUNTS,
    TRUNCATED,
    count_law,
    log_masses,
    mixture_law,
    truncated_law,
)

TAIL = stats.t(4, scale=special.TAIL_SCALE)
FAR = 10.0 ** np.array([2, 4, 9, 14])


def twin(law, dtype=torch.float64):
    """Return the twin of a law that has gradients."""
    return gradients.trainable(law, lambda array: torch.tensor(array, dtype=dtype))


@pytest.fixture(params=ATOMS.values(), ids=ATOMS.keys())
def mixture_with_atoms(request):
    """Return a mixture law for two features, with atoms or without."""
    return mixture_law(3, **request.param)


def log_prob(law, params, value):
    """Log-probabilities (n, F) by the twin, of parameters (n, F, n_params)."""
    return twin(law, params.dtype).log_prob(params.permute(2, 1, 0), value.T).T


def numbers(law):
    """Values of two features: near, atoms and beside them, far."""
    near = np.linspace(-5, 5, 31)
    atoms = [-1.0, 0.5, 2.0, 0.0, -1.003, 2.01, 0.49]
    return np.tile(np.concatenate([near, atoms, FAR, -FAR]), (2, 1))


def integers(law):
    """Values of a count: from its lowest possible integer on, far ones too."""
    lowest = law.lowest[0] if np.isfinite(law.lowest[0]) else law.origin[0] - 40 * law.step[0]
    steps = np.concatenate([np.arange(60.0), [1000.0, 100_000.0], np.rint(FAR)])
    values = lowest + steps[None] * law.step[0]
    return values[:, values[0] <= law.highest[0] + law.step[0] / 2]


def codes(law):
    """Every code of two features."""
    return np.tile(np.arange(float(getattr(law, "n_levels", 2))), (2, 1))


def levels(law):
    """Every level that some row had, of two features; the last one again."""
    present = [np.flatnonzero(~row) for row in law.absent]
    n_most = max(map(len, present))
    return np.stack([np.pad(row, (0, n_most - len(row)), "edge") for row in present]).astype(
        float
    )


def inside(law):
    """Values of two features from edge to edge, or to far out where there is none."""
    low, high = law.edges.T[:, :, None]
    low = np.where(np.isinf(low), np.minimum(high, 0) - 30, low)
    high = np.where(np.isinf(high), np.maximum(low, 0) + 30, high)
    shares = np.r_[0.0, np.geomspace(1e-6, 0.5, 15), 1 - np.geomspace(0.4, 1e-6, 15), 1.0]
    return np.clip(low + (high - low) * shares, low, high)


def integers_beside_codes(law):
    """Every integer around the codes, and far ones."""
    steps = np.concatenate([np.arange(-5.0, 15.0), [-1000.0, 999.0, 1e5, -1e9]])
    return law.origin[:, None] + law.step[:, None] * steps


def no_rows_of(n_levels, *absent):
    """Return the law of two features, of which the first has levels that no row had."""
    return Categorical(n_levels, np.isin(np.arange(n_levels), absent) & [[True], [False]])


LAWS = {
    "binary": (Bernoulli(), codes),
    "constant": (Constant(), codes),
    "categorical": (no_rows_of(4), levels),
    "of absent levels": (no_rows_of(4, 0, 2), levels),
    "of many levels": (no_rows_of(100, 99), levels),
    "one component": (mixture_law(1), numbers),
    **{f"atoms {k}": (mixture_law(3, **v), numbers) for k, v in ATOMS.items()},
    **{f"truncated {k}": (truncated_law(**v), inside) for k, v in TRUNCATED.items()},
    **{f"count {k}": (count_law(**v), integers) for k, v in COUNTS.items()},
    **{f"codes {k}": (count_law(**v), integers_beside_codes) for k, v in CODED.items()},
}


@pytest.fixture(params=LAWS.values(), ids=LAWS.keys())
def law_and_values(request):
    """Return a law of any kind, and values of its features."""
    law, draw = request.param
    return law, draw(law)


def both(law, params, values, dtype):
    """Log-probabilities by the twin, and by the law of the same rounded numbers."""
    params, values = (torch.tensor(array, dtype=dtype) for array in (params, values))
    logs = twin(law, dtype).log_prob(params, values).numpy()
    return logs, law.log_prob(params.double().numpy(), values.double().numpy())


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_twins_have_the_same_log_probabilities(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float64)
    assert np.isfinite(logs).all()
    # Components far from both edges are known to 1e-4 of their share, which is next to none.
    room = 1e-8 if isinstance(law, TruncatedMixture) else 1e-10
    assert_allclose(twins, logs, rtol=1e-10, atol=room)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_twins_in_single_precision_are_close(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float32)
    near = np.ones(values.shape, dtype=bool)
    # The tail's mass is a difference of two numbers close to one, up to where it is density
    # times width.
    if isinstance(law, DiscretisedMixture):
        edge = np.abs(values) - law.step[:, None] / 2
        near = (np.abs(values) <= special.INPUT_BOUND) | (edge >= special.FAR_TAIL)
    elif isinstance(law, TruncatedMixture):
        edges = np.where(np.isinf(law.edges), 0, np.abs(law.edges)).max(axis=1)
        near[(edges > special.INPUT_BOUND) & (edges < special.FAR_TAIL)] = False
    assert_allclose(twins[near], logs[near], rtol=1e-4, atol=1e-4)
    assert_allclose(twins, logs, rtol=1e-4, atol=0.06)


@pytest.mark.parametrize("spread", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("n_atoms", [0, 1])
def test_large_counts_keep_their_masses_in_single_precision(spread, n_atoms):
    # A step of one is less than what single precision tells apart, beside most values.
    law, rng = count_law(spread, center=7.0, n_atoms=n_atoms), np.random.RandomState(0)
    steps = np.r_[7.0, np.rint(rng.uniform(0, 3 * spread, size=200))]
    values = law.origin + law.step * steps[None]
    params = rng.normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float32)
    assert_allclose(twins, logs, rtol=1e-3, atol=1e-3)


def test_twins_have_the_same_units(law_and_values):
    law, values = law_and_values
    values = np.where(np.arange(values.shape[1]) % 3 == 2, np.nan, values)
    assert_array_equal(twin(law).units(torch.from_numpy(values)), law.units(values))


def plain_log_prob(law, params, value):
    """Log-density by autograd's own formulas, feature by feature."""
    k, logs = law.n_components, []
    for feature in range(len(law.floor)):
        present = ~np.isnan(law.atoms[feature])
        own = params[:, feature, 3 * k :][:, present]
        logits, means, raw = params[:, feature, : 3 * k].split(k, dim=-1)
        scales = law.floor[feature] + torch.nn.functional.softplus(raw + special.SOFTPLUS_ONE)
        places = torch.from_numpy(law.atoms[feature, present]).expand_as(own)
        widths = torch.from_numpy(law.atom_scales[feature, present]).expand_as(own)
        gaussians = torch.distributions.Normal(
            torch.cat([means, places], dim=-1), torch.cat([scales, widths], dim=-1)
        )
        x = value[:, feature]
        weights = torch.log_softmax(torch.cat([logits, own], dim=-1), dim=-1)
        body = torch.logsumexp(weights + gaussians.log_prob(x[:, None]), dim=-1)
        tail = gradients.student_log_prob(x) + np.log(special.TAIL_WEIGHT)
        logs.append(torch.logaddexp(body + np.log1p(-special.TAIL_WEIGHT), tail))
    return torch.stack(logs, dim=-1)


@pytest.mark.parametrize("size", [0.1, 1.0, 8.0, 300.0, 1e6, 1e12])
def test_mixture_gradient_is_that_of_autograd(mixture_with_atoms, size):
    law, rng = mixture_with_atoms, np.random.RandomState(0)
    value = torch.from_numpy(rng.normal(scale=size, size=(40, 2)))
    value[:4] = torch.tensor([[-1.0, 2.0], [0.5, 0.0], [-1.003, 2.01], [0.0, 0.0]])
    params = torch.from_numpy(rng.normal(size=(40, 2, law.n_params))).requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(40, 2)))
    logs, expected = log_prob(law, params, value), plain_log_prob(law, params, value)
    assert_allclose(logs.detach(), expected.detach(), rtol=1e-10, atol=1e-12)
    (gradient,) = torch.autograd.grad(logs, params, upstream)
    (by_autograd,) = torch.autograd.grad(expected, params, upstream)
    assert_allclose(gradient, by_autograd, rtol=1e-8, atol=1e-10)


def test_mixture_gradient_is_the_difference_quotient(mixture_with_atoms):
    law, rng = mixture_with_atoms, np.random.RandomState(1)
    value = torch.from_numpy(rng.normal(size=(6, 2)))
    params = torch.from_numpy(rng.normal(size=(6, 2, law.n_params))).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: log_prob(law, p, value), params)


def test_gradients_of_mixtures_are_finite_in_single_precision(mixture_with_atoms):
    far = torch.logspace(-3, 14, 60)
    value = torch.cat([far, -far, torch.tensor([-1.0, 0.0, 0.5, 2.0])])[:, None].expand(-1, 2)
    shape = (*value.shape, mixture_with_atoms.n_params)
    random = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for params in (random, 10 * random, random * torch.tensor(100.0)):
        params = params.clone().requires_grad_()
        logs = log_prob(mixture_with_atoms, params, value)
        logs.sum().backward()
        assert logs.isfinite().all()
        assert params.grad.isfinite().all()


def test_without_gradients_the_mixture_has_the_same_value(mixture_with_atoms):
    law, value = (
        mixture_with_atoms,
        torch.linspace(-3, 3, 20, dtype=torch.float64).reshape(10, 2),
    )
    params = torch.from_numpy(np.random.RandomState(0).normal(size=(10, 2, law.n_params)))
    expected = log_prob(law, params.clone().requires_grad_(), value).detach()
    assert_allclose(log_prob(law, params, value), expected, rtol=1e-14)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_gradients_are_difference_quotients(law_and_values, scale):
    law, values = law_and_values
    rng = np.random.RandomState(0)
    params = scale * rng.normal(size=(law.n_params, *values.shape))
    tensor = torch.from_numpy(params).requires_grad_()
    twin(law).log_prob(tensor, torch.from_numpy(values)).sum().backward()
    h, expected = 1e-5, np.empty_like(params)
    for position in range(law.n_params):
        step = h * (np.arange(law.n_params) == position)[:, None, None]
        above, below = (law.log_prob(params + s * step, values) for s in (1, -1))
        expected[position] = (above - below) / (2 * h)
    # A difference of log-probabilities far out has lost digits.
    lost = 1e-15 * np.abs(law.log_prob(params, values)) / h
    room = 1e-4 + 1e-3 * np.abs(expected) + lost
    assert (np.abs(tensor.grad.numpy() - expected) <= room).all()
    assert law.n_params == 1 or np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 100.0])
def test_gradients_are_finite_in_single_precision(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    params = torch.tensor(params, dtype=torch.float32, requires_grad=True)
    logs = twin(law, torch.float32).log_prob(params, torch.tensor(values, dtype=torch.float32))
    logs.sum().backward()
    assert logs.isfinite().all()
    assert params.grad.isfinite().all()


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_gradients_in_single_precision_are_those_in_double(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    found = []
    for dtype in (torch.float32, torch.float64):
        # The same rounded numbers.
        own, at = (torch.tensor(a, dtype=torch.float32).to(dtype) for a in (params, values))
        own.requires_grad_()
        twin(law, dtype).log_prob(own, at).sum().backward()
        found.append(own.grad.double().numpy())
    assert_allclose(*found, rtol=0.01, atol=0.01)


def test_gradients_of_counts_are_finite_in_single_precision():
    law = count_law(5.0)
    steps = torch.cat([torch.arange(0, 50), torch.logspace(2, 12, 50)])[:, None]
    values = (torch.from_numpy(law.origin) + 0.2 * steps).float()
    params = torch.randn(100, 1, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_prob(law, params, values).sum().backward()
    assert params.grad.isfinite().all()


def test_tail_is_a_student_t():
    value = torch.linspace(-50, 50, 101, dtype=torch.float64)
    assert_allclose(gradients.student_log_prob(value), TAIL.logpdf(value))
    assert_allclose(gradients.student_cdf(value), TAIL.cdf(value), rtol=1e-6)


def interval(lower, upper, dtype=torch.float64):
    """Describe intervals between two edges, given as arrays."""
    edges = np.broadcast_arrays(lower, upper)
    below, above = (torch.tensor(np.array(edge), dtype=dtype) for edge in edges)
    return gradients.Interval.around(torch.zeros_like(below), -below, above)


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.5, 3.0, 1e3])
def test_log_interval_is_the_mass_between_two_points(width):
    middle = np.linspace(-12, 12, 97)
    found = interval(middle - width / 2, middle + width / 2)
    assert_allclose(found.log_mass, log_masses(middle, width), atol=2e-3)


def test_log_interval_from_or_to_infinity_is_that_of_scipy():
    end = np.linspace(-40, 40, 501)
    below, above = interval(-np.inf, end), interval(end, np.inf)
    assert_allclose(below.log_mass, stats.norm.logcdf(end), atol=1e-4)
    assert_allclose(above.log_mass, stats.norm.logsf(end), atol=1e-4)
    assert_allclose(below.by_mean, -above.by_mean.flip(0), rtol=1e-12)
    assert_allclose(below.by_scale, above.by_scale.flip(0), rtol=1e-12)


# Beyond `FAR` the series and its slopes are approximate.
@pytest.mark.parametrize(("reach", "rtol"), [(7.0, 1e-5), (40.0, 0.05)])
@pytest.mark.parametrize("width", [1e-3, 0.009, 0.02, 0.5, 3.0, 1e3, np.inf])
def test_changes_of_an_interval_are_difference_quotients(width, reach, rtol):
    lower, h = np.linspace(-reach, reach, 57), 1e-6
    lower = lower if np.isinf(width) else lower - width / 2
    upper = lower + width
    found = interval(lower, upper)

    def quotient(moved, grown):
        logs = [
            special.log_interval(
                (lower - moved * s * h) / (1 + grown * s * h),
                (upper - moved * s * h) / (1 + grown * s * h),
            )
            for s in (1, -1)
        ]
        return (logs[0] - logs[1]) / (2 * h)

    assert_allclose(found.by_mean, quotient(1, 0), rtol=rtol, atol=1e-3)
    assert_allclose(found.by_scale, quotient(0, 1), rtol=rtol, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_changes_far_out_are_those_of_a_gaussian(dtype):
    edge = np.array([-1e6, -1e3, -50.0])
    assert_allclose(interval(-np.inf, edge, dtype).by_mean, edge, rtol=1e-3)
    middle = np.array([-1e4, -100.0, 100.0, 1e4])
    found = interval(middle - 0.1, middle + 0.1, dtype)
    assert_allclose(found.by_mean, middle, rtol=5e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_intervals_are_finite_wherever_they_end(dtype):
    ends = np.r_[0.0, np.geomspace(1e-6, 1e30, 100), np.inf]
    ends = np.unique(np.r_[-ends, ends])
    lower, upper = (part.ravel() for part in np.meshgrid(ends, ends))
    some = (lower <= upper) & (lower < np.inf) & (upper > -np.inf)
    found = interval(lower[some], upper[some], dtype)
    for part in found:
        assert part.isfinite().all()


def test_mass_of_the_tail_is_that_of_the_other_twin():
    ends = np.r_[0.0, np.geomspace(1e-6, 1e18, 200)]
    ends = np.unique(np.r_[-ends, ends])
    lower, upper = (part.ravel() for part in np.meshgrid(ends, ends))
    lower, upper = lower[lower < upper], upper[lower < upper]
    logs = gradients.student_log_interval(torch.from_numpy(lower), torch.from_numpy(upper))
    assert_allclose(logs, special.student_log_interval(lower, upper), rtol=1e-9, atol=1e-12)
