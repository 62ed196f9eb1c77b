"""Text that means numbers: how it is written, and how it is read as such."""

import re
from collections.abc import Sequence
from typing import Any

# A column of text means numbers if so many of its labels, and such a share, are numbers...
MIN_NUMBERS, MIN_SHARE = 10, 0.8

# ... and if it is not just whole numbers, which may be codes.
WHOLE = re.compile(r"[+-]?\d+")

# Ways to write numbers, with the line that reads them, the plainest first.
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FORMS = (
    (re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"), "thousands=','"),
    (re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+"), "thousands='.', decimal=','"),
    (re.compile(r"[+-]?\d{1,3}([  ]\d{3})+([.,]\d+)?"), "thousands=' '"),
    (re.compile(r"[+-]?\d+,\d+"), "decimal=','"),
)
SIGNS = re.compile(r"^[$€£¥]\s*|\s*[%€£]$")

# Labels that are named in a message, at most.
MAX_NAMED = 3


def reading(labels: Sequence[Any]) -> str | None:
    """Say how labels would be read as numbers, if that is what they mean."""
    texts = [label.strip() for label in labels if isinstance(label, str)]
    if len(texts) < MIN_NUMBERS or len(texts) < len(labels):
        return None
    signed = sorted({sign.strip() for text in texts for sign in SIGNS.findall(text)})
    bare = {text: SIGNS.sub("", text) for text in texts}
    ways = {text: _way(number) for text, number in bare.items()}
    numbers = [text for text, way in ways.items() if way is not None]
    others = [text for text, way in ways.items() if way is None]
    if len(numbers) < max(MIN_NUMBERS, MIN_SHARE * len(texts)):
        return None
    arguments = sorted({way for way in ways.values() if way})
    if not (others or arguments or signed) and all(map(WHOLE.fullmatch, texts)):
        return None
    if others:
        arguments.append(f"na_values={others[:MAX_NAMED]!r}")
    if not (arguments or signed):
        return "as numbers"
    strip = f"without {' and '.join(map(repr, signed))}" if signed else ""
    by = f"by pandas.read_csv(..., {', '.join(arguments)})" if arguments else ""
    return " and ".join(filter(None, [strip, by]))


def _way(text: str) -> str | None:
    """Return what reads a number: nothing for a plain one; None if it is no number."""
    if PLAIN.fullmatch(text):
        return ""
    return next((way for form, way in FORMS if form.fullmatch(text)), None)
