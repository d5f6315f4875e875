"""Line differences: exact, bounded, and the same on every machine. Pure.

Common ends are cut off, lines that are unique on both sides anchor the rest (patience diff), and
what lies between anchors is solved by Myers' greedy algorithm up to a bound, beyond which it counts
as replaced. `difflib` is slower here and promises no stable result across Python's versions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

_MOST_EDITS = 200
_DEEPEST = 60


class Hunk(NamedTuple):
    """Lines `old_start:old_end` became lines `new_start:new_end`, counted from 0, ends excluded."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def diff_lines(old: Sequence[bytes], new: Sequence[bytes]) -> list[Hunk]:
    """Return what differs, in order, without context."""
    matches: list[tuple[int, int, int]] = []
    _match(old, new, (0, len(old), 0, len(new)), matches, _DEEPEST)
    hunks: list[Hunk] = []
    at_old = at_new = 0
    for old_at, new_at, length in [*matches, (len(old), len(new), 0)]:
        if old_at > at_old or new_at > at_new:
            hunks.append(Hunk(at_old, old_at, at_new, new_at))
        at_old, at_new = old_at + length, new_at + length
    return hunks


_Matches = list[tuple[int, int, int]]
_Box = tuple[int, int, int, int]
"""Range to look at: from and to in the old lines, from and to in the new ones."""


def _match(a: Sequence[bytes], b: Sequence[bytes], box: _Box, out: _Matches, depth: int) -> None:
    """Append runs of equal lines of the two sides of the box, in order."""
    alo, ahi, blo, bhi = box
    start = 0
    most = min(ahi - alo, bhi - blo)
    while start < most and a[alo + start] == b[blo + start]:
        start += 1
    end = 0
    while end < most - start and a[ahi - 1 - end] == b[bhi - 1 - end]:
        end += 1
    if start:
        out.append((alo, blo, start))
    _match_middle(a, b, (alo + start, ahi - end, blo + start, bhi - end), out, depth)
    if end:
        out.append((ahi - end, bhi - end, end))


def _match_middle(
    a: Sequence[bytes], b: Sequence[bytes], box: _Box, out: _Matches, depth: int
) -> None:
    alo, ahi, blo, bhi = box
    if alo == ahi or blo == bhi:
        return
    anchors = _anchors(a, b, box) if depth else []
    if not anchors:
        out.extend(_greedy(a, b, box))
        return
    for at_a, at_b in [*anchors, (ahi, bhi)]:
        if at_a < alo or at_b < blo:
            continue
        _match(a, b, (alo, at_a, blo, at_b), out, depth - 1)
        length = 0
        while at_a + length < ahi and at_b + length < bhi and a[at_a + length] == b[at_b + length]:
            length += 1
        if length:
            out.append((at_a, at_b, length))
        alo, blo = at_a + length, at_b + length


def _anchors(a: Sequence[bytes], b: Sequence[bytes], box: _Box) -> list[tuple[int, int]]:
    """Return the longest rising run of lines that occur once on each side."""
    alo, ahi, blo, bhi = box
    in_a = _unique(a, alo, ahi)
    in_b = _unique(b, blo, bhi)
    pairs = [(at, in_b[line]) for line, at in in_a.items() if line in in_b]
    return _longest_rising(pairs)


def _unique(lines: Sequence[bytes], low: int, high: int) -> dict[bytes, int]:
    places: dict[bytes, int] = {}
    twice: set[bytes] = set()
    for at in range(low, high):
        line = lines[at]
        if line in places:
            twice.add(line)
        else:
            places[line] = at
    for line in twice:
        del places[line]
    return places


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Patience sorting: `pairs` rise in the first place; pick the most that rise in the second."""
    tops: list[int] = []
    top_pairs: list[int] = []
    before: list[int] = [-1] * len(pairs)
    for index, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        if pile:
            before[index] = top_pairs[pile - 1]
        if pile == len(tops):
            tops.append(place)
            top_pairs.append(index)
        else:
            tops[pile] = place
            top_pairs[pile] = index
    rising: list[tuple[int, int]] = []
    at = top_pairs[-1] if top_pairs else -1
    while at >= 0:
        rising.append(pairs[at])
        at = before[at]
    return rising[::-1]


def _greedy(a: Sequence[bytes], b: Sequence[bytes], box: _Box) -> _Matches:
    """Myers' shortest edit script, or no match at all beyond the bound on edits."""
    alo, ahi, blo, bhi = box
    n, m = ahi - alo, bhi - blo
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(n + m, _MOST_EDITS) + 1):
        trace.append(dict(furthest))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            y = x - k
            while x < n and y < m and a[alo + x] == b[blo + y]:
                x, y = x + 1, y + 1
            furthest[k] = x
            if x >= n and y >= m:
                return _walk_back(trace, n, m, alo, blo)
    return []


def _walk_back(trace: list[dict[int, int]], n: int, m: int, alo: int, blo: int) -> _Matches:
    x, y = n, m
    matches: _Matches = []
    for edits in range(len(trace) - 1, -1, -1):
        furthest = trace[edits]
        k = x - y
        down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
        before_k = k + 1 if down else k - 1
        before_x = furthest[before_k] if edits else 0
        before_y = before_x - before_k if edits else 0
        after_x = (before_x if down else before_x + 1) if edits else 0
        if x > after_x:
            matches.append((alo + after_x, blo + after_x - k, x - after_x))
        x, y = before_x, before_y
    return matches[::-1]
