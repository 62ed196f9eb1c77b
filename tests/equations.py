"""The network by the equations of the paper: a second implementation, slow and plain."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit

from skmade._network.evidence import Evidence
from skmade._network.made import MADE
from skmade._network.special import INPUT_BOUND
from skmade._prediction.walk import compute_hidden, prepare, product
from skmade._training.evidence import EvidenceTensors
from skmade._training.objective import Objective, masked
from skmade._training.order import Order

ACTIVATIONS = {
    "relu": lambda sums: np.where(sums > 0, sums, 0),
    "tanh": np.tanh,
    "logistic": expit,
    "softplus": lambda sums: np.logaddexp(0, sums),
    "identity": lambda sums: sums,
}


@dataclass(frozen=True)
class Path:
    """One member with one mask, by the equations: dense products of masked weights."""

    made: MADE
    flat: np.ndarray
    ranks: np.ndarray
    degrees: list
    evidence: Evidence | None = None  # of this one member

    def outputs(self, values, factors=None):
        """Parameters of all conditionals, (n, n_outputs), of values (n, D)."""
        params = self.outputs_of_units(units_of(self.made, values), factors)
        if self.evidence is not None:
            for column, (law, own, _) in enumerate(self.made.by_feature()):
                params[:, own][:, law.parameters.logits] += self.evidence_before(column, values)
        return params

    def evidence_before(self, column, values):
        """Log-density of the features before one by each component less the best's, (n, K)."""
        slopes, found = self.evidence.slopes[0], 0.0
        units = np.clip(np.nan_to_num(values), -INPUT_BOUND, INPUT_BOUND)
        for before in np.flatnonzero(self.ranks < self.ranks[column]):
            distance = units @ slopes[:, before].T - self.evidence.shifts[0, :, before]
            log_slope = np.log(np.where(slopes.any(axis=(1, 2)), slopes[:, before, before], 1))
            missing = np.isnan(values[:, [before]])
            found = found + np.where(missing, 0, log_slope - distance**2 / 2)
        found = np.zeros((len(values), len(slopes))) + found
        return found - found.max(axis=1, keepdims=True)  # atoms have none

    def outputs_of_units(self, units, factors=None):
        """Parameters of all conditionals of what enters the network, (n, n_units).

        Dropout multiplies each hidden layer by `factors`, (n, n_hidden).
        """
        made, weights = self.made, self.made.unflatten(self.flat)
        *layers, direct = made.masks(self.ranks, self.degrees)
        hidden, depth = units, len(made.hidden_layer_sizes)
        for level in range(depth):
            below = hidden
            sums = hidden @ (weights[f"weight{level}"] * layers[level]).T
            hidden = ACTIVATIONS[made.activation](sums + weights[f"bias{level}"])
            hidden = hidden if factors is None else hidden * factors[level]
            if made.residual and level and below.shape == hidden.shape:
                hidden = hidden + below
        params = hidden @ (weights[f"weight{depth}"] * layers[depth]).T
        params += weights[f"bias{depth}"]
        if made.direct_connections:
            n_outputs, n_units = made.n_direct
            params[:, :n_outputs] += units[:, :n_units] @ (weights["direct"] * direct).T
        return params

    def feature_log_prob(self, values, factors=None):
        """Log-probability of each feature given those before it, (n, D); 0 if missing."""
        params, parts = self.outputs(values, factors), np.zeros(values.shape)
        for column, (law, own, _) in enumerate(self.made.by_feature()):
            present = np.flatnonzero(~np.isnan(values[:, column]))
            logs = law.log_prob(params[present, own].T[:, None], values[None, present, column])
            parts[present, column] = logs[0]
        return parts

    def walk(self, ends):
        """Return it as prediction computes it, in steps that end with these ranks."""
        evidence = self.evidence and self.evidence.of_path(0, self.ranks)
        shape = self.made, self.flat, self.ranks, self.degrees, np.asarray(ends)
        return prepare(*shape, evidence=evidence)

    def objective(self, dtype=torch.float64, sort=False):
        """Return it as training computes it: the objective, and a stack of one member.

        It is sorted by its ranks and degrees, or stays in the order of the table.
        """
        mask = self.ranks[None], [layer[None] for layer in self.degrees]
        order = Order.of_ranks(self.made, *mask) if sort else None
        objective = Objective(self.made, dtype=dtype, order=order)
        if self.evidence is not None:
            sorted_by = self.ranks[None], objective.tensor
            objective.evidence = EvidenceTensors.of(self.evidence, *sorted_by)
        parts = objective.parts(self.flat[None])
        return objective, objective.layers(masked(parts, objective.gates(*mask)))


def units_of(made, values):
    """The units that enter the network, by the definition: one feature after the other."""
    entered = np.zeros((len(values), len(made.unit_features)))
    for column, (law, _, own) in enumerate(made.by_feature()):
        value, present = values[:, column], ~np.isnan(values[:, column])
        if law.n_units > 1:
            entered[:, own] = value[:, None] == np.arange(law.n_units)
        elif law.n_units == 1:
            entered[present, own.start] = np.clip(value[present], -INPUT_BOUND, INPUT_BOUND)
        if made.conditioning_weights:
            entered[:, made.present_units.start + column] = present
    return entered


def paths(ensemble):
    """Return every member with every mask, member by member."""
    return [
        Path(
            ensemble.made,
            ensemble.weights[m].astype(np.float64),
            ensemble.ranks[m, k],
            [layer[m, k] for layer in ensemble.degrees],
            ensemble.evidence and ensemble.evidence.of_members(slice(m, m + 1)),
        )
        for m, k in np.ndindex(ensemble.ranks.shape[:2])
    ]


def walk_outputs(walk, units):
    """Parameters of all conditionals by a walk, (n, n_outputs), of units (n, n_units)."""
    made, buffers = walk.made, walk.buffers(len(units))
    buffers.units[1:] = units.T[walk.unit_order]
    outputs, laws = np.empty((len(units), len(made.output_features))), made.by_feature()
    for step in walk.steps:
        compute_hidden(walk, step, buffers)
        for _, columns, rows, _ in step.outputs:
            params = product(walk.output, rows, step.known.stop, buffers.inputs)
            for position, column in enumerate(columns):
                own = params.reshape(len(columns), -1, len(units))[position]
                outputs[:, laws[column][1]] = own.T
    return outputs
