"""What training is told and gives back, and what 'auto' means: without torch.

Small tables profit from members, large ones from longer training. The numbers were chosen by
held-out rows of the benchmark's tables (docs: How well it does).
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .._network.made import MADE
from .rows import Rows

Floats = NDArray[np.float64]

# An epoch of a table of several windows is reported in parts of so many steps.
REPORTED_STEPS = 256

# Outputs that are computed together take at most this much memory, and several times as much
# on the way back. More rows are computed slice by slice.
MAX_STEP_BYTES = 2**25

# From so many rows on there are fewer members, which train longer.
MANY_ROWS = 5000

# Rows that training passes over in all, and the least number of epochs.
MAX_SEEN_ROWS = 1_500_000
MIN_EPOCHS = 20


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; the names are those of `MADEDensity`."""

    max_iter: int
    batch_size: int
    learning_rate_init: float
    alpha: float
    n_iter_no_change: int
    tol: float
    dropout: float = 0.0
    jitter: float = 0.0  # noise added to numbers, in units of what other columns leave of them
    decay: bool = True  # whether the step size falls to zero
    together: bool = False  # whether all members train in one stack, as devices have it faster

    def n_batches(self, rows: Rows) -> int:
        """How many mini-batches make an epoch."""
        sizes = (rows.n_train(window) for window in range(rows.n_windows))
        return sum(math.ceil(size / self.batch_size) for size in sizes)


@dataclass(frozen=True)
class TrainingState:
    """Where the training of a stack of M members stands, as numpy arrays."""

    average: NDArray[np.float32]  # (M, n_weights): what prediction uses
    # (M, n_weights): where the optimiser stands, if that is elsewhere and known
    current: NDArray[np.float32] | None = None
    moments: tuple[NDArray[np.float32], ...] = ()  # the optimiser's two, if any
    n_steps: int = 0
    best_score: Floats | None = None  # (M,) best held-out mean log-likelihood
    best_epoch: NDArray[np.int64] | None = None  # (M,) zero is the start
    # (M, n): log-likelihoods of the rows that each held out, at its best epoch, and weights.
    held_out: Floats | None = None
    held_out_weight: Floats | None = None
    history: dict[str, list[Floats]] = field(default_factory=dict)  # (M,) an epoch


def max_step_rows(made: MADE, n_members: int) -> int:
    """Return how many rows of a stack of members are computed together at most."""
    return max(1, MAX_STEP_BYTES // (4 * n_members * len(made.output_features)))


def n_parts(rows: Rows, schedule: Schedule) -> int:
    """How many parts of an epoch are reported: none where it does not take long."""
    return 0 if rows.n_windows == 1 else schedule.n_batches(rows) // REPORTED_STEPS


def auto_members(n_rows: int, n_recipes: int) -> int:
    """Return 8, or 12 of several recipes; 4 for large tables."""
    if n_rows >= MANY_ROWS:
        return 4
    return 12 if n_recipes > 2 else 8


def auto_epochs(n_rows: int) -> int:
    """Return 100, or 200 for large tables, as long as these do not cost too much."""
    if n_rows < MANY_ROWS:
        return 100
    return max(MIN_EPOCHS, min(200, MAX_SEEN_ROWS // n_rows))


def auto_dropout(n_rows: int) -> float:
    """Return 500 divided by the number of rows, within 0.05 and 0.2."""
    return max(0.05, min(0.2, 500 / n_rows))


def auto_batch_size(n_rows: int) -> int:
    """Return a twentieth of the rows, within 64 and 256."""
    return max(64, min(256, n_rows // 20))
