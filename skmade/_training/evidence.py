"""The evidence of members for components, as training has it: by torch, on its device."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._network.evidence import Evidence
from .._network.masks import Integers
from .._network.special import INPUT_BOUND


@dataclass(frozen=True)
class EvidenceTensors:
    """What `Evidence` of M members is, with features by rank."""

    features: Tensor  # (M, D) in their order
    before: Tensor  # (M, D), how many come before each
    slopes: Tensor  # (M, K * D, D)
    shifts: Tensor  # (M, D, K, 1)
    logs: Tensor  # (M, D, K, 1)

    @classmethod
    def of(
        cls, evidence: Evidence, ranks: Integers, to_tensor: Callable[[NDArray[Any]], Tensor]
    ) -> "EvidenceTensors":
        """Sort evidence by ranks (M, D)."""
        order = np.argsort(ranks, axis=1)
        own = np.arange(len(order))[:, None]
        slopes = evidence.slopes.transpose(0, 2, 1, 3)[own, order]  # (M, D, K, D)
        slopes = slopes.transpose(0, 3, 1, 2)[own, order].transpose(0, 2, 3, 1)
        shifts, logs = (
            part.transpose(0, 2, 1)[own, order][..., None]
            for part in (evidence.shifts, evidence.logs)
        )
        slopes = slopes.reshape(len(slopes), -1, slopes.shape[-1])
        tensors = [to_tensor(part) for part in (order, ranks - 1, slopes, shifts, logs)]
        return cls(tensors[0].long(), tensors[1].long(), *tensors[2:])

    def of_members(self, members: Any) -> "EvidenceTensors":
        """Return that of some of the members."""
        return EvidenceTensors(*(getattr(self, field.name)[members] for field in fields(self)))

    def of_cells(self, values: Tensor, columns: Tensor) -> Tensor:
        """Evidence of the features before, (M, K, D, n), for columns (M, D, 1) of values."""
        cells = values.gather(1, self.features[..., None].expand(values.shape))
        units = cells.clamp(-INPUT_BOUND, INPUT_BOUND).nan_to_num(nan=0.0)
        distances = (self.slopes @ units).unflatten(1, self.shifts.shape[1:3]) - self.shifts
        logs = self.logs - 0.5 * distances.square()
        logs = logs.masked_fill(cells.isnan().unsqueeze(2), 0.0)  # what is missing says nothing
        so_far = _of_rank_before(logs).cumsum(dim=1)
        so_far = so_far - so_far.amax(dim=2, keepdim=True)
        place = self.before.gather(1, columns[..., 0].expand(len(values), -1))
        place = place[:, :, None, None].expand(so_far.shape)
        return so_far.gather(1, place).transpose(1, 2)


def _of_rank_before(logs: Tensor) -> Tensor:
    """Move what each rank says (M, D, ...) to the next one; before the first is nothing."""
    moved = logs.roll(1, dims=1)
    moved[:, 0] = 0.0
    return moved
