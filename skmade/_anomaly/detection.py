"""What a detector remembers of fit: how rows are looked at, and what ordinary ones score."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._input import counted, fitted_ensemble, read_fitted, working_bytes
from .._prediction.scoring import by_chunks, feature_log_density
from .._training.rows import held_out_rows, window_rows
from .seen import Seen
from .views import Views

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Ordinary rows stand for all: at most so many, drawn once and for all.
MAX_ROWS, SEED = 20_000, 0

# Log-probabilities of features that are typical are those of so many rows.
N_TYPICAL = 500


@dataclass(frozen=True)
class Detection:
    """Views of rows, the rows that were seen, and log-probabilities typical of the columns."""

    views: Views
    seen: Seen
    typical: Floats  # (D,)

    @classmethod
    def of(cls, density: Any, X: Any, weight: Floats, core: Booleans, stopped_by: Any) -> Self:
        """Learn it from the rows of X that a density was fitted to.

        The core is what it learned from. `stopped_by` are rows that it was stopped early by
        in place of rows held out.
        """
        there = np.flatnonzero(weight > 0)
        chosen = np.arange(len(there))
        if len(there) > MAX_ROWS:
            drawn = np.random.default_rng(SEED).choice(len(there), MAX_ROWS, replace=False)
            chosen = np.sort(drawn)
        ensemble, numbers = read_fitted(density, X)
        held_out = None if stopped_by is not None else held_out_by(density, len(there))
        rows = there[chosen]
        numbers, own = numbers.only(rows), counted(weight[rows])
        views, scores = Views.of(
            ensemble,
            numbers,
            own,
            held_out if held_out is None else held_out[chosen],
            core[rows],
        )
        few = numbers.only(np.arange(min(len(rows), N_TYPICAL)))
        parts = by_chunks(feature_log_density, ensemble, few, working_bytes())
        return cls(views, Seen.of(numbers[:], scores, own), np.median(parts, axis=0))

    def score(self, density: Any, X: Any) -> Floats:
        """Rarity of the rows of X, (n,): those that were seen have what they scored unseen."""
        ensemble, numbers = read_fitted(density, X)
        scores = self.views.rarities(ensemble, numbers)
        parts = [self.seen.recalled(chunk, scores[rows]) for rows, chunk in numbers.chunks()]
        return np.concatenate(parts)

    def to_state(self) -> dict[str, Any]:
        """Return arrays and plain values in dicts and lists, which any serialiser knows."""
        return {
            "views": self.views.to_state(),
            "seen": self.seen.to_state(),
            "typical": self.typical,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild it from `to_state`."""
        return cls(Views.from_state(state["views"]), Seen(**state["seen"]), state["typical"])


def held_out_by(density: Any, n_rows: int) -> Booleans | None:
    """Which rows (n_rows, M) the members of a density held out; None where that is not known.

    Of more rows than a window holds, none is known by heart.
    """
    ensemble, _ = fitted_ensemble(density)
    at_once = window_rows(ensemble.table.n_features)
    if not density.early_stopping or n_rows < 2 or n_rows > at_once:
        return None
    state = density._state
    folds = state["members"]["folds"]
    return held_out_rows(n_rows, density.validation_fraction, state["fold_seed"], folds)
