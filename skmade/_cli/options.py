"""The options of the command `skmade`, and how each is read.

Nothing here imports what only a sub-command needs: asking for help is quick.
"""

import argparse
import ast
import codecs
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from .._table.encoding import KINDS
from .._table.texts import ISO, is_date
from .form import MISSING

# scikit-learn takes seeds that fit in 32 bits.
MAX_SEED = 2**32 - 1

WORDS = ("auto", *KINDS)

ENCODING_HELP = "how the file encodes text, such as cp1252 or latin-1 (default: %(default)s)"

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
        "Learn the joint density of the rows of a CSV file, and save it. Columns may hold\n"
        "numbers, labels, dates, or true and false. A table of the columns says what was made\n"
        "of each. A column that can't be read is refused in one line, with what reads it.",
    )
    _add_table(fit)
    fit.add_argument("model", type=Path, metavar="MODEL", help="file to save the density to")
    _add_repeated(fit, "--types", _type, "COLUMN=KIND", f"kind of a column: {', '.join(WORDS)}")
    _add_repeated(
        fit,
        "--bounds",
        _bounds,
        "COLUMN=LOW:HIGH",
        "lowest and highest number or date of a column, such as age=0: for one that has no "
        "highest",
    )
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
    """Add what says how a CSV file is written."""
    parser.add_argument(
        "table", metavar="TABLE.csv", help="CSV file with a header; - is standard input"
    )
    group = parser.add_argument_group("how the table is written")
    group.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="CHAR",
        help="what separates cells, such as ; or tab (default: found in the first rows)",
    )
    group.add_argument(
        "--skip-lines",
        type=_positive,
        metavar="N",
        default=0,
        help="lines above the header, such as a title, that are left out",
    )
    group.add_argument(
        "--no-header",
        action="store_true",
        help="the first line is a row: columns are called 'column 1', 'column 2', ...",
    )
    group.add_argument(
        "--encoding", type=_encoding, metavar="NAME", default="utf-8", help=ENCODING_HELP
    )
    group.add_argument(
        "--decimal", type=_mark, metavar="CHAR", help="decimal mark of numbers (default: .)"
    )
    group.add_argument(
        "--thousands",
        type=_mark,
        metavar="CHAR",
        help="what stands between thousands, such as , or ' ' (default: nothing)",
    )
    _add_columns(group)


def _add_columns(group: Any) -> None:
    """Add what says which cells are missing, dates or of no use."""
    _add_repeated(
        group,
        "--missing",
        str,
        "TEXT",
        f"what stands for a missing cell, beside {', '.join(filter(None, MISSING))} and empty "
        "cells",
    )
    _add_repeated(
        group,
        "--dates",
        _dates,
        "COLUMN[=FORMAT]",
        "a column of dates, such as when=%%d.%%m.%%Y (default FORMAT: ISO 8601, 2024-03-01)",
    )
    _add_repeated(
        group,
        "--drop",
        str,
        "COLUMN",
        "leave a column out, by its name or its position from 1",
    )


def _add_repeated(
    parser: Any, option: str, read: Callable[[str], Any], metavar: str, text: str
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
    """Read a number of rows or lines."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _delimiter(text: str) -> str:
    """Read one character; a tab is hard to type in a shell."""
    text = "\t" if text in ("tab", r"\t") else text
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not one character")
    return text


def _mark(text: str) -> str:
    """Read the mark of decimals or thousands."""
    if len(text) != 1 or text.isalnum() or text in "+-":
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one character beside digits and signs"
        )
    return text


def _encoding(text: str) -> str:
    """Read the name of an encoding of text."""
    try:
        "".encode(text)
        codec = codecs.lookup(text).name
    except LookupError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no encoding of text; utf-8, cp1252, latin-1 and utf-16 are some"
        ) from None
    return "utf-8" if codec == "utf-8-sig" else text


def _dates(text: str) -> tuple[str, str]:
    """Read COLUMN or COLUMN=FORMAT; a format has a percent sign, what else is the column."""
    column, sign, form = text.rpartition("=")
    if not sign or "%" not in form:
        return text.removesuffix("="), ISO
    try:
        datetime.strptime("", form)
    except ValueError as error:
        if "does not match" not in str(error):
            raise argparse.ArgumentTypeError(
                f"{form!r} is no format of dates, such as %d.%m.%Y: {error}"
            ) from None
    return column, form


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


def _bounds(text: str) -> tuple[str, tuple[float | str | None, float | str | None]]:
    """Read COLUMN=LOW:HIGH; no number has an equals sign, a column may.

    Times have colons too, so that each is tried for the one between the ends.
    """
    column, sign, ends = text.rpartition("=")
    for position in [k for k, mark in enumerate(ends) if sign and mark == ":"]:
        try:
            low, high = _end(ends[:position]), _end(ends[position + 1 :])
        except ValueError:
            continue
        if None in (low, high) or type(low) is type(high):
            return column, (low, high)
    raise argparse.ArgumentTypeError(
        f"{text!r} is not COLUMN=LOW:HIGH, with numbers or dates, of which one may be left out"
    )


def _end(text: str) -> float | str | None:
    """Read an end of a column: a number, a date, or none."""
    text = text.strip()
    if not text:
        return None
    return text if is_date(text, ISO) else float(text)


def _setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is a literal of Python, or else a word."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
