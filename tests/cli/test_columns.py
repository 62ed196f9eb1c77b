"""Columns of a file are read as what they mean; what could mean two things is refused."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest

from skmade._cli.columns import Source, read_cells
from skmade._cli.form import Form
from tests.cli.test_messy import asked_for


def read(texts, kind="auto", form=None, is_new=True):
    """Read a column, as pandas reads it that was not told more."""
    cells = pd.Series(texts, dtype="string")
    return read_cells(cells, kind, Source("x", "a.csv", form or Form(), is_new))


def form_of(options):
    """Return a form with the options that a message asks for."""
    words, form = shlex.split(options.replace("=-", " -")), Form()
    for option, value in zip(words[::2], words[1::2], strict=True):
        if option == "--missing":
            form = form._replace(missing=(*form.missing, value.strip()))
        elif option == "--dates":
            column, _, format_ = value.partition("=")
            form = form._replace(dates=(*form.dates, (column, format_ or "ISO 8601")))
        else:
            form = form._replace(**{option.removeprefix("--"): value})
    return form


NUMBERS = {
    "blanks": (["1.5", " 2.5", "3.5 ", "\u00a04"], [1.5, 2.5, 3.5, 4]),
    "signs of typesetters": (["\u22121.5", "\u20132", "3"], [-1.5, -2, 3]),
    "brackets": (["(1.5)", "2", "3"], [-1.5, 2, 3]),
    "a minus behind": (["1.5-", "2", "3 -"], [-1.5, 2, -3]),
    "percent": (["34%", "35 %", "36\u202f%"], [34, 35, 36]),
    "dollars": (["$5", "-$6", "$-7.25"], [5, -6, -7.25]),
    "brackets and dollars": (["($5)", "$6", "$ 7"], [-5, 6, 7]),
    "codes of currencies": (["EUR 12", "EUR 13.50", "EUR14"], [12, 13.5, 14]),
    "euros behind": (["12 €", "13€", "14,5 €".replace(",", ".")], [12, 13, 14.5]),
    "units": (["12 kg", "13.5 kg", "14kg"], [12, 13.5, 14]),
    "exponents": ([".5", "1e5", "-2E-3", "7."], [0.5, 1e5, -2e-3, 7]),
    "marks of missing cells": (
        ["1.5", " NA ", "2", " "],
        [1.5, None, 2, None],
    ),
    "large": (["1" + "0" * 30, "2", "3"], [1e30, 2, 3]),
}


@pytest.mark.parametrize(("texts", "values"), NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_are_read(texts, values):
    column = read(texts)
    assert column.what.startswith("number")
    expected = [np.nan if value is None else value for value in values]
    np.testing.assert_array_equal(column.cells.to_numpy(float, na_value=np.nan), expected)


def test_what_is_left_out_of_numbers_is_told():
    assert read(["$5", "($6)"]).what == "number without '$', (...) negative"
    assert read(["5", "6.5"]).what == "number"


REFUSED = {
    "a question mark": (["5", "?", "6"], "--missing '?'", [5, None, 6]),
    "a dash": (["5", "-", "6"], "--missing=-", [5, None, 6]),
    "several marks": (
        ["5", "n.a.", "6", ".."],
        "--missing n.a. --missing ..",
        [5, None, 6, None],
    ),
    "a mark with a quote": (
        [*"12345", "don't know"],
        '--missing "don\'t know"',
        [1, 2, 3, 4, 5, None],
    ),
    "infinity": (["5", "inf", "6", "?"], "--missing inf --missing '?'", [5, None, 6, None]),
    "decimal commas": (["1,5", "2,25", "3"], "--decimal ,", [1.5, 2.25, 3]),
    "thousands": (["1,200.5", "2", "3"], "--thousands ,", [1200.5, 2, 3]),
    "points": (["1.234,5", "2", "3"], "--decimal , --thousands .", [1234.5, 2, 3]),
    "points alone": (["1.234.567", "2"], "--decimal , --thousands .", [1234567, 2]),
    "blanks": (["1 234", "2 345.5", "7"], "--thousands ' '", [1234, 2345.5, 7]),
    "narrow blanks": (["1\u202f234,5", "2"], "--decimal , --thousands ' '", [1234.5, 2]),
    "Swiss": (["1'234.50", "2\u2019345", "3"], '--thousands "\'"', [1234.5, 2345, 3]),
    "dollars": (["$1,200.50", "$2", "$3"], "--thousands ,", [1200.5, 2, 3]),
    "brackets": (["(1,200.00)", "2", "3"], "--thousands ,", [-1200, 2, 3]),
    "percent": (["34,5%", "35%", "-"], "--decimal , --missing=-", [34.5, 35, None]),
    "India": (["12,34,567.5", "2"], "--thousands ,", [1234567.5, 2]),
    "or a decimal comma": (["1,200", "2,300"], "--thousands ,", [1200, 2300]),
    "or thousands of euros": (["1.200 €", "3.400 €"], "--decimal .", [1.2, 3.4]),
}


@pytest.mark.parametrize(("texts", "asked", "values"), REFUSED.values(), ids=REFUSED.keys())
def test_the_options_that_a_refusal_asks_for_read_the_column(texts, asked, values):
    with pytest.raises(ValueError, match=r"column 'x' of a\.csv holds") as refusal:
        read(texts)
    message = str(refusal.value)
    assert "\n" not in message
    assert "(or --types x=categorical to keep all as labels)" in message
    assert f"give {asked} " in message
    # What pandas is told is missing it has taken out before.
    form = form_of(asked)
    column = read(texts, form=form)
    expected = [np.nan if value is None else value for value in values]
    np.testing.assert_array_equal(column.cells.to_numpy(float, na_value=np.nan), expected)
    assert read(texts, "categorical").cells.tolist() == texts


@pytest.mark.parametrize(
    ("texts", "ways"),
    [
        (["1,200", "2,300"], ["--thousands ,", "--decimal ,"]),
        (["1.200 €", "3.400 €"], ["--decimal .", "--decimal , --thousands ."]),
        (["01/02/2024", "03/04/2024"], ["--dates x=%d/%m/%Y", "--dates x=%m/%d/%Y"]),
        (
            ["25/12/2024", "12/25/2024", "01/02/2024"],
            [
                "--dates x=%d/%m/%Y --dates x=%m/%d/%Y",
                "--dates x=%m/%d/%Y --dates x=%d/%m/%Y",
            ],
        ),
        (["01-02-03", "04-05-06"], ["--dates x=%d-%m-%y", "--dates x=%m-%d-%y"]),
    ],
)
def test_what_may_mean_two_things_is_never_guessed(texts, ways):
    with pytest.raises(ValueError, match=r"may mean two things|can't be told") as refusal:
        read(texts)
    assert f"give {' or '.join(ways)}" in str(refusal.value)
    assert len({str(read(texts, form=form_of(way)).cells.tolist()) for way in ways}) == 2


@pytest.mark.parametrize(
    "texts",
    [["$5", "€6", "$7"], ["12%", "13", "14%"], ["15k", "1.2M", "3k"], ["1 kg", "500 g"]],
)
def test_numbers_of_several_units_are_refused(texts):
    with pytest.raises(ValueError, match="holds numbers of several units") as refusal:
        read(texts)
    assert asked_for(str(refusal.value)) == "--drop x"


def test_a_style_that_options_exclude_is_refused():
    for form in (Form(decimal=","), Form(thousands="'")):
        with pytest.raises(
            ValueError, match="in another style than the options say"
        ) as refusal:
            read(["1,234.5", "2,345.5"], form=form)
        assert "give --drop x or --types x=categorical" in str(refusal.value)


LABELS = {
    "words": ["red", "green"],
    "ranges": ["0-4", "5-9", "10+"],
    "some numbers": ["1", "2", "3", "4+"],
    "names with numbers": ["room 1", "room 2"],
    "codes": ["A1", "B2", "C3"],
    "telephones": ["040 123 456", "040 123 457"],
    "times": ["12:30", "13:30"],
    "versions": ["1.2.3", "1.2.4"],
    "addresses": ["12 Main St", "13 Main St"],
    "lengths of courses": ["100L", "200L"],
}


@pytest.mark.parametrize("texts", LABELS.values(), ids=LABELS.keys())
def test_labels_stay_as_they_are(texts):
    column = read(texts)
    assert (column.what, column.cells.tolist()) == ("label", texts)


@pytest.mark.parametrize("texts", [["01234", "00501", "?"], ["Private", "Gov", "?", "n/a"]])
def test_marks_of_missing_cells_among_labels_are_told_of(texts):
    with pytest.warns(UserWarning, match=r"column 'x' .* holds '\?', .* give --missing '\?'"):
        assert read(texts).what == "label"


def test_year_month_and_day_without_zeros_are_no_guess():
    texts = ["2023-3-4", "2023-11-7", "2023-12-10"]
    with pytest.raises(ValueError, match="holds dates: give --dates x=%Y-%m-%d"):
        read(texts)
    column = read(texts, form=Form(dates=(("x", "%Y-%m-%d"),)))
    assert column.cells.tolist()[0] == pd.Timestamp("2023-03-04")


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["Jan 2024", "Mar 2024", "Dec 2023"], "%b %Y"),
        (["05/2024", "11/2023", "12/2022"], "%m/%Y"),
        (["01/13/2024 10:16PM", "12/20/2023 09:05AM"], "%m/%d/%Y %I:%M%p"),
        (["1/15/2024, 10:00:00 AM", "12/20/2023, 9:05:10 PM"], "%m/%d/%Y, %I:%M:%S %p"),
    ],
)
def test_more_formats_of_dates(texts, form):
    with pytest.raises(ValueError, match="holds dates") as told:
        read(texts)
    assert form in str(told.value)
    assert read(texts, form=Form(dates=(("x", form),))).cells.notna().all()


def test_dates_of_another_format_than_the_options_say_are_named():
    with pytest.raises(ValueError, match=r"--dates x=%d/%m/%Y to read such dates too"):
        read(["13/05/2024", "14/05/2024", "01/02/2024"], form=Form(dates=(("x", "%m/%d/%Y"),)))


def test_whole_amounts_with_points_beside_decimal_commas():
    with pytest.raises(ValueError, match=r"give --thousands \."):
        read(["7.041", "1.230", "695"], form=Form(decimal=","))
    column = read(["7.041", "1.230", "695"], form=Form(decimal=",", thousands="."))
    assert column.cells.tolist() == [7041, 1230, 695]


def test_truth_in_any_case():
    column = read(["TRUE", "false", " True", None, "fALSE"])
    assert column.what == "true or false"
    assert column.cells.tolist() == [True, False, True, pd.NA, False]


def test_truth_with_marks_of_missing_cells():
    texts = ["True", "?", "FALSE", "--"]
    with pytest.raises(ValueError, match=r"holds true and false and text such as '\?'") as told:
        read(texts)
    column = read(texts, form=form_of(asked_for(str(told.value))))
    assert column.cells.tolist() == [True, pd.NA, False, pd.NA]
    assert read(["True", "maybe"]).what == "label"


def test_labels_that_differ_in_case_are_told_of():
    told = r"column 'x' of a\.csv .* 'Yes' and 'yes' and 'YES', which are taken for different"
    with pytest.warns(UserWarning, match=told):
        assert read(["no", "Yes", "yes", "YES", "No"]).what == "label"


DATES = {
    "days": (["2024-03-01", " 2024-03-02"], "date", ["2024-03-01", "2024-03-02"]),
    "times": (["2024-03-01 12:30", "2024-03-01T12:30:05.25"], "date", None),
    "with an offset": (
        ["2024-03-01T12:30:00Z", "2024-03-01T12:30:00+01:00"],
        "date in UTC",
        ["2024-03-01 12:30", "2024-03-01 11:30"],
    ),
    "one day": (["2024-03-01", "2024-03-01", None], "date", ["2024-03-01", "2024-03-01", None]),
}


@pytest.mark.parametrize(("texts", "what", "dates"), DATES.values(), ids=DATES.keys())
def test_dates_of_iso_8601_are_read(texts, what, dates):
    column = read(texts)
    assert column.what == what
    expected = pd.Series(pd.to_datetime(dates or texts, format="ISO8601"))
    assert (column.cells.to_numpy() == expected.to_numpy())[column.cells.notna()].all()
    assert column.cells.isna().tolist() == expected.isna().tolist()


@pytest.mark.parametrize(
    "form",
    [
        *("%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y"),
        *("%d-%b-%Y", "%Y-%m", "%d.%m.%Y %H:%M", "%m/%d/%y %I:%M %p", "%d/%m/%Y %H:%M:%S"),
    ],
)
def test_other_dates_are_read_by_the_format_that_the_refusal_names(form):
    dates = pd.Series(pd.date_range("2024-01-01 10:30", periods=60, freq="9D"))
    texts = dates.dt.strftime(form).tolist()
    with pytest.raises(ValueError, match="holds dates: give ") as refusal:
        read(texts)
    options = asked_for(str(refusal.value))
    assert options == f"--dates {shlex.quote(f'x={form}')}"
    column = read(texts, form=form_of(options))
    assert column.what == "date"
    assert column.cells.dt.strftime(form).tolist() == texts


def test_dates_with_other_text():
    texts = ["2024-03-01", "2024-03-02", "open", "2024-03-03", "2024-03-04"]
    with pytest.raises(ValueError, match="holds dates and text such as 'open'") as refusal:
        read(texts)
    assert asked_for(str(refusal.value)) == "--dates x --missing open"
    assert read(texts, form=form_of("--dates x --missing open")).cells.isna().sum() == 1
    with pytest.raises(ValueError, match=r"'open', which is no date of ISO 8601: give --mis"):
        read(texts, form=form_of("--dates x"))


def test_declared_numbers_that_are_none():
    with pytest.raises(ValueError, match="holds 'many', which is no number") as refusal:
        read(["many", "few"], "count")
    assert asked_for(str(refusal.value)) == "--missing many"
    with pytest.raises(ValueError, match="such as '1,5'") as refusal:
        read(["1,5"], "continuous", is_new=False)
    assert asked_for(str(refusal.value)) == "--decimal ,"
    assert not re.search("--types", str(refusal.value))


def test_infinite_numbers_are_refused():
    cells = pd.Series([1.0, np.inf], dtype="Float64")
    told = (
        r"a\.csv has infinity in column 'x' \(1 rows\).* give --missing inf --missing=-inf to"
    )
    with pytest.raises(ValueError, match=told):
        read_cells(cells, "auto", Source("x", "a.csv", Form(), True))


def test_truth_is_no_number():
    with pytest.raises(ValueError, match="no numbers: give --types x=binary"):
        read_cells(pd.Series([True, False]), "continuous", Source("x", "a.csv", Form(), True))


def test_many_texts_among_numbers_are_not_all_missing():
    texts = [*map(str, range(60)), *(f"{k}.5*" for k in range(12))]
    with pytest.raises(ValueError, match=r"12 other texts.* --drop x or --types x=categorical"):
        read(texts)
