"""Text that means numbers is told of, with what reads it; other text is not."""

import numpy as np
import pandas as pd
import pytest

from skmade._table.texts import in_python, reading
from tests.configurations import quick

NUMBERS = np.round(np.random.RandomState(0).uniform(1000, 9000, size=40), 1)

MEANING_NUMBERS = {
    "a question mark": ([*(f"{x}" for x in NUMBERS), "?"], "na_values=['?']"),
    "a dash and n/a": ([*(f"{x:.0f}" for x in NUMBERS), "-", "n/a"], "na_values=['-', 'n/a']"),
    "thousands": ([f"{x:,.1f}" for x in NUMBERS], "thousands=','"),
    "decimal commas": ([f"{x}".replace(".", ",") for x in NUMBERS], "decimal=','"),
    "both": (
        [f"{x:,.1f}".replace(",", " ").replace(".", ",").replace(" ", ".") for x in NUMBERS],
        "thousands='.', decimal=','",
    ),
    "percent": ([f"{x / 100:.1f}%" for x in NUMBERS], "without '%'"),
    "dollars": ([f"${x:,.0f}" for x in NUMBERS], "without '$' and by pandas.read_csv(..., "),
    "euros": ([f"{x:.0f} €" for x in NUMBERS], "without '€'"),
    "fractions": ([f"{x}" for x in NUMBERS], "as numbers"),
}

MEANING_LABELS = {
    "codes": [str(k) for k in range(40)],
    "few numbers": ["1.5", "2.5", "many"],
    "names": [f"name {k}" for k in range(40)],
    "times": [f"{k:02}:30" for k in range(24)],
    "versions": [f"1.{k}.2" for k in range(40)],
    "addresses": [f"{k} Main St" for k in range(40)],
    "booleans": [True, False],
}


@pytest.mark.parametrize(
    ("labels", "how"), MEANING_NUMBERS.values(), ids=MEANING_NUMBERS.keys()
)
def test_text_that_means_numbers(labels, how):
    found = reading(labels)
    assert found.means == "numbers"
    assert how in in_python(found, "x")


@pytest.mark.parametrize("labels", MEANING_LABELS.values(), ids=MEANING_LABELS.keys())
def test_other_text(labels):
    assert reading(labels) is None


def test_fit_warns_with_the_column_and_the_line_that_mends_it():
    table = pd.DataFrame({"power": MEANING_NUMBERS["a question mark"][0], "x": np.arange(41.0)})
    with pytest.warns(UserWarning, match=r"'power'.*means numbers.*na_values=\['\?'\]"):
        quick().fit(table)


def test_what_is_declared_to_hold_labels_is_not_told_of():
    table = pd.DataFrame({"power": MEANING_NUMBERS["a question mark"][0], "x": np.arange(41.0)})
    quick(feature_types={"power": "categorical"}).fit(table)
    quick().fit(table.astype({"power": "category"}))
