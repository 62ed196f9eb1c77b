"""How rare a number is among those of ordinary rows: tails, thresholds and p-values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

Floats = NDArray[np.float64]

# Quantiles that stand for the numbers of ordinary rows, also if rows have weights.
N_QUANTILES = 1000

# The tail is what this share of ordinary rows exceeds. There are few numbers in it: beyond, it
# falls as an exponential with their mean excess (peaks over a threshold: Pickands 1975).
SHARE_OF_TAIL = 0.2

# Nats within which the tail of equal rows falls.
LEAST_EXCESS = 1e-2

# Share of the rows from a Gaussian that are outliers by `contamination='auto'`; and the most
# degrees of freedom of scores that are matched (their quartiles are then 1e5 nats apart).
TAIL, MAX_FREEDOM = 0.005, 1e10

# Shares of rows are compared up to rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Tail:
    """The share of ordinary rows that are at least as odd as a row, by one number."""

    oddities: Floats  # (n,), of ordinary rows, ascending
    log_shares: Floats  # (n,), of ordinary rows that are at least as odd
    excess: float  # mean, of the numbers in the tail

    @classmethod
    def of(cls, oddities: Floats, weight: Floats) -> "Tail":
        """Learn it from the oddities (n,) of weighted ordinary rows."""
        n_levels = min(len(oddities), N_QUANTILES)
        levels = (np.arange(n_levels) + 0.5) / n_levels
        ends = np.append(levels[levels < 1 - SHARE_OF_TAIL], 1 - SHARE_OF_TAIL)
        found = np.quantile(oddities, ends, weights=weight, method="inverted_cdf")
        beyond = np.maximum(oddities - found[-1], 0.0)
        excess = float(beyond @ (weight / weight.sum())) / SHARE_OF_TAIL
        return cls(found, np.log1p(-ends), max(excess, LEAST_EXCESS))

    def log_share(self, oddities: Floats) -> Floats:
        """Log of the share of ordinary rows that are at least as odd, (n,)."""
        within = np.interp(oddities, self.oddities, self.log_shares)
        beyond = np.maximum(oddities - self.oddities[-1], 0.0) / self.excess
        return np.asarray(within - beyond)


def lower_quantile(scores: Floats, share: float, weight: Floats) -> float:
    """Return a threshold that as many rows as fit into the share of all lie below.

    It is halfway between two rows. Ties that do not fit as a whole lie above it.
    """
    order = np.argsort(scores)
    order = order[weight[order] > 0]
    upto = np.cumsum(weight[order]) / weight.sum()
    n_below = np.searchsorted(upto, share + ROUNDING, side="right")
    below, above = scores[order][max(int(n_below) - 1, 0)], scores[order][n_below]
    return float(below / 2 + above / 2)


def typical_threshold(scores: Floats, weight: Floats) -> float:
    """Return a threshold that half a percent of rows from a Gaussian lie below.

    Their log-densities are a constant less half of a chi-square variable, in nats. Its
    degrees of freedom, one at least, are those that explain the distance of the quartiles.
    """
    levels = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    scores = np.quantile(scores, levels, weights=weight, method="inverted_cdf")
    low, median, high = np.quantile(scores, (0.25, 0.5, 0.75))

    def lacking(freedom: float) -> float:
        return float(high - low - (chi2.ppf(0.75, freedom) - chi2.ppf(0.25, freedom)) / 2)

    if lacking(1) <= 0:
        freedom = 1.0
    elif lacking(MAX_FREEDOM) >= 0:
        freedom = MAX_FREEDOM
    else:
        freedom = brentq(lacking, 1, MAX_FREEDOM)
    return float(median - (chi2.ppf(1 - TAIL, freedom) - chi2.ppf(0.5, freedom)) / 2)


def conformal_p_values(scores: Floats, held_out: Floats, weight: Floats) -> Floats:
    """Share of ordinary rows, and the row itself, that score at most as high, (n,).

    If the row is one of them, each value is as likely as any other (Vovk, Gammerman and Shafer
    2005). Weights count rows.
    """
    order = np.argsort(held_out)
    upto = np.append(0.0, np.cumsum(weight[order]))
    n_below = upto[np.searchsorted(held_out[order], scores, side="right")]
    return np.asarray((n_below + 1) / (upto[-1] + 1))
