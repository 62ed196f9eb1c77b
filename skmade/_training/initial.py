"""The weights that training starts from: a network that is the classical solution.

Hidden layers are random, and their output weights zero. Output biases and direct weights
hold linear regressions of the numbers on the features before them, and the frequencies of
the labels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .._network.conditionals import Bernoulli, Categorical
from .._network.made import MADE
from .._network.masks import Booleans, Integers
from .._network.mixtures import MixtureOfGaussians, TruncatedMixture
from .._network.special import raw_scale
from .._threads import one_thread_inside
from .regression import fit_linear_start

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

# Regressions are fitted to about this many rows: their units are all in memory at once.
MAX_START_ROWS = 100_000


@one_thread_inside()  # what LAPACK finds depends on the number of its threads
def initial_weights(
    made: MADE, values: Floats, weight: Floats, ranks: Integers, seed: int
) -> Singles:
    """Return a member's flat weights (n_weights,).

    Parameters
    ----------
    made : the network's shape
    values : (n_samples, n_features), of the rows that the member trains on
    weight : (n_samples,)
    ranks : (n_masks, n_features)
    seed : of the hidden layers (He et al. 2015)
    """
    rng = np.random.default_rng(seed)
    sizes = [math.prod(shape) for shape in made.weight_shapes().values()]
    flat = np.zeros(sum(sizes), dtype=np.float32)
    weights = made.unflatten(flat)  # views: what is written to them stays
    for level in range(len(made.hidden_layer_sizes)):
        n_out, n_in = weights[f"weight{level}"].shape
        weights[f"weight{level}"][:] = rng.normal(
            0.0, math.sqrt(2 / max(n_in, 1)), (n_out, n_in)
        )
    weights["weight0"][:, made.present_units] = 0.0
    _spread_kinks(made, weights, rng)
    biases = np.zeros(len(made.output_features))
    weight = weight / weight.mean()
    for (law, outputs, _), column in zip(made.by_feature(), values.T, strict=True):
        present = ~np.isnan(column)
        if isinstance(law, Bernoulli | Categorical):
            biases[outputs] = _frequency_start(law, column[present], weight[present])
        elif isinstance(law, MixtureOfGaussians):
            _set_shares(law, biases[outputs], column[present], weight[present])
    _set_linear_start(made, weights, biases, values, weight, ranks)
    weights[f"bias{len(made.hidden_layer_sizes)}"][:] = biases
    return flat


def _spread_kinks(made: MADE, weights: dict[str, Singles], rng: np.random.Generator) -> None:
    """Draw hidden biases, so that units bend where the numbers lie, not all at the centre."""
    if any(isinstance(law, MixtureOfGaussians) for law, _ in made.groups):
        for level, n_units in enumerate(made.hidden_layer_sizes):
            weights[f"bias{level}"][:] = rng.uniform(-1, 1, n_units)


def _frequency_start(law: Bernoulli | Categorical, column: Floats, weight: Floats) -> Floats:
    """Logits of the levels' frequencies, with half a row more in each level."""
    n_levels = law.n_levels if isinstance(law, Categorical) else 2
    counts = np.bincount(column.astype(np.int64), weights=weight, minlength=n_levels) + 0.5
    if isinstance(law, Categorical):
        return np.log(counts / counts.sum())
    return np.log(counts[1:] / counts[0])


def _set_shares(
    law: MixtureOfGaussians, biases: Floats, column: Floats, weight: Floats
) -> None:
    """Write the logits of the atoms, and of what is left to the mixture."""
    if law.n_atoms == 0:
        return
    counts = weight @ _is_atom(law, column) + 0.5
    rest = max(weight.sum() + 0.5 - counts.sum(), 0.5)
    if isinstance(law, TruncatedMixture):  # of an atom at a bound half is beyond
        counts /= law.atoms_inside[0]
    biases[law.parameters.logits] = np.log(rest / law.n_components)
    biases[law.parameters.atoms] = np.log(counts)


def _is_atom(law: MixtureOfGaussians, column: Floats) -> Booleans:
    """Which cells of a column hold which of the atoms, (n, n_atoms)."""
    distance = np.abs(column[:, None] - law.atoms)
    return np.asarray(distance < law.atom_scales / 2)


def _set_linear_start(
    made: MADE,
    weights: dict[str, Singles],
    biases: Floats,
    values: Floats,
    weight: Floats,
    ranks: Integers,
) -> None:
    """Write linear regressions of the numbers into output biases and direct weights."""
    numbers = [
        (column, law, outputs, units.start)
        for column, (law, outputs, units) in enumerate(made.by_feature())
        if isinstance(law, MixtureOfGaussians)
    ]
    if not numbers:
        return
    step = 1 + len(values) // MAX_START_ROWS
    values, weight = values[::step], weight[::step]
    units = _direct_units(made, values)
    features = made.unit_features[: units.shape[1]]
    unit_ranks = ranks[:, features]
    if not made.direct_connections:
        unit_ranks = np.ones_like(unit_ranks)  # no place for coefficients: the marginals
    targets = np.array([target for *_, target in numbers])
    n_components = numbers[0][1].n_components
    is_atom = np.column_stack(
        [_is_atom(law, values[:, column]).any(axis=1) for column, law, *_ in numbers]
    )
    start = fit_linear_start(units, weight, unit_ranks, targets, n_components, is_atom)
    floor = np.concatenate([law.floor for _, law, _, _ in numbers])[:, None]
    raw = raw_scale(start.scale, floor)
    for target, (_, law, outputs, _) in enumerate(numbers):
        own, where = biases[outputs], law.parameters  # a view: what is written stays
        own[where.means] = start.intercept[target] + start.offsets[target]
        own[where.raw_scales] = raw[target]
        own[where.logits] += start.logits[target]
        if start.gates is not None:
            own[where.logits] -= start.gates[target] @ start.center
        # The center comes off the units that a mask shows.
        shift = start.coefficients[target] * start.center
        if not made.direct_connections:
            own[where.means] -= shift @ start.shown[target]
            continue
        direct = weights["direct"][outputs]
        direct[where.means, : units.shape[1]] = start.coefficients[target]
        if start.gates is not None:
            direct[where.logits, : units.shape[1]] = start.gates[target]
        if made.conditioning_weights:
            by_feature = np.bincount(features, weights=shift, minlength=made.n_features)
            direct[where.means, made.present_units] = -by_feature
        else:  # right for one ordering, and on average over several
            own[where.means] -= shift @ start.shown[target]


def _direct_units(made: MADE, values: Floats) -> Floats:
    """Units of the features with direct connections, NaN where missing."""
    parts = []
    for law, columns in made.small_groups:
        of_group = values[:, columns].T
        units = law.units(of_group)
        units = np.where(np.isnan(of_group)[:, None], np.nan, units)
        parts.append(units.reshape(len(columns) * law.n_units, len(values)))
    return np.concatenate(parts).T
