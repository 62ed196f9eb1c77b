"""Members that start as mixtures of Gaussians, and the evidence for their components."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import ks_2samp, multivariate_normal

from skmade import MADEDensity
from skmade._network.ensemble import Architecture, Ensemble
from skmade._network.evidence import joined_evidence
from skmade._prediction.scoring import explain, log_density
from skmade._table.encoding import encode
from skmade._table.gaussians import find_gaussians
from skmade._table.learning import learn_columns
from skmade._table.numbers import Numbers
from skmade._training.evidence import EvidenceTensors
from skmade._training.gaussians import start_as
from skmade._training.members import draw_members
from skmade._training.rows import Rows, open_source
from skmade._training.strides import POWER, scales_of, strides_of
from skmade.datasets import CorrelatedGaussian, ThreeGaussians, TwoMoons
from tests.ensembles import draw_values, ensemble_of_each_law, make_ensemble
from tests.equations import paths

ARCHITECTURE = Architecture((8, 8), "relu", 1, True, True, False)


def members_of(X, ranks, architecture=ARCHITECTURE):
    """Return members that start as mixtures of Gaussians of all rows."""
    table = learn_columns(X, np.ones(len(X)), np.array(["continuous"] * X.shape[1]))
    rows, ranks = Rows(open_source(table, Numbers(X), None, 0), len(ranks)), np.array(ranks)
    return draw_members(
        table, rows, architecture, ranks, list(range(len(ranks))), gaussians=True
    )


@pytest.mark.parametrize("truth", [ThreeGaussians(), TwoMoons()])
def test_the_start_is_the_density_of_the_mixture(truth):
    X = truth.sample(1000, random_state=0)
    ensemble = members_of(X, [[[1, 2]], [[2, 1]]])
    values = encode(ensemble.table, X)
    found = find_gaussians(values, np.full(1000, 1e-3), 20, 1e-3)
    assert len(found.shares) > 1
    parts = zip(found.shares, found.means, found.covariances, strict=True)
    logs = [np.log(s) + multivariate_normal(m, c).logpdf(values) for s, m, c in parts]
    for position, path in enumerate(paths(ensemble)):
        for own in (
            path.feature_log_prob(values),
            explain(ensemble, values).log_probs[:, position],
        ):
            # There is a floor of scales, and a thin tail.
            assert_allclose(own.sum(axis=1), logsumexp(logs, axis=0), atol=0.02)


def test_there_are_as_many_components_as_gaussians():
    X = CorrelatedGaussian(3).sample(300, random_state=0)
    single = members_of(X, [[[1, 2, 3]]])
    assert single.evidence is None
    assert single.architecture.n_components == 1
    several = members_of(ThreeGaussians().sample(500, random_state=0), [[[1, 2]], [[2, 1]]])
    assert several.architecture.n_components == 3
    assert several.evidence.some.all()


def test_a_single_column_starts_as_a_mixture_too():
    X = TwoMoons().sample(1000, random_state=0)[:, :1]
    density = MADEDensity((8,), max_iter=1, random_state=0).fit(X)
    assert density._state["evidence"] is not None
    grid = np.linspace(X.min() - 2, X.max() + 2, 4001)
    levels = np.exp(density.score_samples(grid[:, None]))
    assert_allclose(np.trapezoid(levels, grid), 1.0, atol=1e-3)
    drawn = density.sample(4000, random_state=0)[:, 0]
    assert ks_2samp(drawn, X[:, 0]).pvalue > 1e-3


def test_members_that_find_fewer_have_components_without_a_share():
    X = TwoMoons().sample(500, random_state=0)
    wide = members_of(X, [[[1, 2]]])
    made, values = wide.made, encode(wide.table, X)
    found = find_gaussians(values, np.full(500, 1 / 500), 2, 1e-3)
    evidence = start_as(found, made, wide.weights[0], np.array([1, 2]))
    few = replace(wide, evidence=evidence)
    parts = zip(found.shares, found.means, found.covariances, strict=True)
    logs = [np.log(s) + multivariate_normal(m, c).logpdf(values) for s, m, c in parts]
    own = explain(few, values).log_probs[:, 0].sum(axis=1)
    assert_allclose(own, logsumexp(logs, axis=0), atol=0.02)


MOONS = TwoMoons().sample(300, random_state=0)
ONE_MORE = np.random.RandomState(0).normal(size=(300, 1))
OTHER_TABLES = {
    "labels": (
        np.hstack([MOONS, np.rint(ONE_MORE)]),
        {"feature_types": ["auto", "auto", "categorical"]},
    ),
    "a constant": (np.hstack([MOONS, np.zeros((300, 1))]), {}),
    "zeros": (np.hstack([MOONS, np.maximum(ONE_MORE, 0)]), {}),
    "holes": (np.hstack([MOONS, np.where(ONE_MORE > 1, np.nan, ONE_MORE)]), {}),
    "many orderings": (MOONS, {"order_agnostic": True}),
    "many masks": (MOONS, {"connectivity_agnostic": True}),
    "no direct connections": (MOONS, {"direct_connections": False}),
    "units of presence": (MOONS, {"conditioning_weights": True}),
    "so many components": (MOONS, {"n_components": 5}),
}


@pytest.mark.parametrize(("X", "options"), OTHER_TABLES.values(), ids=OTHER_TABLES.keys())
def test_of_other_tables_there_is_no_evidence(X, options):
    density = MADEDensity((8,), max_iter=1, random_state=0, **options).fit(X)
    assert density._state["evidence"] is None
    assert np.isfinite(density.score_samples(X)).all()


def test_strides_are_the_scales_of_each_gaussian():
    X = TwoMoons().sample(1000, random_state=0)
    ensemble = members_of(X, [[[1, 2]]])
    made = ensemble.made
    (strides,) = strides_of(made, ensemble.weights, ensemble.evidence)
    biases = made.unflatten(ensemble.weights[0])["bias2"].astype(float)
    for law, outputs, _ in made.by_feature():
        scales = scales_of(law, biases[outputs])
        assert_allclose(
            strides[outputs][law.parameters.means], np.minimum(scales, 1) ** POWER, rtol=1e-5
        )


def test_training_has_the_same_evidence_in_any_order():
    ensemble = make_ensemble(
        5,
        n_counts=2,
        n_members=4,
        conditioning_weights=False,
        order_agnostic=False,
        connectivity_agnostic=False,
        evidence=True,
    )
    values = draw_values(ensemble, 9, np.random.RandomState(0), missing=0.2)
    tensors = EvidenceTensors.of(ensemble.evidence, ensemble.ranks[:, 0], torch.from_numpy)
    columns = torch.tensor([[3, 1, 4, 0, 2]] * 4)[:, :, None]
    stacked = torch.from_numpy(values.T[None].repeat(4, axis=0))
    found = tensors.of_cells(stacked, columns).numpy()
    assert found.shape == (4, 3, 5, 9)
    for own, path in zip(found, paths(ensemble), strict=True):
        for place, column in enumerate([3, 1, 4, 0, 2]):
            expected = path.evidence_before(column, values).T
            assert_allclose(own[:, place], expected - expected.max(axis=0), atol=1e-9)
    assert (found[0] != 0).any()
    assert_array_equal(found[1], 0)  # a member that has none
    some = tensors.of_members(np.array([False, True, True, False]))
    assert_array_equal(some.of_cells(stacked[:2], columns[:2]).numpy(), found[1:3])


def test_gradients_are_those_of_the_density_with_evidence():
    ensemble = make_ensemble(
        4,
        n_members=1,
        conditioning_weights=False,
        order_agnostic=False,
        connectivity_agnostic=False,
        evidence=True,
    )
    (path,) = paths(ensemble)
    values = draw_values(ensemble, 6, np.random.RandomState(0))
    objective, layers = path.objective(sort=True)
    mask = path.ranks[None], [layer[None] for layer in path.degrees]
    parts = objective.parts(path.flat[None])
    found = [torch.zeros_like(part) for part in parts]
    rows, weight = torch.from_numpy(values[None]), torch.ones(1, 6).double()
    task = layers, objective.gates(*mask), rows, weight, [], found
    logs = objective.gradients(*task)
    assert_allclose(logs[0], path.feature_log_prob(values).sum(axis=1), rtol=1e-9)
    (slopes,) = objective.flat(found, power=1)
    # Output biases move everything that evidence is added to.
    for place in range(path.flat.size - len(ensemble.made.output_features), path.flat.size):
        moved = path.flat.copy()
        moved[place] += 1e-6
        after = replace(path, flat=moved).feature_log_prob(values).sum()
        assert_allclose(slopes[place], (after - logs.sum().item()) / 1e-6, atol=1e-4)


def test_evidence_is_joined_and_told_apart():
    X = TwoMoons().sample(500, random_state=0)
    gaussians = members_of(X, [[[1, 2]], [[2, 1]]])
    plain = replace(gaussians, evidence=None)
    both = gaussians.joined_by([plain], [1.0, 1.0])
    for part, one in ((slice(0, 2), gaussians), (slice(2, 4), plain)):
        assert_array_equal(log_density(both.of_members(part), X, 1e8), log_density(one, X, 1e8))
    assert (log_density(gaussians, X, 1e8) != log_density(plain, X, 1e8)).any()
    wide = gaussians.with_components(30)
    assert_allclose(log_density(wide, X, 1e8), log_density(gaussians, X, 1e8), rtol=1e-6)
    again = Ensemble.from_state(both.to_state())
    assert_array_equal(log_density(again, X, 1e8), log_density(both, X, 1e8))
    assert joined_evidence([None, None], [1, 2]) is None


def test_evidence_far_out_keeps_scores_finite_and_falling():
    ensemble, _ = ensemble_of_each_law()
    assert ensemble.evidence is None  # of a table with labels
    X = TwoMoons().sample(500, random_state=0)
    density = MADEDensity(max_iter=3, random_state=0).fit(X)
    assert density._state["evidence"] is not None
    far = np.array([[10.0**p, -(10.0**p)] for p in range(8)])
    scores = density.score_samples(far)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()


def test_training_on_goes_on_with_the_evidence():
    X = TwoMoons().sample(500, random_state=0)
    density = MADEDensity(max_iter=2, warm_start=True, random_state=0).fit(X)
    before = density._state["evidence"]
    density.fit(X)
    for name, part in density._state["evidence"].items():
        assert_array_equal(part, before[name])
    density.partial_fit(X[:100])
    holes = X.copy()
    holes[::2, 0] = np.nan
    assert np.isfinite(density.score_samples(holes)).all()
