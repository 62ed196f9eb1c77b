"""Tables in partitions of rows, of which another engine knows where they are: those of dask.

The engine is only asked to map a function over partitions. It decides where and when, moves
what a task needs, and repeats tasks of workers that died. dask is imported only where one of
its tables has been passed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def is_partitioned(X: Any) -> bool:
    """Whether X is an array or a DataFrame of dask."""
    return type(X).__module__.startswith(("dask.array", "dask.dataframe"))


def fetched(X: Any) -> Any:
    """Return a table in memory: what is in partitions is computed, the rest is as it was."""
    return X.compute() if is_partitioned(X) else X


def row_counts(X: Any) -> list[float]:
    """Return how many rows each partition has, NaN where the engine has not counted them."""
    return list(X.chunks[0]) if hasattr(X, "chunks") else [np.nan] * X.npartitions


def empty_like(X: Any) -> Any:
    """Return the table without rows: an array or a DataFrame in memory."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected a table of rows and columns, got {X.ndim} dimension(s). Reshape an "
            "array of one column by [:, None], or take a column as a DataFrame by [[name]]."
        )
    if np.isnan(X.shape[1]):
        raise ValueError(
            "dask does not know how many columns the array has: let it count them by "
            "X.compute_chunk_sizes()."
        )
    return np.empty((0, *X.shape[1:]), X.dtype) if hasattr(X, "chunks") else X._meta


def column_dtypes(X: Any) -> list[Any]:
    """Return the dtype of each column; object for categories that dask has not collected."""
    if hasattr(X, "chunks"):
        return [X.dtype] * X.shape[1]
    from dask.dataframe.utils import has_known_categories

    return [
        np.dtype(object) if dtype == "category" and not has_known_categories(column) else dtype
        for dtype, (_, column) in zip(X._meta.dtypes, X._meta.items(), strict=True)
    ]


def map_partitions(
    function: Callable[..., Any], X: Any, *arguments: Any, each: Iterable[Any] = ()
) -> list[Any]:
    """Call ``function(partition, *own, *arguments)`` for each, when the engine is asked to.

    The arguments go to each worker once; of those in `each`, a partition gets its own.
    """
    from dask.delayed import delayed

    common = [shared(value) for value in arguments]
    call = delayed(_call, name=function.__name__.strip("_"), pure=False)
    partitions = _delayed_partitions(X)
    own = [tuple(values) for values in each] or [()] * len(partitions)
    return [
        call(number, function, partition, *values, *common)
        for number, (partition, values) in enumerate(zip(partitions, own, strict=True))
    ]


def join(function: Callable[..., Any], parts: list[Any], *arguments: Any) -> Any:
    """Call ``function(results, *arguments)`` on results of `map_partitions`, when asked to."""
    from dask.delayed import delayed

    return delayed(function, name=function.__name__.strip("_"), pure=False)(parts, *arguments)


def shared(value: Any) -> Any:
    """Mark an argument of several calls, so that each worker gets it once."""
    from dask.delayed import delayed

    return delayed(value, traverse=False)


def together(tasks: Iterable[Any]) -> list[Any]:
    """Ask the engine to run tasks, and return their results."""
    from dask.base import compute

    return list(compute(*tasks))


def stacked(parts: list[Any], like: Any, empty: Any) -> Any:
    """Return the results of `map_partitions` below each other, as one table of dask.

    The results are arrays or DataFrames as the empty one, with as many rows as the partitions
    of the table they are made from.
    """
    if hasattr(empty, "columns"):
        import dask.dataframe as dd

        divisions = getattr(like, "divisions", None)
        return dd.from_delayed(parts, meta=empty, divisions=divisions, verify_meta=False)
    import dask.array as da

    return da.concatenate(
        [
            da.from_delayed(part, (n_rows, *empty.shape[1:]), meta=empty)
            for part, n_rows in zip(parts, row_counts(like), strict=True)
        ]
    )


def _delayed_partitions(X: Any) -> list[Any]:
    """Return partitions of whole rows, in order."""
    if hasattr(X, "rechunk") and X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    return list(np.ravel(X.to_delayed()))


def _call(number: int, function: Callable[..., Any], partition: Any, *arguments: Any) -> Any:
    """Call a function of a partition; errors say which partition it is."""
    try:
        return function(partition, *arguments)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"Partition {number} of X: {error}") from error
