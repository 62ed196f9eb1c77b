"""The files of the command: tables as CSV, and models in the format of skops.

Files are written whole or not at all. What a file holds is checked before it is used.
"""

import csv
import io
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import skops.io

from .._density import MADEDensity
from .._input import fitted_ensemble
from .._table.layout import Layout

# The one type in a saved model that skops does not know.
TRUSTED = "skmade._density.MADEDensity"

# What stands for a missing cell.
MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")

# Separators that a header of one column probably holds by mistake.
DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'"}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write to, whose file takes the place of `path` if all went well."""
    path = path.resolve()  # a link stays, and leads to the new file
    temporary = path.with_name(f".skmade-{os.getpid()}.tmp")
    try:
        yield temporary
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_model(density: MADEDensity, path: Path, force: bool) -> None:
    """Write a fitted density; an existing file stays as it is unless `force` is set."""
    with replacing(path) as temporary:
        skops.io.dump(density, temporary)
        if path.exists() and not force:
            raise FileExistsError(f"MODEL {str(path)!r} exists; --force overwrites it")


def load_model(path: Path) -> tuple[MADEDensity, Layout]:
    """Read a fitted density and its layout; nothing in the file is run."""
    data = path.read_bytes()
    damaged = f"{path} is not a model that 'skmade fit' saved, or it is damaged"
    if not data:
        raise ValueError(f"{damaged}: it is empty")
    try:
        types = set(skops.io.get_untrusted_types(data=data))
    except Exception as error:  # skops lets through what zip, json and NumPy raise
        raise ValueError(f"{damaged}: {error}") from None
    foreign = sorted(types - {TRUSTED})
    if foreign:
        raise ValueError(f"{path} is refused, as it holds {', '.join(foreign)}: not trusted")
    if not types:
        raise ValueError(f"{path} is refused, as it holds no MADEDensity")
    try:
        density = skops.io.loads(data, trusted=[TRUSTED])
    except Exception as error:
        raise ValueError(f"{damaged}: {error}") from None
    return density, _checked_layout(density, path)


def _checked_layout(density: Any, path: Path) -> Layout:
    """Return the layout of what was loaded, if it is a fitted density with named columns."""
    if type(density) is not MADEDensity:
        raise ValueError(f"{path} holds a {type(density).__name__}, not a MADEDensity alone")
    # An attribute could take the place of a method, and be something else that skops trusts.
    hidden = vars(density).keys() & set(dir(MADEDensity))
    if hidden:
        raise ValueError(f"{path} is refused: its state hides {', '.join(sorted(hidden))}")
    if not density.__sklearn_is_fitted__():
        raise ValueError(f"{path} holds a MADEDensity that is not fitted")
    try:
        layout = fitted_ensemble(density)[1]
    except Exception as error:  # a state that no fit has left
        raise ValueError(f"{path} holds a damaged MADEDensity: {error!r}") from None
    if layout.names is None or not all(isinstance(name, str) for name in layout.names):
        raise ValueError(
            f"{path} was fitted without names of columns: fit it to a table that has them"
        )
    return layout


def read_csv(
    path: str,
    delimiter: str,
    texts: Sequence[str] = (),
    missing: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Read a table with a header.

    The columns in `texts` are read as text. `missing` says for each column what stands for
    a missing cell in it, where that is not `MISSING`.
    """
    with _open(path) as handle:
        try:
            names = _check_rows(handle, path, delimiter)
        except UnicodeDecodeError:
            raise ValueError(f"{path} is not a CSV file: it is not text in UTF-8") from None
        handle.seek(0)
        return pd.read_csv(
            handle,
            sep=delimiter,
            index_col=False,
            dtype=dict.fromkeys(texts, "string"),
            dtype_backend="numpy_nullable",
            keep_default_na=False,
            na_values={name: list((missing or {}).get(name, MISSING)) for name in names},
            low_memory=False,
        )


def _open(path: str) -> TextIO:
    """Open a text file, or standard input, so that it can be read twice."""
    binary: Any = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115
    if path == "-":
        binary = io.BytesIO(binary.read())
    elif not binary.seekable():  # a named pipe
        with binary:
            binary = io.BytesIO(binary.read())
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")


def _check_rows(handle: TextIO, path: str, delimiter: str) -> list[str]:
    """Return the names in the header, to which every row must have a cell.

    pandas takes rows that are too short for rows with missing cells, and renames columns of
    one name.
    """
    rows = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        names = _check_header(next(filter(None, rows), []), path)
        n_rows = 0
        for row in filter(None, rows):
            n_rows += 1
            if len(row) != len(names):
                raise ValueError(
                    f"{path}, line {rows.line_num}: {len(row)} cells where the header has "
                    f"{len(names)}"
                )
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: {error}") from None
    if n_rows == 0:
        raise ValueError(f"{path} has a header and no rows")
    return names


def _check_header(names: list[str], path: str) -> list[str]:
    """Refuse a header that is missing, or has names missing or twice."""
    if not names:
        raise ValueError(f"{path} is empty")
    for character, spelled in DELIMITERS.items():
        if len(names) == 1 and character in names[0]:
            raise ValueError(
                f"{path} has the header {names[0]!r}: give --delimiter {spelled} if that is "
                "what separates its cells"
            )
    for position, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"{path}: column {position + 1} has no name in the header")
        if name in names[:position]:
            raise ValueError(f"{path}: the header has {name!r} twice")
    return names


def write_csv(text: str, output: Path | None) -> None:
    """Write to standard output, or to a file that takes its place when it is complete."""
    if output is None:
        sys.stdout.write(text)
    elif output.exists() and not output.is_file():  # a device or a pipe is not replaced
        output.write_text(text, encoding="utf-8")
    else:
        with replacing(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
