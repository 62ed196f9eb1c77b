"""AdamW for a few large tensors (Kingma and Ba 2015; Loshchilov and Hutter 2019).

torch's fused step updates weights and moments in one pass over memory. Its function is called
as it is: its class imports torch's compiler when it is first used, which takes longer than many
a fit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

# How fast the running means of gradients and of their squares forget, as in torch.
BETAS = 0.9, 0.999
EPSILON = 1e-8


class AdamW:
    """Steps down gradients, each parameter divided by its gradient's usual size."""

    def __init__(
        self,
        parameters: list[Tensor],
        decays: Sequence[float],
        moments: Sequence[Sequence[Tensor]],
        n_steps: int,
        kept: Sequence[int] = (),
    ) -> None:
        # The caller's own list, which may change: members that are done leave.
        self.parameters, self.decays, self.n_steps = parameters, list(decays), n_steps
        # Those that decay toward where they begin, and not toward zero.
        self.kept, self.origins = kept, [parameters[index].clone() for index in kept]
        # Running means and mean squares of each parameter's gradients.
        self.moments = [list(moment) for moment in moments] or [
            [torch.zeros_like(p) for p in parameters] for _ in BETAS
        ]
        self.steps = [
            torch.full((), n_steps, dtype=torch.float32, device=p.device) for p in parameters
        ]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], size: float) -> None:
        """Move all parameters by one step, and toward zero or their origin by their decay."""
        self.n_steps += 1
        decays = list(self.decays)
        for index, origin in zip(self.kept, self.origins, strict=True):
            self.parameters[index].lerp_(origin, size * decays[index])
            decays[index] = 0.0
        for decay in set(decays):
            own = [index for index, other in enumerate(decays) if other == decay]
            adamw(
                [self.parameters[index] for index in own],
                [gradients[index] for index in own],
                [self.moments[0][index] for index in own],
                [self.moments[1][index] for index in own],
                max_exp_avg_sqs=[],
                state_steps=[self.steps[index] for index in own],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=size,
                weight_decay=decay,
                eps=EPSILON,
                maximize=False,
            )
