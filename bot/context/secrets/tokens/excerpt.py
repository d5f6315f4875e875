"""The lines of a text that can hold a provider's token.

A token has a run of twenty and more characters that is no name, no path and no digest. Few lines of
a repository have one, so the rules for tokens, by far the most expensive ones, look at little. A
repository without any does not even load them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache

from bot.context.secrets.judgement.words import is_name
from bot.context.secrets.mask import Span

_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/.$"
_SHAPE = bytes(0x61 if byte in _TOKEN else 0x20 for byte in range(256))
_RUN = b"a" * 20
_DIGEST = re.compile(rb"[0-9a-f]{32,128}|[0-9A-F]{32,128}|(?:sha\d{1,3}-)[A-Za-z0-9+/]{20,}")
_DRAWING = re.compile(rb"(?:[A-Za-z]?-?\.?\d++\.?)++[A-Za-z]?")
"""A path of an SVG drawing: numbers with one letter between them."""
_WORD = rb"(?:[A-Z]{2,10}|[a-z]{0,9}(?:[A-Z][a-z]{2,12}){0,6})"
_WORDS = re.compile(rb"(?:" + _WORD + rb"[_./$+-]++)*+" + _WORD)
"""Most runs: words in camelCase, joined by signs. One look at the whole run judges them."""
_AMAZON = re.compile(rb"A[KS]IA[A-Z0-9]{16}")
"""An identifier of a key of Amazon's: capitals and few digits, which resemble a name."""
_LONGEST_NAME = 200
_SIDE = 600
"""Bytes of a line that are taken on each side of a run: a rule may want a name beside a token."""


class Excerpt:
    """Lines with long runs, joined, and the place of each in the whole text."""

    def __init__(self, data: bytes) -> None:
        pieces = _pieces(data)
        self.data = b"\n\n".join(data[start:end] for start, end in pieces)
        self._origins = [start for start, _ in pieces]
        self._starts: list[int] = []
        at = 0
        for start, end in pieces:
            self._starts.append(at)
            at += end - start + 2

    def placed(self, span: Span) -> Span:
        """Return a span of the excerpt as a span of the whole text."""
        at = bisect_right(self._starts, span.start) - 1
        shift = self._origins[at] - self._starts[at]
        return Span(span.start + shift, span.end + shift, span.label)


@lru_cache(maxsize=65_536)
def _is_plain(run: bytes) -> bool:
    """Tell whether a run is a name, a path, an address, a drawing's path or a digest."""
    if _AMAZON.fullmatch(run):
        return False
    if _WORDS.fullmatch(run) or _DIGEST.fullmatch(run) or _DRAWING.fullmatch(run):
        return True
    if run.startswith(b"//") and b"hook" not in run:
        return True
    return is_name(run.decode("latin-1").replace("$", "/"))


def _pieces(data: bytes) -> list[tuple[int, int]]:
    shape = data.translate(_SHAPE)
    pieces: list[tuple[int, int]] = []
    at = shape.find(_RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        end = end if end >= 0 else len(data)
        if end - at > _LONGEST_NAME or not _is_plain(data[at:end]):
            start = max(at - _SIDE, data.rfind(b"\n", max(0, at - _SIDE), at) + 1, 0)
            newline = data.find(b"\n", end, end + _SIDE)
            end = newline if newline >= 0 else min(len(data), end + _SIDE)
            if pieces and start <= pieces[-1][1]:
                pieces[-1] = (pieces[-1][0], end)
            else:
                pieces.append((start, end))
        at = shape.find(_RUN, end)
    return pieces
