"""What a detector remembers of fit: how rows are looked at, and what ordinary ones score."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._input import MIN_WEIGHT, counted, fitted_ensemble, read_fitted
from .._table.checks import warn_user
from .._table.frame import UNKNOWN
from .._training.rows import held_out_rows, window_rows
from .seen import Seen
from .views import Views

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]

# Ordinary rows stand for all: at most so many, drawn once and for all.
MAX_ROWS, SEED = 20_000, 0

# Where so many rows are held out by some member, the others count as well.
NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Detection:
    """Views of rows, and the rows that were seen."""

    views: Views
    seen: Seen

    @classmethod
    def of(cls, density: Any, X: Any, weight: Floats, core: Booleans, stopped_by: Any) -> Self:
        """Learn it from the rows of X that a density was fitted to.

        The core is what it learned from. `stopped_by` are rows that it was stopped early by
        in place of rows held out.
        """
        there = np.flatnonzero(weight > MIN_WEIGHT * weight.max())
        chosen = np.arange(len(there))
        if len(there) > MAX_ROWS:
            drawn = np.random.default_rng(SEED).choice(len(there), MAX_ROWS, replace=False)
            chosen = np.sort(drawn)
        ensemble, numbers = read_fitted(density, X)
        held_out = None if stopped_by is not None else held_out_by(density, len(there))
        held_out = held_out if held_out is None else held_out[chosen]
        rows = there[chosen]
        numbers, own = numbers.only(rows), counted(weight[rows])
        ordinary = own * _counts(density, held_out, len(there))
        views, scores = Views.of(ensemble, numbers, own, held_out, core[rows], ordinary)
        return cls(views, Seen.of(numbers[:], scores, ordinary))

    def score(self, density: Any, X: Any) -> Floats:
        """Rarity of the rows of X, (n,): those that were seen have what they scored unseen."""
        ensemble, numbers = read_fitted(density, X)
        scores = self.views.rarities(ensemble, numbers)
        parts = [self.seen.recalled(chunk, scores[rows]) for rows, chunk in numbers.chunks()]
        _warn_of_other_labels(density, numbers)
        return np.concatenate(parts)

    def to_state(self) -> dict[str, Any]:
        """Return arrays and plain values in dicts and lists, which any serialiser knows."""
        return {"views": self.views.to_state(), "seen": self.seen.to_state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild it from `to_state`."""
        return cls(Views.from_state(state["views"]), Seen(**state["seen"]))


def held_out_by(density: Any, n_rows: int) -> Booleans | None:
    """Which rows (n_rows, M) the members of a density held out; None where none is known."""
    ensemble, _ = fitted_ensemble(density)
    at_once = window_rows(ensemble.table.n_features)
    if not density.early_stopping or n_rows < 2 or n_rows > at_once:
        return None
    state = density._state
    folds = state["members"]["folds"]
    return held_out_rows(n_rows, density.validation_fraction, state["fold_seed"], folds)


def _counts(density: Any, held_out: Booleans | None, n_rows: int) -> Any:
    """Which rows tell what is ordinary: those that some member held out, or else all.

    Of more rows than are read at once, none is known by heart.
    """
    if held_out is None:
        ensemble, _ = fitted_ensemble(density)
        if 1 < n_rows <= window_rows(ensemble.table.n_features):
            warn_user(
                "No member of the density held out training rows, so p-values are too small, "
                "and more ordinary rows fall below the threshold than contamination says. Let "
                "it hold out a part of them: early_stopping=True, and no X_val."
            )
        return 1.0
    held = held_out.any(axis=1)
    return 1.0 if held.mean() >= NEARLY_ALL else held


def _warn_of_other_labels(density: Any, numbers: Any) -> None:
    """Warn of columns of labels none of which fit has seen: they are written otherwise."""
    ensemble, layout = fitted_ensemble(density)
    labelled = ensemble.table.n_levels > 0
    if len(numbers) < 2 or not labelled.any():
        return
    known, unknown = np.zeros((2, len(labelled)), dtype=np.int64)
    for _, chunk in numbers.chunks():
        unknown += (chunk == UNKNOWN).sum(axis=0)
        known += (~np.isnan(chunk) & (chunk != UNKNOWN)).sum(axis=0)
    for column in np.flatnonzero(labelled & (known == 0) & (unknown > 1)):
        some = ", ".join(map(repr, (layout.levels[column] or [])[:3]))
        warn_user(
            f"None of the {unknown[column]} labels in {layout.label(int(column))} is one that "
            f"fit saw (such as {some}), so all rows are odd. Write them as in fit, of the same "
            "type."
        )
