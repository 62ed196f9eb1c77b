"""Where the density of one column of a row may have narrow peaks, found before it is scored.

A few points spread over a column miss a peak between them. Peaks have two causes: components of
the column's own conditional that are narrow, and columns after it in an ordering that tell it
nearly exactly. Of such a column the mean of a component, as a function of the column, passes
through the row's own value at the peak, and the slope there says how wide the peak is.
"""

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import Ensemble
from .._network.mixtures import MixtureOfGaussians
from .._network.special import log_sum_exp
from .prepared import scorer
from .walk import components_of_numbers

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
MAX_GAPS, MAX_IN_GAP = 4, 4

# A component of a later column counts if its share is more than this.
MIN_SHARE_OF_COMPONENT = 0.02


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
    roots, widths, paths, features, components = _crossings(ensemble, values, column)
    some = np.isfinite(widths)
    if not some.any():
        return np.empty((len(values), 0))
    for path in np.unique(paths[some]):
        rows, places = np.nonzero(some & (paths == path))
        at, which = (rows, places), (features[rows, places], components[rows, places])
        roots[at] = _corrected(
            ensemble, path, values[rows], column, roots[at], widths[at], *which
        )
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
) -> tuple[Floats, Floats, Integers, Integers, Integers]:
    """Return the narrowest places where a later column's component is at the row's own value.

    Places and widths, (n, MAX_GAPS * MAX_IN_GAP), infinite where there are fewer, and which
    path, feature and component each is of.
    """
    n_rows, n_features = values.shape
    grid = np.repeat(values[:, None], len(SEARCHED), axis=1)
    grid[:, :, column] = SEARCHED
    flat, found = grid.reshape(-1, n_features), []
    every = ensemble.ranks.reshape(-1, n_features)
    chosen = np.unique(np.linspace(0, len(every) - 1, MAX_PATHS).astype(np.int64))
    for path in chosen.tolist():
        later = np.flatnonzero(every[path] > every[path, column])
        means, scales, shares = (
            part.reshape(n_rows, len(SEARCHED), n_features, -1)[:, :, later]
            for part in components_of_numbers(scorer(ensemble, path), flat)
        )
        places, widths = _roots(means - values[:, None, later, None], scales, shares)
        which = path, later[:, None], np.arange(widths.shape[3])
        named = np.broadcast_arrays(widths, *which)[1:]
        flattened = (part.reshape(*widths.shape[:2], -1) for part in (places, widths, *named))
        found.append(tuple(flattened))
    parts = [np.concatenate(part, axis=2) for part in zip(*found, strict=True)]
    order = np.argsort(parts[1], axis=2)[:, :, :MAX_IN_GAP]
    parts = [np.take_along_axis(part, order, axis=2) for part in parts]
    order = np.argsort(parts[1][:, :, :1], axis=1)[:, :MAX_GAPS]
    places, widths, paths, features, components = (
        np.take_along_axis(part, order, axis=1).reshape(n_rows, -1) for part in parts
    )
    return places, widths, paths, features, components


def _roots(apart: Floats, scales: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return where distances (n, J, ...) are zero between points, and how wide peaks are."""
    step, rise = SEARCHED[1] - SEARCHED[0], np.diff(apart, axis=1)
    crosses = (np.sign(apart[:, 1:]) != np.sign(apart[:, :-1])) & (rise != 0)
    crosses &= np.maximum(shares[:, 1:], shares[:, :-1]) > MIN_SHARE_OF_COMPONENT
    before = SEARCHED[:-1].reshape(-1, *[1] * (apart.ndim - 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        widths = np.minimum(scales[:, :-1], scales[:, 1:]) * step / np.abs(rise)
        places = before - step * apart[:, :-1] / rise
    return places, np.where(crosses & (widths < NARROW), widths, np.inf)


def _corrected(
    ensemble: Ensemble,
    path: int,
    values: Floats,
    column: int,
    roots: Floats,
    widths: Floats,
    features: Integers,
    components: Integers,
) -> Floats:
    """Correct roots (n,) by the secants through two points near each."""
    rows, step = np.arange(len(roots)), SEARCHED[1] - SEARCHED[0]
    for _ in range(N_SECANTS):
        apart = []
        for side in (roots - widths, roots + widths):
            filled = values.copy()
            filled[:, column] = side
            means, _, _ = components_of_numbers(scorer(ensemble, path), filled)
            apart.append(means[rows, features, components] - values[rows, features])
        rise = apart[1] - apart[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = roots - widths - apart[0] * 2 * widths / rise
        near = np.abs(moved - roots) < step  # not so where the secant is about level
        roots = np.where(near, moved, roots)
    return roots
