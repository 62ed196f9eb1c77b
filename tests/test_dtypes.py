"""Columns of every dtype of pandas, pyarrow, polars and NumPy: given back, or said in fit."""

import datetime
import decimal
import pickle
import uuid
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from numpy.testing import assert_array_equal

from skmade._table import dtypes as dtypes_of_tables
from skmade._table import rebuild as rebuild_of_tables
from skmade._table.plain import is_missing
from tests.configurations import quick

TRUSTED = ["skmade._density.MADEDensity"]
N_ROWS = 60
RNG = np.random.RandomState(0)
WHOLE = RNG.randint(0, 40, size=N_ROWS)
PARTS = np.round(RNG.normal(size=N_ROWS), 2)
TEXT = np.array(["red", "green", "blue"], dtype=object)[WHOLE % 3]
TRUTHS = WHOLE % 2 == 0
DAYS = np.datetime64("2024-03-20") + WHOLE
HOURS = np.datetime64("2024-03-20T00") + 7 * WHOLE
SPANS = WHOLE * np.timedelta64(90, "m")
CLOCKS = np.array([datetime.time(hour % 24, 15) for hour in WHOLE], dtype=object)
MONEY = np.array([decimal.Decimal(f"{part:.2f}") for part in PARTS], dtype=object)


def objects(cells):
    """Return a column of objects."""
    column = np.empty(len(cells), dtype=object)
    column[:] = list(cells)
    return pd.Series(column, dtype=object)


def arrow(cells, kind):
    """Return a column of pandas that pyarrow holds."""
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, type=kind)))


def category(cells, **options):
    """Return a categorical column."""
    return pd.Series(pd.Categorical(cells, **options))


DATES = pd.Series(DAYS)
ZONES = {
    "UTC": "UTC",
    "Berlin": "Europe/Berlin",
    "New York": "America/New_York",
    "offset": "UTC+02:00",
}
PANDAS = {
    **{kind: pd.Series(WHOLE).astype(kind) for kind in ("int8", "int16", "int32", "int64")},
    **{kind: pd.Series(WHOLE).astype(kind) for kind in ("uint8", "uint16", "uint32", "uint64")},
    **{kind: pd.Series(PARTS).astype(kind) for kind in ("float16", "float32", "float64")},
    **{kind: pd.Series(WHOLE).astype(kind) for kind in ("Int8", "Int16", "Int32", "Int64")},
    **{kind: pd.Series(WHOLE).astype(kind) for kind in ("UInt8", "UInt16", "UInt32", "UInt64")},
    **{kind: pd.Series(PARTS).astype(kind) for kind in ("Float32", "Float64")},
    "bool": pd.Series(TRUTHS),
    "boolean": pd.Series(TRUTHS).astype("boolean"),
    "str": pd.Series(TEXT).astype("str"),
    "string of Python": pd.Series(TEXT).astype(pd.StringDtype("python")),
    "string of pyarrow": pd.Series(TEXT).astype(pd.StringDtype("pyarrow")),
    "complex": pd.Series(PARTS + 1j),
    **{f"datetime, {unit}": DATES.astype(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")},
    **{f"hours, {unit}": pd.Series(HOURS).astype(f"M8[{unit}]") for unit in ("s", "ns")},
    **{f"datetime in {name}": DATES.dt.tz_localize(zone) for name, zone in ZONES.items()},
    "seconds in Berlin": DATES.astype("M8[s]").dt.tz_localize("Europe/Berlin"),
    **{f"timedelta, {unit}": pd.Series(SPANS).astype(f"m8[{unit}]") for unit in ("s", "ns")},
    "period": pd.Series(pd.PeriodIndex(DAYS, freq="D")),
    "interval": pd.Series(pd.IntervalIndex.from_arrays(WHOLE, WHOLE + 1)),
    "sparse numbers": pd.Series(pd.arrays.SparseArray(PARTS)),
    "sparse integers": pd.Series(pd.arrays.SparseArray(WHOLE)),
    "sparse counts": pd.Series(pd.arrays.SparseArray(WHOLE, fill_value=7)),
    "sparse money": pd.Series(pd.arrays.SparseArray(PARTS, fill_value=0.0)),
    "sparse truths": pd.Series(pd.arrays.SparseArray(TRUTHS)),
    "category of text": category(TEXT),
    "ordered category": category(TEXT, categories=["red", "blue", "green"], ordered=True),
    "category of integers": category(WHOLE % 3),
    "category of numbers": category(PARTS.round(0)),
    "category of truths": category(TRUTHS),
    "category of datetimes": category(pd.DatetimeIndex(DAYS)),
    "category of datetimes in a zone": category(pd.DatetimeIndex(DAYS, tz="Europe/Berlin")),
    "category of timedeltas": category(pd.to_timedelta(SPANS)),
    "category of intervals": category(pd.cut(PARTS, 3)),
    "category of periods": category(pd.PeriodIndex(DAYS, freq="M")),
    "category of dates": category(objects(DAYS.astype("M8[D]").tolist())),
    "category of Decimals": category(
        objects([part.quantize(decimal.Decimal("0.1")) for part in MONEY])
    ),
    "category of string": category(pd.Series(TEXT).astype("string")),
    "category of pyarrow": category(arrow(WHOLE % 3, pa.int64())),
    "objects: text": objects(TEXT),
    "objects: truths": objects(TRUTHS.tolist()),
    "objects: integers": objects(WHOLE.tolist()),
    "objects: numbers": objects(PARTS.tolist()),
    "objects: numbers and text": objects([1, "a", 2.5] * 20),
    "objects: Decimals": objects(MONEY),
    "objects: dates": objects(DAYS.tolist()),
    "objects: datetimes": objects(HOURS.astype("M8[us]").tolist()),
    "objects: datetimes in a zone": objects(pd.Series(HOURS).dt.tz_localize("UTC")),
    "objects: Timestamps": objects(pd.Series(HOURS)),
    "objects: times": objects(CLOCKS),
    "objects: timedeltas": objects(SPANS.astype("m8[us]").tolist()),
    "objects: Timedeltas": objects(pd.Series(SPANS)),
    "objects: dates and numbers": objects([*DAYS.tolist()[:30], *WHOLE.tolist()[:30]]),
    "objects: lists": objects([[1, 2]] * N_ROWS),
    "objects: dicts": objects([{"a": 1}] * N_ROWS),
    "objects: arrays": objects([np.ones(2)] * N_ROWS),
    "objects: text with NA": objects(["a", "b", pd.NA] * 20),
    "objects: dates with NA": objects([*DAYS.tolist()[:-2], pd.NA, None]),
    "objects: numbers with NA": objects([*PARTS.tolist()[:-1], pd.NA]),
    "objects: times in a zone": objects([time.replace(tzinfo=datetime.UTC) for time in CLOCKS]),
    "datetime in a zone without a name": DATES.dt.tz_localize("dateutil/Europe/Berlin"),
    "objects: bytes": objects([b"a", b"b", b"c"] * 20),
    "objects: UUIDs": objects([uuid.UUID(int=int(k)) for k in WHOLE]),
    "objects: others": objects([object()] * N_ROWS),
}
ARROW = {
    **{
        f"arrow {kind}": arrow(WHOLE, getattr(pa, kind)())
        for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    "arrow float16": arrow(PARTS.astype(np.float16), pa.float16()),
    "arrow float32": arrow(PARTS, pa.float32()),
    "arrow float64": arrow(PARTS, pa.float64()),
    "arrow bool": arrow(TRUTHS, pa.bool_()),
    "arrow string": arrow(TEXT, pa.string()),
    "arrow large_string": arrow(TEXT, pa.large_string()),
    "arrow binary": arrow([b"a", b"b", b"c"] * 20, pa.binary()),
    "arrow date32": arrow(DAYS, pa.date32()),
    "arrow date64": arrow(DAYS.tolist(), pa.date64()),
    **{
        f"arrow timestamp {unit}": arrow(HOURS.astype(f"M8[{unit}]"), pa.timestamp(unit))
        for unit in ("s", "ms", "us", "ns")
    },
    "arrow timestamp in a zone": arrow(
        pd.Series(HOURS).astype("M8[us]").dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        pa.timestamp("us", "Asia/Tokyo"),
    ),
    "arrow time32 s": arrow(CLOCKS, pa.time32("s")),
    "arrow time32 ms": arrow(CLOCKS, pa.time32("ms")),
    "arrow time64 us": arrow(CLOCKS, pa.time64("us")),
    "arrow time64 ns": arrow(CLOCKS, pa.time64("ns")),
    **{
        f"arrow duration {unit}": arrow(SPANS.astype(f"m8[{unit}]"), pa.duration(unit))
        for unit in ("s", "ms", "us", "ns")
    },
    "arrow decimal128": arrow(MONEY, pa.decimal128(10, 2)),
    "arrow decimal256": arrow(MONEY, pa.decimal256(50, 4)),
    "arrow dictionary": arrow(TEXT, pa.dictionary(pa.int32(), pa.string())),
    "arrow list": arrow([[1, 2]] * N_ROWS, pa.list_(pa.int64())),
    "arrow struct": arrow([{"a": 1}] * N_ROWS, pa.struct([("a", pa.int64())])),
    "arrow null": arrow([None] * N_ROWS, pa.null()),
}
NUMBERS = ("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64")
# Made when a test asks for them: polars that has worked does not work in a forked process.
POLARS = {
    **{
        f"polars {kind}": lambda kind=kind: pl.Series(WHOLE).cast(getattr(pl, kind))
        for kind in NUMBERS
    },
    **{
        f"polars {kind}": lambda kind=kind: pl.Series(PARTS).cast(getattr(pl, kind))
        for kind in ("Float16", "Float32", "Float64")
        if hasattr(pl, kind)
    },
    "polars Boolean": lambda: pl.Series(TRUTHS),
    "polars String": lambda: pl.Series(TEXT.tolist()),
    "polars Categorical": lambda: pl.Series(TEXT.tolist(), dtype=pl.Categorical),
    "polars Enum": lambda: pl.Series(TEXT.tolist(), dtype=pl.Enum(["red", "blue", "green"])),
    "polars Date": lambda: pl.Series(DAYS),
    **{
        f"polars Datetime {unit}": lambda unit=unit: pl.Series(HOURS.astype(f"M8[{unit}]"))
        for unit in ("ms", "us", "ns")
    },
    "polars Datetime in a zone": lambda: pl.Series(DAYS.astype("M8[us]")).dt.replace_time_zone(
        "Europe/Berlin"
    ),
    **{
        f"polars Duration {unit}": lambda unit=unit: pl.Series(SPANS.astype(f"m8[{unit}]"))
        for unit in ("ms", "us", "ns")
    },
    "polars Time": lambda: pl.Series(CLOCKS.tolist()),
    "polars Decimal": lambda: pl.Series(MONEY.tolist(), dtype=pl.Decimal(12, 2)),
    "polars Binary": lambda: pl.Series([b"a", b"b", b"c"] * 20),
    "polars List": lambda: pl.Series([[1, 2]] * N_ROWS),
    "polars Array": lambda: pl.Series([[1, 2]] * N_ROWS, dtype=pl.Array(pl.Int64, 2)),
    "polars Struct": lambda: pl.Series([{"a": 1}] * N_ROWS),
    "polars Null": lambda: pl.Series([None] * N_ROWS),
    "polars Object": lambda: pl.Series(["a", "b", "c"] * 20, dtype=pl.Object),
}
# What fit refuses, and what its message says beside the column's name.
REFUSED = {
    "complex": "complex",
    "period": "to_timestamp",
    "interval": "middle",
    "objects: datetimes in a zone": "to_datetime",
    "objects: dates and numbers": "to_datetime",
    "objects: lists": "column of its own",
    "objects: dicts": "column of its own",
    "objects: arrays": "column of its own",
    "objects: times in a zone": "to_datetime",
    "datetime in a zone without a name": r"tz_convert\('UTC'\)",
    "objects: bytes": "not numeric",
    "objects: UUIDs": "no number",
    "objects: others": "no number",
    "arrow binary": "not numeric",
    "arrow list": "column of its own",
    "arrow struct": "column of its own",
    "arrow null": "nothing to learn",
    "polars Binary": "not numeric",
    "polars List": "column of its own",
    "polars Array": "column of its own",
    "polars Struct": "column of its own",
    "polars Null": "nothing to learn",
    "polars Object": "dtype Object",
}


def table_of(column):
    """Return a table of a column and a number that depends on it."""
    other = PARTS + WHOLE / 10
    if isinstance(column, pl.Series):
        return pl.DataFrame({"own": column, "other": other})
    return pd.DataFrame({"own": column, "other": other})


def with_holes(table):
    """Return a table of which some cells of the column are missing."""
    hole = np.arange(N_ROWS) % 5 == 0
    if isinstance(table, pl.DataFrame):
        return table.with_columns(
            own=pl.when(pl.Series(hole)).then(None).otherwise(pl.col("own"))
        )
    own = table["own"]
    if isinstance(own.dtype, pd.SparseDtype):
        own = pd.Series(
            own.sparse.to_dense().astype(object if own.dtype.kind == "b" else float)
        )
    return table.assign(own=own.mask(hole))


def dtypes(table):
    """Return the dtypes of a table's columns."""
    return list(table.dtypes)


@pytest.mark.parametrize("name", [*PANDAS, *ARROW, *POLARS])
def test_a_dtype_comes_back_or_is_refused(name):
    column = {**PANDAS, **ARROW, **POLARS}[name]
    table = table_of(column() if callable(column) else column)
    density = quick()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Training never improved")
        if name in REFUSED:
            with pytest.raises((TypeError, ValueError), match=f"'own'.*{REFUSED[name]}"):
                density.fit(table)
            return
        density.fit(table)
        loaded = skops.io.loads(skops.io.dumps(density), trusted=TRUSTED)
        for answering in (density, pickle.loads(pickle.dumps(density)), loaded):
            assert_array_equal(answering.score_samples(table), density.score_samples(table))
            drawn = answering.sample(20, random_state=0)
            assert dtypes(drawn) == dtypes(table)
            assert np.isfinite(answering.score_samples(drawn)).all()
        completed = density.impute(with_holes(table), random_state=0)
        assert dtypes(completed) == dtypes(table)
        kept = np.arange(N_ROWS) % 5 != 0
        pairs = zip(completed["own"].to_list(), table["own"].to_list(), kept, strict=True)
        assert all(made == own for made, own, same in pairs if same and not is_missing(own))


HEADERS = {
    "named": pd.Index(["a", "b"], name="columns"),
    "two levels": pd.MultiIndex.from_tuples([("1", "x"), ("1", "y")], names=["one", None]),
    "integers": pd.RangeIndex(2),
    "years": pd.Index([2023, 2024], name="year"),
    "days": pd.DatetimeIndex(["2024-01-01", "2024-01-02"], name="day"),
    "days in a zone": pd.DatetimeIndex(["2024-01-01", "2024-01-02"], tz="Europe/Berlin"),
    "durations": pd.to_timedelta([1, 2], unit="h"),
    "periods": pd.period_range("2024-01", periods=2, freq="M"),
    "intervals": pd.interval_range(0, 2),
    "categories": pd.CategoricalIndex(["a", "b"], name="kind"),
    "objects": pd.Index(["a", "b"], dtype=object),
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_index_of_columns_comes_back(name):
    table = pd.DataFrame({"own": TEXT, "other": PARTS}).set_axis(HEADERS[name], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Training never improved")
        density = quick().fit(table)
    loaded = skops.io.loads(skops.io.dumps(density), trusted=TRUSTED)
    drawn = loaded.sample(3, random_state=0)
    assert drawn.columns.equals(table.columns)
    assert drawn.columns.names == table.columns.names
    given = {table.columns[0]: "red"}
    assert (loaded.sample(3, random_state=0, given=given).iloc[:, 0] == "red").all()
    assert_array_equal(loaded.score_samples(table), density.score_samples(table))


@pytest.mark.parametrize(
    "own",
    [
        pd.Series(2**60 + 12_345 * WHOLE),
        pd.Series(2**60 + 12_345 * WHOLE).astype("Int64"),
        arrow(2**60 + 12_345 * WHOLE, pa.int64()),
        objects([decimal.Decimal("74.12345678901234567891") + int(k) for k in WHOLE]),
        arrow([decimal.Decimal("7.12345678901234567891") + int(k) for k in WHOLE], None),
    ],
    ids=["int64", "Int64", "pyarrow", "Decimals", "decimal128"],
)
def test_completed_rows_keep_digits_that_no_float_has(own):
    table = table_of(own)
    holes = table.assign(other=np.where(WHOLE > 20, np.nan, table["other"]))
    if own.dtype != np.int64:
        holes["own"] = own.mask(WHOLE < 5)
    completed = quick().fit(table).impute(holes, random_state=0)
    kept = holes["own"].notna()
    assert (completed["own"] == table["own"])[kept].all()
    assert completed.notna().all(axis=None)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]"])
def test_labels_are_told_apart_that_are_one_float(dtype):
    table = table_of(pd.Series(2**60 + WHOLE % 3).astype(dtype))
    density = quick(feature_types={"own": "categorical"}).fit(table)
    assert set(density.sample(200, random_state=0)["own"]) == set(table["own"])
    drawn = density.sample(3, random_state=0, given={"own": 2**60 + 2})
    assert (drawn["own"] == 2**60 + 2).all()


@pytest.mark.parametrize("count", [1, 7, 60])
@pytest.mark.parametrize("unit", ["us", "s", "m", "D"])
def test_numpy_counts_several_units_as_one(unit, count):
    days = np.datetime64("2024-03-20") + np.stack([30 * WHOLE, 30 * WHOLE + 3], axis=1)
    table = days.astype(f"M8[{count}{unit}]")
    density = quick().fit(days)
    assert_array_equal(
        density.score_samples(table), density.score_samples(table.astype("M8[us]"))
    )
    drawn = quick().fit(table).sample(20, random_state=0)
    assert drawn.dtype == table.dtype
    assert (np.abs(drawn - table[0]) < np.timedelta64(5000, "D")).all()


@pytest.mark.parametrize(
    ("labels", "new"),
    [
        (WHOLE % 3, WHOLE % 3 + 0.5),
        (WHOLE % 3, (WHOLE % 3).astype(str)),
        ((WHOLE % 3).astype(str), WHOLE % 3 + 20),
        (pd.DatetimeIndex(DAYS), WHOLE % 3),
        (pd.PeriodIndex(DAYS, freq="M"), TEXT),
    ],
)
def test_new_labels_of_another_type_stay_as_they_are(labels, new):
    table = table_of(pd.Series(pd.Categorical(labels)))
    rows = table.assign(own=pd.Categorical(new), other=np.nan)
    completed = quick(handle_unknown="smoothed").fit(table).impute(rows, random_state=0)
    assert completed["own"].tolist() == rows["own"].tolist()
    assert completed["other"].notna().all()


def test_a_column_that_can_not_be_made_again_is_named(monkeypatch):
    rebuild = dtypes_of_tables.rebuild_pandas

    def unknown(described, labels=None):
        if described == "float32":
            raise TypeError("data type 'float32' not understood")
        return rebuild(described, labels)

    for module in (dtypes_of_tables, rebuild_of_tables):
        monkeypatch.setattr(module, "rebuild_pandas", unknown)
    table = table_of(pd.Series(PARTS).astype("float32"))
    with pytest.warns(
        UserWarning, match=r"column 'own' can't be made .*not understood.*scored"
    ):
        density = quick().fit(table)
    assert np.isfinite(density.score_samples(table)).all()


def test_a_column_that_comes_back_otherwise_is_named():
    categories = pl.Categories("colours") if hasattr(pl, "Categories") else None
    if categories is None:
        pytest.skip("polars has one pool of categories")
    own = pl.Series(TEXT.tolist(), dtype=pl.Categorical(categories))
    with pytest.warns(UserWarning, match=r"column 'own' is of .* will be drawn as"):
        quick().fit(table_of(own))
