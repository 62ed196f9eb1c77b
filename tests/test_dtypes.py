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
    "sparse truths": pd.Series(pd.arrays.SparseArray(TRUTHS)),
    "category of text": category(TEXT),
    "ordered category": category(TEXT, categories=["red", "blue", "green"], ordered=True),
    "category of integers": category(WHOLE % 3),
    "category of numbers": category(PARTS.round(0)),
    "category of truths": category(TRUTHS),
    "category of datetimes": category(pd.DatetimeIndex(DAYS).shift(0, "D")),
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
POLARS = {
    **{f"polars {kind}": pl.Series(WHOLE).cast(getattr(pl, kind)) for kind in NUMBERS},
    **{
        f"polars {kind}": pl.Series(PARTS).cast(getattr(pl, kind))
        for kind in ("Float16", "Float32", "Float64")
        if hasattr(pl, kind)
    },
    "polars Boolean": pl.Series(TRUTHS),
    "polars String": pl.Series(TEXT.tolist()),
    "polars Categorical": pl.Series(TEXT.tolist(), dtype=pl.Categorical),
    "polars Enum": pl.Series(TEXT.tolist(), dtype=pl.Enum(["red", "blue", "green", "white"])),
    "polars Date": pl.Series(DAYS),
    **{
        f"polars Datetime {unit}": pl.Series(HOURS.astype(f"M8[{unit}]"))
        for unit in ("ms", "us", "ns")
    },
    "polars Datetime in a zone": pl.Series(DAYS.astype("M8[us]")).dt.replace_time_zone(
        "Europe/Berlin"
    ),
    **{
        f"polars Duration {unit}": pl.Series(SPANS.astype(f"m8[{unit}]"))
        for unit in ("ms", "us", "ns")
    },
    "polars Time": pl.Series(CLOCKS.tolist()),
    "polars Decimal": pl.Series(MONEY.tolist(), dtype=pl.Decimal(12, 2)),
    "polars Binary": pl.Series([b"a", b"b", b"c"] * 20),
    "polars List": pl.Series([[1, 2]] * N_ROWS),
    "polars Array": pl.Series([[1, 2]] * N_ROWS, dtype=pl.Array(pl.Int64, 2)),
    "polars Struct": pl.Series([{"a": 1}] * N_ROWS),
    "polars Null": pl.Series([None] * N_ROWS),
    "polars Object": pl.Series([object()] * N_ROWS, dtype=pl.Object),
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
    "polars Object": "no number",
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
    table = table_of({**PANDAS, **ARROW, **POLARS}[name])
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
        assert completed["own"].to_list()[1] == table["own"].to_list()[1]
        assert list(np.array(completed["own"].to_list(), dtype=object)[kept]) == list(
            np.array(table["own"].to_list(), dtype=object)[kept]
        )


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
