"""A value that may be a secret, and its place as the line alone tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import AnyStr, Literal, NamedTuple

Written = Literal["bare", "quotes", "form"]

_COMMENTS = ("//", "/*", "#", "--", ";", "%", "<!--", "*", "REM ")
_LITERAL = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_OPEN_QUOTE = re.compile("[\"'`]")


class Candidate(NamedTuple):
    """Characters `start:end` of a text and the kind of the secret, in a word or two.

    A value in `quotes` may stand between the wrong ones: the end of a literal and the beginning of
    the next. A `bare` one may be code. A value that its `form` gives away can be neither.
    """

    start: int
    end: int
    label: str
    written: Written = "bare"


def places(text: AnyStr, word: AnyStr) -> Iterator[int]:
    """Yield the places of a word, without overlap."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def is_text_on_line(data: bytes, start: int) -> bool:
    """Tell whether a place is in a string or comment: after an open quote or a comment's mark."""
    floor = max(0, start - 2_000)
    head = data[max(floor, data.rfind(b"\n", floor, start) + 1) : start].decode("latin-1")
    if head.lstrip().startswith(_COMMENTS) or " // " in head or " # " in head or " -- " in head:
        return True
    return _OPEN_QUOTE.search(_LITERAL.sub("", head)) is not None
