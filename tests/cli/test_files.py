"""Tables and models on disk: read with suspicion, written whole or not at all."""

import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from skmade._cli.files import load_model, read_csv, replacing, save_model, write_csv
from skmade._cli.form import MISSING, Form
from tests.configurations import quick

RUN = []  # what hostile files have run


def hostile_code(name):
    RUN.append(name)


class Hostile:
    """Runs code when pickle or skops loads it."""

    def __init__(self):
        self.armed = True

    def __setstate__(self, state):
        hostile_code("setstate")

    def __reduce__(self):
        return hostile_code, ("reduce",)


class HostileState(Hostile):
    """Runs code when skops loads it, which knows no such function to reduce to."""

    def __reduce__(self):
        return object.__reduce__(self)


@pytest.fixture(scope="module")
def density():
    table = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 7})
    return quick(max_iter=1).fit(table)


@pytest.fixture
def written(tmp_path):
    """Write a file, and return its path."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_keeps_its_mode_and_its_links(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.touch(mode=0o600)
    link.symlink_to(path)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_model_that_appears_during_the_fit_stays(tmp_path, density):
    path = tmp_path / "model"
    path.write_text("someone else's")
    with pytest.raises(FileExistsError, match="--force"):
        save_model(density, path, force=False)
    assert path.read_text() == "someone else's"
    save_model(density, path, force=True)
    assert os.listdir(tmp_path) == ["model"]
    load_model(path)


def test_a_saved_model_scores_bit_for_bit(tmp_path, density):
    save_model(density, tmp_path / "model", force=False)
    loaded, layout = load_model(tmp_path / "model")
    table = pd.DataFrame({"a": [3.0, np.nan], "b": [1.0, 2.0]})
    np.testing.assert_array_equal(loaded.score_samples(table), density.score_samples(table))
    assert layout.names == ["a", "b"]


def hidden_method(density):
    """A model of trusted types, whose score would be something else."""
    hostile = pickle.loads(pickle.dumps(density))
    hostile.score_samples = np.exp
    return hostile


def without_weights(density):
    """A model that no fit has left."""
    damaged = pickle.loads(pickle.dumps(density))
    damaged._state = {"layout": damaged._state["layout"]}
    return damaged


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda density: HostileState(), "HostileState: not trusted"),
        (lambda density: {"model": density, "more": HostileState()}, "not trusted"),
        (lambda density: LinearRegression(), "holds no MADEDensity"),
        (lambda density: [density], "holds a list"),
        (lambda density: quick(), "is not fitted"),
        (hidden_method, "hides score_samples"),
        (without_weights, "damaged MADEDensity"),
        (lambda density: quick(max_iter=1).fit(np.eye(5)), "without names of columns"),
    ],
)
def test_other_objects_are_refused(tmp_path, density, made, problem):
    skops.io.dump(made(density), tmp_path / "model")
    with pytest.raises(ValueError, match=problem):
        load_model(tmp_path / "model")
    assert RUN == []


def test_hostile_files_would_run_code_if_they_were_trusted():
    data = skops.io.dumps(HostileState())
    try:
        skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
        pickle.loads(pickle.dumps(Hostile()))
        assert RUN == ["setstate", "reduce"]
    finally:
        RUN.clear()


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", pickle.dumps(Hostile()), b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "pickle", "empty zip"],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a model that 'skmade fit' saved"):
        load_model(path)
    assert RUN == []


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_files_that_were_cut_off_are_refused(tmp_path, density, share):
    save_model(density, tmp_path / "model", force=False)
    data = (tmp_path / "model").read_bytes()
    (tmp_path / "model").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="damaged"):
        load_model(tmp_path / "model")


def test_a_model_in_which_a_bit_has_changed_is_refused(tmp_path, density):
    save_model(density, tmp_path / "model", force=False)
    data = bytearray((tmp_path / "model").read_bytes())
    data[data.index(b"NUMPY") + 200] ^= 1  # a number in an array
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("a,b,a\n1,2,3\n", "has 'a' twice"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells where the header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells where the header has 2"),
        ('a,b\n"1,2\n3,4\n', "line 3: unexpected end of data"),
        ("a;b\n1;2\n", "give --delimiter ';'"),
        ("a\tb\n1\t2\n", "give --delimiter tab"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not a CSV file"),
        ("café\n1\n".encode("latin-1"), "is not UTF-8: give --encoding cp1252"),
    ],
)
def test_other_than_tables_are_refused(written, content, problem):
    with pytest.raises(ValueError, match=problem):
        read_csv(written(content), Form(","))


def test_cells_become_numbers_truth_values_and_text(written):
    path = written("n,i,f,b,t\n1,1,0.1,true,x\n,2,1e300,FALSE,\n3,3,NA,,'y'\n")
    table = read_csv(path, texts=["n"])
    assert [str(dtype) for dtype in table.dtypes] == [
        *("string", "Int64", "Float64", "boolean", "string")
    ]
    assert table.isna().sum().tolist() == [1, 0, 1, 1, 1]
    assert table["n"].dropna().tolist() == ["1", "3"]
    assert table["f"].dropna().tolist() == [0.1, 1e300]
    assert table["b"].dropna().tolist() == [True, False]


def test_leading_zeros_of_labels_stay(written):
    assert read_csv(written("zip\n01234\n"), texts=["zip"])["zip"].tolist() == ["01234"]


def test_marks_of_missing_cells_can_be_labels(written):
    path = written("a,b\nNone,None\n,\n")
    table = read_csv(path, labels={"a": [mark for mark in MISSING if mark]})
    assert table["a"].isna().tolist() == [False, True]
    assert table["b"].isna().tolist() == [True, True]


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2\n3,4\n", "\ufeffa,b\r\n1,2\r\n\r\n3,4\r\n", 'a,"b"\n"1",2\n3,"4"'],
    ids=["plain", "from a spreadsheet", "quoted"],
)
def test_flavours_of_csv(written, content):
    expected = pd.DataFrame({"a": [1, 3], "b": [2, 4]}, dtype="Int64")
    pd.testing.assert_frame_equal(read_csv(written(content), Form(",")), expected)


def test_a_cell_of_several_lines(written):
    table = read_csv(written('a,b\n"x\ny",2\nz,4\n'))
    assert table["a"].tolist() == ["x\ny", "z"]


def test_standard_input(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"a;b\n1;2\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read_csv("-", Form(";")).to_numpy().tolist() == [[1, 2]]


def test_a_named_pipe_is_read_twice():
    reader, writer = os.pipe()
    os.write(writer, b"a,b\n1,2\n")
    os.close(writer)
    assert read_csv(f"/dev/fd/{reader}").to_numpy().tolist() == [[1, 2]]
    os.close(reader)


def test_text_goes_to_a_file_or_to_standard_output(tmp_path, capsys):
    write_csv("a\n1\n", None)
    assert capsys.readouterr().out == "a\n1\n"
    write_csv("a\n1\n", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "a\n1\n"


def test_a_device_is_written_to_and_not_replaced():
    before = os.stat(os.devnull)
    write_csv("a\n1\n", Path(os.devnull))
    assert os.path.samestat(os.stat(os.devnull), before)
