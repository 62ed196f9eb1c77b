"""What is learned of a table before any training: kinds, scales, resolution, transforms."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._threads import one_thread_inside
from .column import MIN_ROWS, Column, learn_column
from .encoding import Table, standardise
from .ends import spread_ends
from .layout import Layout
from .marginals import MIN_REACH, Marginals, choose_marginals
from .numbers import Survey

Floats = NDArray[np.float64]
Bounds = Floats  # (2, D), lowest and highest numbers, infinite where open
Integers = NDArray[np.int64]

# Columns of a larger table are described by so many of its rows, drawn at random: at most the
# first number, and in wide tables at most so many cells, but the last number at least.
MAX_DESCRIBED_ROWS = 200_000
MAX_DESCRIBED_CELLS = 2**23
MIN_DESCRIBED_ROWS = 20_000


def resolve_kinds(words: Sequence[str], survey: Survey, layout: Layout) -> NDArray[np.str_]:
    """Return the kind of each column; 'auto' stays for whole numbers, which may be counts."""
    kinds = []
    for position, (word, n_levels) in enumerate(zip(words, layout.n_levels, strict=True)):
        if word == "binary" and n_levels not in (0, 2):
            raise ValueError(
                f"{layout.label(position)} is declared binary but has {n_levels} labels: "
                "declare it 'categorical'."
            )
        if layout.clocks[position] is not None:
            if word not in ("auto", "continuous"):
                raise ValueError(
                    f"{layout.label(position)} is declared {word} but holds dates or "
                    "durations, which are continuous or categorical: leave it out of "
                    "feature_types."
                )
            word = "continuous"
        if word == "auto" and n_levels:
            word = "binary" if n_levels == 2 else "categorical"
        elif word == "auto" and survey.zero_one[position]:
            word = "binary"
        elif word == "auto" and survey.fractional[position] > MIN_ROWS:
            word = "continuous"
        kinds.append(word)
    return np.array(kinds, dtype=np.str_)


def max_described(n_features: int) -> int:
    """Return how many rows a table has at most whose columns are described by all of them."""
    return min(MAX_DESCRIBED_ROWS, max(MIN_DESCRIBED_ROWS, MAX_DESCRIBED_CELLS // n_features))


def described_rows(survey: Survey, seed: int) -> Integers | None:
    """Draw the rows that describe the columns of a large table; None stands for all.

    The rows that hold the smallest and the largest value of each column are among them.
    """
    at_most = max_described(len(survey.n_observed))
    if survey.n_rows <= at_most:
        return None
    drawn = np.random.default_rng(seed).choice(survey.n_rows, at_most, replace=False)
    return np.union1d(drawn, survey.extremes)


def learn_table(
    read: Callable[[Any], Floats],
    weight: NDArray[Any] | None,
    survey: Survey,
    kinds: NDArray[np.str_],
    n_levels: Integers,
    seed: int,
    *,
    bounds: Bounds | None = None,
    smoothed: bool = False,
    min_scale: float | None = None,
    shaped: bool = True,
) -> Table:
    """Learn the columns from all rows of a table, or a random sample of many.

    Wherever rows are: in memory, in a file or in partitions. What is missing is counted in
    all rows.

    Parameters
    ----------
    read : gives the rows at some positions, or at a slice of them
    weight : (n_rows,), how many rows each row stands for, None for one
    survey : of all rows
    kinds, n_levels : (n_features,)
    seed : of the sample
    bounds, smoothed, min_scale, shaped : as in `learn_columns`
    """
    drawn = described_rows(survey, seed)
    chosen: Any = slice(None) if drawn is None else drawn
    X = read(chosen)
    own = np.ones(len(X)) if weight is None else weight[chosen]
    table = learn_columns(
        X,
        own,
        kinds,
        n_levels,
        bounds=bounds,
        smoothed=smoothed,
        min_scale=min_scale,
        shaped=shaped,
    )
    if drawn is None:
        return table
    n_observed = (1 - survey.missing) * survey.total
    listed = (table.unseen_mass > 0) & ~table.numeric
    unseen_mass = np.where(listed, 0.5 / (n_observed + 0.5), table.unseen_mass)
    return replace(table, missing=survey.missing, unseen_mass=unseen_mass)


@one_thread_inside()  # what LAPACK finds depends on the number of its threads
def learn_columns(
    X: Floats,
    weight: Floats,
    kinds: NDArray[np.str_],
    n_levels: Integers | None = None,
    *,
    bounds: Bounds | None = None,
    smoothed: bool = False,
    min_scale: float | None = None,
    shaped: bool = True,
) -> Table:
    """Learn location, spread and resolution of each column from rows of positive weight.

    Weights say how many rows a row stands for. `bounds` (2, D) are ends that the user knows.
    With `smoothed`, values that are not seen here keep the mass of half a row; declared
    levels always do. With `min_scale`, conditionals of continuous columns are no narrower
    than that, in spreads. Without `shaped`, columns get no transforms, which take most of
    the time.
    """
    n_levels = np.zeros(X.shape[1], dtype=np.int64) if n_levels is None else n_levels
    observed = ~np.isnan(X)
    columns = [
        learn_column(column[seen], weight[seen], str(kind), min_scale)
        for column, seen, kind in zip(X.T, observed.T, kinds, strict=True)
    ]
    kinds = np.array([column.kind for column in columns], dtype=np.str_)
    n_listed = np.where(kinds == "categorical", n_levels, 0)
    absent = [_absent(X[:, j], int(n_listed[j])) for j in range(X.shape[1])]
    labels = np.isin(kinds, ("binary", "categorical"))
    has_unseen = np.array([len(codes) > 0 for codes in absent]) | (smoothed & labels)

    def each(name: str) -> NDArray[Any]:
        return np.array([getattr(column, name) for column in columns])

    # Whole numbers between the rungs of a count are as unseen levels are.
    has_unseen |= np.array([column.ladder is not None for column in columns])
    half_a_row = 0.5 / (weight @ observed + 0.5)
    ends, edges = _ends(columns, bounds)
    atoms = _padded([column.atoms for column in columns])
    floor = each("floor")
    table = Table(
        kinds=kinds,
        n_levels=n_levels,
        exponent=each("exponent"),
        center=each("center"),
        spread=each("spread"),
        marginals=Marginals.identity(X.shape[1]),
        scale_floor=floor,
        grids=np.array([column.grid for column in columns]),
        atoms=atoms,
        atom_images=atoms,
        atom_scales=floor[:, None] * np.ones_like(atoms),
        codes=_padded([column.codes for column in columns]),
        ends=ends,
        edges=edges,
        constant=each("constant"),
        missing=weight @ ~observed / weight.sum(),
        absent=_padded(absent),
        unseen_mass=np.where(has_unseen, half_a_row, 0.0) + each("beside"),
        smoothed=smoothed,
    )
    table = replace(table, atom_images=standardise(table, atoms.T).T)
    return _with_marginals(table, X, weight, bounds) if shaped else table


def _ends(columns: Sequence[Column], bounds: Bounds | None) -> tuple[Bounds, Bounds]:
    """Return what is drawn at most and at least, and beyond what there is no density."""
    ends = np.array([[column.low, column.high] for column in columns]).T
    margin = np.array([[-1.0], [1.0]]) * [column.margin for column in columns]
    if bounds is None:
        return ends, ends + margin
    counts = np.array([column.kind == "count" for column in columns])
    known = np.isfinite(bounds) & ~np.array([column.constant for column in columns])
    whole = np.array([np.ceil(bounds[0]), np.floor(bounds[1])])
    inner = np.where(known, np.where(counts, whole, bounds), np.array([[-np.inf], [np.inf]]))
    # A column that ends at an atom within its bounds ends there.
    ends, edges = _inside(ends, inner), _inside(ends + margin, inner)
    return ends, np.where(counts, ends + margin, edges)


def _inside(ends: Bounds, bounds: Bounds) -> Bounds:
    """Return the narrower of two pairs of ends for each column."""
    return np.array([np.maximum(ends[0], bounds[0]), np.minimum(ends[1], bounds[1])])


def _absent(codes: Floats, n_levels: int) -> Floats:
    """Return the levels that no row has."""
    return np.setdiff1d(np.arange(n_levels), codes).astype(np.float64)


def _padded(rows: Sequence[Sequence[float] | Floats]) -> Floats:
    """Return rows of numbers as a matrix, with NaN where one has fewer."""
    return np.array(list(itertools.zip_longest(*rows, fillvalue=np.nan))).T.reshape(
        len(rows), -1
    )


def _with_marginals(
    table: Table, X: Floats, weight: Floats, bounds: Bounds | None = None
) -> Table:
    """Return the table with transforms of its continuous columns.

    They are fitted to the values that are no atoms, since those have components of their
    own. Scales follow the slopes.
    """
    standardised = standardise(table, X)
    is_atom = np.zeros(X.shape, dtype=bool)
    for value, scale in zip(table.atom_images.T, table.atom_scales.T, strict=True):
        is_atom |= np.abs(standardised - value) < scale / 2
    described = ~np.isnan(X) & ~is_atom & (table.kinds == "continuous") & ~table.constant
    inner = Marginals.identity(table.n_features).bounds
    if bounds is not None:
        # A bound that is an atom needs no room: what is next to it is the atom.
        at_atom = (bounds[:, :, None] == table.atoms).any(axis=2)
        bounded = (table.kinds == "continuous") & ~table.constant & ~at_atom
        bounded &= np.isfinite(bounds)
        inner = np.where(bounded, standardise(table, bounds), inner)
    spread = spread_ends(standardised, inner)[0]
    marginals = choose_marginals(spread, weight, described, np.sqrt(12) * table.scale_floor)
    marginals = replace(marginals, bounds=inner)
    images, log_slopes = marginals.forward(standardised)
    atoms, atom_slopes = marginals.forward(table.atom_images.T)
    counting = images[weight >= min(MIN_ROWS, weight.max())]
    farthest = np.maximum(MIN_REACH, np.nanmax(np.abs(counting), axis=0, initial=0.0))
    reach = np.where((table.kinds == "continuous") & ~table.constant, farthest, np.inf)
    return replace(
        table,
        marginals=replace(marginals, reach=reach),
        scale_floor=table.scale_floor * np.exp(_medians(log_slopes, weight)),
        atom_images=atoms.T,
        atom_scales=table.atom_scales * np.exp(atom_slopes.T),
    )


def _medians(values: Floats, weight: Floats) -> Floats:
    """Return the weighted median of each column; NaN does not count."""
    known = ~np.isnan(values)
    return np.array(
        [
            np.quantile(column[seen], 0.5, weights=weight[seen], method="inverted_cdf")
            for column, seen in zip(values.T, known.T, strict=True)
        ]
    )
