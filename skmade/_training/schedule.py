"""What training is told, and what it gives back: arrays and plain numbers, without torch."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .rows import Rows

Floats = NDArray[np.float64]

# An epoch of a table of several windows is reported in parts of so many steps.
REPORTED_STEPS = 256


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; the names are those of `MADEDensity`."""

    max_iter: int
    batch_size: int
    learning_rate_init: float
    dropout: float
    alpha: float
    n_iter_no_change: int
    tol: float
    decay: bool = True  # whether the step size falls to zero

    def n_batches(self, rows: Rows) -> int:
        """How many mini-batches make an epoch."""
        sizes = (rows.n_train(window) for window in range(rows.n_windows))
        return sum(math.ceil(size / self.batch_size) for size in sizes)


@dataclass(frozen=True)
class TrainingState:
    """Where the training of a stack of M members stands, as numpy arrays."""

    average: NDArray[np.float32]  # (M, n_weights): what prediction uses
    current: NDArray[np.float32]  # (M, n_weights): where the optimiser stands
    moments: tuple[NDArray[np.float32], ...] = ()  # the optimiser's two, if any
    n_steps: int = 0
    best_score: Floats | None = None  # (M,) best held-out mean log-likelihood
    history: dict[str, list[Floats]] = field(default_factory=dict)  # (M,) an epoch


def n_parts(rows: Rows, schedule: Schedule) -> int:
    """How many parts of an epoch are reported: none where it does not take long."""
    return 0 if rows.n_windows == 1 else schedule.n_batches(rows) // REPORTED_STEPS
