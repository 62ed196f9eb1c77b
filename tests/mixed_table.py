"""Mixed tables that tests share: people by numbers, labels, counts and truths; every dtype."""

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


def one_column_of_each_dtype():
    """Return three rows of every dtype that columns may have, with holes."""
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "float32": np.array([0.5, np.nan, 1.5], dtype=np.float32),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "bool": [True, False, True],
            "boolean": pd.array([True, None, False], dtype="boolean"),
            "str": ["x", None, "z"],
            "string": pd.array(["q", None, "p"], dtype="string"),
            "category": pd.Categorical(["u", "v", None], categories=["v", "u", "w"]),
            "ordered": pd.Categorical(["low", "high", None], ["low", "high"], ordered=True),
            "numbers": pd.Categorical([10, 20, None]),
            "object": np.array([1, "a", None], dtype=object),
            7: np.array([1, 2.5, None], dtype=object),
        }
    )


def small(**parameters):
    """Return an estimator that fits all rows in a fraction of a second."""
    return quick(early_stopping=False, **parameters)
