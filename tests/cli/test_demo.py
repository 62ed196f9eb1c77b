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
def results(table):
    return [_demo.evaluate(name, density, table) for name, density in quick_densities().items()]


@pytest.fixture(scope="module")
def drawn(results, table):
    return table.scaler.inverse_transform(results[-1].density.sample(100, random_state=0))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_demo, "default_densities", quick_densities)


def cells(line):
    """The numbers of a line of the comparison, after the name."""
    return [None if cell == "-" else float(cell) for cell in line.split()[1:]]


def test_table_holds_out_all_malignant_rows(table):
    assert table.benign[table.train].all()
    assert set(np.flatnonzero(~table.benign)) < set(table.held_out)
    assert not set(table.train) & set(table.held_out)
    np.testing.assert_allclose(table.scaled[table.train].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(table.scaled[table.train].std(axis=0), 1)


def test_seed_draws_the_split(table):
    assert set(_demo.load_table(seed=1).train) != set(table.train)


def test_results_are_finite(results):
    assert [result.name for result in results] == list(quick_densities())
    for result in results:
        assert np.isfinite(result.scores).all()
        assert 0.5 < result.auroc <= 1
        assert result.seconds > 0
        if result.name == "IsolationForest":
            assert result.log_likelihood is None
        else:
            assert np.isfinite(result.log_likelihood)


def test_log_likelihood_is_of_benign_held_out_rows(results, table):
    held_out_benign = np.setdiff1d(np.flatnonzero(table.benign), table.train)
    made = results[-1]
    expected = made.density.score_samples(table.scaled[held_out_benign]).mean()
    assert made.log_likelihood == pytest.approx(expected)


def test_comparison_has_a_line_for_each_density(results):
    _, *lines = _demo.format_results(results).splitlines()
    for line, result in zip(lines, results, strict=False):
        assert line.startswith(result.name)
        log_likelihood, auroc, _ = cells(line)
        assert log_likelihood == pytest.approx(result.log_likelihood, abs=0.005)
        assert auroc == pytest.approx(result.auroc, abs=0.0005)


def test_anomalies_are_the_rows_of_lowest_density(results, table):
    _, _, *lines = _demo.format_anomalies(results[-1], table).splitlines()
    rows = [int(line.split()[0]) for line in lines]
    scores = results[-1].density.score_samples(table.scaled[table.held_out])
    assert rows == list(table.held_out[np.argsort(scores)[:5]])
    for row, line in zip(rows, lines, strict=True):
        furthest = np.abs(table.scaled[row]).argmax()
        assert f"{table.names[furthest]} {table.scaled[row, furthest]:+.1f}, " in line
        assert ("benign" if table.benign[row] else "malignant") in line


def test_drawn_rows_are_in_the_units_of_the_table(drawn, table):
    _, _, *lines = _demo.format_drawn(drawn, table).splitlines()
    assert len(lines) == 5
    columns = [table.column(name) for name in _demo.SHOWN_COLUMNS]
    for line, row in zip(lines, drawn, strict=False):
        np.testing.assert_allclose([float(c) for c in line.split()], row[columns], atol=5e-4)
    benign = table.rows[table.benign][:, columns]
    np.testing.assert_allclose(drawn[:, columns].mean(axis=0), benign.mean(axis=0), rtol=0.2)


def test_picture_shows_rows_and_scores(results, drawn, table):
    left, right = _demo.draw_picture(results[-1], drawn, table).axes
    real, made = (points.get_offsets() for points in left.collections)
    columns = [table.column(name) for name in _demo.SCATTER_COLUMNS]
    np.testing.assert_allclose(real, table.rows[table.benign][:, columns])
    np.testing.assert_allclose(made, drawn[:, columns])
    # The bars of each class, between its two outlines, add up to all of its rows.
    assert len(right.patches) == 2
    for patch in right.patches:
        corners = patch.get_xy()
        area = np.abs(np.trapezoid(corners[:, 1], corners[:, 0]))
        bin_width = np.ptp(results[-1].scores) / 30
        assert area / bin_width == pytest.approx(100)
    for axes in (left, right):
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()
        assert len(axes.get_legend().get_texts()) == 2


@pytest.mark.usefixtures("quick")
def test_demo(tmp_path, capsys):
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
    monkeypatch.delattr(_demo, "run_demo")
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
