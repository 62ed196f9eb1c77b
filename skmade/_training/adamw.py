"""AdamW for a few large tensors (Kingma and Ba 2015; Loshchilov and Hutter 2019).

torch's own does the same, but its first use in a process imports torch's compiler, which
takes longer than many a fit.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# How fast the running means of gradients and of their squares forget, as in torch.
BETAS = 0.9, 0.999
EPSILON = 1e-8


class AdamW:
    """Steps down gradients, each parameter divided by its gradient's usual size."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        decays: Sequence[float],
        moments: Sequence[Sequence[Tensor]],
        n_steps: int,
    ) -> None:
        self.parameters, self.decays, self.n_steps = parameters, decays, n_steps
        # Running means and mean squares of each parameter's gradients.
        self.moments = moments or [[torch.zeros_like(p) for p in parameters] for _ in BETAS]

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], size: float) -> None:
        """Move all parameters by one step, and toward zero by their decay."""
        self.n_steps += 1
        corrections = [1 - beta**self.n_steps for beta in BETAS]
        for parameter, decay, gradient, mean, square in zip(
            self.parameters, self.decays, gradients, *self.moments, strict=True
        ):
            mean.lerp_(gradient, 1 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            root = square.sqrt().div_(math.sqrt(corrections[1])).add_(EPSILON)
            parameter.mul_(1 - size * decay)
            parameter.addcdiv_(mean, root, value=-size / corrections[0])
