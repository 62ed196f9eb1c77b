"""The demonstration `skmade demo`, with densities that fit in a moment."""

import sys

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from skmade import MADEDensity
from skmade.__main__ import main
from skmade._cli import demo as _demo

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def quick_densities(seed=0):
    return {
        "KernelDensity": KernelDensity(),
        "GaussianMixture": GaussianMixture(random_state=seed),
        "IsolationForest": IsolationForest(n_estimators=10, random_state=seed),
        "MADEDensity": MADEDensity(
            (32,), n_estimators=1, max_iter=3, early_stopping=False, random_state=seed
        ),
    }


@pytest.fixture(scope="module")
def table():
    return _demo.load_table(seed=0)


@pytest.fixture(scope="module")
def densities(table):
    return {
        name: density.fit(table.scaled[table.train])
        for name, density in quick_densities().items()
    }


@pytest.fixture(scope="module")
def scores(densities, table):
    return densities["MADEDensity"].score_samples(table.scaled[table.held_out])


@pytest.fixture(scope="module")
def drawn(densities, table):
    drawn = densities["MADEDensity"].sample(100, random_state=0)
    return table.scaler.inverse_transform(drawn)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_demo, "default_densities", quick_densities)


def cells(line):
    """The numbers of a line of the comparison, after the name."""
    return [None if cell == "-" else float(cell) for cell in line.split()[1:]]


def test_table_holds_out_all_malignant_rows(table):
    malignant = np.flatnonzero(table.target == 0)
    assert table.target_names[0] == "malignant"
    assert not set(table.train) & set(malignant)
    assert set(malignant) == set(table.held_out[~table.benign])
    assert sorted([*table.train, *table.held_out]) == list(range(len(table.data)))
    np.testing.assert_allclose(table.scaled[table.train].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(table.scaled[table.train].std(axis=0), 1)


def test_seed_draws_the_split(table):
    assert set(_demo.load_table(seed=1).train) != set(table.train)


def test_folds_of_the_searches_are_of_one_size(table):
    for search in list(_demo.default_densities(seed=0).values())[:2]:
        assert search.scoring is None
    assert len(table.train) % 5 == 0


@pytest.mark.parametrize("name", quick_densities())
def test_line_of_a_density(name, densities, table):
    line = _demo.evaluate(name, quick_densities()[name], table)
    assert line.startswith(name)
    log_likelihood, auroc, seconds = cells(line)
    scores = densities[name].score_samples(table.scaled[table.held_out])
    assert np.isfinite(scores).all()
    if name == "IsolationForest":
        assert log_likelihood is None
    else:
        held_out_benign = np.setdiff1d(np.flatnonzero(table.target), table.train)
        expected = densities[name].score_samples(table.scaled[held_out_benign]).mean()
        assert log_likelihood == pytest.approx(expected, abs=0.006)
    malignant = table.target[table.held_out] == 0
    below = scores[malignant][:, None] < scores[~malignant]
    assert 0.5 < auroc <= 1
    assert auroc == pytest.approx(below.mean(), abs=0.002)  # ties count half
    assert seconds >= 0


def test_anomalies_are_the_rows_of_lowest_density(scores, table, capsys):
    _demo.print_anomalies(scores, table)
    _, _, _, *lines = capsys.readouterr().out.splitlines()
    rows = [int(line.split()[0]) for line in lines]
    assert rows == list(table.held_out[np.argsort(scores)[:5]])
    for row, score, line in zip(rows, np.sort(scores), lines, strict=False):
        furthest = np.abs(table.scaled[row]).argmax()
        assert f"{table.feature_names[furthest]} {table.scaled[row, furthest]:+.1f}, " in line
        assert line.split()[1:3] == [
            "benign" if table.target[row] else "malignant",
            f"{score:.1f}",
        ]


def test_picture_shows_rows_and_scores(scores, drawn, table):
    left, right = _demo.draw_picture(scores, drawn, table).axes
    real, made = (points.get_offsets() for points in left.collections)
    columns = _demo.SHOWN[-2:]
    np.testing.assert_allclose(real, table.data[table.target == 1][:, columns])
    np.testing.assert_allclose(made, drawn[:, columns])
    for axis, name in zip((left.xaxis, left.yaxis), table.feature_names[columns], strict=True):
        assert axis.get_label_text() == f"{name} (table's units)"
    # The bars of each class add up to all of its rows.
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert labels == ["212 malignant rows", "72 benign rows"]
    medians = []
    for patch in right.patches:
        shares, edges, _ = patch.get_data()
        assert shares.sum() == pytest.approx(100)
        assert (edges[0], edges[-1]) == (scores.min(), scores.max())
        medians.append(edges[np.searchsorted(shares.cumsum(), 50)])
    assert medians[0] < medians[1]
    for axes in (left, right):
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert len(axes.get_legend().get_texts()) == 2


@pytest.mark.usefixtures("quick")
def test_demo(table, tmp_path, capsys):
    output = tmp_path / "picture.png"
    assert main(["demo", "--output", str(output), "--seed", "1"]) == 0
    assert output.read_bytes().startswith(PNG_SIGNATURE)
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    for name in quick_densities():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        numbers = [number for number in cells(line) if number is not None]
        assert len(numbers) == 3 - (name == "IsolationForest")
        assert np.isfinite(numbers).all()
    # Drawn rows are in the units of the table, under the names of their columns.
    names, *rows = lines[-8:-2]
    assert names == "".join(f"{name:>14}" for name in table.feature_names[_demo.SHOWN])
    benign = table.data[table.target == 1][:, _demo.SHOWN]
    drawn = np.array([row.split() for row in rows], dtype=float)
    assert drawn.shape == (5, 5)
    np.testing.assert_allclose(drawn.mean(axis=0), benign.mean(axis=0), rtol=0.5)
    assert lines[-1] == f"Picture: {output}"


@pytest.mark.usefixtures("quick")
def test_demo_without_matplotlib(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    output = tmp_path / "picture.png"
    assert main(["demo", "--output", str(output)]) == 0
    assert not output.exists()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith('matplotlib is missing: pip install "skmade[plot]"')


@pytest.mark.parametrize(
    ("output", "problem"),
    [("missing/picture.png", "does not exist"), (".", "is a folder")],
)
def test_bad_output_is_refused_before_the_fits(tmp_path, capsys, monkeypatch, output, problem):
    monkeypatch.delattr(_demo, "load_table")
    assert main(["demo", "--output", str(tmp_path / output)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert problem in err


def test_default_densities():
    densities = _demo.default_densities(seed=3)
    assert list(densities) == list(quick_densities())
    assert str(densities["MADEDensity"]) == str(MADEDensity(random_state=3))


class Recorder:
    """Stands in for a density: remembers its callbacks."""

    callbacks = ()

    def set_callbacks(self, *callbacks):
        self.callbacks = callbacks


def test_progress_bar_on_a_terminal_only(monkeypatch):
    density = Recorder()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    _demo.show_progress(density)
    assert density.callbacks == ()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _demo.show_progress(density)
    assert [type(callback).__name__ for callback in density.callbacks] == ["ProgressBar"]


def test_progress_bar_without_rich(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    density = Recorder()
    _demo.show_progress(density)
    assert density.callbacks == ()
    assert 'pip install "skmade[plot]"' in capsys.readouterr().out
