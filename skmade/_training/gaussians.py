"""The start of members as a mixture of Gaussians over all features.

Rows near curves, or in clusters of different shapes, are described better by such a mixture
than by regressions. The conditionals of each Gaussian are a component's direct connections and
biases; how much the features before speak for it is its `Evidence`.
"""

import numpy as np
from numpy.typing import NDArray

from .._network.ensemble import OFF
from .._network.evidence import Evidence
from .._network.made import MADE
from .._network.masks import Integers
from .._network.mixtures import MixtureOfGaussians
from .._network.special import INPUT_BOUND, raw_scale
from .._table.gaussians import Gaussians, find_gaussians
from .._threads import one_thread_inside

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# The mixture is found in about this many rows. Its standard deviations have a floor.
MAX_ROWS, MIN_DEVIATION = 10_000, 1e-3


@one_thread_inside()  # what LAPACK finds depends on the number of its threads
def start_as_gaussians(
    made: MADE, flat: Singles, values: Floats, weight: Floats, ranks: Integers
) -> Evidence | None:
    """Write the conditionals of a mixture of Gaussians into weights (n_weights,).

    Returns
    -------
    evidence : of the one member; None, and weights as they were, where one Gaussian is best

    Parameters
    ----------
    made : the network's shape
    flat : a member's weights, whose hidden units have no part in the outputs yet
    values : (n, D), of the rows that the member trains on
    weight : (n,)
    ranks : (D,)
    """
    features = [
        (law, outputs)
        for law, outputs, _ in made.by_feature()
        if isinstance(law, MixtureOfGaussians)
    ]
    step = 1 + len(values) // MAX_ROWS
    units = np.clip(values[::step], -INPUT_BOUND, INPUT_BOUND)
    share = weight[::step] / weight[::step].sum()
    n_components = features[0][0].n_components
    floor = np.maximum([law.floor[0] for law, _ in features], MIN_DEVIATION)
    found = find_gaussians(units, share, n_components, floor)
    n_found = len(found.shares)
    if n_found == 1:
        return None
    slopes, shifts = _distances(found, ranks)
    scales = 1 / np.diagonal(slopes, axis1=1, axis2=2)
    places = np.argsort(made.unit_features)  # of each feature's unit
    weights = made.unflatten(flat)  # views: what is written to them stays
    biases = weights[f"bias{len(made.hidden_layer_sizes)}"]
    for feature, (law, outputs) in enumerate(features):
        own, where = biases[outputs], law.parameters
        direct = np.zeros((n_components, made.n_features), dtype=flat.dtype)
        coefficients = -slopes[:, feature] * scales[:, feature, None]
        coefficients[:, feature] = 0.0
        direct[:n_found, places] = coefficients
        own[where.logits], own[where.means], own[where.raw_scales] = OFF, 0.0, 0.0
        own[where.logits][:n_found] = np.log(found.shares)
        own[where.means][:n_found] = shifts[:, feature] * scales[:, feature]
        own[where.raw_scales][:n_found] = raw_scale(scales[:, feature], law.floor)
        weights["direct"][outputs][where.logits] = 0.0
        weights["direct"][outputs][where.means] = direct
    # As much speaks for a component without a share as for the first.
    filled = np.append(np.arange(n_found), np.zeros(n_components - n_found, dtype=np.int64))
    return Evidence(slopes[filled][None], shifts[filled][None])


def _distances(found: Gaussians, ranks: Integers) -> tuple[Floats, Floats]:
    """Return how far features are from what components expect: slopes (K, D, D) and shifts."""
    order = np.argsort(ranks)
    inverse = np.linalg.inv(np.linalg.cholesky(found.covariances[:, order][:, :, order]))
    slopes = np.zeros_like(inverse)
    slopes[np.ix_(np.arange(len(inverse)), order, order)] = np.tril(inverse)
    return slopes, np.einsum("kij,kj->ki", slopes, found.means)
