"""The command line: its options, its errors and its exit codes."""

import os
import runpy
import signal
import subprocess
import sys
import warnings

import pytest

from skmade import __main__, __version__
from skmade.__main__ import build_parser, find_output_problem, main

PROCESS = [sys.executable, "-m", "skmade"]
COMMANDS = ["fit", "score", "sample", "demo"]


def parse(*arguments):
    return build_parser().parse_args(arguments)


def exit_of(arguments, capsys):
    """The exit code and the output of a command that ends while its options are read."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code, *capsys.readouterr()


@pytest.fixture
def raising(monkeypatch):
    """Let the sub-commands raise an error."""

    def let_raise(error):
        def run(arguments):
            raise error

        monkeypatch.setattr(__main__, "run", run)

    return let_raise


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "required: command"),
        (["demonstrate"], "invalid choice: 'demonstrate'"),
        (["demo", "--seed", "-1"], "'-1' is not an integer from 0"),
        (["demo", "--seed", str(2**32)], "is not an integer from 0"),
        (["fit", "a.csv"], "required: MODEL"),
        (["fit", "a.csv", "m", "--set", "n_masks"], "'n_masks' is not NAME=VALUE"),
        (["fit", "a.csv", "m", "--types", "a=number"], "'a=number' is not COLUMN=KIND"),
        (["fit", "a.csv", "m", "--types", "count"], "'count' is not COLUMN=KIND"),
        (["fit", "a.csv", "m", "--delimiter", "::"], "'::' is not one character"),
        (["score", "m"], "required: TABLE.csv"),
        (["sample", "m"], "required: -n"),
        (["sample", "m", "-n", "0"], "'0' is not a positive integer"),
        (["sample", "m", "-n", "-3"], "'-3' is not a positive integer"),
        (["sample", "m", "-n", "1.5"], "'1.5' is not a positive integer"),
        (["sample", "m", "-n", "1", "--given", "a"], "'a' is not COLUMN=VALUE"),
    ],
)
def test_bad_arguments_are_one_line(capsys, arguments, problem):
    code, out, err = exit_of(arguments, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("skmade: error: ")
    assert problem in err
    assert err.count("\n") == 1


def test_values_of_options():
    fitted = parse(
        *("fit", "a.csv", "m", "--delimiter", "tab", "--types", "a=b=count"),
        *("--set", "hidden_layer_sizes=(8,)", "--set", "ordering=natural", "--set", "tol=1e-3"),
    )
    assert fitted.delimiter == "\t"
    assert fitted.types == [("a=b", "count")]
    assert fitted.set == [("hidden_layer_sizes", (8,)), ("ordering", "natural"), ("tol", 1e-3)]
    drawn = parse("sample", "m", "-n", "3", "--given", "a=b=c")
    assert drawn.n_samples == 3
    assert drawn.given == [("a", "b=c")]


def test_lists_of_options_start_empty_each_time():
    parse("fit", "a.csv", "m", "--drop", "a")
    assert parse("fit", "a.csv", "m").drop == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(capsys, command):
    code, out, err = exit_of([command, "--help"], capsys)
    assert (code, err) == (0, "")
    example = out.rpartition("example:\n")[2].partition(">")[0].split()
    assert example[:2] == ["skmade", command]
    assert parse(*example[1:]).command == command


def test_help_shows_all_examples(capsys):
    _, out, _ = exit_of(["--help"], capsys)
    for command in COMMANDS:
        assert f"\n  skmade {command} " in out


def test_version_as_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["skmade", "--version"])
    monkeypatch.delitem(sys.modules, "skmade.__main__")
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_module("skmade", run_name="__main__")
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"skmade {__version__}\n"


def test_help_imports_nothing_that_only_sub_commands_need():
    code = (
        "import sys, skmade.__main__ as command; command.build_parser().format_help(); "
        "print({'matplotlib', 'skops', 'torch', 'skmade._cli.demo'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("set()\n", "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("two\n  lines"), "two lines"),
        (TypeError("no number"), "no number"),
        (MemoryError(), "MemoryError"),
        (FileNotFoundError(2, "No such file", "a.csv"), "a.csv: No such file"),
        (
            ModuleNotFoundError("No module named 'pandas'", name="pandas"),
            'pandas is missing: pip install "skmade[cli]"',
        ),
    ],
)
def test_errors_are_one_line(capsys, raising, error, line):
    raising(error)
    assert main(["demo"]) == 2
    assert capsys.readouterr() == ("", f"skmade: error: {line}\n")


def test_errors_that_nobody_expects_are_not_hidden(raising):
    raising(ModuleNotFoundError("No module named 'tea'", name="tea"))
    with pytest.raises(ModuleNotFoundError):
        main(["demo"])
    raising(KeyError("weights"))
    with pytest.raises(KeyError):
        main(["demo"])


def test_an_interrupt_is_quiet(capsys, raising):
    raising(KeyboardInterrupt())
    assert main(["demo"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_closed_pipe_is_quiet(tmp_path, capsys, monkeypatch, raising):
    """Nothing that Python flushes later reaches what was standard output."""
    raising(BrokenPipeError())
    with open(tmp_path / "stdout", "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["demo"]) == 141
        assert os.path.sameopenfile(stdout.fileno(), os.open(os.devnull, os.O_WRONLY))
    assert capsys.readouterr().err == ""


def test_warnings_to_users_are_one_line_each(capsys, monkeypatch):
    def run(arguments):
        for _ in range(2):
            warnings.warn("few\ndraws", UserWarning, stacklevel=1)
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr(__main__, "run", run)
    assert main(["demo"]) == 0
    assert capsys.readouterr() == ("", "skmade: warning: few draws\n" * 2)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["demo", "--output", "{}/missing/picture.png"], "of --output does not exist"),
        (["demo", "--output", "{}"], "is a folder"),
        (["fit", "a.csv", "{}/missing/model"], "of MODEL does not exist"),
        (["fit", "a.csv", "{}"], "is a folder"),
        (["fit", "a.csv", "{}/file"], "exists; --force overwrites it"),
        (["score", "m", "a.csv", "--output", "{}/missing/a.csv"], "does not exist"),
        (["sample", "m", "-n", "1", "--output", "{}"], "is a folder"),
    ],
)
def test_bad_output_is_refused_before_the_work(tmp_path, capsys, arguments, problem):
    (tmp_path / "file").touch()
    assert main([argument.format(tmp_path) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert problem in err


def test_output_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "can't be written" in find_output_problem(tmp_path / "picture.png")


@pytest.fixture
def table(tmp_path):
    """Write a table of one column."""
    path = tmp_path / "table.csv"
    path.write_text("a\n" + "".join(f"{value}\n" for value in range(50)))
    return path


@pytest.mark.usefixtures("heeds_ctrl_c")
def test_an_interrupted_process_is_quiet_and_leaves_no_file(tmp_path, table):
    options = ["--set=max_iter=100000", "--set=early_stopping=False", "--verbose"]
    with open(table) as rows:
        fit = subprocess.Popen(
            [*PROCESS, "fit", "-", str(tmp_path / "model"), *options],
            stdin=rows,
            stderr=subprocess.PIPE,
            text=True,
        )
    with fit:
        columns = [fit.stderr.readline() for _ in range(3)]
        assert "50 rows, 1 columns" in columns[0]
        assert "epoch" in fit.stderr.readline()
        fit.send_signal(signal.SIGINT)
        assert all(", epoch " in line for line in fit.stderr)
    assert fit.returncode == 130
    assert os.listdir(tmp_path) == [table.name]


@pytest.mark.slow
def test_a_process_whose_reader_leaves_is_quiet(tmp_path, table):
    model = str(tmp_path / "model")
    assert main(["fit", str(table), model, "--set=n_estimators=1", "--set=max_iter=2"]) == 0
    sample = subprocess.Popen(
        [*PROCESS, "sample", model, "-n", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    sample.stdout.close()
    with sample:
        assert sample.stderr.read() == b""
    assert sample.returncode == 141
