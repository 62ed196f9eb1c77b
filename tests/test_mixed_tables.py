"""Tables with labels, counts and missing cells: learned, scored, drawn, completed."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmade import MADEDensity
from tests.configurations import with_holes
from tests.mixed_table import KINDS, make_people, small


@pytest.fixture(scope="module")
def people():
    return make_people()


@pytest.fixture(scope="module")
def holed(people):
    """Return the people with a fifth of their cells missing."""
    return with_holes(people.convert_dtypes(), 0.2, seed=1)


@pytest.fixture(scope="module")
def density(people):
    return small(feature_types=KINDS, max_iter=20).fit(people)


@pytest.fixture(scope="module")
def members(people):
    return small(feature_types=KINDS, max_iter=60, n_estimators=2).fit(people)


@pytest.fixture(scope="module")
def agnostic(people):
    settings = {"max_iter": 40, "n_estimators": 2, "order_agnostic": True, "n_masks": 4}
    return small(feature_types=KINDS, **settings).fit(people)


def test_kinds_follow_the_dtypes(density):
    assert density.feature_types_.tolist() == [
        "continuous",
        "categorical",
        "count",
        "binary",
        "categorical",
    ]


def test_draws_have_the_form_of_the_fitted_table(density, people):
    drawn = density.sample(50, random_state=0)
    assert drawn.columns.tolist() == people.columns.tolist()
    assert drawn.dtypes.tolist() == people.dtypes.tolist()
    assert drawn.index.tolist() == list(range(50))
    assert (drawn["children"] >= 0).all()
    assert np.isfinite(density.score_samples(drawn)).all()
    again = density.sample(50, random_state=0)
    pd.testing.assert_frame_equal(drawn, again)


def test_polars_in_polars_out(people):
    table = pl.DataFrame({c: people[c].to_list() for c in people})
    density = small(feature_types=KINDS).fit(table)
    drawn = density.sample(5, random_state=0)
    assert drawn.schema == table.schema
    holed = table.with_columns(pl.lit(None, dtype=pl.Float64).alias("size"))
    assert density.impute(holed, random_state=0).schema == table.schema
    assert density.score_samples(holed).shape == (300,)


def test_rows_of_another_container_are_scored_alike(density, people):
    scores = density.score_samples(people)
    as_polars = pl.DataFrame({c: people[c].to_list() for c in people})
    assert_allclose(density.score_samples(as_polars), scores)
    with pytest.warns(UserWarning, match="feature names"):
        assert_allclose(density.score_samples(people.astype(object).to_numpy()), scores)


def test_labels_of_arrays_need_a_declaration(people):
    array = people[["size", "city"]].to_numpy(dtype=object)
    with pytest.raises(TypeError, match=r"column 1 of X is not numeric.*'categorical'"):
        small().fit(array)
    density = small(feature_types=["auto", "categorical"]).fit(array)
    assert set(density.sample(20, random_state=0)[:, 1]) <= {"x", "y", "z"}
    assert_allclose(density.score_samples(array.tolist()), density.score_samples(array))


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float32", "int64[pyarrow]", "UInt8"])
def test_numbers_of_any_dtype_are_drawn(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    numbers = np.random.RandomState(0).poisson(3, size=80)
    table = pd.DataFrame({"n": pd.array(numbers, dtype=dtype), "x": numbers + 0.5})
    density = small(max_iter=1).fit(table)
    assert density.sample(10, random_state=0).dtypes.tolist() == table.dtypes.tolist()
    assert np.isfinite(density.score_samples(density.sample(10, random_state=0))).all()


def test_names_that_are_no_text_are_held_to():
    table = pd.DataFrame({0: np.arange(30.0), 1: np.arange(30.0) ** 2})
    density = small(max_iter=1).fit(table)
    with pytest.raises(ValueError, match="column names of X are not those of fit"):
        density.score_samples(table[[1, 0]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_held_out_scores_count_the_cells_that_are_there(people):
    holed = people.assign(size=people["size"] * 1e6)
    validation = holed.head(60).assign(size=np.nan)
    density = small(feature_types=KINDS, max_iter=3, conditioning_weights=True)
    density.set_params(early_stopping=True, n_estimators=1).fit(
        holed.iloc[60:], X_val=validation
    )
    # Left out in validation, integrated in scoring: alike, but in the same units.
    mean = density.score_samples(validation).mean()
    assert abs(density.best_validation_score_ - mean) < 1.0


def test_unknown_labels_are_refused_or_keep_some_mass(people):
    other = people.head(3).assign(city=["x", "w", "v"])
    strict = small(feature_types=KINDS).fit(people)
    for call in (strict.score_samples, strict.score_features, strict.impute):
        with pytest.raises(ValueError, match="'city' of X holds 'w', which was not in fit"):
            call(other)
    smoothed = small(feature_types=KINDS, handle_unknown="smoothed").fit(people)
    scores = smoothed.score_samples(other)
    assert np.isfinite(scores).all()
    parts = smoothed.score_features(other)
    assert_allclose(parts.sum(axis=1), scores, atol=1e-9)
    assert (parts[1:, 4] < -4).all()
    holed = other.assign(size=[np.nan, np.nan, 1.0])
    filled = smoothed.impute(holed, random_state=0)
    assert filled["city"].tolist() == ["x", "w", "v"]
    assert filled["size"].notna().all()


@pytest.mark.parametrize(
    ("known", "dtype", "unknown"),
    [
        ([1, 2, 3], "int64", 2.5),
        ([1, 2, 3], "int8", 300),
        ([1, 2, 3], "Int64", "other"),
        ([1.0, 0.5], "float64", "other"),
        ([True, False], "bool", "other"),
        (["a", "b"], "str", 1),
    ],
)
def test_labels_that_no_dtype_of_fit_holds_stay_as_they_are(known, dtype, unknown):
    labels = pd.Series(known * 20).astype(dtype)
    table = pd.DataFrame({"x": np.arange(len(labels)) / 7, "label": labels})
    density = small(feature_types={"label": "categorical"}, handle_unknown="smoothed")
    density.fit(table)
    given = pd.Series([known[0], unknown, known[1], None], dtype=object).infer_objects()
    filled = density.impute(table.head(4).assign(label=given), strategy="mean")["label"]
    assert filled.tolist()[:3] == [known[0], unknown, known[1]]
    assert filled[3] in known


def test_labels_that_no_dtype_of_fit_holds_stay_in_polars():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"x": np.arange(60) / 7, "label": [1, 2, 3] * 20})
    density = small(feature_types={"label": "categorical"}, handle_unknown="smoothed")
    density.fit(table)
    given = table.head(3).with_columns(pl.Series("label", [1.0, 2.5, 2.0]))
    assert density.impute(given)["label"].to_list() == [1, 2.5, 2]


def test_declared_categories_are_known_though_they_never_occurred(density, people):
    white = people.head(2).assign(
        group=pd.Categorical(["white", "red"], people["group"].cat.categories)
    )
    scores = density.score_samples(white)
    assert np.isfinite(scores).all()
    assert scores[0] < scores[1]


def test_a_column_transformer_before_the_density(people):
    scaler = make_column_transformer(
        (StandardScaler(), ["size"]), remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    pipeline = make_pipeline(scaler, small(feature_types=KINDS, max_iter=2)).fit(people)
    assert pipeline[-1].feature_types_.tolist().count("count") == 1
    assert pipeline.score_samples(people).shape == (300,)


def test_a_fitted_table_is_saved_with_its_form(density, people):
    for again in (pickle.loads(pickle.dumps(density)), copy.deepcopy(density)):
        pd.testing.assert_frame_equal(
            again.sample(3, random_state=0), density.sample(3, random_state=0)
        )
        assert_array_equal(again.score_samples(people), density.score_samples(people))


def test_weight_zero_leaves_labels_out(people):
    odd = people.assign(city=["w", *people["city"].tolist()[1:]])
    weight = np.r_[0.0, np.ones(299)]
    left_out = small(feature_types=KINDS).fit(odd, sample_weight=weight)
    without = small(feature_types=KINDS).fit(odd.iloc[1:])
    assert_allclose(
        left_out.score_samples(people.iloc[1:]), without.score_samples(people.iloc[1:])
    )
    with pytest.raises(ValueError, match="'w', which was not in fit"):
        left_out.score_samples(odd)


@pytest.mark.parametrize("order_agnostic", [False, True])
def test_holes_in_fit(density, people, order_agnostic):
    holed = with_holes(people.convert_dtypes(), 0.3, seed=1)
    of_holed = clone(density).set_params(order_agnostic=order_agnostic).fit(holed)
    assert of_holed._state["architecture"]["conditioning_weights"]
    assert np.isfinite(of_holed.history_["train"]).all()
    scores, complete = (d.score_samples(people) for d in (of_holed, density))
    assert abs(scores.mean() - complete.mean()) < 0.5
    assert np.isfinite(of_holed.score_samples(holed)).all()
    assert abs(of_holed.score_samples(holed.iloc[:1].mask([[True] * 5]))[0]) < 1e-20


def test_later_chunks_may_have_holes(people, holed):
    density = small(feature_types=KINDS)
    density.partial_fit(people)
    with pytest.warns(UserWarning, match="Set conditioning_weights=True"):
        density.partial_fit(holed)
    assert np.isfinite(density.score_samples(people)).all()


def test_a_thousand_levels():
    rng = np.random.RandomState(0)
    codes = rng.randint(1000, size=3000)
    table = pd.DataFrame({"code": codes.astype(str), "x": rng.normal(size=3000) + codes % 2})
    density = small(max_iter=3).fit(table)
    assert density._state["weights"].size < 1000 * 2 * (16 + 1) + 2000
    assert np.isfinite(density.score_samples(table)).all()
    assert set(density.sample(50, random_state=0)["code"]) <= set(table["code"])


def test_free_text_is_warned_of(people):
    table = people.assign(name=[f"name {i}" for i in range(300)])
    with pytest.warns(UserWarning, match=r"column .name. has 300 levels in 300 rows.*drop it"):
        small(feature_types=KINDS, max_iter=1).fit(table)


def test_clones_keep_the_parameters():
    density = MADEDensity(handle_unknown="smoothed", feature_types=KINDS)
    assert clone(density).get_params() == density.get_params()


@pytest.mark.parametrize("strategy", ["sample", "mean", "median"])
@pytest.mark.parametrize("model", ["members", "agnostic"])
def test_imputed_rows_keep_what_is_observed(model, strategy, people, holed, request):
    model = request.getfixturevalue(model)
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


def test_imputing_is_repeatable_and_leaves_complete_rows_alone(members, people, holed):
    holed = holed.head(20)
    first = members.impute(holed, random_state=3)
    pd.testing.assert_frame_equal(first, members.impute(holed, random_state=3))
    assert not first.equals(members.impute(holed, random_state=4))
    pd.testing.assert_frame_equal(members.impute(people), people)
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


def test_rows_may_be_lists(members):
    row = [None, "red", 2, True, "x"]
    with pytest.warns(UserWarning, match="feature names"):
        filled = members.impute([row], random_state=0)
    assert filled.iloc[0].tolist()[1:] == row[1:]


def test_a_strategy_that_is_none_is_refused(members, people):
    with pytest.raises(
        ValueError, match="strategy must be 'sample', 'mean' or 'median', got 'mode'"
    ):
        members.impute(people, strategy="mode")


@pytest.mark.parametrize("model", ["members", "agnostic"])
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
        ({"children": 0.5}, "'children' is given as 0.5, .*whole numbers from 0 to inf"),
        ({"children": -1}, "'children' is given as -1, .*whole numbers from 0 to inf"),
        ([1.0, 2.0], "given has 2 cells for 5 columns"),
    ],
)
def test_given_cells_that_do_not_fit_are_refused(members, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        members.sample(2, given=given)


def test_given_must_be_one_row(members, people):
    with pytest.raises(ValueError, match="one row, got 2 rows"):
        members.sample(2, given=people.head(2))


def test_everything_or_nothing_may_be_given(agnostic, members, people):
    row = people.iloc[0].to_dict()
    for model in (agnostic, members):
        drawn = model.sample(2, random_state=0, given=row)
        assert drawn.iloc[1].tolist() == list(row.values())
        assert len(model.sample(3, random_state=0, given={})) == 3


def test_conditional_density_is_a_difference_of_scores(people):
    row = people.head(1)
    given = row.assign(size=np.nan)
    grid = pd.concat([row] * 400).assign(size=np.linspace(-20, 20, 400))
    density = small(feature_types=KINDS, max_iter=5, ordering=[1, 2, 3, 4, 0]).fit(people)
    log_ratio = density.score_samples(grid) - density.score_samples(given)
    assert_allclose(np.trapezoid(np.exp(log_ratio), grid["size"]), 1.0, atol=1e-3)


def test_parts_sum_to_scores(members, agnostic, people, holed):
    holed = holed.head(30)
    for model in (members, agnostic):
        for table in (people.head(30), holed):
            parts = model.score_features(table)
            assert parts.shape == (30, 5)
            assert_allclose(parts.sum(axis=1), model.score_samples(table), atol=1e-9)
        assert_array_equal(parts == 0, holed.isna())


def test_an_unlikely_cell_has_the_lowest_part(members, people):
    odd = people.head(20).assign(size=30.0)
    # It is itself unlikely, or makes the group unlikely that is modelled after it.
    assert np.isin(members.score_features(odd).argmin(axis=1), (0, 1)).all()
