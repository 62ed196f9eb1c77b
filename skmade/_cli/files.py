"""The files of the command: tables as CSV, and models in the format of skops.

Files are written whole or not at all. What a file holds is checked before it is used, by
`dialect` if it is a table.
"""

import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import skops.io

from .._density import MADEDensity
from .._input import fitted_ensemble
from .._table.layout import Layout
from .dialect import check_text, open_text
from .form import MISSING, Form

# The one type in a saved model that skops does not know.
TRUSTED = "skmade._density.MADEDensity"


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
    form: Form | None = None,
    texts: Sequence[str] = (),
    labels: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """Read a table with a header, without the columns that are dropped.

    The columns in `texts` are read as text. `labels` says for some columns which texts are
    labels, though others use them for missing cells; `form.missing` takes precedence. The table
    has an attribute `zeros`: columns with a number that begins with zeros, and the first one.
    """
    form = form or Form()
    with open_text(path, form.encoding) as binary:
        header, handle = check_text(binary, path, form)
        unread = {name for name, _ in form.dates} | set(texts)
        # pandas renames columns of one name, before it leaves some out.
        names = [f"column {position}" for position in range(header.n_columns)]
        of_name = dict(zip(header.names, (names[k] for k in header.positions), strict=True))
        missing = {
            of_name[name]: [*_missing(form, (labels or {}).get(name, ()))]
            for name in header.names
        }
        table = pd.read_csv(
            handle,
            sep=header.delimiter,
            header=0,
            names=names,
            usecols=header.positions,
            index_col=False,
            dtype={of_name[name]: "string" for name in header.names if name in unread},
            dtype_backend="numpy_nullable",
            decimal=form.style.decimal,
            keep_default_na=False,
            na_values=missing,
            low_memory=False,
        )
    table.columns = pd.Index(header.names)
    table.attrs["zeros"] = header.zeros
    return table


def _missing(form: Form, labels: Collection[str]) -> set[str]:
    """Return what stands for a missing cell in a column with some labels."""
    return {mark for mark in MISSING if mark not in labels} | {*form.missing}


def write_csv(text: str, output: Path | None) -> None:
    """Write to standard output, or to a file that takes its place when it is complete."""
    if output is None:
        sys.stdout.write(text)
    elif output.exists() and not output.is_file():  # a device or a pipe is not replaced
        output.write_text(text, encoding="utf-8")
    else:
        with replacing(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
