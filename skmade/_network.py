"""The MADE: units and masks in, log p(x) out.

A stack of M members is computed together: every weight has a leading axis of length M, so
that eight small networks cost a few large matrix products instead of many small ones.
Weights live in one flat vector a member, outside this module's functions, which never
write to them: masking makes new matrices.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._conditionals import Bernoulli, Conditional, MixtureOfGaussians, raw_scale
from ._masks import Booleans, Integers, layer_masks
from ._start import LinearStart

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "identity": lambda values: values,
}

# The process that imported this module, and whose thread pool torch uses.
_PROCESS = os.getpid()

# Units enter the network clipped here (in standard deviations): far out, the conditionals
# stop changing, so that a score falls with the distance of each feature alone.
INPUT_BOUND = 10.0


@dataclass(frozen=True)
class Layers:
    """Masked weights, ready for matrix products: (M, n_out, n_in) and (M, n_out)."""

    weights: list[Tensor]  # hidden layers, then output
    biases: list[Tensor]
    direct: Tensor | None

    def member(self, position: int) -> "Layers":
        """Return the layers of one member, without the leading axis."""
        direct = None if self.direct is None else self.direct[position]
        return Layers(
            [w[position] for w in self.weights], [b[position] for b in self.biases], direct
        )


@dataclass(frozen=True)
class MADE:
    """A masked autoencoder's shape; its weights are passed to each method.

    `continuous` and `binary` are column positions. The outputs are the parameters of the
    continuous conditionals, feature by feature, then those of the binary ones.
    """

    continuous: Integers
    binary: Integers
    hidden_layer_sizes: tuple[int, ...]
    law: MixtureOfGaussians
    activation: str = "relu"
    residual: bool = True
    direct_connections: bool = True
    conditioning_weights: bool = False

    @property
    def n_features(self) -> int:
        """Number of features, D."""
        return len(self.continuous) + len(self.binary)

    @property
    def groups(self) -> list[tuple[Conditional, Integers]]:
        """The laws with the columns they describe, in the order of the outputs."""
        laws: list[tuple[Conditional, Integers]] = [
            (self.law, self.continuous),
            (Bernoulli(), self.binary),
        ]
        return [(law, columns) for law, columns in laws if len(columns)]

    @property
    def output_features(self) -> Integers:
        """The feature that each output unit describes."""
        parts = [np.repeat(columns, law.n_params) for law, columns in self.groups]
        return np.concatenate(parts)

    def outputs_by_feature(self) -> list[tuple[Conditional, slice]]:
        """Each feature's law and the outputs that hold its parameters."""
        found: list[tuple[Conditional, slice] | None] = [None] * self.n_features
        start = 0
        for law, columns in self.groups:
            for position, column in enumerate(columns):
                found[column] = law.at(position), slice(start, start + law.n_params)
                start += law.n_params
        return [entry for entry in found if entry is not None]

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of a member's weights: matrices first, then biases."""
        sizes = (self.n_features, *self.hidden_layer_sizes, len(self.output_features))
        shapes: dict[str, tuple[int, ...]] = {}
        for level, (n_in, n_out) in enumerate(pairwise(sizes)):
            shapes[f"weight{level}"] = (n_out, n_in)
        if self.direct_connections:
            shapes["direct"] = (sizes[-1], sizes[0])
        if self.conditioning_weights:
            shapes["seen"] = (sizes[1], sizes[0])
            if self.direct_connections:
                shapes["seen_direct"] = (sizes[-1], sizes[0])
        for level, n_out in enumerate(sizes[1:]):
            shapes[f"bias{level}"] = (n_out,)
        return shapes

    def split(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """View flat weights (M, n_weights) as matrix weights and biases."""
        shapes = self.weight_shapes().values()
        n_matrix = sum(math.prod(shape) for shape in shapes if len(shape) == 2)
        return flat[:, :n_matrix], flat[:, n_matrix:]

    def unflatten(self, matrices: Tensor, biases: Tensor) -> dict[str, Tensor]:
        """View the two parts of flat weights by name."""
        shapes = self.weight_shapes()
        weights = {}
        for dimensions, part in ((2, matrices), (1, biases)):
            named = {name: s for name, s in shapes.items() if len(s) == dimensions}
            pieces = part.split([math.prod(s) for s in named.values()], dim=1)
            for (name, shape), piece in zip(named.items(), pieces, strict=True):
                weights[name] = piece.unflatten(1, shape)
        return weights

    def masks(self, ranks: Integers, degrees: Sequence[Integers]) -> list[Booleans]:
        """Masks of every layer and, last, of the direct connections."""
        return layer_masks(ranks, degrees, ranks[..., self.output_features])

    def to(self, device: str) -> "MADE":
        """Return the same shape with its constants on a device."""
        return replace(self, law=replace(self.law, floor=self.law.floor.to(device)))

    def gates(self, masks: Sequence[Booleans], like: Tensor) -> list[Tensor]:
        """Turn masks into zeros and ones of the type and device of `like`."""
        return [torch.tensor(mask, dtype=like.dtype, device=like.device) for mask in masks]

    def masked(self, weights: dict[str, Tensor], gates: Sequence[Tensor]) -> Layers:
        """Multiply weights and masks; conditioning weights join the biases.

        The conditioning weights of the paper see a constant 1 through the mask of the
        inputs (section 4.2), which adds the row sums of masked weights to a bias.
        """
        depth = len(self.hidden_layer_sizes) + 1
        matrices = [weights[f"weight{level}"] * gates[level] for level in range(depth)]
        biases = [weights[f"bias{level}"] for level in range(depth)]
        if "seen" in weights:
            biases[0] = biases[0] + (weights["seen"] * gates[0]).sum(-1)
        if "seen_direct" in weights:
            biases[-1] = biases[-1] + (weights["seen_direct"] * gates[-1]).sum(-1)
        direct = weights["direct"] * gates[-1] if "direct" in weights else None
        return Layers(matrices, biases, direct)

    def outputs(
        self,
        layers: Layers,
        units: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Parameters of all conditionals, (M, n, n_outputs), of units (M, n, D)."""
        activate = ACTIVATIONS[self.activation]
        inputs = units.clamp(-INPUT_BOUND, INPUT_BOUND)
        hidden = inputs
        for level, (weight, bias) in enumerate(
            zip(layers.weights[:-1], layers.biases[:-1], strict=True)
        ):
            update = drop(activate(_affine(bias, hidden, weight)))
            hidden = hidden + update if self.skips(level) else update
        params = _affine(layers.biases[-1], hidden, layers.weights[-1])
        if layers.direct is not None:
            params = torch.baddbmm(params, inputs, layers.direct.mT)
        return params

    def skips(self, level: int) -> bool:
        """Whether a hidden layer adds its input: residual, and of equal width."""
        sizes = self.hidden_layer_sizes
        return self.residual and level > 0 and sizes[level] == sizes[level - 1]

    def feature_log_prob(self, params: Tensor, units: Tensor) -> Iterator[Tensor]:
        """Log-probabilities given the parameters, (..., n_columns) for each kind."""
        start = 0
        for law, columns in self.groups:
            stop = start + len(columns) * law.n_params
            by_feature = params[..., start:stop].unflatten(-1, (len(columns), law.n_params))
            yield law.log_prob(by_feature, units[..., torch.from_numpy(columns)])
            start = stop

    def log_prob(
        self,
        layers: Layers,
        units: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Log p(units) in nats, (M, n), of units (M, n, D)."""
        params = self.outputs(layers, units, drop)
        parts = [part.sum(dim=-1) for part in self.feature_log_prob(params, units)]
        return torch.stack(parts).sum(dim=0)

    def initial_weights(
        self, start: LinearStart, rates: NDArray[np.float64], seed: int
    ) -> NDArray[np.float64]:
        """Flat weights (n_weights,) of a member whose outputs are the classical solution.

        `rates` are the probabilities of the binary features. Hidden layers are random (He
        et al. 2015), their output weights zero.
        """
        rng = np.random.default_rng(seed)
        weights = {name: np.zeros(shape) for name, shape in self.weight_shapes().items()}
        for level in range(len(self.hidden_layer_sizes)):
            n_out, n_in = weights[f"weight{level}"].shape
            weights[f"weight{level}"] = rng.normal(0.0, math.sqrt(2 / n_in), (n_out, n_in))
        params, direct = self._start_outputs(start)
        shift = direct * start.center  # what centres a feature that a mask shows
        if "seen_direct" in weights:
            weights["seen_direct"][: params.size] = -shift.reshape(params.size, self.n_features)
        else:  # right for one ordering, and on average over several
            params -= (shift * start.shown[:, None, None]).sum(axis=-1)
        logits = np.log(rates) - np.log1p(-rates)
        weights[f"bias{len(self.hidden_layer_sizes)}"] = np.concatenate(
            [params.ravel(), logits]
        )
        if self.direct_connections:
            weights["direct"][: params.size] = direct.reshape(params.size, self.n_features)
        return np.concatenate([value.ravel() for value in weights.values()])

    def _start_outputs(
        self, start: LinearStart
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Output biases and direct weights of the continuous features' linear start."""
        shape = (len(self.continuous), 3, self.law.n_components)
        params, direct = np.zeros(shape), np.zeros((*shape, self.n_features))
        params[:, 1] = start.intercept[:, None] + start.offsets
        raw = raw_scale(torch.from_numpy(start.scale), self.law.floor.cpu().double())
        params[:, 2] = np.asarray(raw)[:, None]
        direct[:, 1] = start.coefficients[:, None]
        return params, direct


@dataclass(frozen=True)
class MaskList(Sequence[list[Booleans]]):
    """The layer masks (M, n_out, n_in) of M members, each list made when it is asked for."""

    made: MADE
    ranks: Integers  # (M, K, D)
    degrees: Sequence[Integers]  # (M, K, n_units) for each hidden layer

    def __len__(self) -> int:
        return self.ranks.shape[1]

    def __getitem__(self, k: Any) -> Any:
        if k >= len(self):
            raise IndexError(k)
        return self.made.masks(self.ranks[:, k], [layer[:, k] for layer in self.degrees])


@contextmanager
def private_torch() -> Iterator[None]:
    """Compute as if nobody had changed torch's modes, whatever the caller has switched on.

    In a forked child, whose parent's threads did not follow, compute on one thread: a
    matrix product that waits for the others would hang.
    """
    forked = os.getpid() != _PROCESS
    n_threads = torch.get_num_threads() if forked else 0
    if forked:
        torch.set_num_threads(1)
    try:
        with (
            torch.device("cpu"),
            torch.inference_mode(False),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        if forked:
            torch.set_num_threads(n_threads)


def _affine(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    return torch.baddbmm(bias.unsqueeze(1), inputs, weight.mT)


def mixture_log_prob(
    made: MADE,
    flat: Tensor,
    masks: Sequence[Sequence[Booleans]],
    units: Tensor,
    chunk_size: int,
) -> Tensor:
    """Log of the mean density over members and masks, (n,), of units (n, D).

    Probabilities are averaged, never logits or log-probabilities: only then does the
    result integrate to one. `masks` holds a list of layer masks for each mask of the list.
    """
    total = torch.full((len(units),), -torch.inf, dtype=units.dtype)
    with torch.no_grad():
        weights = made.unflatten(*made.split(flat))
        for mask in masks:
            layers = made.masked(weights, made.gates(mask, flat))
            for start in range(0, len(units), chunk_size):
                rows = slice(start, start + chunk_size)
                block = units[rows].expand(len(flat), -1, -1)
                logs = made.log_prob(layers, block).logsumexp(dim=0)
                total[rows] = torch.logaddexp(total[rows], logs)
    return total - math.log(len(masks) * len(flat))
