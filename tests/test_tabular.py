"""Parts of scores, draws given cells, and completions: a value for each column of a table."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.mixed_table import KINDS, make_people, small, with_holes


@pytest.fixture(scope="module")
def people():
    return make_people()


@pytest.fixture(scope="module")
def density(people):
    return small(feature_types=KINDS, max_iter=60, n_estimators=2).fit(people)


@pytest.fixture(scope="module")
def agnostic(people):
    return small(feature_types=KINDS, max_iter=20, order_agnostic=True, n_masks=4).fit(people)


@pytest.mark.parametrize("strategy", ["sample", "mean"])
@pytest.mark.parametrize("model", ["density", "agnostic"])
def test_imputed_rows_keep_what_is_observed(model, strategy, people, request):
    model = request.getfixturevalue(model)
    holed = with_holes(people)
    filled = model.impute(holed, strategy=strategy, random_state=0)
    assert filled.dtypes.tolist() == people.dtypes.tolist()
    assert filled.index.tolist() == people.index.tolist()
    assert not filled.isna().any(axis=None)
    for name in people:
        observed = holed[name].notna()
        assert (filled[name][observed] == people[name][observed]).all()
    # What depends on other columns is filled in better than by chance.
    hidden = holed["group"].isna()
    truth = people["group"][hidden].astype(str)
    assert (filled["group"][hidden].astype(str) == truth).mean() > 0.4


def test_imputing_is_repeatable_and_leaves_complete_rows_alone(density, people):
    holed = with_holes(people).head(20)
    first = density.impute(holed, random_state=3)
    pd.testing.assert_frame_equal(first, density.impute(holed, random_state=3))
    assert not first.equals(density.impute(holed, random_state=4))
    pd.testing.assert_frame_equal(density.impute(people), people)
    array = np.array([[1.0, np.nan], [0.5, 0.5]])
    numbers = small().fit(np.random.RandomState(0).normal(size=(50, 2)))
    before = array.copy()
    assert_array_equal(numbers.impute(array)[1], array[1])
    assert_array_equal(array, before)


def test_observed_cells_that_fit_no_integer_stay_as_they_are(people):
    density = small(feature_types={"children": "continuous"}, max_iter=1).fit(people)
    holed = people.head(3).assign(children=[1.5, 2.0, np.nan])
    filled = density.impute(holed, random_state=0)
    assert filled["children"].tolist()[:2] == [1.5, 2.0]
    assert filled["children"].iloc[2] % 1 == 0
    given = density.sample(2, random_state=0, given={"children": 1.5})
    assert given["children"].tolist() == [1.5, 1.5]


def test_integers_that_are_no_floats_stay_as_they_are():
    rng = np.random.RandomState(0)
    table = pd.DataFrame({"a": rng.normal(size=60), "id": np.arange(60) * 2**50 + 2**58 + 1})
    density = small(max_iter=1).fit(table)
    holed = table.assign(a=table["a"].where(table["a"] > 0))
    filled = density.impute(holed, random_state=0)
    assert filled["id"].tolist() == table["id"].tolist()


def test_rows_may_be_lists(density):
    row = [None, "red", 2, True, "x"]
    with pytest.warns(UserWarning, match="feature names"):
        filled = density.impute([row], random_state=0)
    assert filled.iloc[0].tolist()[1:] == row[1:]


def test_masked_cells_are_not_given():
    density = small(max_iter=1).fit(np.random.RandomState(0).normal(size=(50, 2)))
    drawn = density.sample(5, random_state=0, given=np.ma.array([1.0, 99.0], mask=[0, 1]))
    assert (drawn[:, 0] == 1).all()
    assert (drawn[:, 1] != 99).all()


def test_a_strategy_that_is_none_is_refused(density, people):
    with pytest.raises(ValueError, match="strategy must be 'sample' or 'mean', got 'median'"):
        density.impute(people, strategy="median")


@pytest.mark.parametrize("model", ["density", "agnostic"])
def test_rows_are_drawn_given_cells(model, request):
    model = request.getfixturevalue(model)
    drawn = model.sample(200, random_state=0, given={"group": "red", "smoker": True})
    assert (drawn["group"] == "red").all()
    assert drawn["smoker"].all()
    assert drawn["size"].mean() > 2  # the mean of red ones is 3, of the others 0
    other = model.sample(200, random_state=0, given={"group": "green"})
    assert other["size"].mean() < 1


def test_given_may_be_a_row_in_many_forms(agnostic, people):
    expected = agnostic.sample(5, random_state=0, given={"size": 1.5, "city": "x"})
    row = people.head(1).astype(object)
    row.iloc[0] = [1.5, None, None, None, "x"]
    for given in (
        [1.5, np.nan, None, np.nan, "x"],
        np.array([[1.5, None, None, None, "x"]], dtype=object),
        row,
        row.iloc[0],
    ):
        drawn = agnostic.sample(5, random_state=0, given=given)
        pd.testing.assert_frame_equal(drawn, expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"age": 1}, "given names 'age', which is no column"),
        ({"group": "black"}, "'group' of given holds 'black', which was not in fit"),
        ({"size": "large"}, "'size' of given is not numeric"),
        ({"size": np.inf}, "infinity in column 'size'"),
        ({"children": 0.5}, "'children' is a count, but row 0 holds 0.5"),
        ({"children": -1}, "'children' is a count that was never negative"),
        ([1.0, 2.0], "given has 2 cells for 5 columns"),
    ],
)
def test_given_cells_that_do_not_fit_are_refused(density, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        density.sample(2, given=given)


def test_given_must_be_one_row(density, people):
    with pytest.raises(ValueError, match="one row, got 2 rows"):
        density.sample(2, given=people.head(2))


def test_everything_or_nothing_may_be_given(agnostic, density, people):
    row = people.iloc[0].to_dict()
    for model in (agnostic, density):
        drawn = model.sample(2, random_state=0, given=row)
        assert drawn.iloc[1].tolist() == list(row.values())
        assert len(model.sample(3, random_state=0, given={})) == 3


def test_few_fitting_draws_are_warned_of():
    # A cell far out is given, and comes last in the ordering.
    rng = np.random.RandomState(0)
    a = rng.normal(size=400)
    X = np.c_[a, a + 0.05 * rng.normal(size=400), a + 0.05 * rng.normal(size=400)]
    density = small(ordering="natural", max_iter=20).fit(X)
    with pytest.warns(
        UserWarning, match=r"Only about \d+ different draws.*order_agnostic=True"
    ):
        density.sample(500, random_state=0, given={2: 2.5})
    with pytest.warns(UserWarning, match="less than 5 effective draws"):
        density.impute([[np.nan, np.nan, v] for v in (2.2, 2.3, 2.4, 2.5, 2.6)], random_state=0)
    # Given first, it is conditioned on exactly.
    exact = density.sample(500, random_state=0, given={0: 2.0})
    assert abs(exact[:, 2].mean() - 2.0) < 0.2


def test_conditional_density_is_a_difference_of_scores(people):
    row = people.head(1)
    given = row.assign(size=np.nan)
    grid = pd.concat([row] * 400).assign(size=np.linspace(-20, 20, 400))
    density = small(feature_types=KINDS, max_iter=5, ordering=[1, 2, 3, 4, 0]).fit(people)
    log_ratio = density.score_samples(grid) - density.score_samples(given)
    assert_allclose(np.trapezoid(np.exp(log_ratio), grid["size"]), 1.0, atol=1e-3)


def test_parts_sum_to_scores(density, agnostic, people):
    holed = with_holes(people).head(30)
    for model in (density, agnostic):
        for table in (people.head(30), holed):
            parts = model.score_features(table)
            assert parts.shape == (30, 5)
            assert_allclose(parts.sum(axis=1), model.score_samples(table), atol=1e-9)
        assert_array_equal(parts == 0, holed.isna())


def test_an_unlikely_cell_has_the_lowest_part(density, people):
    odd = people.head(20).assign(size=30.0)
    # It is itself unlikely, or makes the group unlikely that is modelled after it.
    assert np.isin(density.score_features(odd).argmin(axis=1), (0, 1)).all()
