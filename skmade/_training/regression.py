"""The classical solution in closed form, from which training starts.

A linear-Gaussian autoregression on the preceding features is a full-covariance Gaussian;
its residuals, described by a mixture, make it a little more. Where rows come in clusters it
is a mixture of such Gaussians. A network whose direct connections and output biases hold
this solution starts where classical statistics ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtri

from .._table.clusters import (
    MAX_CLUSTERED_ROWS,
    Clusters,
    find_clusters,
    most_clusters,
    shrunk,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Residuals are described from about this many masks and rows: more change nothing visible.
MAX_RESIDUAL_MASKS = 8
MAX_RESIDUAL_ROWS = 20_000

# Components that each cluster gets at least: with one, training can hardly reshape it.
MIN_PER_CLUSTER = 2

# The share of the residuals' variance that components have as their own, at least. With their
# centres at the quantiles of a Gaussian, 10 components are left with 12 % and 25 with 5 %;
# of residuals that take few values nothing would be left, and the density would be spikes.
MIN_OWN_VARIANCE = 0.05


# Regressions over several orderings are solved one by one up to so many units, and of more
# only approached, in so many steps: a start needs no more.
MAX_SOLVED_UNITS, N_GRADIENT_STEPS = 256, 15


@dataclass(frozen=True)
class LinearStart:
    """Linear regression of each target on the features before it, and its residuals.

    The residual mixture has components of one scale, equally weighted or, with clusters,
    weighted by linear functions of the units.

    In a network, where hidden units have no weight in the outputs yet, a target's outputs are
    linear in the units u, K of each kind::

        K logits      logits + gates @ (u - center)
        K means       intercept + offsets + coefficients @ (u - center)
        K raw scales  what stands for scale

    Direct weights hold the gates and the coefficients, the same for all K means; biases hold
    the rest. Without clusters logits are zero, and so would gates be.
    """

    coefficients: Floats  # (n_targets, n_units), zero where no mask shows a unit
    intercept: Floats  # (n_targets,), the mean of each target
    center: Floats  # (n_units,), taken off a unit where it is shown
    shown: Floats  # (n_targets, n_units), share of the masks that show a unit
    offsets: Floats  # (n_targets, n_components), centres of the residual mixture
    scale: Floats  # (n_targets, n_components)
    logits: Floats  # (n_targets, n_components), of the components where units are centred
    gates: Floats | None  # (n_targets, n_components, n_units), how logits depend on units


def fit_linear_start(
    units: Floats,
    weight: Floats,
    ranks: Integers,
    targets: Integers,
    n_components: int,
    is_atom: NDArray[np.bool_] | None = None,
) -> LinearStart:
    """Regress each target on the units of lower rank, in expectation over the masks.

    A missing unit is its own mean, as in the network, whose conditioning weights take the
    center off only where a cell is present.

    Parameters
    ----------
    units : (n_samples, n_units), standardised numbers and indicators, NaN where missing
    weight : (n_samples,), non-negative
    ranks : (n_masks, n_units)
    targets : (n_targets,), positions of the units of numeric features
    n_components : components of the residual mixture
    is_atom : (n_samples, n_targets), cells that the mixture need not describe
    """
    share = weight / weight.sum()
    clusters = None
    if len(ranks) == 1 and len(targets) == units.shape[1] and not np.any(is_atom):
        clusters = _clusters_of(units, share, n_components)
    if clusters is not None:
        return _clustered_start(clusters, units, share, ranks[0], targets, n_components)
    described = ~np.isnan(units[:, targets])
    if is_atom is not None:
        described &= ~is_atom
    return _gaussian_start(units, share, ranks, targets, n_components, described)


def _gaussian_start(
    units: Floats,
    share: Floats,
    ranks: Integers,
    targets: Integers,
    n_components: int,
    described: NDArray[np.bool_],
) -> LinearStart:
    """Conditionals of one Gaussian, each with a mixture for the residuals described."""
    present = ~np.isnan(units)
    observed = share @ present  # share of the rows in which a unit is present
    center = share @ np.nan_to_num(units) / np.maximum(observed, share.min())
    centred = np.where(present, units - center, 0.0)
    covariance = shrunk_covariance(centred, share)
    shown = np.zeros((len(targets), len(center)))
    for r in ranks:
        shown += (r < r[targets, None]) / len(ranks)
    coefficients = np.zeros_like(shown)
    if shown.any():
        coefficients = _regressions(covariance, ranks, targets)
        coefficients /= np.maximum(observed[targets], share.min())[:, None]

    # A mask may hide what another shows: residuals are pooled over (some of) the masks.
    masked = [
        coefficients * (r[None, :] < r[targets, None]) for r in ranks[:MAX_RESIDUAL_MASKS]
    ]
    expected = np.mean(
        [_residual_variance(covariance, m, targets, observed) for m in masked], axis=0
    )
    # Atoms are in the covariance, but not in the mixture: its variance says nothing here.
    expected = np.where((described | ~present[:, targets]).all(axis=0), expected, 0.0)
    step = 1 + len(units) // MAX_RESIDUAL_ROWS
    some = centred[::step]
    residuals = np.concatenate([some[:, targets] - some @ m.T for m in masked])
    known = np.tile(described[::step], (len(masked), 1))
    pooled = np.tile(share[::step], len(masked))[:, None] * known
    offsets, scale = _residual_mixture(residuals, pooled, expected, n_components)
    return LinearStart(
        coefficients,
        center[targets],
        center,
        shown,
        offsets,
        scale=np.repeat(scale[:, None], n_components, axis=1),
        logits=np.zeros((len(targets), n_components)),
        gates=None,
    )


def _clusters_of(units: Floats, share: Floats, n_components: int) -> Clusters | None:
    """Return the clusters of rows, if there are any and no more than components."""
    step = 1 + len(units) // MAX_CLUSTERED_ROWS
    some = share[::step] / share[::step].sum()
    n_most, n_effective = n_components // MIN_PER_CLUSTER, 1 / np.square(some).sum()
    if np.isnan(units).any() or most_clusters(units.shape[1], n_most, n_effective) < 2:
        return None
    clusters = find_clusters(units[::step], some, n_most)
    return clusters if len(clusters.shares) > 1 else None


def _clustered_start(
    clusters: Clusters,
    units: Floats,
    share: Floats,
    ranks: Integers,
    targets: Integers,
    n_components: int,
) -> LinearStart:
    """Conditionals of a mixture of Gaussians of one covariance, each of some components."""
    step = 1 + len(units) // MAX_CLUSTERED_ROWS
    center = share @ units
    some, means = units[::step] - center, clusters.means - center
    weight = (share[::step, None] / share[::step].sum() * clusters.chances).reshape(-1, 1)
    cluster_of, sizes = _shared_out(clusters.shares, n_components)
    shown = (ranks[None, :] < ranks[targets, None]).astype(np.float64)
    covariance = clusters.covariance
    if not shown.any():  # each target by itself
        covariance = np.diag(np.diag(covariance))
    order, inverse = _chain(covariance, ranks, targets)
    coefficients = _coefficients(order, inverse, targets)
    # Each row less its cluster's mean, and less what the units before explain of that.
    shift = means[:, targets] - means @ coefficients.T
    residuals = (some[:, targets] - some @ coefficients.T)[:, None] - shift
    residuals = residuals.reshape(-1, len(targets))
    least = np.diag(inverse)[np.argsort(order)[targets]] ** -2.0
    shape = len(targets), n_components
    offsets, scale = np.zeros(shape), np.zeros(shape)
    for size in np.unique(sizes):
        parts, width = _residual_mixture(residuals, weight, least, int(size))
        for k in np.flatnonzero(sizes == size):
            offsets[:, cluster_of == k] = shift[k][:, None] + parts
            scale[:, cluster_of == k] = width[:, None]
    constant, odds = _log_odds(clusters, order, inverse, means)
    n_shown = shown.sum(axis=1).astype(np.int64)
    logits = constant[n_shown] - np.log(sizes)
    return LinearStart(
        coefficients,
        center[targets],
        center,
        shown,
        offsets,
        scale,
        logits=logits[:, cluster_of],
        gates=odds[n_shown][:, cluster_of],
    )


def _log_odds(
    clusters: Clusters, order: Integers, inverse: Floats, means: Floats
) -> tuple[Floats, Floats]:
    """Return log-odds of clusters given none of the units, the first one, the first two, ...

    Linear discriminant analysis: constants (D, K) and coefficients of the units (D, K, D).
    """
    scaled = inverse @ means[:, order].T  # of units, less what those before explain
    constant, odds = np.zeros_like(scaled), np.zeros((*scaled.shape, len(order)))
    constant[1:] = -0.5 * np.cumsum(scaled[:-1] ** 2, axis=0)
    odds[1:, :, order] = np.cumsum(scaled[:-1, :, None] * inverse[:-1, None], axis=0)
    odds -= (clusters.shares @ odds)[:, None]  # what all have in common changes nothing
    return constant + np.log(clusters.shares), odds


def _shared_out(shares: Floats, n_components: int) -> tuple[Integers, Integers]:
    """Give each cluster components by its share, one at least: whose each is, and how many."""
    sizes = np.ones(len(shares), dtype=np.int64)
    for _ in range(n_components - len(shares)):
        sizes[np.argmax(shares / sizes)] += 1
    return np.repeat(np.arange(len(shares)), sizes), sizes


def _residual_mixture(
    residuals: Floats, weight: Floats, expected: Floats, n_components: int
) -> tuple[Floats, Floats]:
    """Return centres and scale of each column's mixture; `expected` is its least variance."""
    share = weight / np.maximum(weight.sum(axis=0), np.finfo(np.float64).tiny)
    mean = (share * residuals).sum(axis=0)
    variance = np.maximum((share * (residuals - mean) ** 2).sum(axis=0), expected)
    offsets = _quantile_centres(residuals, share, n_components)
    scale = np.sqrt(np.maximum(variance - offsets.var(axis=1), MIN_OWN_VARIANCE * variance))
    return offsets, scale


def shrunk_covariance(centred: Floats, share: Floats) -> Floats:
    """Covariance of weighted rows, shrunk toward a sphere."""
    sample = (centred * share[:, None]).T @ centred
    return shrunk(sample, 1.0 / np.square(share).sum())


def _regressions(covariance: Floats, ranks: Integers, targets: Integers) -> Floats:
    """Least squares of targets on the units shown to each, in expectation over the masks."""
    if len(ranks) == 1 and len(np.unique(ranks[0, targets])) == len(targets):
        return _coefficients(*_chain(covariance, ranks[0], targets), targets)
    if len(covariance) > MAX_SOLVED_UNITS:
        return _approached(covariance, ranks, targets)
    coefficients = np.zeros((len(targets), len(covariance)))
    for row, target in enumerate(targets):
        allowed = ranks < ranks[:, target : target + 1]
        coefficients[row] = _masked_regression(covariance, covariance[:, target], allowed)
    return coefficients


def _approached(covariance: Floats, ranks: Integers, targets: Integers) -> Floats:
    """Approach the regressions of many orderings by conjugate gradients, all at once.

    A step is a product with the covariance for each mask, and none solves a system.
    """
    masks = [r < r[targets, None] for r in ranks]

    def product(of: Floats) -> Floats:
        return sum((m * ((m * of) @ covariance) for m in masks), np.zeros_like(of)) / len(ranks)

    shown = sum(masks, np.zeros((len(targets), len(covariance)))) / len(ranks)
    size = 1 / np.where(shown > 0, shown * np.diag(covariance), 1.0)
    residual = shown * covariance[targets]
    coefficients, direction = np.zeros_like(residual), size * residual
    left = (residual * direction).sum(axis=1, keepdims=True)
    for _ in range(N_GRADIENT_STEPS):
        change = product(direction)
        tiny = np.finfo(np.float64).tiny
        length = left / np.maximum((direction * change).sum(axis=1, keepdims=True), tiny)
        coefficients += length * direction
        residual -= length * change
        before, left = left, (residual * size * residual).sum(axis=1, keepdims=True)
        direction = size * residual + left / np.maximum(before, tiny) * direction
    return coefficients


def _chain(covariance: Floats, ranks: Integers, targets: Integers) -> tuple[Integers, Floats]:
    """Return units by rank, and the inverse of the Cholesky factor of their covariance.

    Its rows hold all regressions of one ordering: each unit less what those before it
    explain, over the standard deviation of what is left. Targets, of which no two have one
    rank, come before others of their rank.
    """
    last = np.ones(len(ranks), dtype=bool)
    last[targets] = False
    order = np.lexsort((last, ranks))
    root = np.linalg.cholesky(covariance[np.ix_(order, order)])
    return order, np.tril(dtrtri(root, lower=1)[0])


def _coefficients(order: Integers, inverse: Floats, targets: Integers) -> Floats:
    """Return the regressions of targets on all units before them, from those of `_chain`."""
    place = np.argsort(order)[targets]
    coefficients = np.zeros((len(targets), len(order)))
    coefficients[:, order] = -inverse[place] / inverse[place, place][:, None]
    coefficients[np.arange(len(targets)), targets] = 0.0
    return coefficients


def _masked_regression(covariance: Floats, cross: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """Least squares of a target on the units shown to it, in expectation over the masks."""
    seen = np.flatnonzero(allowed.any(axis=0))
    shown = allowed[:, seen].astype(np.float64)
    together = shown.T @ shown / len(shown)  # how often two units are shown together
    coefficients = np.zeros(len(covariance))
    coefficients[seen] = np.linalg.solve(
        together * covariance[np.ix_(seen, seen)], shown.mean(axis=0) * cross[seen]
    )
    return coefficients


def _residual_variance(
    covariance: Floats, coefficients: Floats, targets: Integers, observed: Floats
) -> Floats:
    """Variance of target minus prediction, where the target is present."""
    rows = np.where(observed[targets] > 0, observed[targets], 1.0)
    own = covariance[targets, targets]
    if not coefficients.any():
        return np.asarray(own / rows)
    explained = np.einsum("ij,ij->i", coefficients @ covariance, coefficients)
    crossed = np.einsum("ij,ij->i", coefficients, covariance[targets])
    return np.maximum((own - 2 * crossed) / rows + explained, 0.0)


def _quantile_centres(values: Floats, share: Floats, n_components: int) -> Floats:
    """Weighted quantiles at the middle of `n_components` equal shares, by column."""
    if n_components == 1:
        return np.zeros((values.shape[1], 1))
    levels = (np.arange(n_components) + 0.5) / n_components
    centres = np.empty((values.shape[1], n_components))
    share = np.broadcast_to(share, values.shape)
    for row, (column, weight) in enumerate(zip(values.T, share.T, strict=True)):
        order = np.argsort(column)
        order = order[weight[order] > 0]
        middle = np.cumsum(weight[order]) - 0.5 * weight[order]
        centres[row] = np.interp(levels, middle, column[order]) if len(order) else 0.0
    return centres
