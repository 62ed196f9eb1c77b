"""Fits by several recipes: members, folds, what each counts, and how they go on."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmade import MADEDensity, _fitting
from skmade._network.ensemble import OFF, Ensemble
from skmade._network.mixtures import MixtureOfGaussians
from skmade._prediction.scoring import log_density
from skmade._training.recipes import (
    FEW_COMPONENTS,
    JITTER,
    MIN_SHARE,
    MORE_JITTER,
    shares_of,
)
from skmade.datasets import CorrelatedGaussian, TwoMoons
from tests.configurations import quick
from tests.laws import MAX_BYTES

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(300, random_state=0)
MOONS = TwoMoons().sample(300, random_state=0)
N_MEMBERS = 11  # in two rounds: two of each of the five recipes, and one more
WEIGHT = np.random.RandomState(0).randint(1, 4, size=300).astype(float)


def small(**parameters):
    """Return an estimator with components of each recipe."""
    return quick(**{"n_components": "auto", "n_estimators": N_MEMBERS, **parameters})


@pytest.fixture
def told(monkeypatch):
    """Remember how each stack of members is trained."""
    tasks, train = [], _fitting.train_stack

    def remembering(estimator, context, **task):
        # Trained weights take the place of those that it starts from.
        tasks.append((task["start"].average.copy(), task))
        return train(estimator, context, **task)

    monkeypatch.setattr(_fitting, "train_stack", remembering)
    return tasks


def recipe_of(task):
    """Return by which components, dropout and noise a stack is trained."""
    ((law, _),) = task["made"].groups
    return law.n_components, task["schedule"].dropout, task["schedule"].jitter


def n_members(density, table):
    density.fit(table)
    return density._state["members"]["n_trained"]


def test_auto_makes_twelve_members_of_several_recipes():
    labels = (X > 0).astype(int)
    one_epoch = {"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0}
    assert n_members(MADEDensity(**one_epoch), X) == 12
    assert n_members(MADEDensity(**one_epoch, dropout=0.1), X) == 12
    assert n_members(MADEDensity(**one_epoch, dropout=0.1, n_components=2), X) == 8
    assert n_members(MADEDensity(**one_epoch), labels) == 8
    assert n_members(MADEDensity(**one_epoch, early_stopping=False), X) == 8
    large = GAUSSIAN.sample(5000, random_state=0)
    assert n_members(MADEDensity(**one_epoch), large) == 4
    assert n_members(MADEDensity(**one_epoch), large[:4999]) == 12


def test_two_rounds_of_members_are_trained_by_their_recipes(told):
    density = small().fit(X)
    remembered = density._state["members"]
    regularised = {}
    for _, task in told:
        for fold in np.arange(N_MEMBERS)[task["rows"].own_folds].tolist():
            regularised.setdefault(recipe_of(task), []).append(fold)
    by_recipe = [(10, 0.0, 0.0), (10, 0.2, 0.0), (10, 0.2, JITTER), (3, 0.2, MORE_JITTER)]
    by_recipe.append((1, 0.2, 0.0))
    assert set(regularised) == set(by_recipe)
    recipes, folds = np.array(remembered["recipes"]), np.array(remembered["folds"])
    assert recipes.tolist() == sorted(recipes.tolist())
    assert remembered["n_trained"] == sum(map(len, regularised.values())) == N_MEMBERS
    for recipe, options in enumerate(by_recipe):
        # Each holds out folds of its own, in order, and has two members at least.
        own = regularised[options]
        assert own == list(range(len(own)))
        assert len(own) >= 2
        # Those of small shares are left out.
        assert folds[recipes == recipe].tolist() in (own, [])
    shares = density._state["shares"]
    assert_allclose(shares.sum(), 1)
    for recipe in np.unique(recipes):  # members of a recipe count the same
        assert np.ptp(shares[recipes == recipe]) < 1e-12
        assert shares[recipes == recipe].sum() >= MIN_SHARE


def logs_of_members(density, table):
    """Log-densities (M, n) of each member alone."""
    ensemble = Ensemble.from_state(density._state)
    alone = (ensemble.of_members(slice(m, m + 1)) for m in range(len(ensemble.weights)))
    return np.stack([log_density(own, table, MAX_BYTES) for own in alone])


def total_shares(density):
    recipes = density._state["members"]["recipes"]
    return np.bincount(recipes, weights=density._state["shares"])[np.unique(recipes)]


@pytest.mark.usefixtures("without_background")
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_shares_are_those_of_the_rows_that_were_held_out(weight):
    density = small(max_iter=20).fit(MOONS, sample_weight=weight)
    logs, found = logs_of_members(density, MOONS), density._state["members"]
    recipes, folds = np.array(found["recipes"]), np.array(found["folds"])
    shuffled = np.random.RandomState(density._state["fold_seed"]).permutation(300)
    # All recipes have the first two folds in common.
    held_out = [shuffled[30 * fold : 30 * (fold + 1)] for fold in range(2)]
    by_recipe = np.stack(
        [
            np.concatenate(
                [
                    logs[np.flatnonzero((recipes == recipe) & (folds == fold))[0], rows]
                    for fold, rows in enumerate(held_out)
                ]
            )
            for recipe in np.unique(recipes)
        ]
    )
    own_weight = np.ones(300) if weight is None else weight / weight.mean()
    expected = shares_of(by_recipe, own_weight[np.concatenate(held_out)])
    assert_allclose(total_shares(density), expected, atol=1e-3)
    assert np.ptp(expected) > 0.02
    # The score that is reported is the mean of all members', each of its own rows.
    means = [
        np.average(
            own[shuffled[30 * fold : 30 * (fold + 1)]],
            weights=own_weight[shuffled[30 * fold : 30 * (fold + 1)]],
        )
        for own, fold in zip(logs, folds, strict=True)
    ]
    assert_allclose(density.best_validation_score_, np.mean(means), atol=1e-3)


@pytest.mark.usefixtures("without_background")
def test_given_rows_to_stop_by_tell_the_shares(told):
    aside = TwoMoons().sample(200, random_state=1)
    density = small(max_iter=20).fit(MOONS, X_val=aside)
    for _, task in told:  # all members train on all rows
        train, held_out = task["rows"].folds(0)
        assert train.shape[1] == 300
        assert held_out.shape[1] == 0
    logs, recipes = logs_of_members(density, aside), density._state["members"]["recipes"]
    of_recipes = [
        np.logaddexp.reduce(logs[np.equal(recipes, recipe)]) - np.log(recipes.count(recipe))
        for recipe in np.unique(recipes)
    ]
    expected = shares_of(np.stack(of_recipes), np.ones(200))
    assert_allclose(total_shares(density), expected, atol=1e-3)
    assert_allclose(density.best_validation_score_, logs.mean(), atol=1e-3)


def folds_of_tasks(told):
    """Return the folds and the rows that the members of each recipe hold out, by task."""
    found = {}
    for _, task in told:
        options = recipe_of(task)[1:]
        folds = np.arange(N_MEMBERS)[task["rows"].own_folds]
        for fold, rows in zip(folds.tolist(), task["rows"].folds(0)[1], strict=True):
            found.setdefault((*options, fold), []).append(rows.tolist())
    return found


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_a_warm_start_goes_on_with_the_same_recipes_and_held_out_rows(told, weight):
    density = small(warm_start=True).fit(X, sample_weight=weight)
    first, before = folds_of_tasks(told), density._state
    told.clear()
    density.fit(X, sample_weight=weight)
    assert folds_of_tasks(told) == first
    assert density._state["members"] == before["members"]
    assert_array_equal(density._state["ranks"], before["ranks"])
    # Each stack went on from the weights of its own members.
    started = np.concatenate([start for start, _ in told])
    assert_array_equal(started, before["weights"])
    for _, task in told:
        train, held_out = task["rows"].folds(0)
        for own, others in zip(train, held_out, strict=True):
            assert not set(own) & set(others)


def test_a_warm_start_of_a_table_that_has_grown_takes_the_recipes_of_its_size(told):
    density = small(warm_start=True, hidden_layer_sizes=(4,), max_iter=1).fit(X)
    told.clear()
    density.fit(GAUSSIAN.sample(5000, random_state=2))
    assert {task["schedule"].jitter for _, task in told} == {0.0}
    assert density._state["members"]["n_trained"] == N_MEMBERS
    assert_allclose(density._state["shares"].sum(), 1)


def test_a_warm_start_counts_the_members_that_were_left_out_too(monkeypatch):
    # Whichever recipe does worst, its members go.
    monkeypatch.setattr("skmade._training.recipes.MIN_SHARE", 0.3)
    density = small(warm_start=True).fit(MOONS)
    for _ in range(3):
        assert len(density._state["weights"]) < N_MEMBERS
        assert density._state["members"]["n_trained"] == N_MEMBERS
        density.fit(MOONS)
        density.partial_fit(MOONS[:50])


def components_off(density):
    """Count the components without a share of each member, and check that they have none."""
    ensemble, counts = Ensemble.from_state(density._state), []
    for flat in ensemble.weights:
        biases = ensemble.made.unflatten(flat)[f"bias{len(ensemble.made.hidden_layer_sizes)}"]
        off = [
            (biases[outputs][law.parameters.logits] < OFF / 2).sum()
            for law, outputs, _ in ensemble.made.by_feature()
            if isinstance(law, MixtureOfGaussians)
        ]
        assert len(set(off)) == 1
        counts.append(int(off[0]))
    return counts


def test_members_of_few_components_keep_them_in_training_that_goes_on():
    density = small(warm_start=True).fit(X)
    recipes = np.array(density._state["members"]["recipes"])
    n_off = np.array([0, 0, 0, 10 - FEW_COMPONENTS, 9])
    expected = n_off[recipes].tolist()
    assert components_off(density) == expected
    density.fit(X)
    assert components_off(density) == expected
    for _ in range(3):
        density.partial_fit(X[:100])
        assert components_off(density) == expected
    assert np.isfinite(density.score_samples(X)).all()


def test_partial_fit_of_several_recipes_goes_on_where_it_stopped():
    density = small().partial_fit(X[:150])
    optimizer = density._state["optimizer"]
    assert len(optimizer["current"]) == len(optimizer["moments"][0]) == N_MEMBERS
    n_steps = optimizer["n_steps"]
    before = density.score_samples(X)
    density.partial_fit(X[150:])
    assert density._state["optimizer"]["n_steps"] > n_steps
    assert (density.score_samples(X) != before).any()
    again = small().partial_fit(X[:150]).partial_fit(X[150:])
    assert_array_equal(again.score_samples(X), density.score_samples(X))


@pytest.mark.parametrize("options", [{}, {"order_agnostic": True, "n_masks": 3}], ids=str)
def test_two_rounds_do_not_depend_on_jobs(options):
    fits = [clone(small(**options)).set_params(n_jobs=n).fit(X) for n in (None, 1, 2)]
    for fitted in fits[1:]:
        for name in ("weights", "shares", "ranks"):
            assert_array_equal(fitted._state[name], fits[0]._state[name])
        assert fitted._state["members"] == fits[0]._state["members"]


IN_VAIN = "Training never improved on its start"


def test_training_in_vain_warns_and_keeps_the_start():
    with pytest.warns(ConvergenceWarning, match=IN_VAIN):
        wild = small(learning_rate_init=30.0).fit(X)
    still = small(learning_rate_init=1e-30, max_iter=1).fit(X)
    assert_allclose(wild.score_samples(X), still.score_samples(X), rtol=1e-4)
    assert wild.best_validation_score_ == pytest.approx(still.best_validation_score_, rel=1e-6)


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_training_that_gains_does_not_warn():
    small(max_iter=20).fit(MOONS)
    # Nothing is known of a start that no held-out rows score.
    small(early_stopping=False, learning_rate_init=30.0, max_iter=1).fit(X)
    small(learning_rate_init=30.0, max_iter=1).partial_fit(X)


def test_one_member_that_gains_is_enough():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        density = small(max_iter=15, learning_rate_init=0.3).fit(MOONS)
    gained = max(density.history_["validation"]) > -np.inf
    told_in_vain = any(IN_VAIN in str(one.message) for one in caught)
    start = small(max_iter=1, learning_rate_init=1e-30).fit(MOONS).best_validation_score_
    assert gained
    assert told_in_vain == (density.best_validation_score_ <= start + 1e-9)


def test_members_of_two_columns_share_out_the_orderings():
    for seed in range(4):
        density = small(n_estimators=8, n_components=2, dropout=0.1, max_iter=1)
        density.set_params(random_state=seed).fit(MOONS)
        first = density.ordering_[:, 0, 0]
        assert (first == 0).sum() == 4
