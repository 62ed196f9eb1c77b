"""How the members of an ensemble differ in training, and what each kind counts."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from skmade._training.recipes import (
    FEW_COMPONENTS,
    FIRST_MEMBERS,
    JITTER,
    MANY_COMPONENTS,
    MIN_SHARE,
    MORE_JITTER,
    ROWS_BEFOREHAND,
    Recipe,
    allotted,
    by_recipe,
    first_sizes,
    recipes,
    shares_of,
)
from skmade._training.schedule import MANY_ROWS, Schedule, auto_dropout

MANY, FEW = MANY_COMPONENTS, FEW_COMPONENTS
RECIPES = {
    "small": (
        ("auto", "auto", 300),
        [
            (MANY, 0.0, 0.0),
            (MANY, 0.2, 0.0),
            (MANY, 0.2, JITTER),
            (FEW, 0.2, MORE_JITTER),
            (1, 0.2, 0.0, True),
        ],
    ),
    "large": (
        ("auto", "auto", MANY_ROWS),
        [
            (MANY, 0.0, 0.0),
            (MANY, auto_dropout(MANY_ROWS), 0.0),
            (1, auto_dropout(MANY_ROWS), 0.0, True),
        ],
    ),
    "components": (
        (5, "auto", 300),
        [(5, 0.0, 0.0), (5, 0.2, 0.0), (5, 0.2, JITTER), (5, 0.2, MORE_JITTER)],
    ),
    "dropout": (
        ("auto", 0.1, 300),
        [(MANY, 0.1, 0.0), (FEW, 0.1, 0.0), (1, 0.1, 0.0, True)],
    ),
    "no dropout, large": (
        ("auto", 0, 10**6),
        [(MANY, 0.0, 0.0), (FEW, 0.0, 0.0), (1, 0.0, 0.0, True)],
    ),
    "both": ((5, 0.1, 300), [(5, 0.1, 0.0)]),
    "few components and dropout": ((FEW, 0.1, 300), [(FEW, 0.1, 0.0)]),
}


@pytest.mark.parametrize(("asked", "expected"), RECIPES.values(), ids=RECIPES.keys())
def test_what_auto_makes_of_the_arguments(asked, expected):
    found = recipes(*asked, has_numbers=True, can_compare=True, gaussians=True)
    assert found == [Recipe(*one) for one in expected]
    single = [one[:3] for one in expected]
    found = recipes(*asked, has_numbers=True, can_compare=True, gaussians=False)
    of_many = asked[1] == "auto" and asked[2] >= MANY_ROWS
    assert found == [Recipe(*one) for one in (single[:2] if of_many else single)]
    assert len(set(found)) == len(found)
    # Networks of fewer components are put in those of the first.
    assert found[0].n_components == max(one.n_components for one in found)


@pytest.mark.parametrize("has_numbers", [False, True])
@pytest.mark.parametrize("can_compare", [False, True])
def test_without_numbers_or_comparison_there_is_the_usual_recipe(has_numbers, can_compare):
    if has_numbers and can_compare:
        pytest.skip("then there are several")
    for n_components, dropout, n_rows, expected in (
        ("auto", "auto", 300, (MANY, 0.2, 0.0)),
        ("auto", "auto", 10**5, (MANY, 0.05, 0.0)),
        (5, 0.1, 300, (5, 0.1, 0.0)),
    ):
        found = recipes(n_components, dropout, n_rows, has_numbers, can_compare, True)
        assert found == [Recipe(*expected)]


def test_a_recipe_changes_the_regularisation_alone():
    schedule = Schedule(5, 50, 0.01, 0.02, 3, 1e-4)
    changed = by_recipe(schedule, Recipe(3, 0.1, 0.5))
    assert (changed.dropout, changed.jitter) == (0.1, 0.5)
    assert by_recipe(changed, Recipe(3, schedule.dropout, schedule.jitter)) == schedule


@pytest.mark.parametrize("n_recipes", [1, 2, 3])
@pytest.mark.parametrize("n_members", [1, 2, 3, 4, 6, 7, 12, 40])
@pytest.mark.parametrize("n_rows", [300, MANY_ROWS])
def test_some_of_each_recipe_are_trained_first(n_members, n_recipes, n_rows):
    n_each = FIRST_MEMBERS if n_rows < MANY_ROWS else 1
    first = first_sizes(n_members, n_recipes, n_rows, holds_out=True)
    assert len(first) == n_recipes
    if n_recipes > 1 and n_members > n_each * n_recipes:
        assert first == [n_each] * n_recipes
    else:
        assert sum(first) == n_members
    at_once = first_sizes(n_members, n_recipes, n_rows, holds_out=False)
    assert sum(at_once) == n_members
    assert max(at_once) - min(at_once) <= 1
    assert at_once[0] >= 1


def random_shares(n_recipes, rng):
    return rng.dirichlet(np.full(n_recipes, 0.5))


@pytest.mark.parametrize("n_recipes", [1, 2, 3])
def test_members_that_are_left_follow_the_shares(n_recipes):
    rng = np.random.RandomState(0)
    for n_left in (0, 1, 2, 5, 6, 30):
        for _ in range(20):
            shares, sizes = random_shares(n_recipes, rng), [2] * n_recipes
            given = allotted(shares, sizes, n_left)
            assert sum(given) == n_left
            assert min(given) >= 0
            total = np.add(given, sizes)
            # Nobody's last member would have been worth more to another (D'Hondt 1882).
            for one, other in itertools.permutations(range(n_recipes), 2):
                if given[one]:
                    worth = shares[one] / total[one]
                    assert worth >= shares[other] / (total[other] + 1) * (1 - 1e-12)
            # Who counts more gets no less.
            for one, other in itertools.permutations(range(n_recipes), 2):
                if shares[one] > shares[other]:
                    assert given[one] >= given[other]
            more = shares.copy()
            more[0] *= 2
            assert allotted(more, sizes, n_left)[0] >= given[0]
            following = allotted(shares, sizes, n_left + 1)
            assert all(np.greater_equal(following, given))


def test_half_of_a_share_of_many_members():
    assert allotted(np.array([0.5, 0.3, 0.2]), [2, 2, 2], 94) == [48, 28, 18]


def penalised(share, logs, weight):
    """Held-out log-likelihood of a mixture of two, with some rows of each beforehand."""
    both = np.logaddexp(logs[0] + np.log(share), logs[1] + np.log1p(-share))
    return weight @ both + ROWS_BEFOREHAND * (np.log(share) + np.log1p(-share))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gain", [0.0, 0.5, -3.0])
def test_shares_maximise_the_likelihood(seed, gain):
    rng = np.random.RandomState(seed)
    logs, weight = rng.normal(size=(2, 50)), rng.uniform(0, 2, size=50)
    logs[0] += gain
    best = minimize_scalar(
        lambda share: -penalised(share, logs, weight),
        bounds=(1e-6, 1 - 1e-6),
        method="bounded",
        options={"xatol": 1e-9},
    )
    shares, expected = shares_of(logs, weight), np.array([best.x, 1 - best.x])
    if expected.min() < MIN_SHARE:
        expected = np.rint(expected)
    assert_allclose(shares, expected, atol=1e-4)
    assert_allclose(shares.sum(), 1)


def test_shares_of_weighted_rows_are_those_of_repeated_rows():
    rng = np.random.RandomState(0)
    logs, weight = rng.normal(size=(3, 40)), rng.randint(0, 4, size=40)
    repeated = np.repeat(logs, weight, axis=1)
    expected = shares_of(repeated, np.ones(repeated.shape[1]))
    assert_allclose(shares_of(logs, weight.astype(float)), expected)
    order = rng.permutation(40)
    assert_allclose(shares_of(logs[:, order], weight[order].astype(float)), expected)
    # Units change all log-densities of a row by the same.
    assert_allclose(shares_of(logs + 1e3 * rng.normal(size=40), weight.astype(float)), expected)
    assert_allclose(shares_of(logs[[2, 0, 1]], weight.astype(float)), expected[[2, 0, 1]])


def test_shares_of_extremes():
    assert_array_equal(shares_of(np.zeros((1, 4)), np.ones(4)), 1.0)
    assert_allclose(shares_of(np.zeros((3, 4)), np.ones(4)), 1 / 3)
    # Those that count little are left out, and the others share the rows anew.
    logs = np.random.RandomState(0).normal(size=(4, 200))
    logs[[1, 3]] -= 4.0
    shares = shares_of(logs, np.ones(200))
    assert_array_equal(shares[[1, 3]], 0.0)
    assert_allclose(shares[[0, 2]], shares_of(logs[[0, 2]], np.ones(200)))
    logs = np.stack([np.zeros(1000), np.full(1000, -1e5)])
    assert_array_equal(shares_of(logs, np.ones(1000)), [1.0, 0.0])


@pytest.mark.parametrize("seed", range(20))
def test_a_share_is_none_or_large(seed):
    rng = np.random.RandomState(seed)
    logs = rng.normal(size=(4, 60)) + rng.normal(size=(4, 1))
    shares = shares_of(logs, rng.uniform(size=60))
    assert_allclose(shares.sum(), 1)
    assert (shares[shares > 0] >= MIN_SHARE).all()
