"""Text that means numbers or dates: how it is written, and what reads it.

One check for tables of Python and for files of the command. Nothing is guessed: where two ways
of reading fit all cells, such as day or month first, both are told.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

# A column of text means numbers or dates if such a share of its labels are, and so many: fewer
# where the others are plain words, and very few where they are marks of missing cells.
MIN_SHARE, MIN_AMONG_OTHERS, MIN_AMONG_WORDS, MIN_AMONG_MARKS = 0.8, 10, 4, 2

# What people write where a cell is missing, in lower case.
MARK_WORDS = """
    ? ?? ??? - -- --- \u2013 \u2014 _ . .. ... * ** # x na n/a n.a. n.a #n/a #na <na> nan nat
    none null nil missing unknown unk tbd tba n/d nd n.d. n/k n.k. k.a. inf -inf +inf infinity
    -infinity #div/0! #value! #ref! #num!
"""
MARK_PHRASES = ("", "k. a.", "not available", "not applicable", "not known", "no data")
MARKS = frozenset([*MARK_WORDS.split(), *MARK_PHRASES])

# Characters of typesetters, and what machines read.
ODD = {"\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"}
STRAIGHT = str.maketrans(ODD)
BRACKETS, BEHIND = "(...)", "...-"  # an accountant's minus

CURRENCIES = (
    r"US\$|[$€£¥₹₽₩]|EUR|USD|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|"
    r"Fr\.|Rs\.?|kr\.?"
)
UNITS = (
    r"%|‰|°C|°F|°|kg|mg|µg|g|lbs?|oz|km/h|mph|km|cm|mm|mi|ft|ha|sqm|m²|m2|m³|m3|m|ml|cl|l|L|"
    r"kWh|kW|MW|hp|bhp|PS|cc|CC|rpm|ms|sec|s|mins?|hrs?|h|days?|months?|years?|yrs?|kHz|MHz|GHz|"
    r"Hz|KB|kB|MB|GB|TB|px|kmpl|mpg|V|W|k|K|M|bn|mn|Mio\.?|pts?"
)
# A number with what is beside it. A lone letter is a unit only after a blank, or if it stands
# for thousands or millions: codes end in letters too.
SIGNED = re.compile(
    rf"(?P<minus>[+-]?)\s*(?P<before>{CURRENCIES})?\s*"
    r"(?P<number>[+-]?(?:\d[\d.,' ]*|[.,]\d+)(?:[eE][+-]?\d+)?)"
    rf"(?P<gap>\s*)(?P<after>{CURRENCIES}|{UNITS})?"
)
TIGHT = re.compile(r"[%‰°kKM$€£¥₹₽₩]|..+")

WHOLE = re.compile(r"[+-]?\d+")
CODE = re.compile(r"[+-]?0[\d' ].*")  # with leading zeros

ISO, ISO_OFFSET = "ISO 8601", "ISO 8601 with offset"
DAY = r"\d{4}-\d\d-\d\d"
TIME = r"[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?"
ISO_FORMS = {
    ISO: re.compile(rf"{DAY}(?:{TIME})?"),
    ISO_OFFSET: re.compile(rf"{DAY}{TIME}\s?(?:Z|[+-]\d\d(?::?\d\d)?)"),
}
DATE_LIKE = re.compile(
    r"\d{1,4}[-./ ]\s?(?:\d{1,2}|[^\W\d]{3,9})\b|[^\W\d]{3,9}\.? \d{1,2},? \d"
    r"|\d{1,2}[-./]\d{4}$|[^\W\d]{3,9}[- ](?:\d{4}|\d\d)$"
)
DAYS = (
    *(f"%d{mark}%m{mark}%{year}" for year in "Yy" for mark in "./-"),
    *(f"%m{mark}%d{mark}%{year}" for year in "Yy" for mark in "/-."),
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y/%d/%m", "%Y-%d-%m", "%y-%m-%d", "%y/%m/%d"),
    *(f"%d{mark}%b{mark}%{year}" for year in "Yy" for mark in " -."),
    *("%d %B %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
    *("%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y"),
)
TIMES = (
    *("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", ", %H:%M", ", %H:%M:%S"),
    *(" %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p", ", %I:%M %p", ", %I:%M:%S %p"),
)
FORMATS = tuple(day + time for time in TIMES for day in DAYS)

# Formats are tried on so many labels at first, and so many formats are told of a column.
N_TRIED, MAX_FORMATS = 60, 3
# Of more labels than this only so many are looked at, unless these say numbers.
N_LOOKED_AT = 1000
# Labels that are named in a message, at most.
MAX_NAMED = 3


class Style(NamedTuple):
    """How numbers are written."""

    decimal: str = "."
    thousands: str = ""


STYLES = (
    Style(),
    Style(".", ","),
    Style(",", ""),
    Style(",", "."),
    Style(".", " "),
    Style(",", " "),
    Style(".", "'"),
    Style(",", "'"),
)


class Reading(NamedTuple):
    """What a column of text means."""

    means: str  # 'numbers' or 'dates'
    missing: tuple[str, ...]  # labels that are neither
    styles: tuple[Style, ...] = ()  # of numbers: several, if labels do not tell which
    signs: tuple[str, ...] = ()  # currencies and units beside numbers
    partly: bool = False  # whether some numbers have no sign
    odd: tuple[str, ...] = ()  # characters and brackets that machines do not read
    formats: tuple[tuple[str, ...], ...] = ()  # of dates: each with those it can't be told from


class Bare(NamedTuple):
    """A number without what is beside it."""

    number: str  # as written, or the whole text where it is none
    sign: str = ""
    odd: tuple[str, ...] = ()


def reading(labels: Sequence[Any], expected: str = "") -> Reading | None:
    """Say what labels mean, if they are text that means something else.

    Few labels among others are no evidence, unless 'numbers' or 'dates' are `expected`.
    """
    if not any(isinstance(label, str) for label in labels):
        return None
    known = (str, int, float)  # numbers in a column of objects, beside text
    if not all(isinstance(label, known) and not isinstance(label, bool) for label in labels):
        return None
    texts = [label if isinstance(label, str) else repr(label) for label in labels]
    dates = None if expected == "numbers" else _as_dates(texts, bool(expected))
    return dates or (None if expected == "dates" else _as_numbers(texts, bool(expected)))


def bare(text: str) -> Bare:
    """Return a number without currency, unit and brackets, in the signs of machines."""
    straight = text.strip().translate(STRAIGHT)
    odd = {mark for mark in ODD if mark in text.strip()}
    inner = straight
    if straight.startswith("(") and straight.endswith(")"):
        inner = f"-{straight[1:-1].strip()}"
        odd.add(BRACKETS)
    elif re.search(r"\d\s?-$", straight):
        inner = f"-{straight[:-1].strip()}"
        odd.add(BEHIND)
    match = SIGNED.fullmatch(inner)
    if match is None or (match["before"] and match["after"]):
        return Bare(straight)
    after = match["after"] or ""
    number = match["number"].strip()
    tight = number == match["number"] and not match["gap"]
    if after and tight and not TIGHT.fullmatch(after):
        return Bare(straight)
    signed = number.startswith(("+", "-"))
    if signed and match["minus"]:
        return Bare(straight)
    return Bare(match["minus"] + number, match["before"] or after, tuple(sorted(odd)))


def is_number(number: str, style: Style) -> bool:
    """Whether a bare number is written in a style."""
    return _pattern(style).fullmatch(number) is not None


def to_number(number: str, style: Style) -> float:
    """Return the value of a bare number that is written in a style."""
    if style.thousands:
        number = number.replace(style.thousands, "")
    return float(number.replace(style.decimal, "."))


@cache
def _pattern(style: Style) -> re.Pattern[str]:
    whole, mark = r"\d+", re.escape(style.thousands)
    if style.thousands:  # groups of three, or of two in India
        whole = rf"(?:[1-9]\d{{0,2}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}|\d+)"
    decimal = re.escape(style.decimal)
    return re.compile(
        rf"[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?", re.ASCII
    )


def same_but_for_case(labels: Sequence[Any]) -> list[str]:
    """Return the labels that differ in case or blanks alone, of those with most spellings."""
    alike: dict[str, list[str]] = {}
    for label in labels:
        if isinstance(label, str):
            alike.setdefault(" ".join(label.casefold().split()), []).append(label)
    most = max(alike.values(), key=len, default=[])
    return most if len(most) > 1 else []


def is_sign(text: str) -> bool:
    """Whether a text is a mark of a missing cell that is no word, such as '?' or 'n/a'."""
    mark = text.strip().casefold()
    return mark in MARKS and not mark.isalpha() and mark not in MARK_PHRASES


def is_mark(text: str) -> bool:
    """Whether a text is a common mark of a missing cell."""
    return text.strip().casefold() in MARKS


def _enough(n_read: int, others: Sequence[str], expected: bool) -> bool:
    """Whether so many labels of a kind say that all but the others mean it."""
    words = [other for other in others if not is_mark(other)]
    if expected or not words:
        return n_read >= (1 if expected else MIN_AMONG_MARKS)
    # Ranges and such, '10+' or '1-4', are labels among numbers sooner than words are.
    digits = any(map(re.compile(r"\d").search, words))
    least = MIN_AMONG_OTHERS if digits else MIN_AMONG_WORDS
    return n_read >= max(least, MIN_SHARE * (n_read + len(words)))


def _as_numbers(texts: Sequence[str], expected: bool) -> Reading | None:
    some = texts[:: max(len(texts) // N_LOOKED_AT, 1)]
    if len(texts) > N_LOOKED_AT and sum(map(_is_digital, some)) < len(some) / 2:
        return None  # without a look at all of so many
    numbers = {text: bare(text) for text in texts}
    read = {
        style: [text for text in texts if is_number(numbers[text].number, style)]
        for style in STYLES
    }
    styles = _styles_of(read, [number.number for number in numbers.values()])
    known = set(read[styles[0]])
    others = tuple(text for text in texts if text not in known)
    if not _enough(len(known), others, expected):
        return None
    found = [numbers[text] for text in known]
    if not expected and any(CODE.fullmatch(number.number) for number in found):
        return None
    signs = {number.sign for number in found}
    if styles == (Style(),) and _in_thousands(found):
        styles = (Style(), Style(",", "."))
    odd = tuple(sorted({mark for number in found for mark in number.odd}))
    plain = not (others or odd or signs - {""}) and styles == (Style(),)
    if plain and not expected and all(WHOLE.fullmatch(number.number) for number in found):
        return None
    return Reading(
        "numbers",
        others,
        styles,
        tuple(sorted(signs - {""})),
        "" in signs and len(signs) > 1,
        odd,
    )


def _in_thousands(found: Sequence[Bare]) -> bool:
    """Whether points in amounts of money may be those of thousands: 1.200 €."""
    money = re.compile(CURRENCIES)
    pointed = [number for number in found if "." in number.number]
    return bool(pointed) and all(
        money.fullmatch(number.sign)
        and re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", number.number)
        for number in pointed
    )


def _is_digital(text: str) -> bool:
    """Whether a text is a number in some style."""
    number = bare(text).number
    return any(is_number(number, style) for style in STYLES)


def _styles_of(read: dict[Style, list[str]], numbers: Sequence[str]) -> tuple[Style, ...]:
    """Return the styles that read most: the plain one if it does, else all of the simplest."""
    most = max(map(len, read.values()))
    best = [style for style in STYLES if len(read[style]) == most]
    if Style() in best:
        return (Style(),)
    marks = set("".join(numbers))

    def n_unused(style: Style) -> int:
        return len(set(style) - {"", "."} - marks) + (
            "." in style.thousands and "." not in marks
        )

    least = min(map(n_unused, best))
    simplest = [style for style in best if n_unused(style) == least]
    # Where no cell has a decimal mark, a point is as good as a comma.
    pointed = {style.thousands for style in simplest if style.decimal == "."}
    return tuple(
        style
        for style in simplest
        if style.decimal == "." or style.thousands not in pointed or not style.thousands
    )


def _as_dates(texts: Sequence[str], expected: bool) -> Reading | None:
    like = {text: expected or bool(DATE_LIKE.match(text.strip())) for text in texts}
    rest, others = [t for t in texts if like[t]], [t for t in texts if not like[t]]
    if not rest or not _enough(len(rest), others, expected):
        return None
    some = rest[:: max(len(rest) // N_TRIED, 1)]
    tried = [form for form in (*ISO_FORMS, *FORMATS) if any(is_date(t, form) for t in some)]
    read = {form: {text for text in rest if is_date(text, form)} for form in tried}
    found: list[tuple[str, ...]] = []
    least, left = max(1, len(rest) // 50), set(rest)
    while tried and left and len(found) < MAX_FORMATS:
        best = max(tried, key=lambda form: len(read[form] & left))  # the first of several
        most = read[best] & left
        if len(most) < least:
            break
        same = [form for form in tried if len(read[form] & left) == len(most)]
        same = [form for form in same if read[form] & most]
        # What a format before has read too, in another order of day and month, is open.
        again = [k for k, forms in enumerate(found) if read[forms[0]] & read[best]]
        for k in again:
            found[k], same = (found[k][0], best), [best, found[k][0]]
        same = [form for form in same if not _instead(form, same)]
        found.append(tuple(same))
        if len(same) == 2 and read[same[0]] != read[same[1]] and not again:  # each reads some
            found.append((same[1], same[0]))
        left -= {text for form in same for text in read[form]}
    known = {text for forms in found for form in forms for text in read[form]}
    missing = tuple(text for text in texts if text not in known)
    if not found or not _enough(len(known), missing, expected):
        return None
    return Reading("dates", missing, formats=tuple(found))


def _instead(form: str, same: Sequence[str]) -> bool:
    """Whether another of the formats that read the same is the one that people use."""
    if form.startswith("%Y-%m-%d") and {ISO, ISO_OFFSET} & {*same}:
        return True
    year_first = form.startswith(("%Y-%d", "%Y/%d"))  # nobody has the day in the middle
    usual = ISO in same or form.replace("%d/%m", "%m/%d").replace("%d-%m", "%m-%d") in same
    return (year_first and usual) or ("%B" in form and form.replace("%B", "%b") in same)  # May


def is_date(text: str, form: str) -> bool:
    """Whether a text is a date in a format of `strptime`, or of ISO 8601."""
    text = text.strip()
    try:
        if form in ISO_FORMS:
            if not ISO_FORMS[form].fullmatch(text):
                return False
            datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
        else:
            datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def in_python(found: Reading, column: Any) -> str:
    """Say how a column is read as what it means, in Python."""
    if found.means == "dates":
        return _dates_in_python(found, column)
    steps = []
    if len(found.signs) > 1 or found.partly:
        signs = [*map(repr, found.signs), *(["none"] if found.partly else [])]
        steps.append(f"in one unit, where some have {' and some '.join(signs)}")
    elif found.signs:
        steps.append(f"without {found.signs[0]!r}")
    minus = [mark for mark in (BRACKETS, BEHIND) if mark in found.odd]
    if minus:
        steps.append(f"with a minus in front for {' and '.join(minus)}")
    odd = [mark for mark in found.odd if mark in ODD]
    if odd:
        steps.append("with " + " and ".join(f"{ODD[mark]!r} for {mark!a}" for mark in odd))
    ways = [_arguments(style, found.missing) for style in found.styles]
    if any(ways):
        steps.append(" or ".join(f"by pandas.read_csv(..., {', '.join(way)})" for way in ways))
    return " and ".join(steps) or "as numbers"


def _arguments(style: Style, missing: Sequence[str]) -> list[str]:
    """Return the arguments of `pandas.read_csv` that read a style."""
    arguments = [f"thousands={style.thousands!r}"] if style.thousands else []
    arguments += [f"decimal={style.decimal!r}"] if style.decimal != "." else []
    return arguments + ([f"na_values={[*missing[:MAX_NAMED]]!r}"] if missing else [])


def _dates_in_python(found: Reading, column: Any) -> str:
    """Say how a column is read as dates, in Python."""
    coerced = ", errors='coerce'" if found.missing else ""

    def line(form: str) -> str:
        argument = {ISO: "format='ISO8601'", ISO_OFFSET: "format='ISO8601', utc=True"}
        said = argument.get(form, f"format={form!r}")
        return f"pandas.to_datetime(X[{column!r}], {said}{coerced})"

    if len(found.formats) > 1:
        forms = " and ".join(forms[0] for forms in found.formats)
        return f"format by format, as there are {forms}, such as {line(found.formats[0][0])}"
    return "by " + " or ".join(map(line, found.formats[0]))
