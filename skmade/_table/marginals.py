"""The shape of single columns: monotone transforms that make them about Gaussian.

A column's standardised values first go through a power transform, for skewness (Yeo and
Johnson 2000), then through the distribution function of a mixture of Gaussians and the
quantile function of one, for several modes or heavy tails. Each step is used only where it
explains a column better than fewer parameters would, by the Bayesian information criterion
(Schwarz 1978), and only if by the same criterion the whole table is then closer to clusters
of one covariance, or to a mixture of Gaussians: modes that come from clusters of rows, or from
curves, are better left to these.

Far from all rows the first step keeps its growth and the second goes on as a straight line.
Beyond a column's reach, which no training row exceeds, images are spread out without bound up
to its edge, so that what a network says of images ends at the edge: see `background`.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clusters import MAX_CLUSTERED_ROWS, find_clusters
from .column import location_and_spread
from .ends import gather_ends, spread_ends
from .gaussians import find_gaussians
from .mixture1d import MAX_IMAGE, N_KNOTS, Mixture, fit_mixtures, spread_knots

Floats = NDArray[np.float64]

# Powers to choose from: within them the transform maps the line onto the line.
POWERS = np.linspace(0, 2, 41)

# Components of the mixture to choose from, and their smallest scale.
N_COMPONENTS = (1, 2, 3, 5, 8)
MIN_MIXTURE_SCALE = 0.03

# Gaussians that are compared with clusters, at most.
MAX_GAUSSIANS = 10

# A broad component with every mixture: no gap between modes is so empty that a value in it
# could not be.
BROAD_SHARE, BROAD_SCALE = 0.01, 2.0

# Columns are described by their means over so many groups of neighbouring values, and not
# at all where fewer cells than the second number are known.
N_POINTS = 400
MIN_DESCRIBED = 20

# Its multiples are spread evenly over the unit interval, whatever their number.
GOLDEN_RATIO = (1 + 5**0.5) / 2

# Values that are no farther apart are one, up to rounding.
NOISE = 1e-6

# Values farther out than this have the pull of one that is so far.
MAX_PULL = 10.0

# Squares of standardised values up to this are finite.
MAX_STANDARDISED = 1e150

# The reach of a column is the largest image in fit, or this. The edge is so much beyond it:
# the first number, or the share of the reach.
MIN_REACH, MIN_ROOM, ROOM_SHARE = 3.0, 1.5, 1 / 3

# What lies nearer to the edge than this share of the room counts as beyond it.
EDGE = 2.0**-40


@dataclass(frozen=True)
class Marginals:
    """The transforms of all columns; arrays have shape (D,) or, of mixtures, (D, K).

    A standardised value s, spread out next to bounds (`ends`), becomes
    y = (yeo_johnson(s) - center) / spread, and where there is a mixture of distribution
    function F, the image z with ndtr(z) = F(y); elsewhere z = y.
    """

    power: Floats
    center: Floats
    spread: Floats
    shares: Floats  # zero for components that a column does not use
    means: Floats
    scales: Floats
    knots: Floats  # (D, N_KNOTS), values y of evenly spread images
    reach: Floats  # infinite for columns without an edge
    bounds: Floats  # (2, D), of standardised values; infinite where there is none

    @classmethod
    def identity(cls, n_columns: int) -> "Marginals":
        """Return transforms that change nothing."""
        shape = (n_columns, max(N_COMPONENTS) + 1)
        shares, scales = np.zeros(shape), np.ones(shape)
        shares[:, 0] = 1.0
        images = np.linspace(-MAX_IMAGE, MAX_IMAGE, N_KNOTS)
        return cls(
            power=np.ones(n_columns),
            center=np.zeros(n_columns),
            spread=np.ones(n_columns),
            shares=shares,
            means=np.zeros(shape),
            scales=scales,
            knots=np.tile(images, (n_columns, 1)),
            reach=np.full(n_columns, np.inf),
            bounds=np.array([[-np.inf], [np.inf]]) * np.ones(n_columns),
        )

    def only(self, column: int) -> "Marginals":
        """Return the transform of one column."""
        parts = {
            field.name: getattr(self, field.name)[[column]]
            for field in fields(self)
            if field.name != "bounds"
        }
        return Marginals(**parts, bounds=self.bounds[:, [column]])

    @property
    def is_mixture(self) -> NDArray[np.bool_]:
        """Which columns have more than one component."""
        return (self.shares > 0).sum(axis=1) > 1

    @property
    def n_params(self) -> int:
        """Number of parameters that were fitted."""
        mixtures = (3 * (self.shares > 0).sum(axis=1) - 1)[self.is_mixture]
        return int((self.power != 1).sum() + mixtures.sum())

    def without_mixtures(self) -> "Marginals":
        """Return the power transforms alone."""
        plain = self.identity(len(self.power))
        return replace(plain, power=self.power, center=self.center, spread=self.spread)

    def forward(self, standardised: Floats) -> tuple[Floats, Floats]:
        """Return images (n, D) of standardised values, and log-slopes; NaN stays."""
        standardised = np.clip(standardised, -MAX_STANDARDISED, MAX_STANDARDISED)
        images, log_slopes = spread_ends(standardised, self.bounds)
        for column in np.flatnonzero(self.power != 1):
            values = images[:, column].copy()
            powered = yeo_johnson(values, self.power[column])
            images[:, column] = (powered - self.center[column]) / self.spread[column]
            log_slopes[:, column] += (self.power[column] - 1) * np.sign(values) * np.log1p(
                np.abs(values)
            ) - np.log(self.spread[column])
        for column in np.flatnonzero(self.is_mixture):
            image, log_slope = self.mixture(column).image(images[:, column])
            images[:, column] = image
            log_slopes[:, column] += log_slope
        self._spread_out(images, log_slopes)
        return images, log_slopes

    def inverse(self, images: Floats) -> Floats:
        """Return the standardised values (n, D) of images."""
        standardised = images.copy()
        rows, columns = np.nonzero(np.abs(standardised) > self.reach)
        beyond = (np.abs(standardised[rows, columns]) - self.reach[columns]) / self._room[
            columns
        ]
        size = self.reach[columns] + self._room[columns] * _gathered(beyond)
        standardised[rows, columns] = np.copysign(size, standardised[rows, columns])
        for column in np.flatnonzero(self.is_mixture):
            standardised[:, column] = self.mixture(column).preimage(standardised[:, column])
        for column in np.flatnonzero(self.power != 1):
            powered = standardised[:, column] * self.spread[column] + self.center[column]
            standardised[:, column] = inverse_yeo_johnson(powered, self.power[column])
        return gather_ends(standardised, self.bounds)

    def beyond_edge(self, images: Floats) -> NDArray[np.bool_]:
        """Which images (n, D) are of values at or beyond the edge."""
        return np.asarray(np.abs(images) >= self.farthest)

    @property
    def farthest(self) -> Floats:
        """The image of the edge, (D,)."""
        return self.reach + self._room * _stretched(np.array(1 - 2 * EDGE))

    @property
    def _room(self) -> Floats:
        """Distance from the reach to the edge."""
        return np.maximum(MIN_ROOM, ROOM_SHARE * self.reach)

    def _spread_out(self, images: Floats, log_slopes: Floats) -> None:
        """Spread the images between reach and edge out over all that is beyond the reach."""
        rows, columns = np.nonzero(np.abs(images) > self.reach)
        if len(rows) == 0:
            return
        reach, room = self.reach[columns], self._room[columns]
        part = np.minimum((np.abs(images[rows, columns]) - reach) / room, 1 - EDGE)
        spread = reach + room * _stretched(part)
        images[rows, columns] = np.copysign(spread, images[rows, columns])
        # The slope of `_stretched` is (1 - part**4)**-1.25.
        log_slopes[rows, columns] -= 1.25 * np.log1p(-(part**4))

    def mixture(self, column: Any) -> "Mixture":
        """Return the mixture of one column."""
        used = self.shares[column] > 0
        shares, means, scales = (
            part[column, used] for part in (self.shares, self.means, self.scales)
        )
        return Mixture(shares, means, scales, self.knots[column])


def _stretched(part: Floats) -> Floats:
    """Map parts of the room, 0 to 1, onto 0 to infinity; the first half nearly stays."""
    # The power is the degrees of freedom of the tail of every conditional. Next to the edge
    # the result t is about (4 * (1 - part))**-0.25, and its slope (1 + t**4)**1.25 about t**5.
    # The density of images falls as t**-5 there, a Student t of 4 degrees of freedom, so that
    # the density of values, their product, has a finite limit at the edge. With a higher power
    # it would grow without bound; with a lower one it would fall to zero, but more of the room
    # would be bent.
    return np.asarray(part / (1 - part**4) ** 0.25)


def _gathered(stretched: Floats) -> Floats:
    """Undo `_stretched`, up to the edge."""
    # Of numbers beyond 1 the reciprocals, whose fourth powers do not overflow.
    small, large = np.minimum(stretched, 1), 1 / np.maximum(stretched, 1)
    part = np.where(stretched < 1, small / (1 + small**4) ** 0.25, (1 + large**4) ** -0.25)
    return np.asarray(np.minimum(part, 1 - EDGE))


def yeo_johnson(values: Floats, power: Floats | float) -> Floats:
    """Power transform of values of both signs (Yeo and Johnson 2000), powers in 0..2."""
    own = np.where(values >= 0, power, 2 - power)
    return np.copysign(_power(np.log1p(np.abs(values)), own), values)


def inverse_yeo_johnson(values: Floats, power: float) -> Floats:
    """Undo the power transform."""
    size = np.abs(values)
    return np.where(values >= 0, _unpower(size, power), -_unpower(size, 2 - power))


def _power(log_size: Floats, power: Floats) -> Floats:
    """Return ((1 + |x|)**power - 1) / power, at zero its limit, the logarithm."""
    logarithm = power == 0
    powered = np.expm1(power * log_size) / np.where(logarithm, 1.0, power)
    return np.where(logarithm, log_size, powered)


def _unpower(powered: Floats, power: float) -> Floats:
    log_size = powered if power == 0 else np.log1p(power * powered) / power
    with np.errstate(over="ignore"):
        return np.minimum(np.expm1(log_size), MAX_STANDARDISED)


def choose_marginals(
    standardised: Floats, weight: Floats, described: NDArray[np.bool_], step: Floats
) -> Marginals:
    """Choose between no transforms, power transforms and mixtures for a table.

    Parameters are those of `fit_marginals`.
    """
    full = fit_marginals(standardised, weight, described, step)
    columns = np.flatnonzero(described.any(axis=0))
    rows = _evenly(standardised, np.flatnonzero(described.any(axis=1)))
    if len(rows) < MIN_DESCRIBED:
        return full
    some, share = standardised[rows], weight[rows] / weight[rows].sum()
    n_rows, n_some = weight.sum(), weight[rows].sum()
    # Beside recurring values a Gaussian would be a spike.
    smooth = bool(described.all())

    def criterion(marginals: Marginals) -> float:
        images, log_slopes = (part[:, columns] for part in marginals.forward(some))
        known = ~np.isnan(images)
        centre = share @ np.nan_to_num(images) / np.maximum(share @ known, 1e-12)
        filled = np.where(known, images, centre)
        best = find_clusters(filled, share, n_rows=n_some).criterion
        if smooth:
            gaussians = find_gaussians(filled, share, MAX_GAUSSIANS, MIN_MIXTURE_SCALE, n_some)
            best = max(best, gaussians.criterion)
        gained = share @ np.nansum(log_slopes, axis=1)
        penalty = 0.5 * marginals.n_params * np.log(n_rows) / n_rows
        return best + float(gained) - penalty

    plain, powers = Marginals.identity(standardised.shape[1]), full.without_mixtures()
    candidates = {marginals.n_params: marginals for marginals in (full, powers, plain)}
    if len(candidates) == 1:
        return plain
    # The first of equals, so that a transform has to earn its place.
    return max((candidates[n] for n in sorted(candidates)), key=criterion)


def _evenly(standardised: Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose about as many rows as clusters are found in, spread evenly over the table.

    By a mixed distance from the center, so that the order of the rows tells nothing, and
    neither do the signs of columns.
    """
    step = 1 + len(rows) // MAX_CLUSTERED_ROWS
    if step == 1:
        return rows
    parts = np.modf(np.arange(1, standardised.shape[1] + 1) * GOLDEN_RATIO)[0]
    distance = np.abs(np.nan_to_num(standardised[rows])) @ (0.5 + parts)
    return rows[np.sort(np.argsort(distance, kind="stable")[::step])]


def fit_marginals(
    standardised: Floats, weight: Floats, described: NDArray[np.bool_], step: Floats
) -> Marginals:
    """Choose and fit the transform of each column.

    Parameters
    ----------
    standardised : (n_samples, D), NaN where missing
    weight : (n_samples,)
    described : (n_samples, D), the cells to describe; columns with few are left as they are
    step : (D,), distance between neighbouring values: nothing narrower is a component
    """
    marginals = Marginals.identity(standardised.shape[1])
    columns = np.flatnonzero(described.sum(axis=0) >= MIN_DESCRIBED)
    if len(columns) == 0:
        return marginals
    n_points = min(N_POINTS, int(described.sum(axis=0).max()))
    summaries = [
        _summary(standardised[described[:, j], j], weight[described[:, j]], n_points)
        for j in columns
    ]
    # What is left where all other values recur may be too far out to have a shape.
    shaped = [bool(np.ptp(points[share > 0]) > 0) for points, share, _ in summaries]
    columns = columns[shaped]
    summaries = [summary for summary, use in zip(summaries, shaped, strict=True) if use]
    if len(columns) == 0:
        return marginals
    for column, (points, share, n_rows) in zip(columns, summaries, strict=True):
        power = _best_power(points, share, n_rows)
        powered = yeo_johnson(points, power)
        center, spread = location_and_spread(powered, share)
        if power != 1 and spread > 0:
            marginals.power[column] = power
            marginals.center[column], marginals.spread[column] = center, spread
    least = np.maximum(MIN_MIXTURE_SCALE, step[columns] / marginals.spread[columns])
    _set_mixtures(marginals, columns, summaries, least)
    return marginals


def _summary(values: Floats, weight: Floats, n_points: int) -> tuple[Floats, Floats, float]:
    """Means and shares of groups of neighbouring values, padded with shares of zero.

    And the number of rows that they stand for.
    """
    points, position = np.unique(np.clip(values, -MAX_PULL, MAX_PULL), return_inverse=True)
    mass = np.bincount(position, weights=weight)
    first = np.flatnonzero(np.append(True, np.diff(points) > NOISE))
    points, mass = points[first], np.add.reduceat(mass, first)
    if len(points) > n_points:
        level = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
        group = np.unique((level * n_points).astype(np.int64), return_inverse=True)[1]
        total = np.bincount(group, weights=mass)
        first, last = np.searchsorted(group, np.arange(len(total)) + np.array([[0], [1]]))
        # Up to rounding means lie within their group.
        means = np.bincount(group, weights=mass * points) / total
        points, mass = np.clip(means, points[first], points[last - 1]), total
    pad = (0, n_points - len(points))
    return np.pad(points, pad), np.pad(mass / mass.sum(), pad), float(weight.sum())


def _best_power(points: Floats, share: Floats, n_rows: float) -> float:
    """Return the power under which points are most nearly Gaussian; 1 if it hardly matters."""
    log_size = np.sign(points) * np.log1p(np.abs(points))
    powered = yeo_johnson(points, POWERS[:, None])
    variance = (powered - (powered @ share)[:, None]) ** 2 @ share
    scores = (POWERS - 1) * (share @ log_size) - 0.5 * np.log(variance)
    best, linear = int(np.argmax(scores)), int(np.argmin(np.abs(POWERS - 1)))
    gain = n_rows * (scores[best] - scores[linear])
    return float(POWERS[best]) if gain > 0.5 * np.log(n_rows) else 1.0


def _set_mixtures(
    marginals: Marginals,
    columns: NDArray[np.int64],
    summaries: list[tuple[Floats, Floats, float]],
    least_scale: Floats,
) -> None:
    """Fit mixtures of several sizes to all columns at once, and keep each column's best."""
    points = np.stack(
        [
            (yeo_johnson(p, marginals.power[j]) - marginals.center[j]) / marginals.spread[j]
            for j, (p, _, _) in zip(columns, summaries, strict=True)
        ]
    )
    shares = np.stack([share for _, share, _ in summaries])
    n_rows = np.array([n for _, _, n in summaries])
    best = np.full(len(columns), -np.inf)
    for n_components in N_COMPONENTS:
        penalty = 0.5 * (3 * n_components - 1) * np.log(n_rows)
        least_score = (best + penalty) / n_rows
        *mixture, score = fit_mixtures(points, shares, n_components, least_scale, least_score)
        score = n_rows * score - penalty
        better = score > best
        best = np.where(better, score, best)
        for stored, fitted in zip(
            (marginals.shares, marginals.means, marginals.scales), mixture, strict=True
        ):
            stored[columns[better], :n_components] = fitted[better]
    single = columns[~marginals.is_mixture[columns]]
    marginals.means[single], marginals.scales[single] = 0.0, 1.0
    several = marginals.is_mixture
    marginals.shares[several] *= 1 - BROAD_SHARE
    marginals.shares[several, -1], marginals.scales[several, -1] = BROAD_SHARE, BROAD_SCALE
    for column in np.flatnonzero(marginals.is_mixture):
        marginals.knots[column] = spread_knots(marginals.mixture(column))
