"""What each parameter and method of the estimator does."""

import copy
import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian, Ring, ThreeGaussians, TwoMoons
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GAUSSIAN = CorrelatedGaussian(3)
X = GAUSSIAN.sample(300, random_state=0)
TEST = GAUSSIAN.sample(1000, random_state=1)


@pytest.mark.parametrize("parameters", [{}, {"order_agnostic": True, "n_masks": 2}])
def test_held_out_density_of_a_gaussian(parameters):
    density = quick(max_iter=60, n_estimators=2, **parameters).fit(X)
    gap = np.mean(GAUSSIAN.score_samples(TEST) - density.score_samples(TEST))
    assert -0.02 < gap < 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("generator", "allowed"),
    [
        (CorrelatedGaussian(5), 0.05),
        (TwoMoons(), 0.15),
        (Ring(), 0.15),
        (ThreeGaussians(), 0.15),
    ],
)
def test_defaults_come_close_to_the_truth(generator, allowed):
    train, test = generator.sample(3000, random_state=0), generator.sample(5000, random_state=1)
    density = MADEDensity(random_state=0).fit(train)
    gap = np.mean(generator.score_samples(test) - density.score_samples(test))
    assert gap < allowed


# Tables, and the standard deviations from which scores fall: a skewed column has its edge
# where its transform, and not the column itself, is several standard deviations out.
RAYS = {
    "Gaussian": (CorrelatedGaussian(5).sample(400, random_state=0), 10),
    "two modes": (TwoMoons().sample(400, random_state=0) * [1e-3, 1e5], 10),
    "skewed": (np.random.RandomState(0).gamma(3, size=(400, 3)), 40),
}


@pytest.mark.parametrize(("table", "first"), RAYS.values(), ids=RAYS.keys())
def test_far_out_no_score_rises_along_a_ray(table, first):
    density = quick(max_iter=30, n_estimators=2).fit(table)
    steps = np.concatenate([np.geomspace(first, 1e5, 150), 10.0 ** np.linspace(6, 300, 50)])
    for direction in np.random.RandomState(0).normal(size=(100, table.shape[1])):
        direction *= table.std(axis=0) / np.linalg.norm(direction)
        # The largest numbers end before the largest columns times 1e300 do.
        rows = np.clip(table.mean(axis=0) + steps[:, None] * direction, -1e300, 1e300)
        scores = density.score_samples(rows)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()


FIVE = CorrelatedGaussian(5)


def conditional_of_gaussian(given):
    """Return the other columns, and their mean and covariance given some cells."""
    a, b = list(given), [column for column in range(5) if column not in given]
    gain = FIVE.covariance[np.ix_(b, a)] @ np.linalg.inv(FIVE.covariance[np.ix_(a, a)])
    covariance = FIVE.covariance[np.ix_(b, b)] - gain @ FIVE.covariance[np.ix_(a, b)]
    return b, gain @ list(given.values()), covariance


@pytest.mark.slow
def test_order_agnostic_members_know_marginals_and_conditionals():
    train, test = FIVE.sample(3000, random_state=0), FIVE.sample(5000, random_state=1)
    density = MADEDensity(order_agnostic=True, random_state=0).fit(train)
    holed = np.where(np.random.RandomState(0).random_sample(test.shape) < 0.4, np.nan, test)
    truth = np.zeros(len(holed))
    for i, row in enumerate(holed):
        seen = np.flatnonzero(~np.isnan(row))
        if len(seen):
            marginal = stats.multivariate_normal(cov=FIVE.covariance[np.ix_(seen, seen)])
            truth[i] = marginal.logpdf(row[seen])
    assert abs(np.mean(truth - density.score_samples(holed))) < 0.1
    for pair in itertools.combinations(range(5), 2):
        others, mean, covariance = conditional_of_gaussian(
            dict(zip(pair, (1.0, 0.5), strict=True))
        )
        drawn = density.sample(
            20_000, random_state=0, given=dict(zip(pair, (1.0, 0.5), strict=True))
        )
        drawn = drawn[:, others]
        error = np.sqrt(np.diag(covariance) / 20_000)
        assert (np.abs(drawn.mean(axis=0) - mean) < 5 * error + 0.05).all()
        variances = np.diag(covariance)
        error = np.sqrt((np.outer(variances, variances) + covariance**2) / 20_000)
        assert (np.abs(np.cov(drawn.T) - covariance) < 5 * error + 0.05).all()


@pytest.mark.slow
def test_holes_in_fit_cost_little():
    train, test = FIVE.sample(3000, random_state=0), FIVE.sample(5000, random_state=1)
    train[np.random.RandomState(1).random_sample(train.shape) < 0.3] = np.nan
    density = MADEDensity(random_state=0).fit(train)
    assert np.mean(FIVE.score_samples(test) - density.score_samples(test)) < 0.15


def test_orderings():
    assert quick(ordering="natural").fit(X).ordering_.tolist() == [[[0, 1, 2]]]
    assert (
        quick(ordering=[2, 0, 1], n_estimators=2).fit(X).ordering_.tolist() == [[[2, 0, 1]]] * 2
    )
    wide = np.random.RandomState(0).normal(size=(30, 12))
    drawn = quick(n_estimators=2, order_agnostic=True, n_masks=3).fit(wide).ordering_
    assert drawn.shape == (2, 3, 12)
    assert len(np.unique(drawn.reshape(6, 12), axis=0)) == 6


def test_every_ordering_of_an_order_agnostic_model_is_a_good_model():
    density = quick(order_agnostic=True, n_masks=4, max_iter=60, hidden_layer_sizes=(32, 32))
    density.fit(X)
    one, state = copy.copy(density), density._state
    for k in range(4):
        one._state = {
            **state,
            "ranks": state["ranks"][:, k : k + 1],
            "degrees": [layer[:, k : k + 1] for layer in state["degrees"]],
        }
        gap = np.mean(GAUSSIAN.score_samples(TEST) - one.score_samples(TEST))
        assert gap < 0.3  # three independent columns are 1.02 nats away


def test_connectivity_agnostic_masks_share_the_ordering():
    density = quick(connectivity_agnostic=True, n_masks=3).fit(X)
    assert len(np.unique(density.ordering_[0], axis=0)) == 1
    assert len(np.unique(density._state["degrees"][0][0], axis=0)) == 3


def test_conditioning_weights_come_with_order_agnostic_training():
    assert not quick().fit(X)._state["architecture"]["conditioning_weights"]
    agnostic = quick(order_agnostic=True).fit(X)
    assert agnostic._state["architecture"]["conditioning_weights"]
    without = quick(order_agnostic=True, conditioning_weights=False).fit(X)
    assert not without._state["architecture"]["conditioning_weights"]


def test_binary_columns_stay_binary():
    table = (X > 0).astype(int)
    density = quick().fit(table)
    assert density.feature_types_.tolist() == ["binary"] * 3
    assert set(np.unique(density.sample(100, random_state=0))) == {0.0, 1.0}
    assert (density.score_samples(table) < 0).all()
    with pytest.raises(ValueError, match="column 0 is binary"):
        density.partial_fit(X)
    with pytest.raises(ValueError, match="column 2 is binary"):
        quick(feature_types=["continuous", "continuous", "binary"]).fit(X)


def test_a_column_without_ones_is_not_impossible():
    table = np.zeros((200, 2))
    table[:, 1] = np.arange(200) % 2
    density = quick(max_iter=50).fit(table)
    assert -15 < density.score_samples([[1, 0]])[0] < -3


def test_constant_columns_are_named():
    table = np.column_stack([X, np.full(300, 7.0)])
    with pytest.warns(UserWarning, match="Constant in fit: column 3") as caught:
        density = quick().fit(table)
    assert caught[0].filename == __file__
    assert np.isfinite(density.score_samples(table)).all()
    moved = table + np.array([0, 0, 0, 50])
    assert density.score_samples(moved)[0] < density.score_samples(table)[0] - 3


TABLES = {
    "duplicated": lambda x: np.column_stack([x, x]),
    "integers": lambda x: np.round(3 * x),
    "zero-inflated": lambda x: np.where(x > 0.5, x, 0.0),
    "Cauchy": lambda x: np.tan(1.5 * np.arctan(x) / 1.2),
    "tiny": lambda x: x * 1e-300,
    "huge": lambda x: x * 1e300,
    "far offset": lambda x: x + 1e8,
}


@pytest.mark.filterwarnings("ignore:A hidden layer")
@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES.keys())
def test_hard_columns_get_bounded_scores(make):
    table = make(X)
    density = quick(max_iter=30).fit(table)
    scores = density.score_samples(table)
    assert np.isfinite(scores).all()
    assert np.isfinite(density.sample(50, random_state=0)).all()
    # At most the narrowest conditional allowed in every column.
    standardised = scores - density._state["table"]["exponent"].sum() * -np.log(2)
    standardised += np.log(density._state["table"]["spread"]).sum()
    assert standardised.max() < -np.log(1e-3 * np.sqrt(2 * np.pi)) * table.shape[1]


@pytest.mark.parametrize("shape", [(2, 3), (50, 500)])
def test_few_rows(shape):
    table = np.random.RandomState(0).normal(size=shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A hidden layer")
        density = quick(max_iter=2).fit(table)
    assert np.isfinite(density.score_samples(table)).all()


def test_a_narrow_layer_warns():
    with pytest.warns(UserWarning, match="hidden layer of 1 units") as caught:
        quick(hidden_layer_sizes=(1,)).fit(X)
    assert caught[0].filename == __file__


def test_more_epochs_do_not_run_away():
    density = quick(max_iter=300, early_stopping=False, n_components=10).fit(X)
    gap = np.mean(GAUSSIAN.score_samples(TEST) - density.score_samples(TEST))
    assert gap < 1.5


@pytest.mark.slow
def test_in_one_grid_beside_kernel_density():
    import pickle

    pipeline = Pipeline([("scale", StandardScaler()), ("density", KernelDensity())])
    grid = GridSearchCV(
        pipeline,
        [
            {"density": [KernelDensity()], "density__bandwidth": [0.01, 0.3]},
            {"density": [quick(max_iter=30)], "density__n_components": [1, 3]},
        ],
        cv=3,
        n_jobs=2,
    )
    grid.fit(X)
    scores = grid.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores.argmin() == 0  # the far too narrow kernel
    assert isinstance(grid.best_estimator_["density"], MADEDensity)
    totals = [grid.best_estimator_.fit(X[:200]).score(X[200:])]
    assert_allclose(totals, grid.best_estimator_.score_samples(X[200:]).sum())
    loaded = pickle.loads(pickle.dumps(grid))
    assert_array_equal(loaded.score_samples(TEST), grid.score_samples(TEST))


def test_min_scale_bounds_the_density():
    rng = np.random.RandomState(0)
    rows = np.where(rng.random_sample((400, 1)) < 0.3, 0.0, rng.normal(3, 1, size=(400, 1)))
    grid = np.linspace(-4, 10, 14_001)[:, None]
    highest = {}
    for min_scale in (None, 0.1, 0.5):
        density = np.exp(quick(max_iter=30, min_scale=min_scale).fit(rows).score_samples(grid))
        assert_allclose(np.trapezoid(density, grid[:, 0]), 1, atol=0.01)
        highest[min_scale] = density.max()
    bounds = {scale: 1 / (scale * rows.std() * np.sqrt(2 * np.pi)) for scale in (0.1, 0.5)}
    assert highest[0.5] < bounds[0.5]
    assert highest[0.1] < bounds[0.1] < highest[None]  # the zeros are a peak


def test_integers_that_are_no_floats_stay_as_they_are():
    rng = np.random.RandomState(0)
    table = pd.DataFrame({"a": rng.normal(size=60), "id": np.arange(60) * 2**50 + 2**58 + 1})
    density = quick(early_stopping=False, max_iter=1).fit(table)
    holed = table.assign(a=table["a"].where(table["a"] > 0))
    filled = density.impute(holed, random_state=0)
    assert filled["id"].tolist() == table["id"].tolist()


def test_masked_cells_are_not_given():
    table = np.random.RandomState(0).normal(size=(50, 2))
    density = quick(early_stopping=False, max_iter=1).fit(table)
    drawn = density.sample(5, random_state=0, given=np.ma.array([1.0, 99.0], mask=[0, 1]))
    assert (drawn[:, 0] == 1).all()
    assert (drawn[:, 1] != 99).all()


def test_few_fitting_draws_are_warned_of():
    # A cell far out is given, and comes last in the ordering.
    rng = np.random.RandomState(0)
    a = rng.normal(size=400)
    X = np.c_[a, a + 0.05 * rng.normal(size=400), a + 0.05 * rng.normal(size=400)]
    density = quick(early_stopping=False, ordering="natural", max_iter=20).fit(X)
    with pytest.warns(
        UserWarning, match=r"Only about \d+ different draws.*order_agnostic=True"
    ):
        density.sample(500, random_state=0, given={2: 2.5})
    with pytest.warns(UserWarning, match="less than 5 effective draws"):
        density.impute([[np.nan, np.nan, v] for v in (2.2, 2.3, 2.4, 2.5, 2.6)], random_state=0)
    # Given first, it is conditioned on exactly.
    exact = density.sample(500, random_state=0, given={0: 2.0})
    assert abs(exact[:, 2].mean() - 2.0) < 0.2


def test_html_page_links_to_the_documentation():
    page = quick()._repr_html_()
    assert "https://skmade.readthedocs.io/en/stable/api/skmade.MADEDensity.html" in page


def test_tags():
    tags = get_tags(MADEDensity())
    assert tags.estimator_type == "density_estimator"
    assert tags.input_tags.allow_nan
    assert tags.input_tags.categorical
    assert not tags.target_tags.required
