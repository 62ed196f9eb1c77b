"""Options are read from the command line, and spelled in messages so that shells take them."""

import shlex

import pytest

from skmade._cli.form import Form, option, options, read_form
from skmade._cli.options import build_parser
from skmade._table.texts import ISO, Style


def parse(*arguments):
    return build_parser().parse_args(["fit", "a.csv", "model", *arguments])


def test_how_a_table_is_written():
    arguments = parse(
        *("--delimiter=tab", "--encoding=cp1252", "--decimal=,", "--thousands", "."),
        *("--missing", "?", "--missing=-", "--drop", "1", "--drop=id"),
        *("--dates", "when=%d.%m.%Y", "--dates", "a=b"),
    )
    form = read_form(arguments)
    assert form == Form(
        *("\t", "cp1252", ",", ".", ("?", "-")),
        dates=(("when", "%d.%m.%Y"), ("a=b", ISO)),
        dropped=("1", "id"),
    )
    assert form.style == Style(",", ".")
    assert form.formats("when") == ["%d.%m.%Y"]
    assert read_form(parse()) == Form()
    assert read_form(build_parser().parse_args(["score", "m", "a.csv"])) == Form()


@pytest.mark.parametrize(
    ("text", "column", "ends"),
    [
        ("x=0:", "x", (0, None)),
        ("x=:1e6", "x", (None, 1e6)),
        ("a=b=-1:2.5", "a=b", (-1, 2.5)),
        ("when=2020-01-01:", "when", ("2020-01-01", None)),
        ("when=2020-01-01:2021-01-01", "when", ("2020-01-01", "2021-01-01")),
        ("when=:2020-01-01 12:30", "when", (None, "2020-01-01 12:30")),
        (
            "when=2020-01-01T12:30:00:2021-01-01 00:00:05",
            "when",
            ("2020-01-01T12:30:00", "2021-01-01 00:00:05"),
        ),
    ],
)
def test_bounds_are_numbers_or_dates(text, column, ends):
    assert parse(f"--bounds={text}").bounds == [(column, ends)]


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--bounds=when=2020-01-01", "is not COLUMN=LOW:HIGH, with numbers or dates"),
        ("--bounds=when=2020-01-01:5", "is not COLUMN=LOW:HIGH"),
        ("--bounds=when=2020-13-01:", "is not COLUMN=LOW:HIGH"),
        ("--encoding=klingon", "'klingon' is no encoding of text; utf-8, cp1252"),
        ("--encoding=hex", "'hex' is no encoding of text"),
        ("--decimal=comma", "'comma' is not one character"),
        ("--thousands=0", "'0' is not one character beside digits"),
        ("--dates=when=%Q", "'%Q' is no format of dates, such as %d.%m.%Y"),
    ],
)
def test_bad_values_are_one_line(capsys, argument, problem):
    with pytest.raises(SystemExit):
        parse(argument)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert problem in err


def test_decimals_and_thousands_differ():
    for arguments in (["--decimal=,", "--thousands=,"], ["--thousands=."]):
        with pytest.raises(ValueError, match="they must differ"):
            read_form(parse(*arguments))


@pytest.mark.parametrize(
    "value", ["?", "-", "--", "n/a", "don't", 'say "x"', "a b", "'", "$5!"]
)
def test_options_are_spelled_as_they_are_read(value):
    words = shlex.split(option("--missing", value))
    assert read_form(parse(*words)).missing == (value,)
    twice = parse(*shlex.split(options("--missing", [value, "x"])))
    assert read_form(twice).missing == (value, "x")


def test_help_lists_what_is_missing_and_the_groups(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "NA, N/A, n/a, #N/A, NaN, nan, null, NULL, None, <NA> and empty cells" in text
    assert "how the table is written:" in text
