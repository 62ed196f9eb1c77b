"""What is learned of one column by itself: location, spread, resolution, what recurs."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

Floats = NDArray[np.float64]

# A conditional narrower than this (in spreads, about standard deviations) is not believed,
# even of columns recorded much more finely: it bounds what a duplicated column can add.
MIN_SCALE = 1e-3

# The mixture of a count may be this narrow, in steps between integers (in spreads: no less
# than the second number). Its masses are at most one.
COUNT_SCALE = 0.1
MIN_COUNT_SCALE = 1e-5

# Values that recur far more often than their neighbours (zeros of an income, round numbers)
# get a component of their own: at most so many in a column, each in at least this share of
# the rows and five of them, and so many times what the values around it let expect.
MAX_RECURRING = 32
MIN_RECURRING_SHARE = 0.002
MIN_RECURRING_ROWS = 5
MIN_EXCESS = 3.0
MAX_CHANCE = 1e-3
N_NEIGHBOURS = 3  # on each side

# Distance between the 5 % and the 95 % quantile of a standard Gaussian.
GAUSSIAN_CENTRAL_RANGE = 3.2897


def learn_column(
    values: Floats, weight: Floats, kind: str, min_scale: float | None = None
) -> tuple[int, float, float, float, bool, Floats]:
    """Return exponent, center, spread, smallest scale, whether constant, recurring values.

    With `min_scale`, in spreads, no scale of a continuous column is smaller, and none of its
    values has a component of its own, which would be as narrow as the values are rounded.
    """
    if kind not in ("continuous", "count"):
        return 0, 0.0, 1.0, 1.0, False, np.empty(0)
    # Integers are far from overflow, and keep their distance of one.
    exponent = 0 if kind == "count" else int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    center, spread = location_and_spread(scaled, weight)
    # Below a few ulps of its own magnitude a spread is rounding error, not data. The mean of
    # many equal values may be farther from them.
    rounding = 8 * np.finfo(np.float64).eps * np.abs(scaled).max()
    constant = bool(spread <= rounding or scaled.min() == scaled.max())
    if kind == "count":
        spread = 1.0 if constant else spread
        floor, step = max(COUNT_SCALE / spread, MIN_COUNT_SCALE), 1.0
    elif constant:
        # No scale to learn: its own magnitude (or 1) stands in, with the floor at one such
        # scale, so that the column says nothing about rows with the same value.
        return exponent, float(scaled[0]), abs(float(scaled[0])) or 1.0, 1.0, True, np.empty(0)
    else:
        # A value rounded to multiples of `step` has an error of standard deviation
        # step / sqrt(12): nothing finer than that was recorded.
        step = max(float(np.diff(np.unique(scaled)).min()), MIN_SCALE * np.sqrt(12) * spread)
        floor = step / spread / np.sqrt(12)
        if min_scale is not None:
            return exponent, center, spread, max(floor, min_scale), False, np.empty(0)
    recurring = (_recurring_values(scaled, weight, step) - center) / spread
    return exponent, center, spread, floor, False, recurring


def _recurring_values(values: Floats, weight: Floats, step: float) -> Floats:
    """Values with far more mass than the values around them let expect in one step."""
    distinct, position = np.unique(values, return_inverse=True)
    shares = np.bincount(position, weights=weight) / weight.sum()
    least = max(MIN_RECURRING_SHARE, MIN_RECURRING_ROWS / len(values))
    if len(distinct) <= 2 * N_NEIGHBOURS + 1:
        return distinct[shares >= least]
    first = np.clip(
        np.arange(len(distinct)) - N_NEIGHBOURS, 0, len(distinct) - 2 * N_NEIGHBOURS - 1
    )
    last = first + 2 * N_NEIGHBOURS
    upto = np.append(0.0, shares.cumsum())
    around = upto[last + 1] - upto[first] - shares
    expected = around * step / (distinct[last] - distinct[first])
    # The chance of as many rows by coincidence (Poisson).
    chance = pdtrc(shares * len(values) - 1, np.maximum(expected, 1e-12) * len(values))
    stands_out = (shares > MIN_EXCESS * expected) & (chance < MAX_CHANCE)
    excess = np.where((shares >= least) & stands_out, shares - expected, 0)
    chosen = np.argsort(-excess, kind="stable")[:MAX_RECURRING]
    return distinct[np.sort(chosen[excess[chosen] > 0])]


def location_and_spread(values: Floats, weight: Floats) -> tuple[float, float]:
    """Mean and standard deviation of a column, held against a few far outliers.

    The mean is of values clipped to the central 90 %, and the spread no larger than that of
    a Gaussian with the same central 90 %, unless these are one value.
    """
    share = weight / weight.sum()
    low, high = np.quantile(values, (0.05, 0.95), weights=weight, method="inverted_cdf")
    mean = float(share @ values)
    deviation = float(np.sqrt(share @ (values - mean) ** 2))
    inner = float(high - low) / GAUSSIAN_CENTRAL_RANGE
    if 0 < inner < deviation:
        return float(share @ np.clip(values, low, high)), inner
    return mean, deviation
