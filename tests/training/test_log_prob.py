"""The laws as training needs them: log-probabilities, and slopes written by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skmade._network import special
from skmade._network.conditionals import Bernoulli, Categorical, Constant
from skmade._network.mixtures import DiscretisedMixture, TruncatedMixture
from skmade._training.intervals import student_log_prob
from skmade._training.log_prob import trainable
from tests.mixture_laws import (
    ATOMS,
    CODED,
    COUNTS,
    TRUNCATED,
    count_law,
    mixture_law,
    truncated_law,
)

FAR = 10.0 ** np.array([2, 4, 9, 14])


def twin(law, dtype=torch.float64):
    """Return the twin of a law that has gradients."""
    return trainable([law], lambda array: torch.tensor(array, dtype=dtype))


def log_prob(law, params, values, dtype=torch.float64):
    """Log-probabilities (F, n) by the twin, of parameters (n_params, F, n)."""
    stacked = (torch.tensor(array, dtype=dtype)[None] for array in (params, values))
    return twin(law, dtype).log_prob(*stacked)[0].numpy()


def with_slopes(law, params, values, upstream, dtype=torch.float64):
    """Log-probabilities (F, n), and slopes of their weighted sum (n_params, F, n)."""
    params, values, upstream = (
        torch.tensor(array, dtype=dtype)[None] for array in (params, values, upstream)
    )
    # In memory feature by feature, as outputs are; all of it must be written.
    slope = torch.full_like(params.transpose(1, 2).contiguous(), torch.nan).transpose(1, 2)
    logs = twin(law, dtype).log_prob(params, values, upstream, slope)
    return logs[0].numpy(), slope[0].numpy()


@pytest.fixture(params=ATOMS.values(), ids=ATOMS.keys())
def mixture_with_atoms(request):
    """Return a mixture law for two features, with atoms or without."""
    return mixture_law(3, **request.param)


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
    params, values = (
        torch.tensor(array, dtype=dtype).double().numpy() for array in (params, values)
    )
    return log_prob(law, params, values, dtype), law.log_prob(params, values)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_twins_have_the_same_log_probabilities(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    twins, logs = both(law, params, values, torch.float64)
    assert np.isfinite(logs).all()
    # Components far from both edges are known to 1e-4 of their share, which is next to none.
    room = 1e-8 if isinstance(law, TruncatedMixture) else 1e-10
    if isinstance(law, DiscretisedMixture):  # narrow cells are density times width in training
        room = 1e-5
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
    units = twin(law).units(torch.from_numpy(values)[None])[0]
    assert_array_equal(units, law.units(values))


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
        tail = student_log_prob(x) + np.log(special.TAIL_WEIGHT)
        logs.append(torch.logaddexp(body + np.log1p(-special.TAIL_WEIGHT), tail))
    return torch.stack(logs, dim=-1)


@pytest.mark.parametrize("size", [0.1, 1.0, 8.0, 300.0, 1e6, 1e12])
def test_slopes_of_mixtures_are_those_of_autograd(mixture_with_atoms, size):
    law, rng = mixture_with_atoms, np.random.RandomState(0)
    value = torch.from_numpy(rng.normal(scale=size, size=(40, 2)))
    value[:4] = torch.tensor([[-1.0, 2.0], [0.5, 0.0], [-1.003, 2.01], [0.0, 0.0]])
    params = torch.from_numpy(rng.normal(size=(40, 2, law.n_params))).requires_grad_()
    upstream = torch.from_numpy(rng.normal(size=(40, 2)))
    expected = plain_log_prob(law, params, value)
    (by_autograd,) = torch.autograd.grad(expected, params, upstream)
    logs, slope = with_slopes(
        law, params.detach().numpy().transpose(2, 1, 0), value.numpy().T, upstream.numpy().T
    )
    assert_allclose(logs.T, expected.detach(), rtol=1e-10, atol=1e-12)
    assert_allclose(slope.transpose(2, 1, 0), by_autograd, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_slopes_are_difference_quotients(law_and_values, scale):
    law, values = law_and_values
    rng = np.random.RandomState(0)
    params = scale * rng.normal(size=(law.n_params, *values.shape))
    upstream = rng.normal(size=values.shape)
    slope = with_slopes(law, params, values, upstream)[1] / upstream
    h, expected = 1e-5, np.empty_like(params)
    for position in range(law.n_params):
        step = h * (np.arange(law.n_params) == position)[:, None, None]
        above, below = (law.log_prob(params + s * step, values) for s in (1, -1))
        expected[position] = (above - below) / (2 * h)
    # A difference of log-probabilities far out has lost digits.
    lost = 1e-15 * np.abs(law.log_prob(params, values)) / h
    room = 1e-4 + 1e-3 * np.abs(expected) + lost
    assert (np.abs(slope - expected) <= room).all()
    assert law.n_params == 1 or np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_the_same_with_slopes_and_without(law_and_values, dtype):
    law, values = law_and_values
    rng = np.random.RandomState(0)
    params = rng.normal(size=(law.n_params, *values.shape))
    logs, _ = with_slopes(law, params, values, rng.normal(size=values.shape), dtype)
    assert_allclose(logs, log_prob(law, params, values, dtype), rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 10.0, 100.0])
def test_slopes_are_finite_in_single_precision(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    found = with_slopes(law, params, values, np.ones(values.shape), torch.float32)
    assert all(np.isfinite(part).all() for part in found)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_slopes_in_single_precision_are_those_in_double(law_and_values, scale):
    law, values = law_and_values
    params = scale * np.random.RandomState(0).normal(size=(law.n_params, *values.shape))
    # The same rounded numbers.
    params, values = (array.astype(np.float32) for array in (params, values))
    found = [
        with_slopes(law, params, values, np.ones(values.shape), dtype)[1]
        for dtype in (torch.float32, torch.float64)
    ]
    assert_allclose(*found, rtol=0.01, atol=0.01)


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_slopes_of_mixtures_are_finite_wherever_values_are(mixture_with_atoms, scale):
    far = np.logspace(-3, 14, 60)
    values = np.tile(np.r_[far, -far, -1.0, 0.0, 0.5, 2.0], (2, 1))
    shape = mixture_with_atoms.n_params, *values.shape
    params = scale * np.random.RandomState(0).normal(size=shape)
    found = with_slopes(
        mixture_with_atoms, params, values, np.ones(values.shape), torch.float32
    )
    assert all(np.isfinite(part).all() for part in found)


def test_slopes_of_counts_are_finite_in_single_precision():
    law = count_law(5.0)
    values = law.origin + 0.2 * np.r_[np.arange(50.0), np.logspace(2, 12, 50)][None]
    params = np.random.RandomState(0).normal(size=(law.n_params, 1, 100))
    found = with_slopes(law, params, values, np.ones(values.shape), torch.float32)
    assert all(np.isfinite(part).all() for part in found)


def test_atoms_that_overlap_share_what_they_have_by_the_value():
    # Their densities cannot tell them apart. All the slope goes to the atom that a value is.
    near = {
        "atoms": ((0.5, 0.501), (2.0, np.nan)),
        "atom_scales": ((0.01, 0.01), (0.05, np.nan)),
    }
    law, values = mixture_law(2, **near), np.array([[0.5, 0.501], [2.0, 2.0]])
    params = np.zeros((law.n_params, 2, 2))
    _, slope = with_slopes(law, params, values, np.ones((2, 2)))
    of_atoms = slope[law.parameters.atoms, 0]
    assert_allclose(of_atoms[0, 0], of_atoms[1, 1], rtol=1e-4)
    assert_allclose(of_atoms[[0, 1], [1, 0]], -1 / 4, rtol=1e-3)  # their shares, of four
    assert of_atoms[0, 0] > 0.5


def test_members_have_the_constants_of_their_own_features(law_and_values):
    law, values = law_and_values
    n_features, rng = len(values), np.random.RandomState(0)
    orders = [np.arange(n_features)[::way] for way in (1, -1, 1)]
    params = rng.normal(size=(law.n_params, *values.shape))
    upstream = rng.normal(size=values.shape)
    expected = with_slopes(law, params, values, upstream)
    together = trainable([law.at(order) for order in orders], torch.from_numpy)
    own_params, own_values, own_upstream = (
        torch.from_numpy(np.stack([array[..., order, :] for order in orders]))
        for array in (params, values, upstream)
    )
    slope = torch.empty_like(own_params)
    logs = together.log_prob(own_params, own_values, own_upstream, slope)
    for member, order in enumerate(orders):
        assert_allclose(logs[member], expected[0][order], rtol=1e-12)
        assert_allclose(slope[member], expected[1][:, order], rtol=1e-12, atol=1e-14)
        units = together.units(own_values)[member]
        assert_array_equal(units, law.at(order).units(values[order]))
