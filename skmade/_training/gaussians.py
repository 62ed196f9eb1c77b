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

# So many Gaussians at most are found in rows of about so many cells. Their standard deviations
# have a floor.
MAX_GAUSSIANS, MAX_CELLS, MIN_DEVIATION = 20, 50_000, 1e-3


@one_thread_inside()  # what LAPACK finds depends on the number of its threads
def gaussians_of(made: MADE, values: Floats, weight: Floats) -> Gaussians:
    """Find the mixture of Gaussians of rows (n, D) that a member trains on, weighed (n,)."""
    laws = [law for law, _, _ in made.by_feature()]
    floors = [law.floor[0] for law in laws if isinstance(law, MixtureOfGaussians)]
    step = 1 + values.size // MAX_CELLS
    units = np.clip(values[::step], -INPUT_BOUND, INPUT_BOUND)
    share = weight[::step] / weight[::step].sum()
    return find_gaussians(units, share, MAX_GAUSSIANS, np.maximum(floors, MIN_DEVIATION))


def start_as(found: Gaussians, made: MADE, flat: Singles, ranks: Integers) -> Evidence:
    """Write the conditionals of a mixture of Gaussians into weights (n_weights,).

    Parameters
    ----------
    found : no more Gaussians than components
    made : the network's shape
    flat : a member's weights, whose hidden units have no part in the outputs yet
    ranks : (D,)

    Returns
    -------
    evidence : of the one member
    """
    slopes, shifts = _distances(found, ranks)
    scales = 1 / np.diagonal(slopes, axis1=1, axis2=2)
    places = np.argsort(made.unit_features)  # of each feature's unit
    weights = made.unflatten(flat)  # views: what is written to them stays
    n_found, n_components = len(found.shares), 0
    for feature, (law, outputs, _) in enumerate(made.by_feature()):
        assert isinstance(law, MixtureOfGaussians)
        n_components, where = law.n_components, law.parameters
        own = weights[f"bias{len(made.hidden_layer_sizes)}"][outputs]
        own[where.logits], own[where.means], own[where.raw_scales] = OFF, 0.0, 0.0
        own[where.logits][:n_found] = np.log(found.shares)
        own[where.means][:n_found] = shifts[:, feature] * scales[:, feature]
        own[where.raw_scales][:n_found] = raw_scale(scales[:, feature], law.floor)
        coefficients = -slopes[:, feature] * scales[:, feature, None]
        coefficients[:, feature] = 0.0
        direct = weights["direct"][outputs]
        direct[:] = 0.0
        direct[where.means][:n_found, places] = coefficients
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
