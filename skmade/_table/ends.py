"""Room at the ends of bounded columns: values next to a bound are spread out.

A density may be steep or grow without bound next to a bound, where no Gaussian can follow.
At a distance d from the bound, in spreads, a value moves by ``ROOM * log1p(d / NEAREST)``:
far from the bound by about as much as all others, next to it by far more than its neighbours,
and at the bound, where zeros may be, not at all.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import wrightomega

Floats = NDArray[np.float64]

# Next to a bound the logarithm's share of the scale, and where it begins.
ROOM, NEAREST = 0.05, 1e-6


def spread_ends(values: Floats, bounds: Floats) -> tuple[Floats, Floats]:
    """Spread values (n, D) out next to their bounds (2, D), infinite where there are none.

    Returns
    -------
    spread : (n, D), increasing, near 0 about as the values
    log_slopes : (n, D)
    """
    spread, log_slopes = values.copy(), np.zeros_like(values)
    for column in np.flatnonzero(np.isfinite(bounds).any(axis=0)):
        own = np.append(values[:, column], 0.0)
        own, slopes = _spread(own, *bounds[:, column].tolist())
        spread[:, column], log_slopes[:, column] = own[:-1] - own[-1], slopes[:-1]
    return spread, log_slopes


def gather_ends(spread: Floats, bounds: Floats) -> Floats:
    """Undo `spread_ends`."""
    values = spread.copy()
    for column in np.flatnonzero(np.isfinite(bounds).any(axis=0)):
        low, high = bounds[:, column].tolist()
        middle = _spread(np.zeros(1), low, high)[0]
        values[:, column] = _gather(spread[:, column] + middle, low, high)
    return values


def _spread(own: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Return distances from the low bound, or else to the high one, spread out at both."""
    own, log_slopes = np.clip(own, low, high), np.zeros_like(own)
    if np.isfinite(low):
        own, slopes = _away(own - low)
        log_slopes += slopes
        high = float(_away(high - low)[0])
    if np.isfinite(high):
        own, slopes = _away(high - own)
        own, log_slopes = -own, log_slopes + slopes
    return own, log_slopes


def _gather(own: Floats, low: float, high: float) -> Floats:
    """Undo `_spread`."""
    if np.isfinite(high):
        own = (float(_away(high - low)[0]) if np.isfinite(low) else high) - _back(-own)
    return low + _back(own) if np.isfinite(low) else own


def _away(distance: Floats | float) -> tuple[Floats, Floats]:
    """Move a distance from a bound; return it with the log-slope."""
    distance = np.asarray(distance, dtype=np.float64)
    moved = distance + ROOM * np.log1p(distance / NEAREST)
    return moved, np.log1p(ROOM / (distance + NEAREST))


def _back(moved: Floats) -> Floats:
    """Undo `_away`: w + log(w) = z has the solution omega(z), of Wright."""
    start = NEAREST / ROOM
    solution = wrightomega((np.maximum(moved, 0.0) / ROOM) + start + np.log(start))
    return np.asarray(np.maximum(ROOM * solution - NEAREST, 0.0))
