"""Mixtures of Gaussians in one dimension: how columns with several modes become Gaussian."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]

MAX_EM_STEPS = 60

# A mixture is given up that could gain so many times as much in every step that is left as in
# the last one, and still be worse than what is known: gains shrink, as a rule.
HOPE = 8

# A component that describes no point any more has this share of them: its mean is a number.
MIN_MASS = 1e-12

# The transform goes on as a straight line beyond these images.
MAX_IMAGE = 4.0
N_KNOTS = 257

# Steps of Newton's method between two knots: 8 miss images by 4e-10, 12 by rounding alone.
N_NEWTON_STEPS = 12

# Halvings of the interval that holds a knot, at first some scales wide: what is left is far
# narrower than any scale, and so many steps of Newton's method end below rounding.
N_BISECTIONS, N_LAST_STEPS = 24, 4


@dataclass(frozen=True)
class Mixture:
    """The mixture of one column; arrays have shape (K,)."""

    shares: Floats
    means: Floats
    scales: Floats
    knots: Floats

    def image(self, values: Floats) -> tuple[Floats, Floats]:
        """Return Gaussian quantiles (n,) of values' levels, and logarithms of the slopes."""
        first, last = self.knots[0], self.knots[-1]
        inside = np.clip(values, first, last)
        images, log_slopes = self._inside(inside)
        # Beyond the knots: a straight line with the slope at the end.
        return images + np.exp(log_slopes) * (values - inside), log_slopes

    def preimage(self, images: Floats) -> Floats:
        """Return the values of images, by Newton's method held between two knots."""
        ends, log_slopes = self._inside(self.knots[[0, -1]])
        inside = np.clip(images, *ends)
        upper = np.clip(np.searchsorted(self._knot_images(), inside), 1, N_KNOTS - 1)
        low, high = self.knots[upper - 1], self.knots[upper]
        values = np.where(np.isnan(inside), np.nan, (low + high) / 2)
        for _ in range(N_NEWTON_STEPS):
            reached, log_slope = self._inside(values)
            low, high = (
                np.where(reached < inside, values, low),
                np.where(reached > inside, values, high),
            )
            following = values - (reached - inside) / np.exp(log_slope)
            values = np.clip(following, low, high)
        slope = np.exp(log_slopes[(images > 0).astype(np.int64)])
        return values + (images - inside) / slope

    def _knot_images(self) -> Floats:
        return self._inside(self.knots)[0]

    def _inside(self, values: Floats) -> tuple[Floats, Floats]:
        distance = (values[:, None] - self.means) / self.scales
        below, above = ndtr(distance) @ self.shares, ndtr(-distance) @ self.shares
        # The smaller of the two keeps its digits.
        images = np.where(below < above, ndtri(below), -ndtri(above))
        density = np.exp(-0.5 * distance**2) @ (self.shares / self.scales)
        return images, np.log(density) + 0.5 * images**2


def fit_mixtures(
    points: Floats,
    shares: Floats,
    n_components: int,
    least_scale: Floats,
    least_score: Floats | None = None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Fit a mixture of Gaussians to each row of points (D, P) by expectation-maximisation.

    Scales are no smaller than `least_scale` (D,). Mixtures that will hardly reach their
    `least_score` (D,) are given up: they have shares of zero and an infinitely bad score.

    Returns
    -------
    shares, means, scales : (D, n_components)
    score : (D,), mean log-likelihood
    """
    order = np.argsort(np.where(shares > 0, points, np.inf), axis=1)
    points, shares = (np.take_along_axis(a, order, axis=1)[:, None] for a in (points, shares))
    # Start from equal parts of the sorted points.
    level = np.cumsum(shares, axis=2) - 0.5 * shares
    part = np.minimum((level * n_components).astype(np.int64), n_components - 1)
    chances = (part == np.arange(n_components)[:, None]).astype(float)
    shape = len(points), n_components
    found = np.zeros(shape), np.zeros(shape), np.ones(shape), np.full(len(points), -np.inf)
    least, rest = least_scale[:, None], np.arange(len(points))
    least_score = np.full(len(points), -np.inf) if least_score is None else least_score
    score = found[-1]
    for steps_left in reversed(range(MAX_EM_STEPS if n_components > 1 else 1)):
        before = score
        *mixture, chances, score = _em_step(points, shares, chances, least)
        if steps_left == 0:
            break
        hopeful = score + HOPE * steps_left * np.maximum(score - before, 0) >= least_score
        if not hopeful.all():
            points, shares, chances = points[hopeful], shares[hopeful], chances[hopeful]
            least, least_score = least[hopeful], least_score[hopeful]
            rest, score = rest[hopeful], score[hopeful]
    for part, fitted in zip(found, (*mixture, score), strict=True):
        part[rest] = fitted
    return found


def _em_step(
    points: Floats, shares: Floats, chances: Floats, least_scale: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return shares, means and scales of mixtures, new chances (D, K, P), and scores."""
    weight, ones = chances * shares, np.ones_like(points)
    mass = np.maximum(_sums(weight, ones), MIN_MASS)
    means = _sums(weight, points) / mass
    logs = np.square(points - means[..., None])
    weight *= logs
    scales = np.maximum(np.sqrt(_sums(weight, ones) / mass), least_scale)
    logs *= (-0.5 / scales**2)[..., None]
    logs += np.log(mass / scales)[..., None]
    top = logs.max(axis=1, keepdims=True)
    logs -= top
    chances = np.exp(logs, out=logs)
    total = chances.sum(axis=1, keepdims=True)
    chances /= total
    score = (shares * (top + np.log(total))).sum(axis=(1, 2)) - 0.5 * np.log(2 * np.pi)
    return mass / mass.sum(axis=1, keepdims=True), means, scales, chances, score


def _sums(chances: Floats, of: Floats) -> Floats:
    """Sum up something of points (D, 1, P) by components, (D, K)."""
    return np.asarray((chances @ of.transpose(0, 2, 1))[..., 0])


def spread_knots(mixture: Mixture) -> Floats:
    """Values of evenly spread images, by bisection and then Newton's method."""
    images = np.linspace(-MAX_IMAGE, MAX_IMAGE, N_KNOTS)
    # Where a value is MAX_IMAGE scales above (or below) the mean of each component, its image
    # is that or more: all knots are nearer. The rest is a margin.
    reach = MAX_IMAGE + 6
    low = np.full(N_KNOTS, (mixture.means - reach * mixture.scales).min())
    high = np.full(N_KNOTS, (mixture.means + reach * mixture.scales).max())
    # The smaller tail keeps its digits, and is all that it takes to tell the side.
    side, tail = np.where(images > 0, -1.0, 1.0), ndtr(-np.abs(images))
    for _ in range(N_BISECTIONS):
        middle = (low + high) / 2
        distance = (middle[:, None] - mixture.means) * (side[:, None] / mixture.scales)
        below = side * (ndtr(distance) @ mixture.shares) < side * tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    knots = (low + high) / 2
    for _ in range(N_LAST_STEPS):
        reached, log_slope = mixture._inside(knots)
        knots = np.clip(knots - (reached - images) / np.exp(log_slope), low, high)
    return knots
