"""How a file is written is found, or refused with the option that tells it."""

import warnings

import pandas as pd
import pytest

from skmade._cli.dialect import encoding_problem
from skmade._cli.files import read_csv
from skmade._cli.form import Form
from tests.cli.test_messy import asked_for


@pytest.fixture
def written(tmp_path):
    """Write a file, and return its path."""

    def write(content, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return str(path)

    return write


def cells(path, **options):
    """Return the header and the cells of a file as text."""
    table = read_csv(path, Form(**options))
    return [list(table.columns), *table.astype("string").fillna("").to_numpy().tolist()]


SNIFFED = {
    "commas": "a,b\n1,2\n3,4\n",
    "semicolons": "a;b\n1;2\n3;4\n",
    "tabs": "a\tb\n1\t2\n3\t4\n",
    "pipes": "a|b\n1|2\n3|4\n",
    "quotes": '"a";"b"\n"1";"2"\n"3";"4"\n',
    "blank lines": "\n\na;b\n1;2\n\n3;4\n",
    "lines of Windows": "\ufeffa;b\r\n1;2\r\n3;4\r\n",
    "one row more than is looked at": "a;b\n1;2\n3;4\n",
}


@pytest.mark.parametrize("content", SNIFFED.values(), ids=SNIFFED.keys())
def test_the_delimiter_is_found(written, content):
    assert cells(written(content)) == [["a", "b"], ["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a;b;c\n1,5;2,5;x\n3,5;4,5;y\n", [["a", "b", "c"], ["1,5", "2,5", "x"]]),
        ("a;b\n1,5;2,5\n3,5;4,5\n", [["a", "b"], ["1,5", "2,5"]]),
        ('a,b\n"x; y",1\nz,2\n', [["a", "b"], ["x; y", "1"]]),
        ('a,b\n"x\n;y",1\nz,2\n', [["a", "b"], ["x\n;y", "1"]]),
        ("a\n1\n2\n", [["a"], ["1"]]),
        ("a\n1,5\n2,5\n", [["a"], ["1,5"]]),
        ("a\nx y\nz\n", [["a"], ["x y"]]),
        ("a;b,c\n1;2\n3;4\n", [["a", "b,c"], ["1", "2"]]),
    ],
)
def test_what_is_in_cells_does_not_separate_them(written, content, expected):
    assert cells(written(content))[:2] == expected


def test_a_long_file_is_not_judged_by_a_row_that_was_cut(written):
    rows = 'x,"1\n2"\n' * 300
    assert len(read_csv(written(f"a,b\n{rows}"))) == 300


@pytest.mark.parametrize(
    ("content", "given", "asked"),
    [
        ("a,b\n1,2\n", ";", "--delimiter ','"),
        ("a;b\n1;2\n", ",", "--delimiter ';'"),
        ("a\tb\n1\t2\n", ",", "--delimiter tab"),
        ("a|b\n1|2\n", ";", "--delimiter '|'"),
    ],
)
def test_a_delimiter_that_is_none_is_refused(written, content, given, asked):
    path = written(content)
    with pytest.raises(ValueError, match="has the header") as refusal:
        cells(path, delimiter=given)
    assert asked_for(str(refusal.value)).startswith(asked)
    delimiter = asked.removeprefix("--delimiter ").strip("'").replace("tab", "\t")
    assert cells(path, delimiter=delimiter) == [["a", "b"], ["1", "2"]]


def test_one_column_with_a_delimiter_in_its_name(written):
    assert cells(written("price, EUR\n12\n13\n"), delimiter=";")[0] == ["price, EUR"]


@pytest.mark.parametrize(
    ("encoding", "asked"),
    [
        *(("latin-1", "cp1252"), ("cp1252", "cp1252"), ("utf-16", "utf-16")),
        *(("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")),
    ],
)
def test_the_encoding_that_a_refusal_names_reads_the_file(written, encoding, asked):
    path = written("Stadt,Fläche\nKöln,1\nMünchen,2\n", encoding)
    with pytest.raises(ValueError, match=f"is not UTF-8: give --encoding {asked}"):
        cells(path)
    assert cells(path, encoding=asked)[0] == ["Stadt", "Fläche"]


def test_encodings_of_other_files():
    assert encoding_problem("Köln".encode(), "ascii") == "not ascii: give --encoding utf-8"
    assert "--encoding latin-1" in encoding_problem(b"a,\x81\xe9\n", "utf-8")
    assert "no text" in encoding_problem(b"\x89PNG\r\n\x1a\n", "utf-8")
    assert "no text" in encoding_problem(b"PK\x03\x04\x00\x00\xff", "utf-8")


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n1,x\na,b\n2,y\n", "3"),
        ('a,b\n1,"x\ny"\n"a","b"\n2,y\n', "4"),
        ("a,b\n1,x\n\na, b\n\n2,y\n", "4"),
        ("a,b\n1,x\na,b\na,b\n2,y\na,b\na,b\n", "3, 4, 6, ..."),
    ],
)
def test_headers_that_are_repeated_are_left_out(written, content, lines):
    path = written(content)
    with pytest.warns(UserWarning, match=rf"repeated, in line {lines}$".replace(".", r"\.")):
        table = read_csv(path)
    assert table["a"].tolist() == [1, 2]
    assert table["a"].dtype == "Int64"


def test_a_cell_may_be_called_like_its_column(written):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_csv(written("a\nb\na\nc\n"))) == 3
        assert len(read_csv(written("a,b\na,x\ny,b\n"))) == 2


def test_columns_without_a_name_or_of_one_name_are_left_out_by_position(written):
    path = written(",a,a,b\n0,1,2,3\n1,4,5,6\n")
    dropped = []
    for asked in ("--drop 1", "--drop 3"):
        with pytest.raises(ValueError, match="column") as refusal:
            cells(path, dropped=tuple(dropped))
        assert asked_for(str(refusal.value)) == asked
        dropped.append(asked.split()[1])
    assert cells(path, dropped=tuple(dropped)) == [["a", "b"], ["1", "3"], ["4", "6"]]
    assert cells(path, dropped=("1", "a")) == [["b"], ["3"], ["6"]]


def test_a_name_is_dropped_rather_than_a_position(written):
    path = written("x,1\n2,3\n4,5\n")
    assert cells(path, dropped=("1",)) == [["x"], ["2"], ["4"]]
    assert cells(path, dropped=("2",)) == [["x"], ["2"], ["4"]]
    for name in ("0", "3", "y"):
        with pytest.raises(ValueError, match=f"--drop names '{name}', which is no column"):
            cells(path, dropped=(name,))


def test_missing_texts_are_added_to_the_usual_ones(written):
    path = written("a,b,c\n1,NA,x\n?,2,?\n-99,3,NA\n")
    table = read_csv(path, Form(missing=("?", "-99")), texts=["c"], labels={"c": ["NA"]})
    assert table.isna().to_numpy().tolist() == [
        [False, True, False],
        [True, False, True],
        [True, False, False],
    ]
    assert table["a"].dtype == "Int64"
    # What is named is missing, also in a column of labels.
    table = read_csv(path, Form(missing=("NA",)), texts=["c"], labels={"c": ["NA"]})
    assert table["c"].isna().tolist() == [False, False, True]


def test_decimal_commas_between_commas(written):
    table = read_csv(written('a,b\n"1,5",2\n"2,5",3\n'), Form(decimal=","))
    pd.testing.assert_frame_equal(
        table, pd.DataFrame({"a": [1.5, 2.5], "b": [2, 3]}).convert_dtypes()
    )


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        ("Sales of 2024\n\na,b\n1,2\n3,4\n", "--skip-lines 2"),
        ("Sales, in EUR\n\na;b\n1;2\n3;4\n", None),
        ("Sales\nof 2024\na;b;c\n" + "1;2;3\n" * 9, "--skip-lines 2"),
    ],
)
def test_lines_above_the_header_are_left_out(written, content, asked):
    path = written(content)
    if asked:
        with pytest.raises(ValueError, match=r"cells where the header has 1: give") as refusal:
            cells(path)
        assert asked_for(str(refusal.value)) == asked
    expected = [line.replace(";", ",").split(",") for line in content.splitlines()[2:]]
    assert cells(path, skipped=2) == expected
    line = content.count("\n") + 1
    with pytest.raises(ValueError, match=f"line {line}: 1 cells where the header has"):
        cells(written(f"{content}1\n"), skipped=2)


@pytest.mark.parametrize("first", ["sep=|\n", '"sep=|"\r\n'])
def test_the_line_that_tells_the_delimiter(written, first):
    assert cells(written(f"{first}a|b\n1,5|2\n")) == [["a", "b"], ["1,5", "2"]]


ADVISED = {
    "title of a spreadsheet": ("Sales;;\n;;\nregion;units;money\nred;1;2\n", "--skip-lines 2"),
    "title of several lines": ("Report\nBy: me\nid,v,w\n1,2,x\n3,4,y\n", "--skip-lines 2"),
    "blanks": ("a b c\n1 2 9\n3 4 8\n", "--delimiter ' '"),
    "columns that are called by numbers": (",0,1\n0,0.1,0.2\n1,0.3,0.4\n", "--drop ''"),
}


@pytest.mark.parametrize(("text", "advice"), ADVISED.values(), ids=ADVISED.keys())
def test_advice_names_what_reads_the_file(tmp_path, text, advice):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=advice):
        read_csv(str(path))


def test_a_row_in_place_of_a_header_is_warned_of(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    with pytest.warns(UserWarning, match="'5.1' in its header, which is a number.*--no-header"):
        read_csv(str(path))
    table = read_csv(str(path), Form(headless=True))
    assert list(table.columns) == ["column 1", "column 2", "column 3"]
    assert len(table) == 2


def test_of_several_delimiters_commas_are_those_of_decimals(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Preis, EUR;Fläche, m\n64,42;30,4\n61,36;12,5\n")
    assert list(read_csv(str(path)).columns) == ["Preis, EUR", "Fläche, m"]
