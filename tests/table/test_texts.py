"""Text that means numbers is told of, with what reads it; other text is not."""

import numpy as np
import pandas as pd
import pytest

from skmade._table.texts import in_python, reading, same_but_for_case
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
    "few of them": (["4", "6", "?", "8"], "na_values=['?']"),
    "padded": ([f" {x} " for x in NUMBERS], "as numbers"),
    "signs of typesetters": ([f"\u2212{x}" for x in NUMBERS], "with '-' for '\\u2212'"),
    "narrow blanks": (
        [f"{x:,.1f}".replace(",", "\u202f") for x in NUMBERS],
        "with ' ' for '\\u202f' and by pandas.read_csv(..., thousands=' ')",
    ),
    "apostrophes": ([f"{x:,.1f}".replace(",", "'") for x in NUMBERS], 'thousands="\'"'),
    "points of thousands": (["1.234.567", "2.345.678"], "thousands='.', decimal=','"),
    "commas of either kind": (
        ["1,234", "2,345"],
        "by pandas.read_csv(..., thousands=',') or by pandas.read_csv(..., decimal=',')",
    ),
    "brackets": ([f"({x})" for x in NUMBERS], "with a minus in front for (...)"),
    "a minus behind": ([f"{x}-" for x in NUMBERS], "with a minus in front for ...-"),
    "currencies": ([f"EUR {x}" for x in NUMBERS], "without 'EUR'"),
    "units": ([f"{x} kg" for x in NUMBERS], "without 'kg'"),
    "two units": (["5 kg", "500 g", "2 kg"], "in one unit, where some have 'g' and some 'kg'"),
    "exponents": ([".5", "1e5", "2E-3"], "as numbers"),
    "infinity": (["1.5", "inf", "2"], "na_values=['inf']"),
}

MEANING_DATES = {
    "ISO 8601": (["2024-03-01", "2024-03-02"], "pandas.to_datetime(X['x'], format='ISO8601')"),
    "times": (["2024-03-01 12:30", "2024-03-02T12:30:01.5"], "format='ISO8601')"),
    "offsets": (["2024-03-01T12:30Z", "2024-03-02T12:30+02:00"], "'ISO8601', utc=True)"),
    "points": (["01.03.2024", "31.03.2024"], "format='%d.%m.%Y')"),
    "month first": (["03/01/2024", "03/31/2024"], "format='%m/%d/%Y')"),
    "either first": (
        ["03/01/2024", "03/02/2024"],
        "format='%d/%m/%Y') or pandas.to_datetime(X['x'], format='%m/%d/%Y')",
    ),
    "names of months": (["1 May 2024", "3 May 2024"], "format='%d %b %Y')"),
    "clocks": (["3/31/24 1:30 PM", "3/1/24 11:30 AM"], "format='%m/%d/%y %I:%M %p')"),
    "holes": (["2024-03-01", "2024-03-02", "-"], "format='ISO8601', errors='coerce')"),
    "several formats": (["2024-03-01", "31.03.2024", "May 1, 2024"], "format by format"),
}

MEANING_LABELS = {
    "codes": [str(k) for k in range(40)],
    "few numbers": ["1.5", "2.5", "many"],
    "names": [f"name {k}" for k in range(40)],
    "times": [f"{k:02}:30" for k in range(24)],
    "versions": [f"1.{k}.2" for k in range(40)],
    "addresses": [f"{k} Main St" for k in range(40)],
    "booleans": [True, False],
    "few codes": ["1", "2", "3"],
    "postcodes": ["01234", "00501", "?"],
    "telephones": ["040 123 456", "040 123 457"],
    "ranges": ["0-4", "5-9", "10+"],
    "codes that end in letters": [f"{k}L" for k in range(40)],
    "internet addresses": ["192.168.1.1", "10.0.0.1", "10.1.2.3"],
    "days without a year": ["1 May", "2 May"],
}


@pytest.mark.parametrize(
    ("labels", "how"), MEANING_NUMBERS.values(), ids=MEANING_NUMBERS.keys()
)
def test_text_that_means_numbers(labels, how):
    found = reading(labels)
    assert found.means == "numbers"
    assert how in in_python(found, "x")


@pytest.mark.parametrize(("labels", "how"), MEANING_DATES.values(), ids=MEANING_DATES.keys())
def test_text_that_means_dates(labels, how):
    found = reading(labels)
    assert found.means == "dates"
    assert how in in_python(found, "x")


def test_the_line_that_reads_dates_does():
    texts = ["01.03.2024", "31.03.2024", "-", "02.04.2024"]
    line = in_python(reading(texts), "when").removeprefix("by ")
    dates = eval(line, {"pandas": pd, "X": pd.DataFrame({"when": texts})})
    assert dates.dt.month.tolist()[0] == 3
    assert dates.isna().tolist() == [False, False, True, False]


@pytest.mark.parametrize("n_rows", [200, 20_000])
def test_many_labels_take_little_time(n_rows):
    days = pd.date_range("1990-01-01", periods=n_rows, freq="7h").strftime("%d/%m/%Y %H:%M")
    assert reading(list(days)).formats == (("%d/%m/%Y %H:%M",),)
    assert reading([f"label {k}" for k in range(n_rows)]) is None


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


def test_fit_warns_of_dates_with_the_line_that_reads_them():
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 4) for day in range(1, 21)]
    table = pd.DataFrame({"when": days, "x": np.arange(60.0)})
    told = (
        r"'when' holds text.*means dates\. Read it by pandas\.to_datetime\(X\['when'\], format="
    )
    with pytest.warns(UserWarning, match=told) as caught:
        quick().fit(table)
    told = [str(warning.message) for warning in caught]
    assert not any("identifier" in message for message in told)


def test_labels_that_differ_in_case():
    assert same_but_for_case(["no", "Yes", "yes ", "YES", "No"]) == ["Yes", "yes ", "YES"]
    assert same_but_for_case(["a", "b", 1, None]) == []


def test_numbers_and_text_in_a_column_of_objects():
    assert reading([*[k + 0.5 for k in range(30)], "?"]).missing == ("?",)
    assert reading([1, 2, 3, "a", "b"]) is None
    assert reading([True, False, "?"]) is None
