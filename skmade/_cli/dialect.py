"""The dialect of a CSV file: its encoding, its delimiter, its header and its rows.

What pandas would take without a word is refused here, with the option that makes it run.
"""

import csv
import io
import itertools
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TextIO

from .._table.texts import Style, is_number
from .form import Form, option

# What separates cells, the first where several do.
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'", ",": "','"}

# So many lines tell the delimiter.
N_LINES = 200

# More than such a share of rows is most of them.
MOST = 0.5

# A header is looked for below so many rows at most.
MAX_ABOVE = 10

# What no text has.
CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")

# Numbers that begin with zeros, as codes do; months and days do so too.
CODE = re.compile(r"0\d\d+")

# Numbers that are names of columns less often than cells.
FRACTION = re.compile(r"[+-]?\d*[.,]\d+([eE][+-]?\d+)?")

# Lines that are named in a warning, at most.
MAX_NAMED = 3


class Header(NamedTuple):
    """The columns of a file that are read, and how."""

    names: list[str]
    positions: list[int]
    n_columns: int
    delimiter: str
    zeros: dict[str, str]  # columns with a number that begins with zeros, and the first such


def open_text(path: str, encoding: str) -> TextIO:
    """Open a text file, or standard input, so that it can be read twice."""
    binary: Any = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115
    if path == "-":
        binary = io.BytesIO(binary.read())
    elif not binary.seekable():  # a named pipe
        with binary:
            binary = io.BytesIO(binary.read())
    known = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    return io.TextIOWrapper(binary, encoding=known, newline="")


def check_text(handle: TextIO, path: str, form: Form) -> tuple[Header, TextIO]:
    """Return the columns of a file in which every row has the cells of the header, and it."""
    try:
        rows, delimiter, n_above = _below(handle, form)
        delimiter = delimiter or _sniffed(rows)
        if form.headless:
            rows, n_above = _with_names(rows, delimiter), n_above - 1
        _check_first_rows(rows, path, delimiter, form, n_above)
        header, repeated = _check_rows(rows, path, delimiter, form, n_above)
    except UnicodeError:
        handle.seek(0)
        problem = encoding_problem(handle.buffer.read(), form.encoding)
        raise ValueError(f"{path} is {problem}") from None
    rows.seek(0)
    return header, _without_headers(rows, delimiter) if repeated else rows


def _below(handle: TextIO, form: Form) -> tuple[TextIO, str | None, int]:
    """Return a file from its header on, the delimiter that is told, and the lines above."""
    first = handle.readline()
    if "\0" in first:
        raise UnicodeError
    told = re.fullmatch(r'"?sep=(.)"?\s*', first)  # as spreadsheets write it
    n_above = form.skipped or int(told is not None)
    if not n_above:
        handle.seek(0)
        return handle, form.delimiter, 0
    for _ in range(n_above - 1):
        handle.readline()
    delimiter = form.delimiter or (told[1] if told else None)
    return io.StringIO(handle.read(), newline=""), delimiter, n_above


def encoding_problem(data: bytes, encoding: str) -> str:
    """Say how text is encoded that could not be read."""
    wide = {"utf-16-le": data[1::2], "utf-16-be": data[::2]}
    wide_ones = [name for name, zeros in wide.items() if zeros.count(0) > len(data) / 4]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and wide_ones:
        likely = "utf-16"
    elif wide_ones:
        likely = wide_ones[0]
    elif 0 in data or CONTROLS.search(data):
        return "not a CSV file: it holds bytes that are no text"
    else:
        likely = _likely_encoding(data)
    said = "not UTF-8" if encoding == "utf-8" else f"not {encoding}"
    other = " (or latin-1)" if likely == "cp1252" else ""
    return f"{said}: give --encoding {likely}{other}"


def _likely_encoding(data: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _sniffed(handle: TextIO) -> str:
    """Find what separates cells: what gives all rows as many as the header, and most."""
    lines = list(itertools.islice(handle, N_LINES))
    handle.seek(0)
    best: tuple[Any, str] = ((False, 0.0), ",")
    for delimiter in DELIMITERS:
        counts = _counts(lines, delimiter)
        if not counts or counts[0] == 1:
            continue
        share = counts.count(counts[0]) / len(counts)
        # Of several that fit all rows the first: commas may be in decimals.
        best = max(best, ((share == 1, share), delimiter), key=lambda one: one[0])
    if best[0] != (False, 0.0):
        return best[1]
    below = [line for line in lines[1:] if line.strip()]
    if all(is_number(line.strip(), Style(",")) for line in below):
        return ";"  # one column, with decimal commas
    # Rows of several cells below one cell are below a title, and are refused later.
    several = (d for d in DELIMITERS if _are_wide(_counts(lines, d)))
    alone = (d for d in (",", *DELIMITERS) if set(_counts(lines, d)) <= {1})
    return next(itertools.chain(several, alone), ",")


def _are_wide(counts: Sequence[int]) -> bool:
    """Whether most rows below the first have the same number of cells, and several."""
    below = Counter(counts[1:]).most_common(1)
    return bool(below) and below[0][0] > 1 and below[0][1] > MOST * (len(counts) - 1)


def _counts(lines: Sequence[str], delimiter: str) -> list[int]:
    """Count the cells of the first rows."""
    try:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return []
    # The last row may have been cut.
    return counts[:-1] if len(lines) == N_LINES and len(counts) > 1 else counts


def _check_rows(
    handle: TextIO, path: str, delimiter: str, form: Form, n_above: int
) -> tuple[Header, list[int]]:
    """Return the header, to which every row must have a cell, and lines that repeat it.

    pandas takes rows that are too short for rows with missing cells, and renames columns of
    one name. There are lines above these in the file.
    """
    rows = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(filter(None, rows), [])]
        first = next(filter(None, rows), [])
        _check_delimiter(names, first, path, delimiter)
        n_rows, repeated = 0, []
        zeros: dict[int, str] = {}
        for row in itertools.chain([first] if first else [], filter(None, rows)):
            line = rows.line_num + n_above
            if len(row) != len(names):
                alike = all(len(other) == len(row) for other in filter(None, rows))
                wider = alike and len(row) > len(names) and n_rows <= MAX_ABOVE
                raise ValueError(_ragged(path, line, len(row), len(names), wider))
            # In one column a cell may well be called like the column.
            if row[0].strip() == names[0] and len(row) > 1 and _same(row, names):
                repeated.append(line)
            else:
                n_rows += 1
            if n_rows <= N_LINES:
                zeros = {k: cell for k, cell in enumerate(row) if CODE.fullmatch(cell)} | zeros
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num + n_above}: {error}") from None
    header = _check_header(names, path, delimiter, form, zeros)
    if n_rows == 0:
        raise ValueError(f"{path} has a header and no rows")
    if repeated:
        _warn_of_headers(repeated, path)
    return header, repeated


def _ragged(path: str, line: int, n_cells: int, n_names: int, wider: bool) -> str:
    """Say that a row has other cells than the header, which may be below a title."""
    hint = f": give --skip-lines {line - 1} if this line is the header" if wider else ""
    return f"{path}, line {line}: {n_cells} cells where the header has {n_names}{hint}"


def _warn_of_headers(repeated: list[int], path: str) -> None:
    """Warn of lines that repeat the header."""
    lines = ", ".join(map(str, repeated[:MAX_NAMED]))
    more = ", ..." if len(repeated) > MAX_NAMED else ""
    warnings.warn(
        f"{path} has its header {len(repeated) + 1} times, as joined files have: left out "
        f"where it is repeated, in line {lines}{more}",
        stacklevel=2,
    )


def _same(row: Sequence[str], names: Sequence[str]) -> bool:
    return all(cell.strip() == name for cell, name in zip(row, names, strict=True))


def _check_delimiter(names: list[str], first: list[str], path: str, delimiter: str) -> None:
    """Refuse a delimiter where another one gives the first row as many cells as the header."""
    if not names:
        raise ValueError(f"{path} is empty")
    if len(names) > 1 or len(first) > 1:
        return
    for character, spelled in DELIMITERS.items():
        parts = len(names[0].split(character))
        if character != delimiter and parts > 1:
            if first and len(first[0].split(character)) != parts:
                continue  # a name that has the character in it
            raise ValueError(
                f"{path} has the header {names[0]!r}: give --delimiter {spelled} if that is "
                "what separates its cells"
            )


def _check_header(
    names: list[str], path: str, delimiter: str, form: Form, zeros: dict[int, str]
) -> Header:
    """Refuse a header with names missing or twice, unless their columns are dropped."""
    dropped = _dropped(names, path, form)
    kept = [position for position in range(len(names)) if position not in dropped]
    if not kept:
        raise ValueError(f"--drop leaves no column of {path}")
    counts = Counter(names[position] for position in kept)
    for position in kept:
        name = names[position]
        # A column that is called like the position would be left out instead.
        told = str(position + 1) if str(position + 1) not in names else name
        advice = f"give {option('--drop', told)} to leave it out, or name it"
        if not name.strip():
            index = ": it is the index that pandas writes, perhaps" if position == 0 else ""
            raise ValueError(
                f"{path}: column {position + 1} has no name in the header{index}; {advice}"
            )
        if counts[name] > 1 and names.index(name) != position:
            if FRACTION.fullmatch(name.strip()):
                advice = f"give --no-header if the first line is a row, or {advice[5:]}"
            raise ValueError(
                f"{path}: the header has {name!r} twice, the second time for column "
                f"{position + 1}; {advice}"
            )
    coded = {names[position]: zeros[position] for position in kept if position in zeros}
    return Header([names[position] for position in kept], kept, len(names), delimiter, coded)


def _dropped(names: list[str], path: str, form: Form) -> set[int]:
    """Return the positions of columns that are left out, by name or position from one."""
    dropped = set()
    for name in form.dropped:
        if name in names:
            dropped |= {position for position, other in enumerate(names) if other == name}
        elif name.isdecimal() and 1 <= int(name) <= len(names):
            dropped.add(int(name) - 1)
        else:
            raise ValueError(
                f"--drop names {name!r}, which is no column of {path}, by name or by position, "
                f"1 to {len(names)}"
            )
    return dropped


def _with_names(handle: TextIO, delimiter: str) -> TextIO:
    """Return a file with a header: its columns are called by their positions."""
    first = next(filter(None, csv.reader(handle, delimiter=delimiter)), [])
    handle.seek(0)
    names = delimiter.join(f"column {k + 1}" for k in range(len(first)))
    return io.StringIO(f"{names}\n{handle.read()}", newline="")


def _check_first_rows(
    handle: TextIO, path: str, delimiter: str, form: Form, n_above: int
) -> None:
    """Refuse a title above the header, or blanks between cells; warn of no header at all."""
    try:
        rows = csv.reader(handle, delimiter=delimiter)
        first = [
            (row, rows.line_num) for row in itertools.islice(filter(None, rows), MAX_ABOVE)
        ]
    except csv.Error:  # told later, with the line
        first = []
    handle.seek(0)
    names = first[0][0] if first else []
    if 2 * sum(not name.strip() for name in names) > len(names):
        lines = (line for row, line in first if all(cell.strip() for cell in row))
        for line in itertools.islice(lines, 1):
            skipped = option("--skip-lines", str(line - 1 + n_above))
            raise ValueError(f"{path} has a title above its header: give {skipped}")
    n_words = {len(row[0].split()) for row, _ in first} if len(names) == 1 else set()
    if form.delimiter is None and len(first) > 1 and len(n_words) == 1 and n_words != {1}:
        raise ValueError(
            f"{path} has the header {names[0]!r}, and as many words in its rows: give "
            "--delimiter ' ' if blanks separate cells or --delimiter , if it is one column"
        )
    numbers = [name for name in names if FRACTION.fullmatch(name.strip())]
    if numbers:
        warnings.warn(
            f"{path} has {numbers[0]!r} in its header, which is a number: give --no-header if "
            "the first line is a row",
            stacklevel=2,
        )


def _without_headers(handle: TextIO, delimiter: str) -> TextIO:
    """Return a file without the lines that repeat its header."""
    rows: Iterable[list[str]] = filter(None, csv.reader(handle, delimiter=delimiter))
    rows = iter(rows)
    names = next(rows)
    stripped = [name.strip() for name in names]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(names)
    writer.writerows(row for row in rows if not _same(row, stripped))
    text.seek(0)
    return text
