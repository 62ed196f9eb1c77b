"""How far a step of training goes, for each output.

What training can still explain of a column is about as large as what its start leaves
unexplained. Where columns nearly depend on each other that may be a thousandth of the column's
spread: steps in standard deviations would destroy the start at once, and never find back. So
the outputs for means, and all weights that make them, are trained in smaller units.
"""

import numpy as np
from numpy.typing import NDArray

from .._network.evidence import Evidence
from .._network.made import MADE
from .._network.mixtures import MixtureOfGaussians

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# A stride is what is left unexplained, to this power: one would be in proportion. With less,
# training also finds what is some times larger than that, and small tables overfit later.
POWER = 0.5


def strides_of(made: MADE, weights: Singles, evidence: Evidence | None = None) -> Floats:
    """Return the stride of each output (M, n_outputs) of members (M, n_weights) as they start.

    It is one for all but means. Where members have evidence for components, each of these
    leaves no more unexplained than its own scale.
    """
    apart = np.zeros(len(weights), dtype=bool) if evidence is None else evidence.some
    strides = np.ones((len(weights), len(made.output_features)))
    for own, flat, is_apart in zip(strides, weights, apart, strict=True):
        biases = made.unflatten(flat)[f"bias{len(made.hidden_layer_sizes)}"].astype(np.float64)
        for law, outputs, _ in made.by_feature():
            if isinstance(law, MixtureOfGaussians):
                left_by = scales_of if is_apart else unexplained
                left = np.asarray(left_by(law, biases[outputs]))
                own[outputs][law.parameters.means] = np.minimum(left, 1.0) ** POWER
    return strides


def scales_of(law: MixtureOfGaussians, biases: Floats) -> Floats:
    """Return the scale of each component of a column's mixture."""
    return law.scales(biases[law.parameters.raw_scales, None, None])[:, 0, 0]


def unexplained(law: MixtureOfGaussians, biases: Floats) -> float:
    """Return the standard deviation of a column's mixture, from its parameters (n_params,)."""
    logits, means = biases[law.parameters.logits], biases[law.parameters.means]
    scales = scales_of(law, biases)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    mean = shares @ means
    return float(np.sqrt(shares @ ((means - mean) ** 2 + scales**2)))
