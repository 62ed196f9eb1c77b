"""A mixed table that tests share: numbers, labels, counts and truths of people."""

import numpy as np
import pandas as pd

from tests.configurations import quick

KINDS = {"children": "count"}


def make_people(n_rows=300, seed=0):
    """Return a mixed table: size and number of children depend on the group."""
    rng = np.random.RandomState(seed)
    group = rng.choice(["red", "green", "blue"], size=n_rows, p=[0.5, 0.3, 0.2])
    size = rng.normal(size=n_rows) + 3 * (group == "red")
    return pd.DataFrame(
        {
            "size": size,
            "group": pd.Categorical(group, categories=["red", "green", "blue", "white"]),
            "children": rng.poisson(1 + 2 * (group == "blue")),
            "smoker": rng.random_sample(n_rows) < 0.3,
            "city": rng.choice(["x", "y", "z"], size=n_rows),
        },
        index=np.arange(n_rows) + 1000,
    )


def with_holes(table, share=0.2, seed=1):
    """Return a copy in which cells are missing; integers and booleans become nullable."""
    table = table.convert_dtypes()
    return table.mask(np.random.RandomState(seed).random_sample(table.shape) < share)


def small(**parameters):
    """Return an estimator that fits all rows in a fraction of a second."""
    return quick(early_stopping=False, **parameters)
