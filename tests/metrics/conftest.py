"""Tables that the tests of the metrics share."""

import numpy as np
import pandas as pd
import pytest

NAMES = ["size", "colour", "n", "new", "day"]


def mixed_rows(n_rows, seed):
    """Return rows of numbers, labels, counts, truths and dates that hang together."""
    rng = np.random.RandomState(seed)
    colour = rng.choice(["blue", "green", "red"], size=n_rows, p=[0.5, 0.3, 0.2])
    n = rng.poisson(np.where(colour == "green", 8, 2))
    size = np.where(colour == "red", 4.0, 0.0) + 0.3 * n + 0.3 * rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "size": size,
            "colour": pd.Categorical(colour),
            "n": n,
            "new": n + rng.normal(size=n_rows) > 3,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(n * 30, unit="D"),
        }
    )
    table.loc[rng.random_sample(n_rows) < 0.1, "size"] = np.nan
    table.loc[rng.random_sample(n_rows) < 0.1, "colour"] = None
    return table


def shuffled(table, seed=0):
    """Return a table whose columns are each in an order of their own."""
    rng = np.random.RandomState(seed)
    columns = {name: table[name].iloc[rng.permutation(len(table))].array for name in table}
    return pd.DataFrame(columns)


def in_other_types(table):
    """Return the same cells, by other types and with the columns in another order."""
    return pd.DataFrame(
        {
            "day": table["day"].astype("M8[s]"),
            "n": table["n"].astype("Float32"),
            "new": table["new"].astype(object),
            "colour": table["colour"].cat.set_categories(["red", "pink", "blue", "green"]),
            "size": table["size"].astype(object).where(table["size"].notna(), None),
        }
    ).astype({"colour": object})


def as_array(table):
    """Return the cells as an array of objects."""
    return table.astype(object).where(table.notna(), None).to_numpy()


@pytest.fixture(scope="session")
def real():
    """Return a mixed table."""
    return mixed_rows(400, 0)


@pytest.fixture(scope="session")
def other():
    """Return more rows of its distribution."""
    return mixed_rows(400, 1)
