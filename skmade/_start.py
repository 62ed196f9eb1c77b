"""The classical solution in closed form, from which training starts.

A linear-Gaussian autoregression on the preceding features is a full-covariance Gaussian;
its residuals, described by a mixture, make it a little more. A network whose direct
connections and output biases hold this solution starts where classical statistics ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Residuals are described from about this many masks and rows: more change nothing visible.
MAX_RESIDUAL_MASKS = 8
MAX_RESIDUAL_ROWS = 20_000


@dataclass(frozen=True)
class LinearStart:
    """Linear regression of each target on the features before it, and its residuals.

    The residual mixture has equally weighted components of one scale.
    """

    coefficients: Floats  # (n_targets, n_units), zero where no mask shows a unit
    intercept: Floats  # (n_targets,), the mean of each target
    center: Floats  # (n_units,), taken off a unit where it is shown
    shown: Floats  # (n_targets, n_units), share of the masks that show a unit
    offsets: Floats  # (n_targets, n_components), centres of the residual mixture
    scale: Floats  # (n_targets,)


def fit_linear_start(
    units: Floats,
    weight: Floats,
    ranks: Integers,
    targets: Integers,
    n_components: int,
    recurs: NDArray[np.bool_] | None = None,
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
    recurs : (n_samples, n_targets), cells that the mixture need not describe
    """
    share = weight / weight.sum()
    present = ~np.isnan(units)
    observed = share @ present  # share of the rows in which a unit is present
    center = share @ np.nan_to_num(units) / np.maximum(observed, share.min())
    centred = np.where(present, units - center, 0.0)
    covariance = shrunk_covariance(centred, share)
    coefficients = np.zeros((len(targets), len(center)))
    shown = np.zeros_like(coefficients)
    for row, target in enumerate(targets):
        allowed = ranks < ranks[:, target : target + 1]
        shown[row] = allowed.mean(axis=0)
        cross = covariance[:, target] / max(observed[target], share.min())
        coefficients[row] = _masked_regression(covariance, cross, allowed)

    described = present[:, targets] if recurs is None else present[:, targets] & ~recurs
    # A mask may hide what another shows: residuals are pooled over (some of) the masks.
    masked = [
        coefficients * (r[None, :] < r[targets, None]) for r in ranks[:MAX_RESIDUAL_MASKS]
    ]
    expected = np.mean(
        [_residual_variance(covariance, m, targets, observed) for m in masked], axis=0
    )
    step = 1 + len(units) // MAX_RESIDUAL_ROWS
    some = centred[::step]
    residuals = np.concatenate([some[:, targets] - some @ m.T for m in masked])
    known = np.tile(described[::step], (len(masked), 1))
    pooled = np.tile(share[::step], len(masked))[:, None] * known
    offsets, scale = _residual_mixture(residuals, pooled, expected, n_components)
    return LinearStart(coefficients, center[targets], center, shown, offsets, scale)


def _residual_mixture(
    residuals: Floats, weight: Floats, expected: Floats, n_components: int
) -> tuple[Floats, Floats]:
    """Return centres and scale of each column's mixture; `expected` is its least variance."""
    share = weight / np.maximum(weight.sum(axis=0), np.finfo(np.float64).tiny)
    variance = np.maximum((share * residuals**2).sum(axis=0), expected)
    offsets = _quantile_centres(residuals, share, n_components)
    scale = np.sqrt(np.maximum(variance - offsets.var(axis=1), 0.05 * variance))
    return offsets, scale


def shrunk_covariance(centred: Floats, share: Floats) -> Floats:
    """Oracle approximating shrinkage toward a sphere (Chen, Wiesel, Eldar, Hero 2010).

    With many rows it is the sample covariance, with few it stays invertible.
    """
    sample = (centred * share[:, None]).T @ centred
    n_effective = 1.0 / np.square(share).sum()
    p = len(sample)
    mean_variance = np.trace(sample) / p
    mean_square = np.square(sample).mean()
    denominator = (n_effective + 1) * (mean_square - mean_variance**2 / p)
    excess = mean_square + mean_variance**2
    shrinkage = 1.0 if denominator <= 0 else min(excess / denominator, 1.0)
    ridge = shrinkage * mean_variance + 1e-9
    return (1 - shrinkage) * sample + ridge * np.eye(p)


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
    explained = np.einsum("ij,ij->i", coefficients @ covariance, coefficients)
    crossed = np.einsum("ij,ij->i", coefficients, covariance[targets])
    own = covariance[targets, targets]
    return np.maximum((own - 2 * crossed) / rows + explained, 0.0)


def _quantile_centres(values: Floats, share: Floats, n_components: int) -> Floats:
    """Weighted quantiles at the middle of `n_components` equal shares, by column."""
    if n_components == 1:
        return np.zeros((values.shape[1], 1))
    levels = (np.arange(n_components) + 0.5) / n_components
    centres = np.empty((values.shape[1], n_components))
    for row, (column, weight) in enumerate(zip(values.T, share.T, strict=True)):
        order = np.argsort(column)
        order = order[weight[order] > 0]
        middle = np.cumsum(weight[order]) - 0.5 * weight[order]
        centres[row] = np.interp(levels, middle, column[order]) if len(order) else 0.0
    return centres
