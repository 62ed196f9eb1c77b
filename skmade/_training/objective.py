"""The training objective: log p(x) of a stack of members, by torch, with gradients.

A stack of M members is computed together: every weight has a leading axis of length M, so
that some small networks cost a few large matrix products instead of many small ones. Gradients
are written out (`passes`, `log_prob`), and what masks hide is taken out of them. Where a member
has several masks, masking makes new matrices and never writes to the weights.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._network.made import MADE
from .._network.masks import Integers
from .._network.mixtures import MixtureOfGaussians
from .evidence import EvidenceTensors
from .log_prob import trainable
from .order import Order
from .passes import hidden_layers, output_layer, way_back

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
    direct: Tensor  # of no outputs, if there are no direct connections

    @property
    def output(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the outputs are computed with."""
        return self.weights[-1], self.biases[-1], self.direct


class Objective:
    """Log-probabilities of values under a stack of networks of one shape.

    Networks compute in an `order` of their own, and so do weights that come as tensors. What
    makes an output, there, is in units of the output's stride, if there are `strides`
    (M, n_outputs). The `evidence` of members, if they have any, is added to logits.
    """

    def __init__(
        self,
        made: MADE,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        order: Order | None = None,
        strides: NDArray[np.float64] | None = None,
        evidence: EvidenceTensors | None = None,
    ) -> None:
        self.made, self.device, self.dtype = made, device, dtype
        self.evidence = evidence
        self.order = Order.of_table(made) if order is None else order
        self.strides, self.units_of_outputs = strides, None
        if strides is not None:
            self.units_of_outputs = self.tensor(self.order.sort_outputs(strides)[:, :, None])
        self.laws, columns, ends = [], [], [0]
        for (law, own), places in zip(made.groups, self.order.columns, strict=True):
            self.laws.append(trainable([law.at(own) for own in places], self.tensor))
            columns.append(own[places])
            ends.append(ends[-1] + len(own))
        # Cells come in the order of the members, the columns of a law side by side.
        self.columns = torch.tensor(np.concatenate(columns, axis=1)[:, :, None], device=device)
        self.cells = [slice(*pair) for pair in pairwise(ends)]
        self.skips = [made.skips(level) for level in range(len(made.hidden_layer_sizes))]
        self.stairs = [
            [stair.outputs.start, stair.outputs.stop, stair.n_hidden, stair.n_units]
            for stair in self.order.stairs
        ]

    def of_members(self, members: Any) -> "Objective":
        """Return the objective of some of the members."""
        strides = None if self.strides is None else self.strides[members]
        order = self.order.of_members(members)
        evidence = self.evidence and self.evidence.of_members(members)
        return Objective(self.made, self.device, self.dtype, order, strides, evidence)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Copy an array to the device, in the precision of training."""
        return torch.tensor(array, dtype=self.dtype, device=self.device)

    def parts(self, flat: NDArray[np.float32], power: int = -1) -> list[Tensor]:
        """Copy flat weights (M, n_weights) into matrices and biases, in their order there.

        They come in units of strides. Of what is in those units to another `power`, as means
        of gradients are (1), or of their squares (2), that is asked for.
        """
        shapes = self.made.weight_shapes().values()
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        pieces = np.split(flat, ends, axis=1)
        arrays = [
            piece.reshape(len(flat), *shape)
            for piece, shape in zip(pieces, shapes, strict=True)
        ]
        return [
            torch.from_numpy(array).to(self.device, self.dtype)
            for array in self.order.sort(self._times_strides(arrays, power))
        ]

    def flat(self, parts: Sequence[Tensor], power: int = -1) -> NDArray[np.float32]:
        """Undo `parts`."""
        sorted_arrays = self.order.put_back([part.cpu().numpy() for part in parts])
        arrays = self._times_strides(sorted_arrays, -power)
        return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)

    def _times_strides(
        self, arrays: Sequence[NDArray[Any]], power: int
    ) -> Sequence[NDArray[Any]]:
        """Multiply the weights of each output by its stride to a power."""
        if self.strides is None:
            return arrays
        depth = len(self.made.hidden_layer_sizes)
        of_outputs = f"weight{depth}", "direct", f"bias{depth}"
        scaled = []
        for name, array in zip(self.made.weight_shapes(), arrays, strict=True):
            factor = self.strides[:, : array.shape[1]] ** power
            factor = factor.reshape(*factor.shape, *(1,) * (array.ndim - 2))
            own = (array * factor).astype(array.dtype) if name in of_outputs else array
            scaled.append(own)
        return scaled

    def gates(self, ranks: Integers, degrees: Sequence[Integers]) -> list[Tensor]:
        """Return zeros and ones for each matrix, from ranks (M, D) and degrees (M, n_units).

        Only ranks and degrees travel to the device: the masks are made there.
        """
        sides = ranks[:, self.made.unit_features], *degrees, ranks[:, self.made.output_features]
        units, *hidden, outputs = (
            torch.tensor(side, dtype=torch.int32, device=self.device)
            for side in self.order.sort_sides(sides)
        )
        n_outputs, n_units = self.made.n_direct
        pairs = [*pairwise([units, *hidden]), (hidden[-1], outputs - 1)]
        if self.made.direct_connections:
            pairs.append((units[:, :n_units], outputs[:, :n_outputs] - 1))
        # Bytes take a fourth of the memory, and products with them hardly more time.
        return [(above[:, :, None] >= below[:, None]).byte() for below, above in pairs]

    def layers(self, parts: Sequence[Tensor]) -> Layers:
        """Name masked weights, in the order of `parts`."""
        depth = len(self.made.hidden_layer_sizes) + 1
        n_matrices = self.made.n_matrices
        direct = parts[depth] if n_matrices > depth else parts[0][:, :0]
        return Layers(list(parts[:depth]), list(parts[n_matrices:]), direct)

    def units(self, values: Tensor) -> Tensor:
        """Turn values (M, D, n) into what enters the network, (M, n_units, n)."""
        cells = self._cells(values)
        parts = [
            law.units(cells[:, own]).flatten(1, 2)
            for law, own in zip(self.laws, self.cells, strict=True)
        ]
        if self.made.conditioning_weights:
            # The paper's constant 1, seen through the masks of the inputs (section 4.2).
            parts.insert(len(self.made.small_groups), (~values.isnan()).to(values.dtype))
        return torch.cat(parts, dim=1).nan_to_num(nan=0.0)

    def _cells(self, values: Tensor) -> Tensor:
        """Put values (M, D, n) in the order of the members, law by law."""
        return values.gather(1, self.columns.expand(len(values), -1, values.shape[2]))

    def outputs(self, layers: Layers, values: Tensor) -> Tensor:
        """Parameters of all conditionals, (M, n_outputs, n), of values (M, D, n)."""
        inputs, _ = self._hidden(layers, values, [])
        return self._in_units(output_layer(inputs, *layers.output, self.stairs))

    def _in_units(self, outputs: Tensor) -> Tensor:
        """Multiply outputs, or their slopes, by their strides; they are overwritten."""
        return outputs if self.units_of_outputs is None else outputs.mul_(self.units_of_outputs)

    def log_prob(self, layers: Layers, values: Tensor, holes: bool = True) -> Tensor:
        """Log p(values) in nats, (M, n), of values (M, n, D), which may have holes."""
        values = values.mT.contiguous()
        return self._log_prob(self.outputs(layers, values), values, holes)

    def gradients(
        self,
        layers: Layers,
        gates: list[Tensor],
        values: Tensor,
        weight: Tensor,
        factors: list[Tensor],
        found: list[Tensor],
        add: bool = False,
        holes: bool = True,
    ) -> Tensor:
        """Return log p(values), (M, n), and write the gradient of its weighted sum.

        Parameters
        ----------
        layers : masked weights
        gates : of their matrices
        values : (M, n, D)
        weight : (M, n)
        factors : by which dropout multiplies each hidden layer, if any
        found : where gradients are written, as `parts`; zero at the first time
        add : whether to add them to what is there
        holes : whether values may be missing
        """
        values = values.mT.contiguous()
        inputs, activated = self._hidden(layers, values, factors)
        params = self._in_units(output_layer(inputs, *layers.output, self.stairs))
        slope = torch.empty_like(params)
        logs = self._log_prob(params, values, holes, weight, slope)
        slope = self._in_units(slope)
        passed = slope, inputs, activated, factors, layers.weights, gates, self.stairs
        way_back(*passed, self.skips, self.made.activation, found, add)
        return logs

    def _hidden(
        self, layers: Layers, values: Tensor, factors: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Compute the hidden layers of values (M, D, n)."""
        units, activation = self.units(values), self.made.activation
        return hidden_layers(
            units, layers.weights, layers.biases, factors, self.skips, activation
        )

    def _log_prob(
        self,
        params: Tensor,
        values: Tensor,
        holes: bool,
        weight: Tensor | None = None,
        slope: Tensor | None = None,
    ) -> Tensor:
        """Sum the features' log-probabilities, (M, n); their weighted slopes go to `slope`."""
        cells = self._cells(values)
        missing, upstream = None, None
        if weight is not None:
            upstream = weight.unsqueeze(1).expand(cells.shape)
        if holes:
            missing, cells = cells.isnan(), cells.nan_to_num(nan=0.0)
            upstream = None if upstream is None else upstream.masked_fill(missing, 0.0)
        evidence = None
        if self.evidence is not None:
            evidence = self.evidence.of_cells(values, self.columns)
        total, first = torch.zeros_like(cells[:, 0]), 0
        for law, (shape, columns), own in zip(
            self.laws, self.made.groups, self.cells, strict=True
        ):
            of_law = slice(first, first + len(columns) * shape.n_params)
            first = of_law.stop
            by_param = _by_param(params[:, of_law], len(columns))
            if evidence is not None:
                assert isinstance(shape, MixtureOfGaussians)
                by_param[:, shape.parameters.logits] += evidence[:, :, own]
            own_slope = None if slope is None else _by_param(slope[:, of_law], len(columns))
            own_upstream = None if upstream is None else upstream[:, own]
            log_prob = law.log_prob(by_param, cells[:, own], own_upstream, own_slope)
            if missing is not None:
                log_prob = log_prob.masked_fill(missing[:, own], 0.0)
            total = total + log_prob.sum(dim=1)
        return total


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
    n_threads = torch.get_num_threads()
    forked = n_threads > 1 and is_forked()
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


def _by_param(outputs: Tensor, n_features: int) -> Tensor:
    """View outputs, which stand feature by feature, with the axes of `conditionals`."""
    return outputs.unflatten(1, (n_features, -1)).transpose(1, 2)


def masked(parts: Sequence[Tensor], gates: Sequence[Tensor]) -> list[Tensor]:
    """Multiply the matrices among weights by their gates; biases stay."""
    matrices = [part * gate for part, gate in zip(parts, gates, strict=False)]
    return [*matrices, *parts[len(gates) :]]
