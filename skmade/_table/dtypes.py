"""Dtypes of columns, and the index of column names, as plain types; the way back to both.

A dtype is described by its name where the library finds it by that, and else by a list of a
tag and what rebuilds it.
"""

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import Labels
from .plain import Plain, from_plain, is_missing, to_plain

# Dtypes of numbers in NumPy, and what others call them (in capitals or not).
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
SYNONYMS = {
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "int128": "int64",
    "uint128": "uint64",
}

# What is drawn of columns of objects, by the name of their cells' type.
OBJECTS = ("Decimal", "date", "datetime", "time", "timedelta", "Timestamp", "Timedelta")


def describe_pandas(dtype: Any, cells: Any = ()) -> Plain:
    """Describe a dtype of pandas; of a column of objects also their type, if they share one."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories
        own = None if categories is None else describe_pandas(categories.dtype, categories)
        return ["category", own, bool(dtype.ordered)]
    if isinstance(dtype, pd.StringDtype):
        return ["string", dtype.storage, dtype.na_value is pd.NA]
    if dtype == np.dtype(object):
        return describe_objects(cells)
    if isinstance(dtype, pd.SparseDtype):
        return ["sparse", str(dtype.subtype), to_plain(dtype.fill_value)]
    if isinstance(dtype, pd.ArrowDtype):
        return describe_arrow(dtype)
    return str(dtype)


def describe_objects(cells: Any) -> Plain:
    """Describe a column of objects by the type of its cells, if it is one that is drawn."""
    kinds = {type(cell).__name__ for cell in cells if not is_missing(cell)}
    kind = kinds.pop() if len(kinds) == 1 else None
    return ["object", kind] if kind in OBJECTS else "object"


def describe_arrow(dtype: Any) -> Plain:
    """Describe a dtype of pyarrow by its name, or else in the format of Arrow's schemas."""
    import pandas as pd
    import pyarrow as pa

    try:
        if pd.api.types.pandas_dtype(str(dtype)) == dtype:
            return str(dtype)
    except (TypeError, NotImplementedError):  # a name that pandas does not read
        pass
    schema = pa.schema([("", dtype.pyarrow_dtype)]).serialize().to_pybytes()
    return ["arrow", str(dtype), schema.hex()]


def rebuild_pandas(described: Plain, labels: Labels | None = None) -> Any:
    """Return the dtype of pandas that was described, a category with its labels."""
    import pandas as pd

    if not isinstance(described, list):
        # Version 0.1.0 remembered categories by this word alone.
        known = described == "category" and labels is not None
        return pd.CategoricalDtype(labels) if known else pd.api.types.pandas_dtype(described)
    tag, *parts = described
    if tag == "category":
        own, ordered = parts
        if labels is None:  # declared to hold numbers
            return np.dtype(np.float64)
        return pd.CategoricalDtype(_index_of(labels, own), ordered)
    if tag == "sparse":
        return pd.SparseDtype(parts[0], from_plain(parts[1]))
    if tag == "string":
        storage, nullable = parts
        return pd.StringDtype(storage, na_value=pd.NA if nullable else np.nan)
    if tag == "arrow":
        import pyarrow as pa

        schema = pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(parts[1])))
        return pd.ArrowDtype(schema.field(0).type)
    return np.dtype(object)


def _index_of(labels: Labels, described: Plain) -> Any:
    """Return labels as an index of pandas, of the dtype of fit if it holds new ones as well."""
    import pandas as pd

    if described is None:
        return pd.Index(labels)
    try:
        index = pd.Index(labels, dtype=rebuild_pandas(described))
    except (TypeError, ValueError, OverflowError):
        return pd.Index(labels, dtype=object)
    return index if index.tolist() == labels else pd.Index(labels, dtype=object)


def describe_polars(dtype: Any) -> Plain:
    """Describe a dtype of polars."""
    name = type(dtype).__name__
    if name == "Datetime":
        return [name, dtype.time_unit, dtype.time_zone]
    if name == "Duration":
        return [name, dtype.time_unit]
    if name == "Decimal":
        return [name, dtype.precision, dtype.scale]
    return name


def rebuild_polars(described: Plain, labels: Labels | None = None) -> Any:
    """Return the dtype of polars that was described, an Enum with its labels."""
    import polars as pl

    if isinstance(described, list):
        name, *parts = described
        return getattr(pl, name)(*parts)
    return pl.Enum(labels or []) if described == "Enum" else getattr(pl, described)


def describe_header(columns: Any) -> Plain:
    """Describe an index of pandas that holds the names of columns, beside the names."""
    if columns.nlevels > 1:
        levels = [columns.get_level_values(k) for k in range(columns.nlevels)]
        return ["MultiIndex", *map(describe_header, levels)]
    listed = getattr(columns, "categories", ())
    described = describe_pandas(columns.dtype, columns)
    return ["Index", described, to_plain(columns.name), *map(to_plain, listed)]


def rebuild_header(described: Plain, names: Labels) -> Any:
    """Return an index of pandas with the names of columns."""
    import pandas as pd

    if described is None:
        return names
    tag, *parts = described
    if tag == "MultiIndex":
        levels = [list(level) for level in zip(*names, strict=True)]
        indexes = [rebuild_header(own, level) for own, level in zip(parts, levels, strict=True)]
        return pd.MultiIndex.from_arrays(indexes)
    described, name, *listed = parts
    dtype = rebuild_pandas(described, list(map(from_plain, listed)))
    return pd.Index(names, dtype=dtype, name=from_plain(name))


def number_dtype(described: Plain) -> str:
    """Return the name of NumPy's dtype of numbers that is as wide; '' if there is none."""
    if isinstance(described, list):
        return number_dtype(described[1]) if described[0] == "sparse" else ""
    name = described.split("[")[0].lower()
    name = SYNONYMS.get(name, name)
    return name if name in (*INTEGERS, *FLOATS) else ""


def decimals_of(described: Plain) -> int | None:
    """Return how many decimals a dtype of decimal numbers has; None for other dtypes."""
    if not isinstance(described, list):
        return None
    if described[0] == "Decimal":
        return int(described[2])
    name = str(described[1])
    if described[0] != "arrow" or not name.startswith("decimal"):
        return None
    return int(name.partition("(")[2].partition(")")[0].split(",")[1])


def as_decimals(numbers: NDArray[np.float64], decimals: int | None) -> list[Decimal | None]:
    """Return numbers as they are written, with so many decimals."""
    spelled = "{!r}" if decimals is None else f"{{:.{decimals}f}}"
    return [
        None if np.isnan(number) else Decimal(spelled.format(number))
        for number in numbers.tolist()
    ]
