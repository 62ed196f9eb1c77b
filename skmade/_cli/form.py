"""How a CSV file is written, as options say it, and options as messages show them."""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .._table.texts import Style

# What stands for a missing cell.
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")


class Form(NamedTuple):
    """How a CSV file is written."""

    delimiter: str | None = None  # None: found in the first rows
    encoding: str = "utf-8"
    decimal: str | None = None  # None: a point, unless cells may be read otherwise
    thousands: str | None = None
    missing: tuple[str, ...] = ()  # beside MISSING
    dates: tuple[tuple[str, str], ...] = ()  # columns with a format
    dropped: tuple[str, ...] = ()
    skipped: int = 0  # lines above the header
    headless: bool = False  # whether the first line is a row

    @property
    def style(self) -> Style:
        """How numbers are written."""
        return Style(self.decimal or ".", self.thousands or "")

    def formats(self, column: str) -> list[str]:
        """Return the formats of a column of dates, to be tried in their order."""
        return [form for name, form in self.dates if name == column]


def read_form(arguments: Any) -> Form:
    """Collect what the options say of a file."""
    form = Form(
        arguments.delimiter,
        arguments.encoding,
        arguments.decimal,
        arguments.thousands,
        tuple(text.strip() for text in arguments.missing),
        tuple(arguments.dates),
        tuple(arguments.drop),
        arguments.skip_lines,
        arguments.no_header,
    )
    if form.style.decimal == form.style.thousands:
        raise ValueError(
            f"--decimal and --thousands are both {form.style.decimal!r}: they must differ"
        )
    return form


def option(name: str, value: str) -> str:
    """Spell an option as a shell takes it."""
    value = " --" if value == "--" else value  # which argparse takes for the end of options
    quoted = shlex.quote(value)
    if "'" in value and not re.search(r'["$`\\!]', value):  # easier to read
        quoted = f'"{value}"'
    return f"{name}={quoted}" if value[:1] == "-" else f"{name} {quoted}"


def options(name: str, values: Iterable[str]) -> str:
    """Spell an option that is given several times."""
    return " ".join(option(name, value) for value in values)


def either(ways: Sequence[str]) -> str:
    """Spell several ways of which one is to be taken."""
    return " or ".join(filter(None, ways))
