"""Columns of dates, times of day and durations: continuous numbers, in every answer."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmade import MADEClassifier, MADEDensity, MADEImputer, MADEOutlierDetector
from tests.configurations import quick

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
N_ROWS = 300
NUMBER = RNG.randint(0, 900, size=N_ROWS)
DAYS = np.datetime64("2022-01-01") + NUMBER
OTHER = NUMBER / 300 + RNG.normal(size=N_ROWS)
TABLE = pd.DataFrame({"when": DAYS.astype("M8[ns]"), "x": OTHER})


@pytest.fixture(scope="module")
def fitted():
    """Return a density of dates and a number that grows with them."""
    return quick(n_estimators=2, max_iter=20).fit(TABLE)


def test_dates_are_seconds(fitted):
    seconds = TABLE.assign(when=NUMBER * 86_400.0)
    numbers = quick(n_estimators=2, max_iter=20).fit(seconds)
    assert list(fitted.feature_types_) == ["continuous", "continuous"]
    # A midnight of the first day is the origin: the same numbers up to a day.
    assert_allclose(
        fitted.score_samples(TABLE), numbers.score_samples(seconds), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    "dtype",
    ["M8[s]", "M8[ms]", "M8[us]", "timestamp[s][pyarrow]", "date32[day][pyarrow]", object],
)
def test_the_same_instants_score_the_same_in_any_dtype(fitted, dtype):
    when = TABLE["when"].dt.date if dtype is object else TABLE["when"].astype(dtype)
    assert_array_equal(
        fitted.score_samples(TABLE.assign(when=when)), fitted.score_samples(TABLE)
    )


def test_zones_are_those_of_fit():
    zoned = TABLE.assign(when=TABLE["when"].dt.tz_localize("Europe/Berlin"))
    density = quick().fit(zoned)
    elsewhere = zoned.assign(when=zoned["when"].dt.tz_convert("Asia/Tokyo"))
    assert_array_equal(density.score_samples(elsewhere), density.score_samples(zoned))
    with pytest.raises(TypeError, match=r"'when'.*without a zone.*tz_localize\('Europe/Berlin"):
        density.score_samples(TABLE)
    with pytest.raises(TypeError, match=r"'when'.*Asia/Tokyo.*tz_localize\(None"):
        quick().fit(TABLE).score_samples(elsewhere)


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/St_Johns"])
@pytest.mark.parametrize("library", ["pandas", "pyarrow", "polars"])
def test_days_stay_days_and_hours_stay_hours(zone, library):
    hours = np.datetime64("2022-01-01T00") + 20_000 * NUMBER // 900
    table = pd.DataFrame({"day": DAYS.astype("M8[us]"), "hour": hours.astype("M8[us]")})
    if zone is not None:
        table = table.apply(
            lambda own: own.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        )
    if library == "pyarrow":
        table = table.convert_dtypes(dtype_backend="pyarrow")
    table = pl.from_pandas(table) if library == "polars" else table
    drawn = quick().fit(table).sample(2000, random_state=0)
    assert list(drawn.dtypes) == list(table.dtypes)
    drawn = drawn.to_pandas() if library == "polars" else drawn
    drawn = drawn.astype("datetime64[us]" if zone is None else f"datetime64[us, {zone}]")
    day, hour = (drawn[name].dt.tz_localize(None) for name in ("day", "hour"))
    assert (day == day.dt.normalize()).all()
    # An hour that clocks skip in spring is moved by half an hour where they skip half ones.
    assert (hour == hour.dt.floor("h")).mean() > 0.999


@pytest.mark.parametrize(
    "hole", [pd.NaT, None, np.datetime64("NaT"), np.nan], ids=["NaT", "None", "NumPy", "NaN"]
)
def test_missing_dates_are_marginalised(fitted, hole):
    when = [hole if row % 2 else cell for row, cell in enumerate(TABLE["when"])]
    rows = TABLE.assign(when=pd.Series(when, dtype=object if hole is None else "M8[us]"))
    given = fitted.conditional(rows, "when").logpdf(TABLE["when"])
    scores = fitted.score_samples(rows)
    scores[1::2] += given[1::2]
    assert_allclose(scores, fitted.score_samples(TABLE), atol=1e-2)


def test_a_conditional_of_dates_is_a_density_per_second(fitted):
    given = fitted.conditional(TABLE[:2], "when")
    grid = np.datetime64("2018-01-01", "s") + np.arange(0, 3000 * 86_400, 6 * 3600)
    density = given.pdf(grid[None])
    assert_allclose(np.trapezoid(density, dx=6 * 3600), 1, atol=2e-3)
    for answer in (given.median(), given.mean(), given.ppf(0.3), given.rvs(random_state=0)):
        assert answer.dtype == TABLE["when"].dtype
    assert_allclose(given.cdf(given.ppf(0.3)), 0.3, atol=1e-6)
    assert_array_equal(given.logpdf("2022-05-01"), given.logpdf(datetime.date(2022, 5, 1)))
    with pytest.raises(TypeError, match=r"x of column 'when'.*ISO 8601"):
        given.logpdf("soon")


def test_dates_are_given_as_dates_or_text(fitted):
    for cell in ("2023-02-01", datetime.date(2023, 2, 1), pd.Timestamp(2023, 2, 1)):
        drawn = fitted.sample(5, random_state=0, given={"when": cell})
        assert (drawn["when"] == pd.Timestamp(2023, 2, 1)).all()
    drawn = fitted.sample(50, random_state=0, given={"when": ("2023-02-01", None)})
    assert (drawn["when"] >= pd.Timestamp(2023, 2, 1)).all()
    month = fitted.log_probability({"when": ("2023-02-01", "2023-02-28")})
    assert 0.02 < np.exp(month) < 0.05
    with pytest.raises(TypeError, match=r"'when'.*'soon'.*ISO 8601"):
        fitted.sample(given={"when": "soon"})
    with pytest.raises(TypeError, match=r"'when'.*3.5"):
        fitted.sample(given={"when": (3.5, None)})


def test_messages_show_dates(fitted):
    with pytest.warns(UserWarning, match=r"'when' there is 2199-01-01, far .* 20\d\d-"):
        fitted.sample(given={"when": "2199-01-01"})
    bounds = {"when": ("2022-02-01", None)}
    with pytest.raises(ValueError, match=r"'when' holds 2022-01-\d\d.* bounds"):
        quick(bounds=bounds).fit(TABLE)
    with pytest.raises(ValueError, match=r"'when' is declared count"):
        quick(feature_types={"when": "count"}).fit(TABLE)
    constant = TABLE.assign(when=pd.Timestamp(2022, 1, 1))
    with pytest.warns(UserWarning, match="Constant in fit: column 'when'"):
        density = quick().fit(constant)
    with pytest.raises(ValueError, match="it was 2022-01-01 in every row"):
        density.sample(given={"when": "2022-01-02"})


def test_bounds_are_dates():
    bounds = {"when": ("2021-12-31", datetime.date(2030, 1, 1))}
    drawn = quick(bounds=bounds).fit(TABLE).sample(500, random_state=0)
    assert drawn["when"].between("2021-12-31", "2030-01-01").all()


@pytest.mark.parametrize(
    "table",
    [
        TABLE.astype({"when": "M8[s]"}).astype({"when": object}),
        TABLE.assign(when=TABLE["when"].dt.date),
        "polars",
        np.stack([DAYS, DAYS + 3], axis=1),
        np.stack([DAYS - DAYS[0], DAYS - DAYS[1]], axis=1),
        TABLE.to_numpy(dtype=object),
    ],
    ids=["objects", "dates", "polars", "array", "durations", "array of objects"],
)
def test_any_container_of_times_completes_rows(table):
    table = pl.from_pandas(TABLE) if isinstance(table, str) else table
    density = quick().fit(table)
    rows = density.sample(20, random_state=0)
    assert type(rows) is type(table)
    if isinstance(table, np.ndarray):
        assert rows.dtype == table.dtype
        holes = rows.copy()
        holes[::2, 0] = "NaT" if rows.dtype.kind in "mM" else None
        completed = density.impute(holes, random_state=0)
        assert completed.dtype == table.dtype
        assert_array_equal(completed[1::2], rows[1::2])
        assert np.isfinite(density.score_samples(completed)).all()


def test_completed_rows_keep_their_instants():
    # A nanosecond, and the second of the two hours that clocks repeat.
    when = pd.Series(pd.date_range("2023-10-29", periods=N_ROWS, freq="h", tz="Europe/Berlin"))
    table = pd.DataFrame({"when": when.dt.as_unit("ns") + pd.Timedelta(1, "ns"), "x": OTHER})
    table.loc[5, "when"] = pd.NaT
    for rows in (table, pl.from_pandas(table)):
        completed = quick().fit(rows).impute(rows, random_state=0)
        completed = completed if rows is table else completed.to_pandas()
        assert (completed["when"] == table["when"])[table["when"].notna()].all()
        assert completed["when"].notna().all()


def test_times_of_day_stay_in_the_day():
    hours = np.maximum(23.99 - np.random.RandomState(1).exponential(2, size=N_ROWS), 0)
    times = [datetime.time(int(hour), int(hour % 1 * 60)) for hour in hours]
    table = pd.DataFrame({"at": times, "x": OTHER})
    drawn = quick(max_iter=20).fit(table).sample(2000, random_state=0)
    assert all(type(cell) is datetime.time and cell.second == 0 for cell in drawn["at"])
    assert np.mean([cell.hour < 6 for cell in drawn["at"]]) < 0.005
    polars = quick().fit(pl.DataFrame({"at": times, "x": OTHER}))
    assert polars.sample(5, random_state=0).dtypes == [pl.Time, pl.Float64]


def test_other_estimators_take_dates():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = MADEOutlierDetector(quick()).fit(TABLE)
        reasons = detector.explain(TABLE[:3])
        assert reasons["cell"].str.match(r"20\d\d-|-?\d+\.").all()
        holes = TABLE.mask(np.random.RandomState(1).random_sample(TABLE.shape) < 0.2)
        completed = MADEImputer(quick(), add_indicator=True).fit_transform(holes)
        assert completed.shape == (N_ROWS, 4)
        assert list(completed.dtypes[:2]) == list(TABLE.dtypes)
        late = NUMBER > 450
        classifier = MADEClassifier(quick(max_iter=20)).fit(TABLE, late)
        assert (classifier.predict(TABLE) == late).mean() > 0.7
    with pytest.raises(TypeError, match=r"array of dates.*DataFrame"):
        MADEClassifier(quick()).fit(DAYS[:, None], late)


def test_weights_and_row_order_are_as_for_numbers():
    density = quick().fit(TABLE)
    permuted = quick().fit(TABLE[::-1])
    assert_allclose(
        density._state["table"]["spread"], permuted._state["table"]["spread"], rtol=1e-12
    )
    assert permuted._state["layout"]["clocks"] == density._state["layout"]["clocks"]
    far = pd.concat([TABLE, TABLE[:1].assign(when=pd.Timestamp(1950, 1, 1))])
    weighted = quick().fit(far, sample_weight=np.append(np.ones(N_ROWS), 0))
    assert weighted._state["layout"]["clocks"] == density._state["layout"]["clocks"]


def test_partial_fit_keeps_the_clock():
    density = MADEDensity(n_estimators=1, max_iter=2, random_state=0)
    density.partial_fit(TABLE[:200]).partial_fit(TABLE[200:])
    assert density.sample(3, random_state=0)["when"].dtype == TABLE["when"].dtype


@pytest.mark.parametrize("zone", ["UTC+02:00", "Europe/Berlin"])
def test_dates_in_a_zone_are_given_and_bounded(zone):
    table = TABLE.assign(when=TABLE["when"].dt.tz_localize(zone))
    first = table["when"].min()
    density = quick(bounds={"when": (first, None)}).fit(table)
    assert (density.sample(50, random_state=0)["when"] >= first).all()
    assert (density.sample(3, random_state=0, given={"when": first})["when"] == first).all()
    assert np.isfinite(density.log_probability({"when": (first, None)}))
    assert_array_equal(
        density.score_samples(table.astype({"when": object})), density.score_samples(table)
    )


def test_a_column_without_cells_may_have_any_dtype():
    table = pd.DataFrame(
        {
            "wait": TABLE["when"] - TABLE["when"].min(),
            "at": [datetime.time(int(k) % 24) for k in NUMBER],
            "when": TABLE["when"].dt.tz_localize("UTC"),
            "x": OTHER,
        }
    )
    density = quick().fit(table)
    for name in table:
        expected = density.score_samples(table.assign(**{name: None}))
        assert_array_equal(density.score_samples(table.assign(**{name: pd.NaT})), expected)


def test_dates_without_a_zone_are_refused_where_fit_saw_one():
    table = TABLE.assign(when=TABLE["when"].dt.tz_localize("UTC"))
    density = quick().fit(table)
    for cells in (TABLE["when"].dt.date, TABLE["when"].astype(str)):
        with pytest.raises(TypeError, match=r"'when' of X holds times without a zone.*UTC"):
            density.score_samples(table.assign(when=cells.astype(object)))


def test_instants_that_not_all_libraries_know_are_refused():
    late = (DAYS + 10_000 * 365).astype("M8[s]")
    with pytest.raises(TypeError, match="'when' of X holds dates beyond the years 1 to 9999"):
        quick().fit(TABLE.assign(when=late))
    density = quick().fit(TABLE.assign(when=DAYS.astype("M8[s]")))
    with pytest.raises(TypeError, match="'when' of given holds dates beyond the years"):
        density.sample(given={"when": late[0]})
    last = pd.Timestamp("9999-12-31 23:59:59")
    with pytest.warns(UserWarning, match="'when' there is 9999-12-31 23:59:59, far"):
        assert density.sample(given={"when": last})["when"][0] == last


def test_arrays_keep_their_instants():
    nanoseconds = np.random.RandomState(1).randint(0, 10**18, size=(N_ROWS, 2))
    table = nanoseconds.astype("M8[ns]")
    holes = table.copy()
    holes[::3, 0] = "NaT"
    completed = quick().fit(table).impute(holes, random_state=0)
    assert_array_equal(completed[~np.isnat(holes)], table[~np.isnat(holes)])
    assert not np.isnat(completed).any()


def test_finer_instants_than_those_of_fit_are_kept():
    days, hours = TABLE.astype({"when": "M8[s]"}), pd.Timedelta("20.25s")
    rows = TABLE.assign(when=(TABLE["when"] + hours).mask(NUMBER > 800))
    completed = quick().fit(days).impute(rows, random_state=0)
    assert (completed["when"] == rows["when"])[rows["when"].notna()].all()


def test_a_day_that_clocks_skip_is_no_hole():
    days = pl.Series([datetime.datetime(2011, 12, 25 + k % 6) for k in NUMBER.tolist()])
    table = pl.DataFrame(
        {"when": days.dt.replace_time_zone("Pacific/Apia", non_existent="null")}
    )
    assert quick().fit(table.drop_nulls()).sample(500, random_state=0)["when"].null_count() == 0
