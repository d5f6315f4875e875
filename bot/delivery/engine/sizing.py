"""How much of the waiting text goes into a message now, and whether that closes it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.delivery.markdown.escape import escaped_size, settled_length
from bot.delivery.markdown.outline import Outline
from bot.delivery.markdown.split import (
    BLOCK,
    ITEM,
    LINE,
    SplitPoint,
    best_cut,
    cut_within,
    line_cuts,
    score,
)

ROOM_TO_CLOSE = 200
"""Bytes that closing marks may take. If less is left, they are counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits at which a message ends. Bytes are escaped UTF-8, times are seconds.

    Source: docs/platform/slack.md#streaming-limits.

    From `soft` bytes or `aging` seconds on a message ends at the next border of two blocks, from
    `aged` seconds at any line's end, and never later than `full` bytes or `lifetime` seconds. Slack
    breaks streams at about 10,600 bytes and 300 s.
    """

    full: int = 9_000
    soft: int = 7_000
    aging: float = 200.0
    aged: float = 220.0
    lifetime: float = 240.0


@dataclass(frozen=True, slots=True)
class MessageSlice:
    """`length` characters go in now; `closes` the message after them; `final`: nothing is left."""

    length: int
    closes: bool = False
    final: bool = False
    retreat: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The message that text is to go into: its bytes so far, the room it has, its age (s)."""

    outline: Outline
    used: int
    full: int
    soft: int
    age: float
    empty: bool


def next_slice(place: Place, text: str, limits: Limits, *, ended: bool) -> MessageSlice:
    """Decide what of `text` goes in; `ended`: no more text will come."""
    room = place.full - place.used
    if ended and not _overflows(place, text, room):
        return MessageSlice(len(text), closes=True, final=True)
    settled = text if ended else text[: settled_length(text)]
    if ended or _overflows(place, settled, room):
        return _filled(place, settled, room)
    if place.age >= limits.lifetime:
        return _expiring(place, settled, room)
    least = BLOCK if place.age < limits.aged else LINE
    if place.used + escaped_size(settled) > place.soft or place.age >= limits.aging:
        return _closing_in(place, settled, least, limits)
    return MessageSlice(len(settled))


def _overflows(place: Place, text: str, room: int) -> bool:
    size = escaped_size(text)
    if size + ROOM_TO_CLOSE < room:
        return False
    after = place.outline.copy()
    after.read(text)
    return size + escaped_size(after.closing()) > room


def _filled(place: Place, text: str, room: int) -> MessageSlice:
    # A message of blank lines alone would be no message.
    blank = len(text) - len(text.lstrip()) if place.empty else 0
    cut = best_cut(place.outline, text, room, max(0, place.soft - place.used), blank)
    if cut is not None and cut.score > 0:
        return MessageSlice(cut.length, closes=True)
    if cut is None and place.empty and text.strip():
        # Not even a whole link fits into an empty message: progress matters more.
        return MessageSlice(max(1, room // 4), closes=True)
    if cut is None or place.outline.in_row or _whole_here(place, text):
        return _closed_here(place, cut)
    return MessageSlice(cut.length, closes=True)


def _whole_here(place: Place, text: str) -> bool:
    """Whether the message may as well end with what it holds, rather than within a line."""
    if place.empty or place.outline.line:
        return False
    return score(place.outline, text.split("\n", 1)[0]) > 0


def _closed_here(place: Place, forced: SplitPoint | None) -> MessageSlice:
    """Close with what the message holds; take a row back that cannot be ended in it."""
    if place.empty:
        return MessageSlice(forced.length if forced else 0, closes=True)
    if ends_in_row(place.outline):
        return MessageSlice(0, closes=True, retreat=True)
    return MessageSlice(0, closes=True)


def ends_in_row(outline: Outline) -> bool:
    """Return whether a message that ends here would show a part of a table that is no table."""
    return outline.in_row or score(outline, None) < 0


def _expiring(place: Place, text: str, room: int) -> MessageSlice:
    cuts = [cut for cut in line_cuts(place.outline, text) if cut.size < room - ROOM_TO_CLOSE]
    good = [cut for cut in cuts if cut.score > 0]
    if good:
        best = max(good, key=lambda cut: (cut.score, cut.length))
        return MessageSlice(best.length, closes=True)
    forced = cut_within(place.outline, text, room)
    if _whole_here(place, text):
        return MessageSlice(0, closes=True)
    if forced is not None and not forced.outline.in_row:
        return MessageSlice(forced.length, closes=True)
    return _closed_here(place, forced)


def _closing_in(place: Place, text: str, least: float, limits: Limits) -> MessageSlice:
    """Look for a good place to close; else keep to whole lines, so that one will come."""
    aging = place.age >= limits.aging
    last = 0
    for cut in line_cuts(place.outline, text):
        wanted = least if aging else _required_score(place, place.used + cut.size)
        if cut.score >= wanted and cut.length < len(text):
            return MessageSlice(cut.length, closes=True)
        last = cut.length
    if aging and not text and not place.empty and _is_block_end(place.outline, least):
        return MessageSlice(0, closes=True)
    after = place.outline.copy()
    after.read(text)
    return MessageSlice(last if after.in_row or after.open_fence is not None else len(text))


def _required_score(place: Place, size: int) -> float:
    """Return how good a cut must be after `size` bytes: the fuller the message, the less so."""
    filled = (size - place.soft) / max(place.full - place.soft, 1)
    if filled < 0.0:
        return math.inf
    return BLOCK if filled < 0.5 else ITEM if filled < 0.75 else LINE


def _is_block_end(outline: Outline, least: float) -> bool:
    return not outline.line and score(outline, None) >= least
