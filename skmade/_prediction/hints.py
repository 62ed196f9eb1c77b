"""Where the density of one column of a row may have narrow peaks, found before it is scored.

A few points spread over a column miss a peak between them. Peaks have two causes: components of
the column's own conditional that are narrow, and columns after it in an ordering that tell it
nearly exactly. Of such a column the mean, as a function of the column, passes through the
row's own value at the peak, and the slope there says how wide the peak is.
"""

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Ensemble
from .._network.mixtures import MixtureOfGaussians
from .._network.special import log_sum_exp
from .prepared import scorer
from .walk import centers_of_numbers

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Peaks of at least this width (of images) are seen by points as they are spread anyway.
NARROW = 0.15

# Components farther out than this are looked at however wide they are.
FAR = 5.0

# Of components those that have at least this share together are looked at, by these quantiles.
MIN_SHARE, LEVELS = 1e-3, (np.arange(4) + 0.5) / 4

# Points around the middle of a peak, in widths.
AROUND = np.array([-5.0, -2.0, 0.0, 2.0, 5.0])

# Where means of later columns are looked at, and how often roots are corrected.
SEARCHED = np.linspace(-4.5, 4.5, 19)
N_SECANTS = 2

# Paths that are asked for means, at most: others of the same columns say much the same.
MAX_PATHS = 12

# Peaks that later columns make are looked for in so many gaps between these, by so many paths
# and columns in each.
MAX_GAPS, MAX_IN_GAP = 4, 3


def narrow_components(law: MixtureOfGaussians, params: Floats, log_weights: Floats) -> Floats:
    """Return points (n, H) around narrow components of n rows' mixtures.

    `params` are (n_params, n, J), of J mixtures that count by `log_weights` (n, J).
    """
    n_rows = len(log_weights)
    logits, means, raw = law.parts(params.reshape(len(params), 1, -1))
    scales = law.scales(raw)
    shares = np.exp(logits - log_sum_exp(logits)).reshape(len(logits), n_rows, -1)
    masses = (shares * np.exp(log_weights)).transpose(1, 0, 2).reshape(n_rows, -1)
    means, scales = (
        part.reshape(len(part), n_rows, -1).transpose(1, 0, 2).reshape(n_rows, -1)
        for part in (means, scales)
    )
    masses = np.where((scales < NARROW) | (np.abs(means) > FAR), masses, 0.0)
    some = masses.sum(axis=1) > MIN_SHARE
    if not some.any():
        return np.empty((n_rows, 0))
    order = np.argsort(means, axis=1)
    rows = np.arange(n_rows)[:, None]
    upto = masses[rows, order].cumsum(axis=1)
    levels = LEVELS * np.maximum(upto[:, -1:], np.finfo(np.float64).tiny)
    places = np.stack([(upto < level[:, None]).sum(axis=1) for level in levels.T], axis=1)
    chosen = order[rows, np.minimum(places, order.shape[1] - 1)]
    return _around(means[rows, chosen], scales[rows, chosen], some)


def narrow_roots(ensemble: Ensemble, values: Floats, column: int) -> Floats:
    """Return points (n, H) around peaks that columns after a column make."""
    roots, widths, paths, features = _crossings(ensemble, values, column)
    some = np.isfinite(widths)
    if not some.any():
        return np.empty((len(values), 0))
    for path in np.unique(paths[some]):
        rows, places = np.nonzero(some & (paths == path))
        own = roots[rows, places], widths[rows, places], features[rows, places]
        roots[rows, places] = _corrected(ensemble, path, values[rows], column, *own)
    return np.concatenate(
        [_around(roots[:, [k]], widths[:, [k]], some[:, k]) for k in range(roots.shape[1])],
        axis=1,
    )


def _around(middles: Floats, widths: Floats, some: NDArray[np.bool_]) -> Floats:
    """Return points around middles (n, k); in rows that have none, the center."""
    middles, widths = (np.where(some[:, None], part, 0.0) for part in (middles, widths))
    points = middles[:, :, None] + widths[:, :, None] * AROUND
    return points.reshape(len(points), -1)


def _crossings(
    ensemble: Ensemble, values: Floats, column: int
) -> tuple[Floats, Floats, Integers, Integers]:
    """Return the narrowest places where the mean of a later column is the row's own value.

    Places and widths, (n, MAX_GAPS * MAX_IN_GAP), infinite where there are fewer, and which
    path and feature each is of.
    """
    n_rows, n_features = values.shape
    grid = np.repeat(values[:, None], len(SEARCHED), axis=1)
    grid[:, :, column] = SEARCHED
    step, found = SEARCHED[1] - SEARCHED[0], []
    every = ensemble.ranks.reshape(-1, n_features)
    chosen = np.unique(np.linspace(0, len(every) - 1, MAX_PATHS).astype(np.int64))
    for path in chosen.tolist():
        later = np.flatnonzero(every[path] > every[path, column])
        mean, scale = (
            part.reshape(n_rows, len(SEARCHED), n_features)[:, :, later]
            for part in centers_of_numbers(scorer(ensemble, path), grid.reshape(-1, n_features))
        )
        apart = mean - values[:, None, later]
        rise = np.diff(apart, axis=1)
        crosses = (np.sign(apart[:, 1:]) != np.sign(apart[:, :-1])) & (rise != 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            widths = np.minimum(scale[:, :-1], scale[:, 1:]) * step / np.abs(rise)
            places = SEARCHED[:-1, None] - step * apart[:, :-1] / rise
        widths = np.where(crosses & (widths < NARROW), widths, np.inf)
        found.append((places, widths, *np.broadcast_arrays(path, later, widths)[:2]))
    parts = [np.concatenate(part, axis=2) for part in zip(*found, strict=True)]
    for axis, n_kept in ((2, MAX_IN_GAP), (1, MAX_GAPS)):
        order = np.argsort(parts[1], axis=2)[:, :, :n_kept]
        if axis == 1:
            order = np.argsort(parts[1][:, :, :1], axis=1)[:, :n_kept]
        parts = [np.take_along_axis(part, order, axis=axis) for part in parts]
    places, widths, paths, features = (part.reshape(n_rows, -1) for part in parts)
    return places, widths, paths, features


def _corrected(
    ensemble: Ensemble,
    path: int,
    values: Floats,
    column: int,
    roots: Floats,
    widths: Floats,
    features: Integers,
) -> Floats:
    """Correct roots (n,) by the secants through two points near each."""
    rows, step = np.arange(len(roots)), SEARCHED[1] - SEARCHED[0]
    for _ in range(N_SECANTS):
        apart = []
        for side in (roots - widths, roots + widths):
            filled = values.copy()
            filled[:, column] = side
            mean, _ = centers_of_numbers(scorer(ensemble, path), filled)
            apart.append(mean[rows, features] - values[rows, features])
        rise = apart[1] - apart[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = roots - widths - apart[0] * 2 * widths / rise
        near = np.abs(moved - roots) < step  # not so where the secant is about level
        roots = np.where(near, moved, roots)
    return roots
