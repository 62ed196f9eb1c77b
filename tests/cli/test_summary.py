"""The table of the columns: what fit made of each, in the words of the options."""

import numpy as np
import pandas as pd
import pytest

from skmade import MADEDensity
from skmade._cli.options import WORDS, build_parser
from skmade._cli.summary import _span, describe_columns, look_at, warn_of_persons
from tests.configurations import QUICK

RNG = np.random.RandomState(0)
TABLE = pd.DataFrame(
    {
        "number": np.round(RNG.normal(size=60), 2),
        "large": RNG.randint(10**6, size=60) * 1.0,
        "rooms": RNG.poisson(3, size=60),
        "flag": RNG.rand(60) < 0.5,
        "level": RNG.choice(["high", "low"], size=60),
        "letter": RNG.choice(list("abcdefg"), size=60),
        "text": RNG.choice([f"a rather long\nlabel {k}" for k in range(9)], size=60),
    }
).convert_dtypes()


def described(table, **parameters):
    """Return the lines about a table, each split at wide gaps."""
    what = dict.fromkeys(table.columns, "cell")
    looked = look_at(MADEDensity(**parameters), table)
    return describe_columns(table, what, *looked, "a.csv")


def cells_of(line):
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_row_for_each_column():
    table = TABLE.assign(number=TABLE["number"].mask(TABLE.index < 3))
    lines = described(table)
    assert lines[0] == "a.csv: 60 rows, 7 columns, 3 missing cells"
    assert cells_of(lines[1]) == ["column", "kind", "read as", "levels or LOW:HIGH", "missing"]
    low, high = table["number"].min(), table["number"].max()
    assert cells_of(lines[2]) == ["1", "number", "continuous", "cell", f"{low}:{high}", "3"]
    ends = f"{int(table['large'].min())}:{int(table['large'].max())}"
    assert cells_of(lines[3]) == ["2", "large", "continuous", "cell", ends, "0"]
    assert cells_of(lines[5])[1:] == ["flag", "binary", "cell", "False, True", "0"]
    assert cells_of(lines[6])[1:] == ["level", "binary", "cell", "high, low", "0"]
    assert cells_of(lines[7])[4] == "a, b, c, d, ... (7)"
    assert cells_of(lines[8])[4] == "a rather long label 0, a rather long lab... (9)"
    assert len({len(line) for line in lines[2:]}) == 1


def test_kinds_and_ends_are_what_options_take_and_fit_decides():
    lines = [cells_of(line) for line in described(TABLE)[2:]]
    density = MADEDensity(n_estimators=1, **QUICK).fit(TABLE)
    assert [line[2] for line in lines] == density.feature_types_.tolist()
    assert {line[2] for line in lines} <= {*WORDS}
    options = [f"--types={name}={kind}" for _, name, kind, *_ in lines]
    options += [f"--bounds={line[1]}={line[4]}" for line in lines if ":" in line[4]]
    arguments = build_parser().parse_args(["fit", "a.csv", "model", *options])
    again = described(TABLE, feature_types=dict(arguments.types), bounds=dict(arguments.bounds))
    assert again == described(TABLE)


def test_ends_of_dates_are_spelled_as_bounds():
    days = pd.Series(pd.to_datetime(["2024-03-01 00:00", None, "2024-04-01 12:30"]))
    assert _span(days) == "2024-03-01:2024-04-01 12:30:00"
    (bounds,) = build_parser().parse_args(["fit", "a", "m", f"--bounds=x={_span(days)}"]).bounds
    assert bounds == ("x", ("2024-03-01", "2024-04-01 12:30:00"))


def test_wide_tables_are_cut():
    wide = pd.DataFrame(
        np.arange(200.0).reshape(4, 50) % 7, columns=[f"c{k}" for k in range(50)]
    )
    lines = described(wide)
    assert lines[-1] == "and 10 more columns"
    assert len(lines) == 43


def test_columns_that_tell_rows_apart_are_named_with_the_option_that_drops_them():
    table = TABLE.assign(name=[f"name {k}" for k in range(60)])
    with pytest.warns(
        UserWarning, match="'name' has 60 levels in 60 rows: give --drop name if"
    ):
        warn_of_persons(table, *look_at(MADEDensity(), table))
