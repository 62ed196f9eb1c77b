"""Steps of the optimiser."""

import subprocess
import sys

import numpy as np
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


def test_some_parameters_decay_toward_their_origin_and_others_toward_zero():
    ours = [torch.full((2, 3), 2.0), torch.full((2, 4), 5.0), torch.full((2,), 7.0)]
    optimizer = AdamW(ours, [0.5, 0.5, 0.0], (), 0, kept=[1])
    zeros = [torch.zeros_like(part) for part in ours]
    optimizer.step(zeros, 0.1)
    assert_allclose(ours[0], 2 * 0.95)
    assert_allclose(ours[1], 5.0)  # where it begins
    assert_allclose(ours[2], 7.0)
    ours[1] += 1.0
    distances = [1.0]
    for _ in range(30):
        optimizer.step(zeros, 0.1)
        distances.append(float(ours[1][0, 0]) - 5.0)
    assert_allclose(distances, 0.95 ** np.arange(31), rtol=1e-4)
    assert_allclose(ours[0], 2 * 0.95**31, rtol=1e-4)
    assert_allclose(ours[2], 7.0)


def test_those_that_are_kept_take_the_steps_of_others():
    gradients = torch.randn(4, 2, 30, generator=torch.Generator().manual_seed(0))
    plain, kept = [torch.ones(2, 30)], [torch.ones(2, 30)]
    optimizers = AdamW(plain, [0.0], (), 0), AdamW(kept, [0.0], (), 0, kept=[0])
    for gradient in gradients:
        for optimizer in optimizers:
            optimizer.step([gradient], 0.01)
    assert_allclose(kept[0], plain[0], rtol=1e-6)


def test_fits_do_not_import_the_compiler_of_torch():
    code = (
        "import sys\n"
        "from skmade import MADEDensity\n"
        "X = [[0.1, 2], [1, 3], [2.5, 1], [4, 7]]\n"
        "MADEDensity((8,), n_estimators=1, max_iter=1).fit(X)\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
