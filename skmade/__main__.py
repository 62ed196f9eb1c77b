"""The command `skmade`: its options, its errors and its exit codes.

What a sub-command needs is imported when it runs: asking for help is quick.
"""

import argparse
import ast
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from ._table.encoding import KINDS

# scikit-learn takes seeds that fit in 32 bits.
MAX_SEED = 2**32 - 1

WORDS = ("auto", *KINDS)

# As shells count them: 128 and the number of the signal, SIGINT or SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141

# What the extra `cli` installs, and `import` names alike.
EXTRA_PACKAGES = ("pandas", "skops")

EXAMPLES = {
    "fit": "skmade fit wine.csv wine.skops --types magnesium=count --seed 0",
    "score": "skmade score wine.skops new.csv --features > scores.csv",
    "sample": "skmade sample wine.skops -n 100 --given cultivar=class_0 > drawn.csv",
    "demo": "skmade demo --output picture.png",
}


class Parser(argparse.ArgumentParser):
    """A parser of arguments whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit."""
        self.exit(2, f"skmade: error: {message} (see {self.prog} --help)\n")


def build_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="skmade",
        description="Density estimation for tables with masked autoencoders.",
        epilog="\n  ".join(["examples:", *EXAMPLES.values()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skmade {version('skmade')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_fit(commands)
    _add_score(commands)
    _add_sample(commands)
    _add_demo(commands)
    return parser


def _add_command(commands: Any, name: str, summary: str, detail: str) -> Parser:
    return commands.add_parser(
        name,
        help=summary,
        description=detail,
        epilog=f"example:\n  {EXAMPLES[name]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_fit(commands: Any) -> None:
    fit = _add_command(
        commands,
        "fit",
        "learn the density of a table",
        "Learn the joint density of the rows of a CSV file, and save it.\n"
        "Columns may hold numbers, labels or true and false. Empty cells are missing.",
    )
    _add_table(fit)
    fit.add_argument("model", type=Path, metavar="MODEL", help="file to save the density to")
    _add_repeated(fit, "--types", _type, "COLUMN=KIND", f"kind of a column: {', '.join(WORDS)}")
    _add_repeated(
        fit,
        "--bounds",
        _bounds,
        "COLUMN=LOW:HIGH",
        "lowest and highest number of a column, such as age=0: for one that has no highest",
    )
    _add_repeated(fit, "--drop", str, "COLUMN", "leave a column out, such as an identifier")
    _add_repeated(
        fit,
        "--set",
        _setting,
        "NAME=VALUE",
        "a parameter of MADEDensity, such as n_estimators=4",
    )
    fit.add_argument("--seed", type=_seed, metavar="N", help="seed of the fit (default: none)")
    fit.add_argument("--force", action="store_true", help="overwrite MODEL")
    fit.add_argument(
        "--verbose", action="store_true", help="a line for each epoch, instead of a bar"
    )


def _add_score(commands: Any) -> None:
    score = _add_command(
        commands,
        "score",
        "log-density of each row of a table",
        "Write a CSV file with a column log_density: the natural logarithm of the density\n"
        "of each row, in nats. Columns are found by name, in any order.",
    )
    score.add_argument("model", type=Path, metavar="MODEL", help="file that fit has saved")
    _add_table(score)
    score.add_argument(
        "--features",
        action="store_true",
        help="add each column's part of the log-density; the parts of a row sum to it",
    )
    score.add_argument(
        "--ignore-extra", action="store_true", help="ignore columns that the model has not"
    )
    _add_output(score)


def _add_sample(commands: Any) -> None:
    sample = _add_command(
        commands,
        "sample",
        "draw rows",
        "Draw rows from a density that was fitted, and write them as a CSV file.",
    )
    sample.add_argument("model", type=Path, metavar="MODEL", help="file that fit has saved")
    sample.add_argument(
        "-n",
        type=_positive,
        metavar="N",
        dest="n_samples",
        required=True,
        help="number of rows",
    )
    _add_repeated(sample, "--given", _given, "COLUMN=VALUE", "a cell that every row shall have")
    sample.add_argument(
        "--seed", type=_seed, metavar="N", help="seed of the draws (default: none)"
    )
    _add_output(sample)


def _add_demo(commands: Any) -> None:
    demo = _add_command(
        commands,
        "demo",
        "fit, compare, score and draw on a real table",
        "Fit densities to the benign rows of scikit-learn's breast cancer table, compare them\n"
        "on held-out rows, rank anomalies, draw new rows and write a picture.",
    )
    demo.add_argument(
        "--output",
        type=Path,
        metavar="PNG",
        default=Path("skmade-demo.png"),
        help="the picture to write (default: %(default)s)",
    )
    demo.add_argument(
        "--seed",
        type=_seed,
        metavar="N",
        default=0,
        help="seed of the split, fits and draws (default: %(default)s)",
    )


def _add_table(parser: Parser) -> None:
    parser.add_argument(
        "table", metavar="TABLE.csv", help="CSV file with a header; - is standard input"
    )
    parser.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="CHAR",
        default=",",
        help="what separates cells, such as ; or tab (default: %(default)s)",
    )


def _add_repeated(
    parser: Parser, option: str, read: Callable[[str], Any], metavar: str, text: str
) -> None:
    parser.add_argument(
        option,
        type=read,
        action="append",
        default=[],
        metavar=metavar,
        help=f"{text}; may be repeated",
    )


def _add_output(parser: Parser) -> None:
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="CSV file to write (default: standard output)",
    )


def _seed(text: str) -> int:
    """Read a seed that scikit-learn takes."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 0 to {MAX_SEED}")
    return int(text)


def _positive(text: str) -> int:
    """Read a number of rows."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _delimiter(text: str) -> str:
    """Read one character; a tab is hard to type in a shell."""
    text = "\t" if text in ("tab", r"\t") else text
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not one character")
    return text


def _given(text: str) -> tuple[str, str]:
    """Read COLUMN=VALUE."""
    column, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=VALUE")
    return column, value


def _type(text: str) -> tuple[str, str]:
    """Read COLUMN=KIND; no kind has an equals sign, a column may."""
    column, sign, kind = text.rpartition("=")
    if not sign or kind not in WORDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not COLUMN=KIND, with a kind of {', '.join(WORDS)}"
        )
    return column, kind


def _bounds(text: str) -> tuple[str, tuple[float | None, float | None]]:
    """Read COLUMN=LOW:HIGH; no number has an equals sign, a column may."""
    column, sign, ends = text.rpartition("=")
    try:
        low, high = (float(end) if end.strip() else None for end in ends.split(":"))
    except ValueError:
        sign = ""
    if not sign:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not COLUMN=LOW:HIGH, with numbers, of which one may be left out"
        )
    return column, (low, high)


def _setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is a literal of Python, or else a word."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def find_output_problem(output: Path, option: str = "--output") -> str | None:
    """Say why a file can't be written there, if so: before the work, not after it."""
    folder = output.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} of {option} does not exist"
    if output.is_dir():
        return f"{option} {str(output)!r} is a folder; give a file name"
    if not os.access(output if output.exists() else folder, os.W_OK):
        return f"{option} {str(output)!r} can't be written"
    return None


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Refuse a file that can't be written, and a model that would be overwritten."""
    if arguments.command == "fit":
        problem = find_output_problem(arguments.model, "MODEL")
        if problem is None and arguments.model.exists() and not arguments.force:
            problem = f"MODEL {str(arguments.model)!r} exists; --force overwrites it"
    else:
        output = arguments.output
        problem = None if output is None else find_output_problem(output)
    if problem is not None:
        raise ValueError(problem)


def run(arguments: argparse.Namespace) -> None:
    """Run a sub-command."""
    _check_outputs(arguments)
    if arguments.command == "demo":
        from ._cli.demo import demo

        demo(arguments.output, arguments.seed)
        return
    from ._cli.commands import fit, sample, score

    {"fit": fit, "score": score, "sample": sample}[arguments.command](arguments)


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line."""
    print(f"skmade: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(message: object) -> str:
    return " ".join(str(message).split()) or type(message).__name__


def _describe(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, ModuleNotFoundError):
        return f'{error.name} is missing: pip install "skmade[cli]"'
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return _one_line(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            # Users can act on the package's own warnings, not on those to developers.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show_warning
            run(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read the output has left. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (ValueError, TypeError, OSError, OverflowError, MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and error.name not in EXTRA_PACKAGES:
            raise
        print(f"skmade: error: {_describe(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
