"""A value that may be a secret, before its place in the syntax is confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import AnyStr, Literal, NamedTuple

Written = Literal["bare", "quotes", "form"]


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
