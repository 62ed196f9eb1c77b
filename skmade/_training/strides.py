"""How far a step of training goes, for each output.

What training can still explain of a column is about as large as what its start leaves
unexplained. Where columns nearly depend on each other that may be a thousandth of the column's
spread: steps in standard deviations would destroy the start at once, and never find back. So
the outputs for means, and all weights that make them, are trained in smaller units.
"""

import numpy as np
from numpy.typing import NDArray

from .._network.made import MADE
from .._network.mixtures import MixtureOfGaussians

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# A stride is what is left unexplained, to this power: one would be in proportion. With less,
# training also finds what is some times larger than that, and small tables overfit later.
POWER = 0.5


def strides_of(made: MADE, weights: Singles) -> Floats:
    """Return the stride of each output (M, n_outputs) of members (M, n_weights) as they start.

    It is one for all but means.
    """
    strides = np.ones((len(weights), len(made.output_features)))
    for own, flat in zip(strides, weights, strict=True):
        biases = made.unflatten(flat)[f"bias{len(made.hidden_layer_sizes)}"].astype(np.float64)
        for law, outputs, _ in made.by_feature():
            if isinstance(law, MixtureOfGaussians):
                left = unexplained(law, biases[outputs])
                own[outputs][law.parameters.means] = min(left, 1.0) ** POWER
    return strides


def unexplained(law: MixtureOfGaussians, biases: Floats) -> float:
    """Return the standard deviation of a column's mixture, from its parameters (n_params,)."""
    logits, means, raw_scales, _ = (biases[kind] for kind in law.parameters)
    scales = law.scales(raw_scales[:, None, None])[:, 0, 0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    mean = shares @ means
    return float(np.sqrt(shares @ ((means - mean) ** 2 + scales**2)))
