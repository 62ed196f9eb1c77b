"""`skmade fit`, `score` and `sample`: from a CSV file to a CSV file."""

import datetime
import io
import os
import re
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io

from skmade import MADEDensity
from skmade.__main__ import main
from skmade._cli.commands import read_same_table, spellings
from skmade._cli.files import load_model
from skmade._cli.form import Form

QUICK = {"n_estimators": 1, "max_iter": 2, "hidden_layer_sizes": (8,)}
QUICK_OPTIONS = [f"--set={name}={value}" for name, value in QUICK.items()]
TYPES = {"count": "count", "zip": "categorical"}


def make_table(n_rows=60, holes=0.1):
    """Numbers, integers, counts, labels and truth values, with holes."""
    rng = np.random.RandomState(0)
    table = pd.DataFrame(
        {
            "number": rng.normal(size=n_rows) * 1e-3,
            "integer": rng.randint(-500, 500, size=n_rows),
            "count": rng.poisson(3, size=n_rows),
            "label": rng.choice(["red", "a, b", 'say "x"'], size=n_rows),
            "zip": rng.choice(["01234", "99999", "00001"], size=n_rows),
            "flag": rng.rand(n_rows) < 0.5,
            "zero_one": rng.randint(2, size=n_rows),
        }
    )
    return table.convert_dtypes().mask(rng.rand(*table.shape) < holes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table and a model that was fitted to it."""
    folder = tmp_path_factory.mktemp("command")
    make_table().to_csv(folder / "table.csv", index=False)
    types = [f"--types={column}={kind}" for column, kind in TYPES.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "table.csv", "model", "--seed=0", *types, *QUICK_OPTIONS]) == 0
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run a command in the folder that must go well; return its output."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        code = main(arguments)
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    return run


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """Run a command in the folder that must be refused; return the one line that says why."""
    monkeypatch.chdir(folder)

    def refused(*arguments):
        assert main(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("skmade: error: ")
        assert err.count("\n") == 1
        return err

    return refused


@pytest.fixture(scope="module")
def density():
    """The same model, fitted to the same table in Python."""
    return MADEDensity(**QUICK, feature_types={"count": "count"}, random_state=0).fit(
        make_table()
    )


def read(text, **options):
    return pd.read_csv(io.StringIO(text), **options)


def test_scores_are_those_of_the_same_fit_in_python(run, density):
    out, err = run("score", "model", "table.csv")
    assert err == ""
    scores = read(out)
    assert list(scores.columns) == ["log_density"]
    expected = density.score_samples(make_table())
    np.testing.assert_allclose(scores["log_density"], expected, rtol=0, atol=1e-12)


def test_numbers_are_written_in_full(run, folder):
    out, _ = run("score", "model", "table.csv")
    loaded, layout = load_model(folder / "model")
    path = str(folder / "table.csv")
    table = read_same_table(loaded, layout, path, Form(), ignore_extra=False)
    lines = [repr(score) for score in loaded.score_samples(table).tolist()]
    assert out.splitlines()[1:] == lines


def test_parts_of_features_sum_to_the_score(run):
    scores = read(run("score", "model", "table.csv", "--features")[0])
    assert list(scores.columns) == ["log_density", *make_table().columns]
    np.testing.assert_allclose(scores.iloc[:, 1:].sum(axis=1), scores["log_density"])
    assert (scores.iloc[:, 1:].to_numpy()[make_table().isna().to_numpy()] == 0).all()


def test_columns_are_found_by_name_in_any_order(run, folder):
    table = make_table().assign(extra="x")[["extra", *make_table().columns[::-1]]]
    table.to_csv(folder / "other.csv", index=False, sep="\t")
    options = ("--ignore-extra", "--delimiter", "tab")
    other = run("score", "model", "other.csv", *options)
    assert other == run("score", "model", "table.csv")


def test_draws_look_like_the_table(run, density):
    drawn = read(run("sample", "model", "-n", "40", "--seed", "1")[0], dtype={"zip": str})
    expected = density.sample(40, random_state=1)
    assert list(drawn.columns) == list(expected.columns)
    for name, kind in zip(drawn.columns, "fiiOObi", strict=True):
        assert drawn[name].dtype.kind == kind or drawn[name].dtype == "str"
        if kind == "f":
            np.testing.assert_allclose(drawn[name], expected[name], rtol=1e-9)
        else:
            assert drawn[name].tolist() == expected[name].tolist()


def test_given_cells_are_in_every_draw(run):
    cells = {"zip": "01234", "flag": "true", "number": "0.001", "integer": "-7"}
    options = [f"--given={column}={value}" for column, value in cells.items()]
    out, _ = run("sample", "model", "-n", "20", "--seed", "1", *options)
    drawn = read(out, dtype={"zip": str})
    assert set(drawn["zip"]) == {"01234"}
    assert set(drawn["flag"]) == {True}
    assert set(drawn["number"]) == {0.001}
    assert set(drawn["integer"]) == {-7}


def test_output_goes_to_a_file(run, folder):
    expected, _ = run("sample", "model", "-n", "5", "--seed", "0")
    assert run("sample", "model", "-n", "5", "--seed", "0", "--output", "out.csv")[0] == ""
    assert (folder / "out.csv").read_text() == expected


def test_fit_says_what_it_has_learned(run, folder):
    out, err = run(
        "fit", "table.csv", "model-2", "--drop=zip", *QUICK_OPTIONS, "--set=max_iter=20"
    )
    (folder / "model-2").unlink()
    assert out == ""
    # Of 60 rows of noise there may be nothing to learn.
    lines = [line for line in err.splitlines() if "Training never improved" not in line]
    table = make_table().drop(columns="zip")
    n_missing = table.isna().to_numpy().sum()
    assert lines[0] == f"table.csv: 60 rows, 6 columns, {n_missing} missing cells"
    assert lines[1].split("  ")[1].strip() == "column"
    rows = [line.split() for line in lines[2:8]]
    assert [row[1:3] for row in rows] == [
        ["number", "continuous"],
        ["integer", "continuous"],
        ["count", "count"],
        ["label", "categorical"],
        ["flag", "binary"],
        ["zero_one", "binary"],
    ]
    assert [int(row[-1]) for row in rows] == table.isna().sum().tolist()
    low, high = rows[0][4].split(":")
    assert [float(low), float(high)] == [table["number"].min(), table["number"].max()]
    assert "False, True" in lines[6]
    assert np.isfinite(float(lines[8].removeprefix("held-out log-likelihood: ").split()[0]))
    assert lines[9].startswith("Saved to model-2 after ")


def test_bounds_are_passed_on(run, folder):
    bounds = ["--bounds=number=:1e6", "--bounds=count=0:"]
    run("fit", "table.csv", "model-2", *bounds, *QUICK_OPTIONS)
    loaded = skops.io.load(folder / "model-2", trusted=[MADEDensity])
    (folder / "model-2").unlink()
    assert loaded.bounds == {"number": (None, 1e6), "count": (0, None)}
    for text in ("number", "number=1", "number=a:b", "number=0:1:2"):
        with pytest.raises(SystemExit):
            run("fit", "table.csv", "model-2", f"--bounds={text}", *QUICK_OPTIONS)


def test_a_saved_model_keeps_no_callbacks_and_all_parameters(folder):
    loaded = skops.io.load(folder / "model", trusted=[MADEDensity])
    assert not hasattr(loaded, "_skl_callbacks")
    assert loaded.get_params() | QUICK == loaded.get_params()
    assert loaded.random_state == 0
    assert loaded.feature_types == TYPES


def test_progress_goes_to_a_terminal_and_to_stderr(run, folder, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    out, err = run("fit", "table.csv", "model-2", *QUICK_OPTIONS)
    assert out == ""
    assert "MADEDensity - fit" in err
    out, err = run("fit", "table.csv", "model-2", "--force", "--verbose", *QUICK_OPTIONS)
    assert out == ""
    assert "MADEDensity - fit" not in err
    assert err.count(", epoch ") == 2
    monkeypatch.setitem(sys.modules, "rich", None)
    out, err = run("fit", "table.csv", "model-2", "--force", *QUICK_OPTIONS)
    assert out == ""
    assert 'No progress bar, as rich is missing: pip install "skmade[cli]"\n' in err
    (folder / "model-2").unlink()


def test_warnings_of_fit_are_lines(run, folder):
    (folder / "constant.csv").write_text("a,b\n" + "".join(f"7.5,{i}\n" for i in range(20)))
    options = [*QUICK_OPTIONS, "--set=early_stopping=False"]
    _, err = run("fit", "constant.csv", "model-2", *options)
    (folder / "model-2").unlink()
    (warning,) = (line for line in err.splitlines() if "warning" in line)
    assert warning.startswith("skmade: warning: Constant in fit: column 'a'.")


@pytest.mark.parametrize(
    ("content", "options", "problem"),
    [
        ("a,b\n1,inf\n2,3\n", [], "infinity in column 'b'"),
        ("a,b\n1,\n2,\n", [], "every row of column 'b': give --drop b"),
        (
            "a,b\n1,5\n2,?\n3,6\n",
            [],
            "column 'b' of bad.csv holds numbers and text such as '?'",
        ),
        ("a,b\n1,x\n2,y\n", ["--types=b=count"], "holds 'x', which is no number"),
        ("a,b\n1,1.5\n2,2\n", ["--types=b=count"], "'b' is a count, but row 0 holds 1.5"),
        ("a,b\n1,1\n2,2\n", ["--types=c=count"], "--types names 'c', which is no column"),
        ("a,b\n1,1\n2,2\n", ["--drop=c"], "--drop names 'c', which is no column"),
        ("a,b\n1,1\n2,2\n", ["--drop=a", "--drop=b"], "--drop leaves no column"),
        ("a,b\n1,1\n2,2\n", ["--drop=a", "--types=a=count"], "both name 'a'"),
        ("a,b\n1,1\n2,2\n", ["--dates=c"], "--dates names 'c', which is no column"),
        ("a,b\n1,1\n2,2\n", ["--dates=b", "--drop=b"], "--dates and --drop both name 'b'"),
        ("a,b\n1,x\n2,y\n", ["--dates=b"], "'x', which is no date of ISO 8601"),
        (
            "a,b\n1,x\n2,y\n",
            ["--dates=b", "--types=b=categorical"],
            "--dates names 'b', which --types declares categorical",
        ),
        ("a,b\n1,1\n2,2\n", ["--delimiter=;"], "give --delimiter ','"),
        (",b\n1,1\n2,2\n", [], "column 1 has no name in the header"),
        ("a,b\n1,3/4/20\n2,5/6/20\n", [], "--dates b=%d/%m/%y or --dates b=%m/%d/%y"),
        ("a,b\n1,1\n2,2\n", ["--set=n_layers=2"], "'n_layers', which is no parameter"),
        ("a,b\n1,1\n2,2\n", ["--set=n_masks=0"], "'n_masks' parameter"),
        ("a,b\n1,1\n2,2\n", ["--set=ordering=none"], "'ordering' parameter"),
        ("a,b\n1,1\n2,2\n", ["--seed=1", "--set=random_state=2"], "--seed say the same"),
        ("a,b\n1\n", [], "bad.csv, line 2: 1 cells"),
    ],
)
def test_bad_fits_leave_no_file(refused, folder, content, options, problem):
    (folder / "bad.csv").write_text(content)
    before = set(os.listdir(folder))
    assert problem in refused("fit", "bad.csv", "new", *QUICK_OPTIONS, *options)
    assert set(os.listdir(folder)) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_fit_that_fails_leaves_the_old_model(folder, monkeypatch, error):
    def fail(*arguments):
        raise error

    before, files = (folder / "model").read_bytes(), set(os.listdir(folder))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(MADEDensity, "fit", fail)
    assert main(["fit", "table.csv", "model", "--force"]) in (2, 130)
    assert (folder / "model").read_bytes() == before
    assert set(os.listdir(folder)) == files


def test_an_existing_model_is_overwritten_by_force_only(run, refused, folder):
    (folder / "old").write_text("old")
    assert "--force overwrites it" in refused("fit", "table.csv", "old", *QUICK_OPTIONS)
    assert (folder / "old").read_text() == "old"
    run("fit", "table.csv", "old", "--force", *QUICK_OPTIONS)
    run("sample", "old", "-n", "1")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: table.drop(columns=["zip"]), "lacks columns of the model: zip"),
        (lambda table: table.assign(id=1), "that the model has not: id; give --drop id"),
        (lambda table: table.assign(label="blue"), "holds 'blue', which was not in fit"),
        (lambda table: table.assign(zip="1234"), "holds '1234', which was not in fit"),
        (lambda table: table.assign(flag="maybe"), "holds 'maybe', which was not in fit"),
        (lambda table: table.assign(number="many"), "'number' of bad.csv holds 'many'"),
        (lambda table: table.assign(number=True), "'number' of bad.csv holds 'True'"),
        (lambda table: table.assign(number=np.inf), "infinity in column 'number'"),
        (lambda table: table.assign(zero_one=2), "'zero_one' is binary"),
        (lambda table: table.head(0), "has a header and no rows"),
    ],
)
def test_other_tables_are_refused(refused, folder, change, problem):
    change(make_table()).to_csv(folder / "bad.csv", index=False)
    assert problem in refused("score", "model", "bad.csv")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["score", "missing", "table.csv"], "missing: No such file"),
        (["score", "model", "missing.csv"], "missing.csv: No such file"),
        (["score", "table.csv", "model"], "table.csv is not a model"),
        (["sample", "model", "-n1", "--given=x=1"], "'x', which is no column of the model"),
        (["score", "model", "table.csv", "--decimal=,", "--thousands=,"], "they must differ"),
        (["sample", "model", "-n1", "--given=number=x"], "'x' is no number"),
        (["sample", "model", "-n1", "--given=number=nan"], "'nan' is no number"),
        (["sample", "model", "-n1", "--given=number=inf"], "infinity in column 'number'"),
        (["sample", "model", "-n1", "--given=zip=1"], "holds '1', which was not in fit"),
        (["sample", "model", f"-n{10**30}"], "skmade: error: "),
    ],
)
def test_bad_calls_are_refused(refused, arguments, problem):
    assert problem in refused(*arguments)


@pytest.mark.parametrize("package", ["pandas", "skops"])
def test_missing_packages_are_named(refused, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("skmade._cli.commands", "skmade._cli.files"):
        monkeypatch.delitem(sys.modules, module)
    line = f'skmade: error: {package} is missing: pip install "skmade[cli]"\n'
    assert refused("sample", "model", "-n1") == line


def test_marks_of_missing_cells_are_labels_where_they_are_declared(run, folder):
    rng = np.random.RandomState(0)
    table = pd.DataFrame(
        {"x": rng.normal(size=60), "grade": rng.choice(["None", "NA", "A"], size=60)}
    )
    table.to_csv(folder / "grades.csv", index=False)
    label, missing = ["--types=grade=categorical"], ["--missing", "NA"]
    _, err = run("fit", "grades.csv", "grades", *label, *QUICK_OPTIONS)
    assert "A, NA, None (3)" in err
    assert run("score", "grades", "grades.csv")[1] == ""
    parts = read(run("score", "grades", "grades.csv", "--features", *missing)[0])
    assert ((parts["grade"] == 0) == (table["grade"] == "NA")).all()
    _, err = run("fit", "grades.csv", "grades", "--force", *label, *missing, *QUICK_OPTIONS)
    assert "A, None " in err
    assert str((table["grade"] == "NA").sum()) in err.splitlines()[3]


def test_a_declared_column_takes_no_mark_for_missing_that_fit_did_not_see(refused, folder):
    table = make_table(holes=0)
    table.assign(zip="NA").to_csv(folder / "bad.csv", index=False)
    assert "holds 'NA', which was not in fit" in refused("score", "model", "bad.csv")


@pytest.mark.parametrize(
    ("cells", "asked", "read_as"),
    [
        ([f"{k * 37:05}" for k in range(40)], "--types code=categorical", "label"),
        (
            [f"2024{k % 12 + 1:02}{k % 28 + 1:02}" for k in range(40)],
            "--dates code=%Y%m%d",
            "date",
        ),
    ],
)
def test_numbers_that_are_codes_or_dates_are_told_of(run, folder, cells, asked, read_as):
    frame = pd.DataFrame({"code": cells, "x": np.arange(40) % 7, "month": ["01", "10"] * 20})
    frame.to_csv(folder / "codes.csv", index=False)
    _, err = run("fit", "codes.csv", "codes", "--force", *QUICK_OPTIONS)
    (told,) = (line for line in err.splitlines() if "is read as numbers, but holds" in line)
    assert f"{cells[0]}: give {asked} if they are" in told
    _, err = run("fit", "codes.csv", "codes", "--force", *asked.split(), *QUICK_OPTIONS)
    assert "is read as numbers" not in err
    assert re.search(rf"code +(categorical|continuous) +{read_as} ", err)


def test_truth_is_scored_in_any_case(run, folder):
    table = make_table(holes=0)
    table.to_csv(folder / "plain.csv", index=False)
    odd = table.assign(
        flag=[[" tRUE", "TRUE "][k % 2] if f else "false" for k, f in enumerate(table["flag"])]
    )
    odd.to_csv(folder / "odd.csv", index=False)
    assert run("score", "model", "odd.csv") == run("score", "model", "plain.csv")


def test_numbers_are_scored_as_they_are_fitted(run, refused, folder):
    plain = make_table(holes=0)
    plain.to_csv(folder / "plain.csv", index=False)
    odd = plain.assign(
        integer=[f"{x:,.1f} €".replace(",", "'") for x in plain["integer"] * 100],
        extra="x",
    )
    odd.to_csv(folder / "odd.csv", index=False)
    told = refused("score", "model", "odd.csv")
    assert "not: extra; give --drop extra (or --ignore-extra" in told
    told = refused("score", "model", "odd.csv", "--drop", "extra")
    assert "column 'integer' of odd.csv holds numbers such as" in told
    assert told.endswith('give --thousands "\'"\n')
    out, err = run("score", "model", "odd.csv", "--drop=8", "--thousands='")
    assert err == "column 'integer' of odd.csv: number without '€'\n"
    hundredfold = plain.assign(integer=plain["integer"] * 100)
    hundredfold.to_csv(folder / "plain.csv", index=False)
    assert out == run("score", "model", "plain.csv")[0]


def test_what_score_cannot_read_may_be_missing(run, refused, folder):
    table = make_table(holes=0).astype({"number": object})
    table.loc[3, "number"] = "many"
    table.to_csv(folder / "bad.csv", index=False)
    told = refused("score", "model", "bad.csv")
    assert "holds numbers and text such as 'many': give --missing many\n" in told
    scores = read(run("score", "model", "bad.csv", "--missing=many", "--features")[0])
    assert (scores["number"] == 0).tolist() == [k == 3 for k in range(len(table))]


def test_a_column_without_cells_is_scored_as_missing(run, folder):
    table = make_table(holes=0).assign(number=None, label=None)
    table.to_csv(folder / "holes.csv", index=False)
    scores = read(run("score", "model", "holes.csv", "--features")[0])
    assert np.isfinite(scores["log_density"]).all()
    assert (scores[["number", "label"]] == 0).all(axis=None)


def test_integers_that_no_machine_has_are_numbers(run, folder):
    cells = [10**k for k in range(16, 36)]
    (folder / "large.csv").write_text("a\n" + "".join(f"{cell}\n" for cell in cells))
    _, err = run("fit", "large.csv", "large", *QUICK_OPTIONS)
    assert err.splitlines()[2].split()[:4] == ["1", "a", "continuous", "number"]
    assert len(read(run("score", "large", "large.csv")[0])) == 20


FRAMES = {
    "categories of integers": pd.DataFrame({"a": pd.Categorical([3, 1, 2] * 9)}),
    "floats as labels": pd.DataFrame({"a": [3.0, 1.0, 2.5] * 9}),
    "a label that looks missing": pd.DataFrame({"a": ["None", "", "x"] * 9}),
    "truth values of polars": pl.DataFrame({"a": [True, False, True] * 9}),
    "labels of polars": pl.DataFrame({"a": ["x", "y", "z"] * 9}),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_models_that_were_fitted_in_python(run, folder, frame):
    density = MADEDensity(**QUICK, feature_types="categorical", random_state=0).fit(frame)
    skops.io.dump(density, folder / "python")
    cells = frame["a"].to_list()
    text = "a\n" + "".join(f'"{cell}"\n' for cell in cells)
    (folder / "python.csv").write_text(text)
    scores = read(run("score", "python", "python.csv")[0])["log_density"]
    np.testing.assert_allclose(scores, density.score_samples(frame))
    drawn = run("sample", "python", "-n", "30", "--seed", "0")[0].splitlines()
    known = spellings(list(set(cells)))
    expected = density.sample(30, random_state=0)["a"].to_list()
    assert [known[cell.strip('"')] for cell in drawn[1:]] == expected


TIMES = {
    "instants of a zone": pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Oslo"),
    "days": pd.Series(pd.date_range("2024-03-01", periods=60)).astype("datetime64[s]"),
    "durations": pd.to_timedelta(np.arange(60) * 1800, unit="s"),
    "times of day": [datetime.time(k % 24, 30) for k in range(60)],
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
def test_models_of_times_that_were_fitted_in_python(run, refused, folder, times):
    frame = pd.DataFrame({"when": times, "x": np.arange(60.0) % 7})
    density = MADEDensity(**QUICK, random_state=0).fit(frame)
    skops.io.dump(density, folder / "python")
    frame.to_csv(folder / "times.csv", index=False)
    scores = read(run("score", "python", "times.csv")[0])["log_density"]
    np.testing.assert_allclose(scores, density.score_samples(frame))
    value = pd.read_csv(folder / "times.csv", dtype=str)["when"][7]
    out, _ = run("sample", "python", "-n", "3", "--seed", "0", f"--given=when={value}")
    assert read(out)["when"].tolist() == [value] * 3
    told = refused("sample", "python", "-n", "3", "--given=when=soon")
    assert "'soon' is no" in told
    assert "such as" in told
    frame.assign(when="soon").to_csv(folder / "bad.csv", index=False)
    told = refused("score", "python", "bad.csv")
    assert "holds 'soon', which is no" in told
    assert "give --missing soon if such cells are missing" in told


def test_labels_are_found_however_they_are_spelled():
    assert spellings([False]) == {"False": False, "false": False, "FALSE": False}
    assert spellings([1.0, 2.5]) == {"1.0": 1.0, "1": 1.0, "2.5": 2.5}
    assert spellings(["1", 2]) == {"1": "1", "2": 2}


def test_an_error_is_one_line_whatever_was_to_be_warned_of(folder, refused):
    (folder / "warned.csv").write_text(
        "answer,day\nYes,1/05/2024\nyes,13/05/2024\nno,2/05/2024\n"
    )
    assert "--dates day=%d/%m/%Y" in refused("fit", "warned.csv", "new")


def test_ids_that_no_float_holds_are_warned_of(folder, run):
    ids = "\n".join(f"{1234567890123456700 + k},{k % 7}" for k in range(40))
    (folder / "ids.csv").write_text(f"id,x\n{ids}\n")
    _, err = run("fit", "ids.csv", "ids", *QUICK_OPTIONS, "--types", "id=continuous")
    assert "lose digits" not in err
    _, err = run("fit", "ids.csv", "ids", "--force", *QUICK_OPTIONS)
    assert "column 'id' of ids.csv is read as numbers, which lose digits beyond" in err
    assert "--drop id or --types id=categorical" in err


def test_rows_without_a_cell_are_left_out(folder, run):
    rows = "\n".join(f"{k},{k % 3}.5" for k in range(30))
    (folder / "sheet.csv").write_text(f"a, b \n{rows}\n,\n,\n")
    _, err = run("fit", "sheet.csv", "sheet", *QUICK_OPTIONS, "--types", "b=continuous")
    assert "2 rows have an empty cell in every column: they are left out" in err
    assert "sheet.csv: 30 rows, 2 columns, 0 missing cells" in err
