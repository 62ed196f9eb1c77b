"""The training objective: log p(x) of a stack of members, by torch, with gradients.

A stack of M members is computed together: every weight has a leading axis of length M, so
that eight small networks cost a few large matrix products instead of many small ones.
Masking makes new matrices and never writes to the weights.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._network.made import MADE
from .._network.masks import Booleans
from .log_prob import trainable

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "logistic": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "identity": lambda values: values,
}

# The process that imported this module. One with another number is a fork of it.
_PROCESS = os.getpid()

# Linux's mark of a process that was forked and has executed no other program since
# (PF_FORKNOEXEC), and its place among what /proc/self/stat says after the name.
_FORKED, _FLAGS_FIELD = 0x40, 6


@dataclass(frozen=True)
class Layers:
    """Masked weights, ready for matrix products: (M, n_out, n_in) and (M, n_out)."""

    weights: list[Tensor]  # hidden layers, then output
    biases: list[Tensor]
    direct: Tensor | None


class Objective:
    """Log-probabilities of values under a stack of networks of one shape."""

    def __init__(
        self, made: MADE, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.made, self.device, self.dtype = made, device, dtype
        self.laws = [trainable(law, self.tensor) for law, _ in made.groups]
        self.columns = [torch.tensor(columns, device=device) for _, columns in made.groups]

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Copy an array to the device, in the precision of training."""
        return torch.tensor(array, dtype=self.dtype, device=self.device)

    def parts(self, flat: NDArray[np.float32]) -> list[Tensor]:
        """Copy flat weights (M, n_weights) into matrices and biases."""
        n_matrix = self.made.n_matrix_weights
        return [self.tensor(flat[:, :n_matrix]), self.tensor(flat[:, n_matrix:])]

    def gates(self, masks: Sequence[Booleans]) -> list[Tensor]:
        """Turn masks into zeros and ones."""
        return [self.tensor(mask) for mask in masks]

    def masked(self, parts: Sequence[Tensor], gates: Sequence[Tensor]) -> Layers:
        """Multiply weights (as `parts` returns them) and masks."""
        shapes = self.made.weight_shapes()
        weights = {}
        for dimensions, part in ((2, parts[0]), (1, parts[1])):
            named = {name: s for name, s in shapes.items() if len(s) == dimensions}
            pieces = part.split([math.prod(s) for s in named.values()], dim=1)
            for (name, shape), piece in zip(named.items(), pieces, strict=True):
                weights[name] = piece.unflatten(1, shape)
        depth = len(self.made.hidden_layer_sizes) + 1
        matrices = [weights[f"weight{level}"] * gates[level] for level in range(depth)]
        biases = [weights[f"bias{level}"] for level in range(depth)]
        direct = weights["direct"] * gates[-1] if "direct" in weights else None
        return Layers(matrices, biases, direct)

    def units(self, values: Tensor) -> Tensor:
        """Turn values (M, D, n) into what enters the network, (M, n_units, n)."""
        parts = [
            law.units(values[:, columns]).flatten(1, 2)
            for law, columns in zip(self.laws, self.columns, strict=True)
        ]
        if self.made.conditioning_weights:
            # The paper's constant 1, seen through the masks of the inputs (section 4.2).
            parts.insert(len(self.made.small_groups), (~values.isnan()).to(values.dtype))
        return torch.cat(parts, dim=1).nan_to_num(nan=0.0)

    def outputs(
        self,
        layers: Layers,
        values: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Parameters of all conditionals, (M, n_outputs, n), of values (M, D, n)."""
        activate = ACTIVATIONS[self.made.activation]
        units = self.units(values)
        hidden = units
        for level, (weight, bias) in enumerate(
            zip(layers.weights[:-1], layers.biases[:-1], strict=True)
        ):
            update = drop(activate(_affine(bias, weight, hidden)))
            hidden = hidden + update if self.made.skips(level) else update
        params = _affine(layers.biases[-1], layers.weights[-1], hidden)
        if layers.direct is None:
            return params
        n_outputs, n_units = self.made.n_direct
        seen = units[:, :n_units]
        if n_outputs == params.shape[1]:
            return torch.baddbmm(params, layers.direct, seen)
        small = torch.baddbmm(params[:, :n_outputs], layers.direct, seen)
        return torch.cat([small, params[:, n_outputs:]], dim=1)

    def log_prob(
        self,
        layers: Layers,
        values: Tensor,
        drop: Callable[[Tensor], Tensor] = lambda hidden: hidden,
    ) -> Tensor:
        """Log p(values) in nats, (M, n), of values (M, n, D)."""
        values = values.mT.contiguous()
        params = self.outputs(layers, values, drop)
        missing, known = values.isnan(), values.nan_to_num(nan=0.0)
        sizes = [len(columns) * law.n_params for law, columns in self.made.groups]
        total = []
        for law, columns, part in zip(
            self.laws, self.columns, params.split(sizes, dim=1), strict=True
        ):
            # A view, with the axes of `conditionals`: outputs stand feature by feature.
            by_param = part.unflatten(1, (len(columns), -1)).transpose(1, 2)
            log_prob = law.log_prob(by_param, known[:, columns])
            total.append(log_prob.masked_fill(missing[:, columns], 0.0).sum(dim=1))
        return torch.stack(total).sum(dim=0)


def is_forked() -> bool:
    """Whether this process is a fork, in which threads of its parent do not run.

    The parent may have started torch's threads before this module was imported, so the
    system is asked too, where it can tell.
    """
    if os.getpid() != _PROCESS:
        return True
    try:
        stat = Path("/proc/self/stat").read_text()
    except OSError:  # another system than Linux
        return False
    return bool(int(stat.rpartition(")")[2].split()[_FLAGS_FIELD]) & _FORKED)


@contextmanager
def private_torch() -> Iterator[None]:
    """Compute as if nobody had changed torch's modes, whatever the caller has switched on.

    In a forked child compute on one thread: torch believes that its parent's threads are
    there, and a matrix product that waits for them would hang.
    """
    forked = is_forked()
    n_threads = torch.get_num_threads() if forked else 0
    if forked:
        torch.set_num_threads(1)
    try:
        with (
            torch.inference_mode(False),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        if forked:
            torch.set_num_threads(n_threads)


def _affine(bias: Tensor, weight: Tensor, inputs: Tensor) -> Tensor:
    return torch.baddbmm(bias.unsqueeze(2), weight, inputs)
