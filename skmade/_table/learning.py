"""What is learned of a table before any training: kinds, scales, resolution, transforms."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import learn_column
from .encoding import Table, standardise
from .frame import Layout
from .marginals import MIN_REACH, Marginals, choose_marginals
from .numbers import Survey

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Columns of a larger table are described by so many of its rows, drawn at random: at most the
# first number, and in wide tables at most so many cells, but the last number at least.
MAX_DESCRIBED_ROWS = 200_000
MAX_DESCRIBED_CELLS = 2**23
MIN_DESCRIBED_ROWS = 20_000


def resolve_kinds(
    words: Sequence[str], zero_one: NDArray[np.bool_], layout: Layout
) -> NDArray[np.str_]:
    """Return the kind of each column; 'auto' calls two labels or zeros and ones binary."""
    kinds = []
    for position, word in enumerate(words):
        n_levels = int(layout.n_levels[position])
        if word == "binary" and n_levels not in (0, 2):
            raise ValueError(
                f"{layout.label(position)} is declared binary but has {n_levels} labels: "
                "declare it 'categorical'."
            )
        if word == "auto" and n_levels:
            word = "binary" if n_levels == 2 else "categorical"
        elif word == "auto":
            word = "binary" if zero_one[position] else "continuous"
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
    weight : (n_rows,), None for equal weights
    survey : of all rows
    kinds, n_levels : (n_features,)
    seed : of the sample
    smoothed, min_scale, shaped : as in `learn_columns`
    """
    drawn = described_rows(survey, seed)
    chosen: Any = slice(None) if drawn is None else drawn
    X = read(chosen)
    own = np.ones(len(X)) if weight is None else weight[chosen]
    table = learn_columns(
        X, own, kinds, n_levels, smoothed=smoothed, min_scale=min_scale, shaped=shaped
    )
    if drawn is None:
        return table
    expected = (1 - survey.missing) * survey.n_rows + 0.5 * (n_levels + 1)
    unknown_mass = np.where(table.unknown_mass > 0, 0.5 / expected, 0.0)
    return replace(table, missing=survey.missing, unknown_mass=unknown_mass)


def learn_columns(
    X: Floats,
    weight: Floats,
    kinds: NDArray[np.str_],
    n_levels: Integers | None = None,
    *,
    smoothed: bool = False,
    min_scale: float | None = None,
    shaped: bool = True,
) -> Table:
    """Learn location, spread and resolution of each column from rows of positive weight.

    With `smoothed`, labels that are not seen here keep the mass of half a row. With
    `min_scale`, conditionals of continuous columns are no narrower than that, in spreads.
    Without `shaped`, columns get no transforms, which take most of the time.
    """
    n_features = X.shape[1]
    n_levels = np.zeros(n_features, dtype=np.int64) if n_levels is None else n_levels
    observed = ~np.isnan(X)
    share, n_rows = weight / weight.sum(), weight / weight.mean()
    learned = [
        learn_column(column[seen], weight[seen], str(kind), min_scale)
        for column, seen, kind in zip(X.T, observed.T, kinds, strict=True)
    ]
    exponent, center, spread, scale_floor, constant, recurring = zip(*learned, strict=True)
    never_negative = (kinds == "count") & (np.nanmin(X, axis=0) >= 0)
    recurring_values = np.array(
        list(itertools.zip_longest(*recurring, fillvalue=np.nan))
    ).T.reshape(n_features, -1)
    table = Table(
        kinds=kinds,
        n_levels=n_levels,
        exponent=np.array(exponent),
        center=np.array(center),
        spread=np.array(spread),
        marginals=Marginals.identity(n_features),
        scale_floor=np.array(scale_floor),
        lowest=np.where(never_negative, 0.0, -np.inf),
        recurring=recurring_values,
        recurring_scale=np.array(scale_floor)[:, None] * np.ones_like(recurring_values),
        constant=np.array(constant),
        missing=share @ ~observed,
        unknown_mass=np.where(
            smoothed & (n_levels > 0), 0.5 / (n_rows @ observed + 0.5 * (n_levels + 1)), 0.0
        ),
    )
    return _with_marginals(table, X, weight) if shaped else table


def _with_marginals(table: Table, X: Floats, weight: Floats) -> Table:
    """Return the table with transforms of its continuous columns.

    They are fitted to the values that do not recur, since those that do have components of
    their own. Scales follow the slopes.
    """
    standardised = standardise(table, X)
    recurs = np.zeros(X.shape, dtype=bool)
    for value, scale in zip(table.recurring.T, table.recurring_scale.T, strict=True):
        recurs |= np.abs(standardised - value) < scale / 2
    described = ~np.isnan(X) & ~recurs & (table.kinds == "continuous") & ~table.constant
    marginals = choose_marginals(
        standardised, weight, described, np.sqrt(12) * table.scale_floor
    )
    images, log_slopes = marginals.forward(standardised)
    recurring, recurring_slopes = marginals.forward(table.recurring.T)
    farthest = np.maximum(MIN_REACH, np.nanmax(np.abs(images), axis=0))
    reach = np.where(table.kinds == "continuous", farthest, np.inf)
    return replace(
        table,
        marginals=replace(marginals, reach=reach),
        scale_floor=table.scale_floor * np.exp(np.nanmedian(log_slopes, axis=0)),
        recurring=recurring.T,
        recurring_scale=table.recurring_scale * np.exp(recurring_slopes.T),
    )
