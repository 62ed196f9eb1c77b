"""Whether drawn rows are nearer to the rows of training than to others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ._tables import Column, read_together
from ._trees import generator

# As many distances are computed together: 8 MB of them.
CHUNK = 2**20

# Distances that differ by less are ties: sums of the same numbers round differently.
TOLERANCE = 1e-9


def nearer_share(
    X_drawn: Any, X_train: Any, X_holdout: Any, *, random_state: Any = None
) -> float:
    r"""Return the share of drawn rows that are nearer to training rows than to held-out ones.

    A sampler that has learned the distribution draws rows that are as near to rows of it which
    it has not seen: the share is a half. One that repeats what it has seen has a share of 1.
    With :math:`d(x, S)` the distance of a row from the nearest one of a table, the share is

    .. math::

        \frac{1}{n} \sum_{i=1}^n \left( 1[d(x_i, T) < d(x_i, H)]
        + \tfrac12\, 1[d(x_i, T) = d(x_i, H)] \right).

    Parameters
    ----------
    X_drawn : array-like of shape (n_drawn, n_features)
        Drawn rows: a DataFrame of pandas or polars, or an array, with numbers, labels, dates
        and missing cells.
    X_train : array-like of shape (n_train, n_features)
        Real rows that the sampler was trained on.
    X_holdout : array-like of shape (n_holdout, n_features)
        Real rows that it has not seen, of the same distribution. Where one of both tables has
        more rows, only as many of them count as the other has, drawn at random: the nearest of
        more rows is nearer.
    random_state : int, RandomState instance or None, default=None
        Source of the rows that count, where `X_train` and `X_holdout` are not of a size.

    Returns
    -------
    share : float
        Between 0 and 1; ideally 0.5, whose standard error is at least
        :math:`1 / (2 \sqrt{n})`.

    Raises
    ------
    ValueError
        If the tables have different columns or no rows, a column holds numbers in one and text
        in another, or a cell is infinite.

    See Also
    --------
    c2st : Whether drawn rows are distributed like real ones.

    Notes
    -----
    The distance of two rows is a sum over columns. Numbers and dates differ by their
    difference over the range that the column has in the real rows, labels by 1 unless they are
    equal. Two missing cells do not differ; a missing cell differs from any other by 1.
    (Gower's distance, but for the missing cells, and not divided by the number of columns.)
    Distances that are equal but for rounding errors, up to 1e-9, are ties.

    The three tables together decide what a column is, as in `c2st`.

    The share is the "probability that a synthetic row is nearer to the training set" of the
    distance to closest record (DCR) in [1]_, with ties counted as one half rather than zero.
    Its program codes labels as 0 and 1 in columns of their own, so that they differ by 2.

    Memory is bounded, and time is proportional to the number of drawn rows times that of
    real ones.

    References
    ----------
    .. [1] H. Zhang et al., "Mixed-type tabular data synthesis with score-based diffusion in
       latent space", ICLR 2024, https://arxiv.org/abs/2310.09656.

    Examples
    --------
    >>> import numpy as np
    >>> from skmade.metrics import nearer_share
    >>> rng = np.random.RandomState(0)
    >>> X_train, X_holdout, X_new = rng.normal(size=(3, 500, 4))
    >>> nearer_share(X_new, X_train, X_holdout)
    0.514
    >>> X_jittered = X_train + 0.1 * rng.normal(size=(500, 4))  # the rows of training, again
    >>> nearer_share(X_jittered, X_train, X_holdout)
    0.972
    """
    columns = read_together({"X_drawn": X_drawn, "X_train": X_train, "X_holdout": X_holdout})
    columns = _of_a_size(columns, generator(random_state))
    drawn, *real = _scaled(columns)
    difference = np.concatenate(
        [
            _nearest(drawn, part, real[0]) - _nearest(drawn, part, real[1])
            for part in _parts(len(drawn[0]), len(real[0][0]))
        ]
    )
    tie = np.abs(difference) <= TOLERANCE
    return float(np.mean(np.where(tie, 0.5, difference < 0)))


# A table for distances: numbers without missing cells, numbers with NaN, and codes of labels.
Parts = tuple[NDArray[Any], ...]


def _of_a_size(columns: list[Column], rng: np.random.RandomState) -> list[Column]:
    """Return the columns with as many rows of training as held-out ones."""
    sizes = [len(cells) for cells in columns[0].cells[1:]]
    if sizes[0] == sizes[1]:
        return columns
    larger = int(np.argmax(sizes))
    rows = rng.choice(sizes[larger], min(sizes), replace=False)
    return [column.take(1 + larger, rows) for column in columns]


def _scaled(columns: list[Column]) -> list[Parts]:
    """Return each table with its numbers over their ranges in the real rows."""
    whole: list[tuple[Any, ...]] = []
    holed: list[tuple[Any, ...]] = []
    labels: list[tuple[Any, ...]] = []
    for column in columns:
        if column.labels is not None:
            # Missing is a label too: it equals itself, and no other one.
            labels.append(
                tuple(np.nan_to_num(cells, nan=-1).astype(np.int32) for cells in column.cells)
            )
            continue
        real = np.concatenate(column.cells[1:])
        observed = real[~np.isnan(real)]
        # Halves, as the range of huge numbers may be infinite.
        half = observed.max() / 2 - observed.min() / 2 if observed.size else 0.0
        scaled = tuple(cells / 2 / (half or 0.5) for cells in column.cells)
        (holed if any(np.isnan(cells).any() for cells in scaled) else whole).append(scaled)
    return [
        tuple(
            _stacked([cells[table] for cells in part], n_rows)
            for part in (whole, holed, labels)
        )
        for table, n_rows in enumerate(map(len, columns[0].cells))
    ]


def _stacked(cells: list[NDArray[Any]], n_rows: int) -> NDArray[Any]:
    """Return columns as a matrix, also if there are none."""
    return np.stack(cells, axis=1) if cells else np.empty((n_rows, 0))


def _parts(n_drawn: int, n_real: int) -> list[slice]:
    """Return chunks of the drawn rows."""
    size = max(1, CHUNK // n_real)
    return [slice(start, start + size) for start in range(0, n_drawn, size)]


def _nearest(drawn: Parts, part: slice, real: Parts) -> NDArray[np.float64]:
    """Return the distance of each row of a chunk from the nearest real one."""
    numbers, holed, labels = (cells[part] for cells in drawn)
    distance = np.zeros((len(numbers), len(real[0])))
    if numbers.shape[1]:
        distance += cdist(numbers, real[0], "cityblock")
    distance += _unequal(labels, real[2])
    for own, other in zip(holed.T, real[1].T, strict=True):
        between = np.abs(own[:, np.newaxis] - other)
        between[np.isnan(own)] = 1
        between[:, np.isnan(other)] = 1
        between[np.ix_(np.isnan(own), np.isnan(other))] = 0
        distance += between
    return distance.min(axis=1)


def _unequal(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.uint16]:
    """Return how many labels of each row of one table differ from those of another's."""
    counts = np.zeros((len(one), len(other)), dtype=np.uint16)
    for own, others in zip(one.T, np.ascontiguousarray(other.T), strict=True):
        # By bytes, several times as fast as Hamming's distance of SciPy.
        counts += (own[:, np.newaxis] != others).view(np.uint8)
    return counts
