"""MADEDensity.conditional: what users ask of the distribution of a column."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmade import MADEDensity
from tests.configurations import CONFIGURATIONS, mixed, quick
from tests.laws import ALPHA

TABLE = mixed(150).assign(
    city=lambda t: pd.Series(["Rome", "Oslo", "Bern"] * 50).where(t.index % 5 > 0, "Oslo")
)
ROWS = TABLE.dropna().head(8).reset_index(drop=True)


@pytest.fixture(scope="module")
def density():
    return quick(n_estimators=2, feature_types={"children": "count"}).fit(TABLE)


def gaussian_rows(n_rows, seed):
    mean, covariance = gaussian()
    return np.random.RandomState(seed).multivariate_normal(mean, covariance, size=n_rows)


def gaussian():
    mean = np.array([5.0, 0.0, 1.0, 2.0, 3.0])
    spread = np.diag([1.0, 10.0, 2.0, 3.0, 0.1])
    factor = np.tril(np.random.RandomState(3).normal(size=(5, 5)) * 0.6) + np.eye(5)
    covariance = factor @ factor.T
    deviation = np.sqrt(np.diag(covariance))
    return mean, spread @ (covariance / np.outer(deviation, deviation)) @ spread


def truth(X, column):
    """Mean and standard deviation of a column of Gaussian rows given the others."""
    mean, covariance = gaussian()
    others = np.delete(np.arange(5), column)
    slopes = covariance[column, others] @ np.linalg.inv(covariance[np.ix_(others, others)])
    center = mean[column] + (X[:, others] - mean[others]) @ slopes
    return center, np.sqrt(covariance[column, column] - slopes @ covariance[others, column])


@pytest.mark.slow
@pytest.mark.parametrize("agnostic", [False, True])
def test_means_and_quantiles_are_those_of_a_gaussian(agnostic):
    density = MADEDensity(order_agnostic=agnostic, random_state=0).fit(gaussian_rows(5000, 0))
    X = gaussian_rows(100, 1)
    bound = 0.08 if agnostic else 0.05  # sixteen orderings by one network are harder to learn
    for column in (0, 2, 4):
        given = density.conditional(X, column)
        mean, deviation = truth(X, column)
        assert np.abs(given.mean() - mean).mean() < bound * deviation
        for level in (0.1, 0.5, 0.9):
            expected = mean + deviation * stats.norm.ppf(level)
            assert np.abs(given.ppf(level) - expected).mean() < bound * deviation


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_configuration_answers(name):
    configuration = CONFIGURATIONS[name]
    table = configuration.make_table(60)
    density = configuration.density(n_estimators=2).fit(table)
    rows = configuration.make_table(3, seed=5)
    for column in range(np.shape(table)[1]):
        given = density.conditional(rows, column)
        drawn = given.rvs(4, random_state=0)
        assert drawn.shape == (3, 4)
        assert len(given) == 3
        log_of = given.logpdf if hasattr(given, "logpdf") else given.logpmf
        assert np.isfinite(log_of(drawn)).all()
        assert_array_equal(given.rvs(4, random_state=0), drawn)


def test_the_own_cell_is_not_looked_at(density):
    given = density.conditional(ROWS, "city")
    other = ROWS.assign(city=["Paris"] * 7 + [None])
    assert_array_equal(
        density.conditional(other, "city").probabilities(), given.probabilities()
    )
    numbers = ROWS.assign(size=np.inf)
    expected = density.conditional(ROWS, "size").mean()
    assert_array_equal(density.conditional(numbers, "size").mean(), expected)


def test_columns_are_named_or_counted(density):
    expected = density.conditional(ROWS, "size").mean()
    assert_array_equal(density.conditional(ROWS, 1).mean(), expected)
    assert_array_equal(density.conditional(ROWS, ["size"]).mean(), expected)
    for wrong in ("height", 5, -1, 1.5):
        with pytest.raises(
            ValueError, match="no column of the table in fit: it has 'children'"
        ):
            density.conditional(ROWS, wrong)
    with pytest.raises(ValueError, match="holds no column"):
        density.conditional(ROWS, [])


def test_labels(density):
    given = density.conditional(ROWS, "city")
    assert given.support.tolist() == ["Bern", "Oslo", "Rome"]
    assert_allclose(given.probabilities().sum(axis=1), 1)
    assert_allclose(given.logpmf("Oslo"), given.log_probabilities()[:, 1])
    assert_allclose(given.pmf(ROWS["city"])[0], given.pmf(ROWS["city"][0])[0])
    assert_allclose(given.pmf([["Oslo", "Rome"]]), given.probabilities()[:, 1:])
    assert (given.logpmf("Paris") == -np.inf).all()
    assert given.mode()[0] == given.support[given.probabilities()[0].argmax()]
    drawn = given.rvs(20_000, random_state=0)[0]
    counts = [(drawn == label).sum() for label in given.support]
    assert stats.chisquare(counts, 20_000 * given.probabilities()[0]).pvalue > ALPHA
    for method in ("mean", "cdf", "ppf", "median"):
        assert not hasattr(given, method)


def test_labels_of_several_columns_together(density):
    both = density.conditional(ROWS, ["smoker", "city"])
    assert both.support.shape == (6, 2)
    assert_allclose(both.probabilities().sum(axis=1), 1)
    alone = density.conditional(ROWS, "city").probabilities()  # given the smoker of the row
    for row, smoker in enumerate(ROWS["smoker"]):
        own = both.probabilities()[row, both.support[:, 0] == smoker]
        assert_allclose(own / own.sum(), alone[row], atol=1e-6)
    assert_allclose(both.pmf((True, "Rome")), both.probabilities()[:, 5])
    assert both.mode().shape == (8, 2)
    assert both.rvs(3, random_state=0).shape == (8, 3, 2)
    with pytest.raises(ValueError, match=r"column 'size' holds numbers\. Ask for one column"):
        density.conditional(ROWS, ["size", "city"])
    for wrong in ("True", [(True, "Rome")] * 3):
        with pytest.raises(ValueError, match="k must hold 2 labels"):
            both.logpmf(wrong)
    with pytest.raises(ValueError, match="one comes twice"):
        density.conditional(ROWS, ["city", "city"])


def test_counts_have_probabilities_of_integers(density):
    given = density.conditional(ROWS, "children")
    whole = np.arange(0, 60.0)[None]
    assert_allclose(given.pmf(whole).sum(axis=1), 1, atol=1e-6)
    assert_allclose(given.cdf(whole)[:, 3], given.pmf(whole)[:, :4].sum(axis=1))
    assert (given.logpmf(2.5) == -np.inf).all()
    assert (given.cdf(-1) == 0).all()
    assert_allclose(given.mean(), (given.pmf(whole) * whole).sum(axis=1), atol=1e-4)
    levels = np.random.RandomState(0).random_sample((8, 30))
    found = given.ppf(levels)
    assert (given.cdf(found) >= levels).all()
    assert (given.cdf(found - 1) < levels).all()


MANY = {
    "half at an end": lambda rng: rng.exponential(40, 600),
    "few at an end": lambda rng: rng.poisson(60, 600) - 35.0,
    "a rare lowest": lambda rng: rng.gamma(2, 20, 600),
    "an atom beside an end": lambda rng: np.where(
        rng.rand(600) < 0.1, 1, rng.exponential(40, 600)
    ),
    "both ends": lambda rng: np.clip(rng.normal(60, 40, 600), 0, 100),
    "steps": lambda rng: 25 * np.rint(rng.exponential(40, 600)),
}


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with another"])
@pytest.mark.parametrize("name", MANY)
def test_counts_of_many_values_add_up(name, alone):
    rng = np.random.RandomState(1)
    X = np.rint(MANY[name](rng))[:, None]
    X = X if alone else np.column_stack([X, rng.normal(X[:, 0] / X.std())])
    kinds = ["count", "continuous"][: X.shape[1]]
    density = quick(feature_types=kinds, n_estimators=1, max_iter=5).fit(X)
    rows = X[:3].copy()
    rows[:, 0] = np.nan
    given = density.conditional(rows, 0)
    # The steps have masses between them, which cdf counts with the step below or above.
    step = 25 if name == "steps" else 1
    values = np.arange(-4.0 * step, X.max() * 3, step)
    masses = np.exp(given.logpmf(np.tile(values, (3, 1))))
    assert_allclose(given.cdf(np.tile(values, (3, 1))), masses.cumsum(axis=1), atol=2e-3)
    assert_allclose(given.mean(), masses @ values, rtol=0.02)
    low = density.sample(4000, random_state=0)[:, 0].min()
    assert (given.cdf(np.full((3, 1), low - 1)) < 1e-3).all()


def test_counts_of_many_values():
    rng = np.random.RandomState(0)
    rate = rng.uniform(200, 600, size=300)
    X = np.column_stack([rate, rng.poisson(rate)])
    density = quick(feature_types={1: "count"}, max_iter=20).fit(X)
    given = density.conditional(X[:4], 1)
    whole = np.arange(0, 1500.0)
    assert_allclose(given.pmf(whole[None]).sum(axis=1), 1, atol=1e-3)
    upto = given.pmf(whole[None]).cumsum(axis=1)
    assert_allclose(given.cdf(whole[None]), upto, atol=2e-3)
    found = given.ppf([[0.1, 0.5, 0.9]])
    assert_array_equal(found, np.rint(found))
    assert (given.logpmf(400.5) == -np.inf).all()
    assert_allclose(given.mean(), given.pmf(whole[None]) @ whole, rtol=1e-3)
    assert not hasattr(given, "logpdf")


def test_values_are_for_all_rows_or_each(density):
    given = density.conditional(ROWS, "size")
    values = np.linspace(40, 70, 8)
    each = given.logpdf(values)
    assert each.shape == (8,)
    assert_allclose(given.logpdf(values[3])[3], each[3])
    assert_allclose(np.diag(given.logpdf(values[None])), each)
    assert given.cdf(np.zeros((8, 3))).shape == (8, 3)
    assert given.ppf(0.5).shape == (8,)
    assert_array_equal(given.median(), given.ppf(0.5))
    low, high = given.interval(0.9)
    assert_allclose(given.cdf(high) - given.cdf(low), 0.9, atol=1e-6)
    assert_allclose(given.pdf(50.0), np.exp(given.logpdf(50.0)))
    with pytest.raises(ValueError, match=r"3 values for 8 rows.*shape \(1, 3\)"):
        given.cdf([1, 2, 3])
    with pytest.raises(ValueError, match=r"shape \(3, 2\) for 8 rows"):
        given.cdf(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        given.ppf(1.5)
    with pytest.raises(TypeError, match="column 'size' must be numbers"):
        given.cdf("tall")
    for wrong in (0, 2.5, (3,)):
        with pytest.raises((TypeError, ValueError), match="size"):
            given.rvs(wrong)
    with pytest.raises((TypeError, ValueError), match="confidence"):
        given.interval([0.5, 0.9])
    with pytest.raises(ValueError, match="holds NaN"):
        given.logpdf(np.nan)
    assert "column 'size' in 8 rows" in repr(given)


def test_draws_have_uniform_probability_integral_transforms(density):
    given = density.conditional(ROWS, "size")
    levels = given.cdf(given.rvs(5000, random_state=0))
    for row in levels:
        assert stats.kstest(row, "uniform").pvalue > ALPHA


def test_zeros_of_money_have_their_probability():
    rng = np.random.RandomState(0)
    a = rng.normal(size=400)
    money = np.where(rng.random_sample(400) < 0.5, 0, np.exp(a).round(2))
    density = quick(max_iter=20).fit(np.column_stack([a, money]))
    given = density.conditional(np.column_stack([a, money])[:5], 1)
    share = given.cdf(0.0)
    assert_allclose(share, 0.5, atol=0.2)
    assert (given.cdf(-1e-6) < 0.002).all()
    drawn = given.rvs(4000, random_state=0)
    for row in range(5):
        n_zeros = (drawn[row] == 0).sum()
        assert stats.binomtest(n_zeros, 4000, share[row]).pvalue > ALPHA
    assert (given.ppf(share / 2) == 0).all()
    assert (drawn >= 0).all()


def test_rows_of_any_library_answer_alike(density):
    frame = ROWS.astype({"size": float})
    expected = density.conditional(frame, "children").mean()
    other = quick(n_estimators=2).fit(pl.DataFrame(TABLE[["size", "city"]].dropna()))
    given = other.conditional(pl.DataFrame({"size": [50.0], "city": [None]}), "city")
    assert_allclose(given.probabilities().sum(), 1)
    copied = pickle.loads(pickle.dumps(density))
    assert_array_equal(copied.conditional(frame, "children").mean(), expected)


def test_far_cells_are_told_of_and_the_own_is_not():
    X = np.random.RandomState(0).normal(size=(200, 2)) @ [[1, 0.9], [0, 0.3]]
    density = quick(order_agnostic=True, n_masks=2).fit(X)
    with pytest.warns(UserWarning, match="column 0 there is 500, far from all that fit saw"):
        given = density.conditional([[500.0, 0.0]], 1)
    assert given.std()[0] > 2
    drawn = density_draws(density, 500.0)
    assert stats.kstest(given.cdf(drawn[None])[0], "uniform").pvalue > ALPHA
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        density.conditional([[0.0, 500.0]], 1)


@pytest.mark.slow
def test_far_cells_do_not_lead_beyond_the_end_of_a_column():
    X = np.random.RandomState(0).exponential(size=(300, 2))
    density = quick(bounds={1: (0, None)}, ordering="natural").fit(X)
    with pytest.warns(UserWarning, match="far from all"):
        given = density.conditional([[1e4, np.nan]], 1)
    drawn = given.rvs(20_000, random_state=0)[0]
    assert (given.cdf(-0.5) == 0).all()
    assert_allclose(given.cdf(0.0), (drawn == 0).mean(), atol=0.02)
    assert_allclose(given.mean(), drawn.mean(), rtol=0.05)
    assert_allclose(given.std(), drawn.std(), rtol=0.1)


def density_draws(density, value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return density.sample(4000, random_state=0, given={0: value})[:, 1]


def test_constant_columns_and_single_ones():
    X = np.column_stack([np.random.RandomState(0).normal(size=100), np.full(100, 3.0)])
    with pytest.warns(UserWarning, match="Constant"):
        density = quick().fit(X)
    given = density.conditional(X[:2], 1)
    assert_array_equal(given.mean(), [3, 3])
    assert_array_equal(given.rvs(2, random_state=0), np.full((2, 2), 3.0))
    alone = quick().fit(X[:, :1])
    given = alone.conditional(X[:2, :1], 0)
    assert_allclose(given.logpdf(0.5), alone.score_samples([[0.5]] * 2), atol=1e-6)


def test_a_table_of_dask_is_refused(density):
    dd = pytest.importorskip("dask.dataframe")
    with pytest.raises(TypeError, match="one partition at a time"):
        density.conditional(dd.from_pandas(ROWS, npartitions=1), "size")


def test_rows_in_a_region(density):
    given = {
        "size": (55, None),
        "city": ["Rome", "Bern"],
        "children": (None, 4),
        "smoker": True,
    }
    rows = density.sample(200, random_state=0, given=given)
    assert (rows["size"] >= 55).all()
    assert set(rows["city"]) == {"Rome", "Bern"}
    assert (rows["children"] <= 4).all()
    assert rows["smoker"].all()
    assert rows.dtypes.tolist() == density.sample(2, random_state=0).dtypes.tolist()
    again = density.sample(200, random_state=0, given=given)
    pd.testing.assert_frame_equal(rows, again)
    assert set(density.sample(50, given={"children": {1, 3}})["children"]) == {1, 3}


def test_probabilities_of_regions(density):
    parts = [{"city": "Rome"}, {"city": ["Oslo", "Bern"]}, {"size": (None, 60)}, {}]
    logs = density.log_probability(parts)
    assert logs.shape == (4,)
    assert isinstance(density.log_probability(parts[0]), float)
    assert_allclose(np.exp(logs[:2]).sum(), 1, atol=0.02)
    upper = density.log_probability({"size": (60, None)})
    assert_allclose(np.exp(upper) + np.exp(logs[2]), 1, atol=0.01)
    drawn = density.sample(20_000, random_state=0)
    n_inside = ((drawn["size"] <= 60) & (drawn["city"] == "Rome")).sum()
    chance = np.exp(density.log_probability({"size": (None, 60), "city": "Rome"}))
    assert stats.binomtest(int(n_inside), 20_000, chance).pvalue > ALPHA


def test_regions_that_no_row_can_be_in_are_refused(density):
    for given, message in {
        "nothing": ({"size": (5, 3)}, r"interval of column 'size' must be \(low, high\)"),
        "three": ({"size": (1, 2, 3)}, r"must be \(low, high\)"),
        "labels": ({"city": ("Oslo", "Rome")}, "holds labels, of which there are no intervals"),
        "unknown": ({"city": ["Oslo", "Paris"]}, "'Paris', which was not in fit"),
        "none": ({"city": []}, "no value at all"),
        "hole": ({"city": ["Oslo", None]}, "missing value among others"),
        "between": ({"children": (1.2, 1.8)}, "column 'children' is given between 1.2 and 1.8"),
        "negative": ({"children": (None, -1)}, "where no row can be: it holds whole numbers"),
        "infinite": ({"size": (np.inf, None)}, r"must be \(low, high\)"),
        "column": ({"height": (1, 2)}, "no column of the table"),
    }.values():
        with pytest.raises(ValueError, match=message):
            density.sample(5, given=given)
        with pytest.raises(ValueError, match=message):
            density.log_probability(given)


def test_regions_of_numbers_that_are_coded():
    X = np.column_stack([np.random.RandomState(0).normal(size=200), np.arange(200) % 2])
    density = quick().fit(X)
    assert (density.sample(20, random_state=0, given={1: (0.5, None)})[:, 1] == 1).all()
    assert density.sample(20, random_state=0, given={0: [0.1, 0.2]})[:, 0].max() == 0.2
    both = density.log_probability([{1: (0, 1)}, {1: 0}, {1: np.array([1])}])
    assert_allclose(np.exp(both[0]), 1, atol=1e-6)
    assert_allclose(np.exp(both[1:]).sum(), 1, atol=0.01)
    with pytest.raises(ValueError, match="it holds 0 or 1"):
        density.sample(1, given={1: (0.2, 0.8)})


def test_regions_of_numbers_on_a_grid():
    rng = np.random.RandomState(0)
    a = rng.normal(size=600)
    X = np.column_stack([(40 + 10 * a).round(), rng.poisson(5, size=600), a.round(1)])
    density = quick(feature_types=["continuous", "count", "continuous"], max_iter=20).fit(X)
    drawn = density.sample(20_000, random_state=0)
    for column, low, high in [
        (0, 35, 45),
        (0, 40, 40),
        (0, 35.2, 45.9),
        (1, 2.3, 4.7),
        (2, 0, 1),
    ]:
        given = {column: (low, high)}
        n_inside = ((low <= drawn[:, column]) & (drawn[:, column] <= high)).sum()
        chance = np.exp(density.log_probability(given))
        assert stats.binomtest(int(n_inside), 20_000, chance).pvalue > ALPHA
        some = density.sample(200, random_state=0, given=given)[:, column]
        assert set(some) <= set(drawn[:, column])
        assert low <= some.min() <= some.max() <= high
    with pytest.raises(ValueError, match="numbers in steps of 1 from"):
        density.sample(1, given={0: (40.2, 40.8)})


def test_regions_of_money_with_zeros_and_of_constants():
    rng = np.random.RandomState(0)
    a = rng.normal(size=500)
    money = np.where(rng.random_sample(500) < 0.4, 0, np.exp(6 + a).round(2))
    with pytest.warns(UserWarning, match="Constant"):
        density = quick(max_iter=20).fit(np.column_stack([a, money, np.full(500, 5.0)]))
    parts = [
        {1: 0},
        {1: (0.01, None)},
        {1: (0, None)},
        {2: (4, 6)},
        {0: (0, None), 2: (None, 9)},
    ]
    chances = np.exp(density.log_probability(parts))
    assert_allclose(chances[1], 0.6, atol=0.1)
    assert_allclose(chances[2:4], 1, atol=0.01)
    assert_allclose(chances[4], 0.5, atol=0.1)
    assert density.sample(100, random_state=0, given={1: (0.01, None)})[:, 1].min() > 0.01
    with pytest.raises(ValueError, match="it was 5 in every row"):
        density.log_probability({2: (6, None)})


def test_a_row_of_a_table_is_read_by_name(density):
    row = ROWS.iloc[0]
    expected = density.log_probability(dict(row))
    assert_allclose(density.log_probability(row[::-1]), expected)
    assert_allclose(density.log_probability(list(row)), expected)
    assert_allclose(expected, density.score_samples(ROWS[:1])[0], atol=1e-6)
    part = row[["city"]]
    assert_allclose(
        density.log_probability(part), density.log_probability({"city": row["city"]})
    )
    given = {"city": pd.Categorical(["Oslo", "Rome"])}
    assert set(density.sample(50, given=given)["city"]) == {"Oslo", "Rome"}
    assert density.conditional(ROWS, pd.Index(["city", "smoker"])).support.shape == (6, 2)


def test_few_draws_and_far_regions_are_told_of():
    rng = np.random.RandomState(0)
    a = rng.normal(size=500)
    density = quick(ordering="natural", max_iter=30).fit(
        np.c_[a, a + 0.01 * rng.normal(size=500)]
    )
    with pytest.warns(UserWarning, match=r"Only about \d+ different draws fit"):
        density.sample(5000, random_state=0, given={1: (2.50, 2.5001)})
    with pytest.warns(UserWarning, match="column 0 there is 1000, far from all"):
        far = density.sample(50, random_state=0, given={0: (1000, None)})
    assert (far[:, 0] >= 1000).all()
    assert np.abs(far[:, 1]).max() < 500
