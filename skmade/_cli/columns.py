"""Columns of a CSV file: their cells as numbers, truth values, dates or labels.

What could mean two things is refused, in one line with the options that make it run.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._table.grid import MAX_EXACT
from .._table.texts import (
    BEHIND,
    BRACKETS,
    ISO,
    ISO_FORMS,
    ISO_OFFSET,
    STYLES,
    Reading,
    Style,
    bare,
    is_date,
    is_mark,
    is_number,
    is_sign,
    reading,
    same_but_for_case,
    to_number,
)
from .form import MISSING, Form, either, option, options

# So many texts are named at most that may stand for missing cells.
MAX_MISSING = 8

ISO_DATES = {ISO: "date", ISO_OFFSET: "date in UTC"}

# Dates of eight digits.
COMPACT = (1900_01_01, 2099_12_31)

TRUTH = {"true": True, "false": False}

Cells = Any  # a pandas.Series


class Source(NamedTuple):
    """Where a column is from, for messages."""

    name: str
    path: str
    form: Form
    is_new: bool  # whether its kind may still be declared

    @property
    def place(self) -> str:
        """Name the column."""
        return f"column {self.name!r} of {self.path}"

    def as_labels(self) -> str:
        """Spell the option that keeps text as it is."""
        return option("--types", f"{self.name}=categorical") if self.is_new else ""

    def without(self, texts: Sequence[str]) -> str:
        """Spell the options that leave a new column out or keep its labels, or else texts."""
        if self.is_new:
            return either([option("--drop", self.name), self.as_labels()])
        return options("--missing", [text.strip() for text in texts[:MAX_MISSING]])


class Column(NamedTuple):
    """Cells that were read, and in words what they are."""

    cells: Cells
    what: str


def read_cells(cells: Cells, kind: str, source: Source) -> Column:
    """Read a column of numbers, truth values, dates or labels, as its kind lets it be."""
    formats = source.form.formats(source.name)
    if kind == "categorical" and not formats:
        return Column(cells.mask(cells.str.strip() == ""), "label")
    if pd.api.types.is_bool_dtype(cells) and kind in ("continuous", "count"):
        raise ValueError(
            f"{source.place} holds true and false, which are no numbers: give "
            f"{option('--types', f'{source.name}=binary')}"
        )
    if pd.api.types.is_bool_dtype(cells):
        return Column(cells, "true or false")
    if pd.api.types.is_numeric_dtype(cells):
        return _finite(cells, source)
    stripped = cells.str.strip()
    cells = cells.mask(stripped.isin([*MISSING, *source.form.missing]))
    if cells.isna().all():
        return Column(cells.astype("Float64"), "nothing")
    labels = list(cells.dropna().unique())
    read, what = _meaning(labels, kind, source, formats)
    if read is None:
        marks = [text.strip() for text in labels if is_sign(text)]
        if marks:
            warnings.warn(
                f"{source.place} holds {marks[0]!r}, which is taken for a label: give "
                f"{options('--missing', marks)} if such cells are missing",
                stacklevel=2,
            )
        alike = same_but_for_case(labels)
        if alike:
            warnings.warn(
                f"{source.place} has labels that differ in case or blanks alone, "
                f"{' and '.join(map(repr, alike[:3]))}, which are taken for different ones: "
                "write them alike in the file if they mean the same",
                stacklevel=2,
            )
        return Column(cells, what)
    values = cells.map(read)
    if what.startswith("date"):
        return Column(pd.to_datetime(values), what)
    return Column(values.astype("boolean" if what == "true or false" else "Float64"), what)


def warn_of_codes(cells: Cells, source: Source, zeros: str | None) -> None:
    """Warn of numbers that are codes or dates, perhaps: those with zeros first, 20240301."""
    if pd.api.types.is_integer_dtype(cells) and (cells.dropna().abs() > MAX_EXACT).any():
        warnings.warn(
            f"{source.place} is read as numbers, which lose digits beyond {MAX_EXACT:.0f}: "
            f"give {source.without([])} if they are codes",
            stacklevel=2,
        )
        return
    if zeros is not None:
        advice = f"{source.as_labels()} if they are codes"
    elif pd.api.types.is_integer_dtype(cells) and cells.dropna().between(*COMPACT).all():
        days = cells.dropna().unique()
        if len(days) == 0 or not all(is_date(str(day), "%Y%m%d") for day in days):
            return
        zeros, advice = str(days[0]), f"{_dates_option(source, '%Y%m%d')} if they are dates"
    else:
        return
    warnings.warn(
        f"{source.place} is read as numbers, but holds {zeros}: give {advice}", stacklevel=2
    )


def _meaning(
    texts: list[str], kind: str, source: Source, formats: list[str]
) -> tuple[dict[str, Any] | None, str]:
    """Return what each text stands for, None if they are labels, and what they are."""
    if formats:
        dates = _dates(texts, formats, source)
        offset = all("%z" in form for form in formats) or _has_offset(texts)
        return dates, ISO_DATES[ISO_OFFSET if offset else ISO]
    if kind in ("auto", "binary"):
        truth = {t: TRUTH[t.strip().casefold()] for t in texts if t.strip().casefold() in TRUTH}
        others = [text for text in texts if text not in truth]
        if truth and all(map(is_mark, others)):
            if others:
                raise ValueError(_truth_refusal(others, source))
            return truth, "true or false"
    expected = kind in ("continuous", "count")
    numbers = _numbers(texts, source)
    if numbers is not None:
        return numbers
    for form, what in ISO_DATES.items() if kind in ("auto", "continuous") else ():
        if all(is_date(text, form) for text in texts):
            return _dates(texts, [ISO], source), what
    found = reading(texts) or (reading(texts, "numbers") if expected else None)
    if found is not None:
        raise ValueError(_refusal(found, texts, source))
    if expected:
        raise ValueError(no_number(texts[0], source))
    return None, "label"


def _has_offset(texts: list[str]) -> bool:
    """Whether all texts are instants, with an offset from UTC."""
    return all(is_date(text, ISO_OFFSET) for text in texts)


def _truth_refusal(others: list[str], source: Source) -> str:
    """Say that there are marks of missing cells among true and false."""
    labels = source.as_labels()
    return (
        f"{source.place} holds true and false and text such as {others[0]!r}: give "
        f"{options('--missing', [text.strip() for text in others])}"
        + (f" (or {labels} to keep all as labels)" if labels else "")
    )


def no_number(text: str, source: Source) -> str:
    """Say that a text is no number, and what to do."""
    labels = source.as_labels()
    return (
        f"{source.place} holds {text!r}, which is no number: give "
        f"{option('--missing', text.strip())} if such cells are missing"
        + (f" or {labels} if it holds labels" if labels else "")
    )


def _finite(cells: Cells, source: Source) -> Column:
    """Refuse infinite numbers, which are never values."""
    n_infinite = int(np.isinf(cells.to_numpy(dtype=float, na_value=np.nan)).sum())
    if n_infinite:
        raise ValueError(
            f"{source.path} has infinity in column {source.name!r} ({n_infinite} rows): inf is "
            f"never a value; give {options('--missing', ['inf', '-inf'])} to make it missing"
        )
    return Column(cells, "number")


def _numbers(texts: list[str], source: Source) -> tuple[dict[str, Any], str] | None:
    """Return the numbers that all texts stand for, if it is plain which."""
    style = source.form.style
    numbers = {text: bare(text) for text in texts}
    signs = {number.sign for number in numbers.values()}
    if len(signs) != 1 or not all(is_number(n.number, style) for n in numbers.values()):
        return None
    found = reading(texts, "numbers")
    if found is None:
        return None
    if found.styles != (style,) and not told(
        source.form
    ):  # a point that may be one of thousands
        return None
    sign = f" without {min(signs)!r}" if min(signs) else ""
    minus = [mark for mark in (BRACKETS, BEHIND) if mark in found.odd]
    brackets = f", {' and '.join(minus)} negative" if minus else ""
    values = {text: to_number(number.number, style) for text, number in numbers.items()}
    return values, f"number{sign}{brackets}"


def _dates(texts: list[str], formats: list[str], source: Source) -> dict[str, Any]:
    """Return the dates that all texts stand for, by the first format that reads each."""
    dates: dict[str, Any] = {}
    for form in formats:
        rest = pd.Series([text for text in texts if text not in dates], dtype=object)
        utc = form == ISO or "%z" in form
        how = "ISO8601" if form == ISO else form
        if form == ISO:  # pandas takes more for dates than has a day
            rest = rest[[any(is_date(text, iso) for iso in ISO_FORMS) for text in rest]]
        if not len(rest):
            continue
        read = pd.to_datetime(rest.str.strip(), format=how, errors="coerce", utc=utc)
        read = read.dt.tz_localize(None) if utc else read
        dates |= {t: date for t, date in zip(rest, read, strict=True) if not pd.isna(date)}
    others = [text for text in texts if text not in dates]
    if others:
        missing = options("--missing", [text.strip() for text in others[:MAX_MISSING]])
        found = reading(others, "dates")
        another = _dates_option(source, "FORMAT")
        way = f"{missing} if such cells are missing or another {another}"
        if found is not None:
            forms = [*formats, *(some[0] for some in found.formats)]
            read = " ".join(_dates_option(source, form) for form in forms)
            way = f"{read} to read such dates too, or {missing} if such cells are missing"
        raise ValueError(
            f"{source.place} holds {others[0]!r}, which is no date of {', '.join(formats)}: "
            f"give {way}"
        )
    return dates


def _dates_option(source: Source, form: str) -> str:
    return option("--dates", source.name if form in ISO_FORMS else f"{source.name}={form}")


def _refusal(found: Reading, texts: list[str], source: Source) -> str:
    """Say what a column seems to hold, and with which options it is read."""
    form, missing = source.form, found.missing
    if told(form) and form.style in found.styles:
        found = found._replace(styles=(form.style,))
    elif told(form) and found.means == "numbers":
        fitting = _fitting(found, texts, form)
        found = found._replace(styles=fitting) if fitting else found
    asked = options("--missing", [text.strip() for text in missing[:MAX_MISSING]])
    labels = source.as_labels()
    instead = f" (or {labels} to keep all as labels)" if labels else ""
    if found.means == "dates":
        return f"{source.place} holds {_dates_refusal(found, source, asked)}{instead}"
    if len(found.signs) > 1 or found.partly:
        return _several_units(found, texts, source)
    if len(missing) > MAX_MISSING and source.is_new:
        return (
            f"{source.place} holds numbers and {len(missing)} other texts, such as "
            f"{missing[0]!r}: give {source.without(missing)} or write numbers in the file"
        )
    if _contradicts(found, form):
        other = [text for text in texts if not is_number(bare(text).number, form.style)]
        return (
            f"{source.place} holds numbers in another style than the options say, such as "
            f"{other[0]!r}: give {source.without(other)} or write them alike in the file"
        )
    ways = [_style_options(found, style, form, asked) for style in found.styles]
    example = next(text for text in texts if text not in missing)
    shown = "" if missing and len(ways) == 1 else f" such as {example!r}"
    doubt = ", which may mean two things" if len(ways) > 1 else ""
    others = f" and text such as {missing[0]!r}" if missing else ""
    others = f",{others}" if others and doubt else others
    return f"{source.place} holds numbers{shown}{doubt}{others}: give {either(ways)}{instead}"


def _several_units(found: Reading, texts: list[str], source: Source) -> str:
    """Say that numbers can't be compared, as signs are beside them that differ."""
    kinds = [*map(repr, found.signs), *(["none"] if found.partly else [])]
    others = [text for text in texts if bare(text).sign != bare(texts[0]).sign]
    return (
        f"{source.place} holds numbers of several units, {' and '.join(kinds)}: give "
        f"{source.without(others)} or bring them to one unit in the file"
    )


def told(form: Form) -> bool:
    """Whether options say how numbers are written."""
    return form.decimal is not None or form.thousands is not None


def _fitting(found: Reading, texts: list[str], form: Form) -> tuple[Style, ...]:
    """Return the first style of all numbers that adds something to what the options say."""
    numbers = [bare(text).number for text in texts if text not in found.missing]
    return tuple(
        style
        for style in STYLES
        if form.decimal in (None, style.decimal)
        and (form.thousands is None or style.thousands in ("", form.thousands))
        and all(is_number(number, style) for number in numbers)
    )[:1]


def _contradicts(found: Reading, form: Form) -> bool:
    """Whether options ask for another style than the one in which numbers are written."""
    style = found.styles[0]
    decimal = form.decimal is not None and form.decimal != style.decimal
    thousands = form.thousands is not None and style.thousands not in ("", form.thousands)
    return decimal or thousands


def _style_options(found: Reading, style: Style, form: Form, missing: str) -> str:
    """Spell the options that read a style of numbers."""
    # Beside another style that fits, the plain one has to be asked for.
    plain = len(found.styles) > 1 and not style.thousands
    asked = [option("--decimal", style.decimal)]
    asked = asked if plain or style.decimal != form.style.decimal else []
    if style.thousands not in ("", form.style.thousands):
        asked.append(option("--thousands", style.thousands))
    return " ".join([*asked, missing]).strip()


def _dates_refusal(found: Reading, source: Source, missing: str) -> str:
    """Say which formats of dates there are, and the options that read them."""
    ways = [
        " ".join(filter(None, [*(_dates_option(source, form) for form in forms), missing]))
        for forms in _orders(found.formats)
    ]
    others = f" and text such as {found.missing[0]!r}" if found.missing else ""
    if len(ways) > 1:
        others = f",{others}" if others else ""
        doubt = "whose order of day and month can't be told"
        return f"dates {doubt}{others}: give {either(ways)}"
    several = " in several formats" if len(found.formats) > 1 else ""
    return f"dates{several}{others}: give {either(ways)}"


def _orders(formats: tuple[tuple[str, ...], ...]) -> list[list[str]]:
    """Return the lists of formats that read all cells: one for each way of what is open."""
    n_ways = max(map(len, formats))
    return [[forms[min(k, len(forms) - 1)] for forms in formats] for k in range(n_ways)]
