"""Steps of the optimiser."""

import subprocess
import sys

import torch
from numpy.testing import assert_allclose

from skmade._training.adamw import AdamW


def test_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((2, 30), (2, 5))]
    ours = [part.clone() for part in start]
    theirs = [part.clone().requires_grad_() for part in start]
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
        assert_allclose(own, other.detach(), rtol=1e-5, atol=1e-6)


def test_steps_go_on_from_moments_and_a_number_of_steps():
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(5, 2, 30, generator=generator)
    whole, first = [torch.zeros(2, 30)], [torch.zeros(2, 30)]
    optimizer = AdamW(whole, [0.1], (), 0)
    before = AdamW(first, [0.1], (), 0)
    for gradient in gradients:
        optimizer.step([gradient], 0.01)
    for gradient in gradients[:2]:
        before.step([gradient], 0.01)
    after = AdamW(first, [0.1], before.moments, before.n_steps)
    for gradient in gradients[2:]:
        after.step([gradient], 0.01)
    assert after.n_steps == 5
    assert_allclose(first[0], whole[0], rtol=1e-6)


def test_parameters_that_leave_do_not_change_the_others():
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(6, 3, 4, generator=generator)
    whole, fewer = [torch.ones(3, 4)], [torch.ones(3, 4)]
    optimizers = [AdamW(parameters, [0.1], (), 0) for parameters in (whole, fewer)]
    stays = torch.tensor([True, False, True])
    for step, gradient in enumerate(gradients):
        optimizers[0].step([gradient], 0.01)
        if step == 3:  # as a stack does it: in the lists that the optimiser holds
            for parts in (fewer, *optimizers[1].moments):
                parts[:] = [part[stays] for part in parts]
        optimizers[1].step([gradient if step < 3 else gradient[stays]], 0.01)
    assert_allclose(fewer[0], whole[0][stays], rtol=1e-6)


def test_fits_do_not_import_the_compiler_of_torch():
    code = (
        "import sys\n"
        "from skmade import MADEDensity\n"
        "X = [[0.1, 2], [1, 3], [2.5, 1], [4, 7]]\n"
        "MADEDensity((8,), n_estimators=1, max_iter=1).fit(X)\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
