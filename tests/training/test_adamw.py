"""Steps of the optimiser."""

import subprocess
import sys

import torch
from numpy.testing import assert_allclose

from skmade._training.adamw import AdamW


def test_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((2, 30), (2, 5))]
    ours, theirs = ([part.clone().requires_grad_() for part in start] for _ in range(2))
    optimizer = AdamW(ours, decays=(0.1, 0.0), moments=(), n_steps=0)
    groups = [
        {"params": [p], "weight_decay": d} for p, d in zip(theirs, (0.1, 0.0), strict=True)
    ]
    reference = torch.optim.AdamW(groups)
    for step in range(20):
        size = 0.1 / (step + 1)
        gradients = [torch.randn(part.shape, generator=generator) ** 3 for part in start]
        optimizer.step(gradients, size)
        for part, gradient in zip(theirs, gradients, strict=True):
            part.grad = gradient.clone()
        for group in reference.param_groups:
            group["lr"] = size
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        assert_allclose(own.detach(), other.detach(), rtol=1e-5, atol=1e-6)


def test_fits_do_not_import_the_compiler_of_torch():
    code = (
        "import sys\n"
        "from skmade import MADEDensity\n"
        "X = [[0.1, 2], [1, 3], [2.5, 1], [4, 7]]\n"
        "MADEDensity((8,), n_estimators=1, max_iter=1).fit(X)\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
