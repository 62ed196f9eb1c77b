"""Networks that MADEDensity's speed is compared with, and how they are trained.

`zuko_maf`, `nflows_affine` and `nflows_mixture` have `log_prob` and, but for the last,
`sample`, without gradients. `train_maf` and `train_plain_made` train on rows, stop early by
others, and tell when they were best.
"""

import copy
import math
import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from peers import HIDDEN, LEARNING_RATE, MAX_BATCH, MAX_EPOCHS, N_TRANSFORMS, PATIENCE
from torch import nn
from torch.nn import functional as F

PLAIN_HIDDEN = (500, 500)
PLAIN_BATCH = 100


class Frozen:
    """A flow that scores and draws without gradients."""

    def __init__(self, log_prob, sample=None):
        self.log_prob = torch.no_grad()(log_prob)
        self.sample = None if sample is None else torch.no_grad()(sample)


def zuko_maf(n_columns, hidden):
    """Return zuko's masked autoregressive flow of one transform."""
    import zuko

    flow = zuko.flows.MAF(features=n_columns, transforms=1, hidden_features=hidden)
    return Frozen(lambda rows: flow().log_prob(rows), lambda n_rows: flow().sample((n_rows,)))


def nflows_affine(n_columns, hidden):
    """Return a masked autoregressive flow of nflows."""
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.transforms import MaskedAffineAutoregressiveTransform

    transform = MaskedAffineAutoregressiveTransform(
        n_columns, hidden[0], num_blocks=_n_blocks(hidden), use_residual_blocks=False
    )
    flow = Flow(transform, StandardNormal([n_columns])).eval()
    return Frozen(flow.log_prob, flow.sample)


def nflows_mixture(n_columns, hidden, n_components):
    """Return the MADE of nflows with mixtures of Gaussians; its sampler needs a context."""
    from nflows.nn.nde.made import MixtureOfGaussiansMADE

    made = MixtureOfGaussiansMADE(
        n_columns,
        hidden[0],
        num_blocks=_n_blocks(hidden),
        num_mixture_components=n_components,
        use_residual_blocks=False,
    ).eval()
    return Frozen(made.log_prob)


def _n_blocks(hidden):
    """Blocks of nflows for so many layers of units: a linear layer comes before them."""
    return len(hidden) - 1


class PlainMADE(nn.Module):
    """A MADE of binary columns as it is usually written: F.linear(x, W * mask)."""

    def __init__(self, n_columns, hidden=PLAIN_HIDDEN):
        super().__init__()
        ranks = torch.arange(1, n_columns + 1)
        degrees = [ranks, *(1 + torch.arange(size) % (n_columns - 1) for size in hidden)]
        sizes = (n_columns, *hidden, n_columns)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        masks = [after[:, None] >= before for before, after in pairwise(degrees)]
        for number, mask in enumerate([*masks, ranks[:, None] > degrees[-1]]):
            self.register_buffer(f"mask{number}", mask.float())

    def log_prob(self, x):
        """Log-probability of each row."""
        hidden = x
        for number, layer in enumerate(self.layers):
            hidden = F.relu(hidden) if number else hidden
            mask = getattr(self, f"mask{number}")
            hidden = F.linear(hidden, layer.weight * mask, layer.bias)
        return -F.binary_cross_entropy_with_logits(hidden, x, reduction="none").sum(dim=1)


@dataclass
class Course:
    """How a training went, in seconds since it began."""

    best: float  # held-out mean log-likelihood of the best epoch
    best_epoch: int
    seconds: float  # until the end of the best epoch
    total: float
    n_epochs: int


def train_plain_made(train, valid, seed):
    """Train the plain MADE with a DataLoader and Adam."""
    begin = time.perf_counter()
    torch.manual_seed(seed)
    rows, valid = (torch.from_numpy(part.astype(np.float32)) for part in (train, valid))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(rows), batch_size=PLAIN_BATCH, shuffle=True
    )
    made = PlainMADE(train.shape[1])
    return train_until_best(
        made, made.log_prob, lambda: (batch for (batch,) in loader), valid, begin
    )


def train_maf(train, valid, seed):
    """Train zuko's flow as in peers.py, with rows to stop by that are given."""
    import zuko

    begin = time.perf_counter()
    torch.manual_seed(seed)
    rows, valid = (torch.from_numpy(part).float() for part in (train, valid))
    flow = zuko.flows.MAF(
        features=train.shape[1], transforms=N_TRANSFORMS, hidden_features=HIDDEN
    )
    size = min(MAX_BATCH, max(32, len(rows) // 20))

    def batches():
        return (rows[batch] for batch in torch.randperm(len(rows)).split(size))

    return train_until_best(flow, lambda x: flow().log_prob(x), batches, valid, begin)


def train_until_best(module, log_prob, batches, valid, begin):
    """Train with Adam until the held-out rows stop gaining; return the course of it."""
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    best, course = None, Course(-math.inf, 0, 0.0, 0.0, 0)
    for epoch in range(1, MAX_EPOCHS + 1):
        for batch in batches():
            optimizer.zero_grad()
            (-log_prob(batch).mean()).backward()
            optimizer.step()
        with torch.no_grad():
            score = log_prob(valid).mean().item()
        now = time.perf_counter() - begin
        if score > course.best:
            best = copy.deepcopy(module.state_dict())
            course.best, course.best_epoch, course.seconds = score, epoch, now
        course.n_epochs, course.total = epoch, now
        if epoch - course.best_epoch == PATIENCE:
            break
    if best is not None:
        module.load_state_dict(best)
    return course
