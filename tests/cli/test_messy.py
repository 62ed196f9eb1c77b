"""Files as people write them run, or are refused with the option that makes them run."""

import csv
import io
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from skmade.__main__ import main

FOLDER = Path(__file__).parents[1] / "data" / "messy"
DOCS = Path(__file__).parents[2] / "docs" / "user_guide" / "command.rst"
QUICK = [
    "--set=n_estimators=1",
    "--set=max_iter=1",
    "--set=hidden_layer_sizes=(8,)",
    "--seed=0",
]
WORD = r"""(?:'[^']*'|"[^"]*"|[^\s'"])+"""
GIVEN = re.compile(rf"give ((?:--[a-z-]+[= ]{WORD} ?)+)")

# Files, with the options that refusals ask for one after the other.
FILES = {
    "accounts": ["--thousands ,", "--missing=-"],
    "cars": ["--missing '?'"],
    "deliveries": ["--dates shipped=%d/%m/%Y --missing=-"],
    "energy": [],
    "orders": [],
    "patients": [],
    "penguins": ["--drop 1"],
    "rents": ["--encoding cp1252", "--decimal ,", "--thousands ."],
    "sales": ["--thousands ,"],
    "survey": [],
    "visits": [
        "--dates visit=%d.%m.%Y",
        "--dates joined --dates joined=%d.%m.%Y --dates 'joined=%b %d, %Y'",
    ],
    "weather": [],
}
# What is told of a file that runs, beside the table of its columns.
TOLD = {
    "patients": "give --drop name if it is an identifier or personal text",
    "survey": "column 'has pets' of survey.csv has labels that differ in case",
    "weather": "weather.csv has its header 3 times",
}


def asked_for(line):
    """Return the options that a refusal asks for, the first where there are several ways."""
    return GIVEN.search(line)[1].strip()


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command in the folder of messy files; return its code and what it wrote."""
    monkeypatch.chdir(FOLDER)

    def call(*arguments):
        code = main(arguments)
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize("name", FILES)
def test_a_refusal_names_the_option_that_makes_the_file_run(call, tmp_path, name):
    path, model, options, asked = f"{name}.csv", str(tmp_path / "model"), [], []
    for _ in range(5):
        code, out, err = call("fit", path, model, *QUICK, *options)
        assert out == ""
        if code == 0:
            break
        assert (code, err.count("\n")) == (2, 1)
        asked.append(asked_for(err))
        options += shlex.split(asked[-1])
    assert asked == FILES[name]
    assert TOLD.get(name, "") in err
    rows, columns = map(int, re.search(r"(\d+) rows, (\d+) columns", err).groups())
    code, out, err = call("score", model, path, *options)
    assert (code, out.count("\n")) == (0, rows + 1), err
    code, out, err = call("sample", model, "-n", "7", "--seed=0")
    assert code == 0, err
    drawn = list(csv.reader(io.StringIO(out)))
    assert [len(row) for row in drawn] == [columns] * 8


def test_draws_are_dates_where_the_file_has_dates(call, tmp_path):
    model = str(tmp_path / "model")
    code, _, err = call("fit", "energy.csv", model, *QUICK, "--bounds=read at=2024-01-01:")
    assert code == 0, err
    assert re.search(r"read at +continuous +date +2024-01-01:2024-02-16 09:00:00", err)
    given = "--given=read at=2024-01-20 07:00:00"
    code, out, err = call("sample", model, "-n", "3", "--seed=0", given)
    assert code == 0, err
    assert pd.read_csv(io.StringIO(out))["read at"].tolist() == ["2024-01-20 07:00:00"] * 3


def test_the_docs_show_what_is_printed(call, tmp_path):
    page = DOCS.read_text(encoding="utf-8")
    shown = re.findall(r"^    (.*)$", page, re.MULTILINE)
    head = shown.index("$ head -4 cars.csv") + 1
    assert shown[head : head + 4] == Path("cars.csv").read_text().splitlines()[:4]
    refused = shown.index("$ skmade fit cars.csv cars.skops --seed 0") + 1
    code, _, err = call("fit", "cars.csv", str(tmp_path / "model"), "--seed=0")
    assert (code, err) == (2, f"{shown[refused]}\n")
    fitted = shown.index(f"{shown[refused - 1]} {asked_for(err)}") + 1
    code, _, err = call("fit", "cars.csv", str(tmp_path / "model"), *QUICK, "--missing=?")
    assert code == 0
    assert err.splitlines()[:7] == shown[fitted : fitted + 7]


def test_files_are_small():
    files = list(FOLDER.iterdir())
    assert sorted(file.stem for file in files) == sorted(FILES)
    assert sum(file.stat().st_size for file in files) < 60_000


def test_all_columns_that_need_an_option_are_told_of_at_once(tmp_path, capsys):
    path = tmp_path / "my.csv"
    rows = [f"{day:02}/03/2024,€{day},{day % 3}\n" for day in range(1, 31)]
    path.write_text("date,price,rooms\n" + "".join(rows) + "13/04/2024,on request,2\n")
    command = ["fit", str(path), str(tmp_path / "m.skops"), *QUICK]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--dates date=%d/%m/%Y" in line
    assert "column 'price'" in line
    asked = [word for given in GIVEN.findall(line) for word in shlex.split(given)]
    assert main([*command, *asked]) == 0


def test_a_file_of_many_such_columns_is_refused_in_a_line_to_be_read(tmp_path, capsys):
    path = tmp_path / "wide.csv"
    rows = [",".join(["?" if row == 5 else str(row)] * 50) for row in range(40)]
    path.write_text("\n".join([",".join(f"x{j}" for j in range(50)), *rows]))
    assert main(["fit", str(path), str(tmp_path / "m.skops"), *QUICK]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count("--missing '?'") == 8
    assert line.endswith("; and 42 more columns are refused, too")
