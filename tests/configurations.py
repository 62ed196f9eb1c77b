"""Configurations of MADEDensity, each with a table of its own, that all owe one contract."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from skmade import MADEDensity
from skmade.datasets import CorrelatedGaussian

QUICK = {"hidden_layer_sizes": (16, 16), "n_components": 3, "max_iter": 3, "random_state": 0}


def quick(**parameters):
    """Return an estimator that fits in a fraction of a second."""
    defaults = {"hidden_layer_sizes": (16, 16), "n_components": 3, "n_estimators": 1}
    return MADEDensity(**{**defaults, "max_iter": 5, "random_state": 0, **parameters})


def numbers(n_rows, seed=0):
    """Three continuous columns, in units and places of their own, and a binary one."""
    continuous = CorrelatedGaussian(3).sample(n_rows, random_state=seed)
    continuous = continuous * [1.0, 50.0, 0.01] + [5.0, -300.0, 0.0]
    return np.column_stack([continuous, continuous[:, 0] > 5])


def one_column(n_rows, seed=0):
    """One continuous column."""
    return 3 * np.random.RandomState(seed).normal(size=(n_rows, 1)) + 7


def mixed(n_rows, seed=0):
    """A DataFrame with a column of each kind; cells are missing from the fourth row on."""
    rng = np.random.RandomState(seed)
    group = rng.choice(["red", "green", "blue"], size=n_rows)
    table = pd.DataFrame(
        {
            "children": pd.array(rng.poisson(2 + 5 * (group == "red")), dtype="Int64"),
            "size": 50 + 10 * rng.normal(size=n_rows) + 20 * (group == "blue"),
            "group": pd.Categorical(group, categories=["red", "green", "blue"]),
            "smoker": pd.array(rng.random_sample(n_rows) < 0.3, dtype="boolean"),
        }
    )
    holes = rng.random_sample(table.shape) < 0.1
    holes[:3] = False
    return table.mask(holes)


@dataclass(frozen=True)
class Configuration:
    """Parameters of an estimator, and the table to fit it to."""

    parameters: dict = field(default_factory=dict)
    make_table: Callable = numbers

    def density(self, **parameters):
        """Return an unfitted estimator, quick to fit."""
        return MADEDensity(**{**QUICK, **self.parameters, **parameters})


AGNOSTIC = {"n_estimators": 2, "n_masks": 3}
COUNTS = {"feature_types": {"children": "count"}}
CONFIGURATIONS = {
    "default": Configuration(),
    "one member": Configuration({"n_estimators": 1}),
    "order-agnostic": Configuration({"order_agnostic": True, **AGNOSTIC}),
    "connectivity-agnostic": Configuration({"connectivity_agnostic": True, **AGNOSTIC}),
    "order- and connectivity-agnostic": Configuration(
        {"order_agnostic": True, "connectivity_agnostic": True, **AGNOSTIC}
    ),
    "Gaussian conditionals": Configuration({"n_components": 1, "n_estimators": 2}),
    "plain MADE": Configuration(
        {
            "n_estimators": 1,
            "residual": False,
            "direct_connections": False,
            "early_stopping": False,
            "ordering": "natural",
        }
    ),
    "mixed table": Configuration({"n_estimators": 2, **COUNTS}, mixed),
    "mixed table, order-agnostic": Configuration(
        {"order_agnostic": True, **AGNOSTIC, **COUNTS}, mixed
    ),
    "one column": Configuration({}, one_column),
}


def cells(table):
    """Return the cells of a table as objects, None where they are missing."""
    frame = pd.DataFrame(table).astype(object)
    return frame.where(frame.notna(), None).to_numpy()


def with_holes(table, share, seed=2):
    """Return a copy of a table with a share of its cells missing."""
    missing = np.random.RandomState(seed).random_sample(table.shape) < share
    holed = pd.DataFrame(table).mask(missing)
    return holed if isinstance(table, pd.DataFrame) else holed.to_numpy()


def with_column(table, column, values):
    """Return a copy of a table with other values in a column."""
    changed = table.copy()
    if isinstance(table, pd.DataFrame):
        changed.isetitem(column, values)
    else:
        changed[:, column] = values
    return changed


def with_infinity(table):
    """Return a copy of a table with an infinite cell in a column of numbers."""
    column = min(1, table.shape[1] - 1)
    values = column_of(table, column)
    values[5] = np.inf
    return with_column(table, column, values)


def column_of(table, column):
    """Return the numbers of a column, NaN where a cell is missing."""
    return np.array(pd.DataFrame(table).iloc[:, column], dtype=np.float64)


def in_other_units(table, kinds):
    """Multiply and move continuous columns; also return each row's sum of log-factors."""
    factors, shifts = [4.0, 0.5, 1024.0, 2.0], [3.0, -70.0, 2.0, 0.0]
    log_factors = np.zeros(len(table))
    for column in np.flatnonzero(kinds == "continuous"):
        moved = column_of(table, column) * factors[column] + shifts[column]
        log_factors += np.where(np.isnan(moved), 0, np.log(factors[column]))
        table = with_column(table, column, moved)
    return table, log_factors
