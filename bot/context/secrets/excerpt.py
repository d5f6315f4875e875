"""The lines of a text that can hold a provider's token, found in C.

A token has a run of twenty and more characters with a digit. Most lines of most files have none, so
the rules for tokens, by far the most expensive ones, look at a small part of a repository only.
"""

from __future__ import annotations

from bisect import bisect_right

from bot.context.secrets.mask import Span

_TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/.$"
_SHAPE = bytes(0x61 if byte in _TOKEN else 0x20 for byte in range(256))
_DIGITS = bytes(0x31 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_RUN = b"a" * 20
_RUN_WITHOUT_DIGIT = 34
_SIDE = 600
"""Bytes of a line that are taken on each side of a run: a rule may want a name beside a token."""


class Excerpt:
    """Lines with long runs, joined, and where each of them stands in the whole text."""

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


def _pieces(data: bytes) -> list[tuple[int, int]]:
    shape = data.translate(_SHAPE)
    digits = data.translate(_DIGITS)
    pieces: list[tuple[int, int]] = []
    at = shape.find(_RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        end = end if end >= 0 else len(data)
        if end - at >= _RUN_WITHOUT_DIGIT or digits.find(b"1", at, end) >= 0:
            start = max(at - _SIDE, data.rfind(b"\n", max(0, at - _SIDE), at) + 1, 0)
            newline = data.find(b"\n", end, end + _SIDE)
            end = newline if newline >= 0 else min(len(data), end + _SIDE)
            if pieces and start <= pieces[-1][1]:
                pieces[-1] = (pieces[-1][0], end)
            else:
                pieces.append((start, end))
        at = shape.find(_RUN, end)
    return pieces
