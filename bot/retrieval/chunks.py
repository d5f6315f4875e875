"""Cut a file into chunks of lines at its definitions. Pure.

A definition that is short enough is never cut. A longer one is cut at the definitions inside it,
and a long run of lines without definitions at its best lines: blank ones first, then the least
indented. Neighbours that are short are put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.context.render.definitions import Definition, definitions

TARGET_LINES = 30
MOST_LINES = 45
"""Lines that a chunk should have, and lines that it may have."""
_TINY = 3
"""A piece of at most so many lines joins its neighbour, even beyond the target."""
_LEAST_TAIL = 4
_LEADS = b"#@/*-\"'["
"""First bytes of the lines that belong to the definition below them: comments and decorators."""


_KINDS = frozenset(["type", "module", "function", "method", "constructor", "heading"])
"""Definitions that begin a chunk, and whose names count more. Fields and variables are many."""

_FUNCTIONS = frozenset(["function", "method", "constructor"])


def find_definitions(path: str, text: bytes) -> list[Definition]:
    """Return the definitions at which a file is cut; none if they cannot be known.

    A function within another function is a detail of it.
    """
    found = definitions(path, text)
    kept: list[Definition] = []
    inner = 0
    for one in found.items if found is not None else ():
        if one.kind in _KINDS and one.last > inner:
            kept.append(one)
            inner = one.last if one.kind in _FUNCTIONS else inner
    return kept


class LineRange(NamedTuple):
    """Lines `first` to `last` of a file, both counted from 1."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


@dataclass
class _Node:
    first: int
    last: int
    inside: list[_Node] = field(default_factory=list)


def cut_chunks(lines: Sequence[bytes], found: Sequence[Definition]) -> list[LineRange]:
    """Return the chunks of a file in order.

    They do not overlap, hold every line that is not blank, and begin and end with such a line.
    """
    if not lines:
        return []
    pieces = _pieces(lines, 1, len(lines), _nest(found, len(lines)))
    trimmed = (_trim(lines, chunk) for chunk in _join(pieces))
    return [chunk for chunk in trimmed if chunk is not None]


def _nest(found: Sequence[Definition], end: int) -> list[_Node]:
    """Build the tree of definitions; one that overlaps another only in part is left out."""
    roots: list[_Node] = []
    open_nodes: list[_Node] = []
    for definition in sorted(found, key=lambda one: (one.first, -one.last)):
        if definition.first > end:
            break
        node = _Node(definition.first, min(definition.last, end))
        while open_nodes and open_nodes[-1].last < node.first:
            open_nodes.pop()
        if not open_nodes:
            roots.append(node)
        elif node.last <= open_nodes[-1].last:
            open_nodes[-1].inside.append(node)
        else:
            continue
        open_nodes.append(node)
    return roots


def _pieces(
    lines: Sequence[bytes], low: int, high: int, nodes: Sequence[_Node]
) -> Iterator[LineRange]:
    """Yield lines `low` to `high` as short definitions and the runs between them."""
    at = low
    for node in nodes:
        first = _with_lead(lines, node.first, at) if node.first > at else at
        if node.last < first:
            continue
        if first > at:
            yield from _runs(lines, at, first - 1)
        if node.last - first < MOST_LINES:
            yield LineRange(first, node.last)
        elif node.inside:
            yield from _pieces(lines, first, node.last, node.inside)
        else:
            yield from _runs(lines, first, node.last)
        at = node.last + 1
    if at <= high:
        yield from _runs(lines, at, high)


def _with_lead(lines: Sequence[bytes], first: int, low: int) -> int:
    """Extend a definition upward over its comments and decorators, not beyond line `low`."""
    indent = _indent(lines[first - 1])
    while first > low:
        above = lines[first - 2]
        if _indent(above) < indent or above.lstrip()[:1] not in _LEADS or not above.strip():
            break
        first -= 1
    return first


def _runs(lines: Sequence[bytes], low: int, high: int) -> Iterator[LineRange]:
    """Yield lines `low` to `high` in runs of at most `MOST_LINES`."""
    while high - low >= MOST_LINES:
        cut = _best_cut(lines, low, high)
        yield LineRange(low, cut - 1)
        low = cut
    yield LineRange(low, high)


def _best_cut(lines: Sequence[bytes], low: int, high: int) -> int:
    """Return the line that best begins a new run."""
    last = min(high - _LEAST_TAIL, low + MOST_LINES)
    candidates = [
        number for number in range(low + TARGET_LINES // 2, last + 1) if lines[number - 1].strip()
    ]

    def badness(number: int) -> tuple[bool, int, int]:
        after_text = bool(lines[number - 2].strip())
        return after_text, _indent(lines[number - 1]), abs(number - low - TARGET_LINES)

    return min(candidates, key=badness, default=low + TARGET_LINES)


def _join(pieces: Iterator[LineRange]) -> Iterator[LineRange]:
    """Put neighbours together as long as they fit the target."""
    current: LineRange | None = None
    for piece in pieces:
        if current is None:
            current = piece
            continue
        joined = LineRange(current.first, piece.last)
        tiny = min(piece.length, current.length) <= _TINY and joined.length <= MOST_LINES
        if joined.length <= TARGET_LINES or tiny:
            current = joined
        else:
            yield current
            current = piece
    if current is not None:
        yield current


def _trim(lines: Sequence[bytes], chunk: LineRange) -> LineRange | None:
    """Take blank lines away from both ends; None if nothing is left."""
    first, last = chunk
    while first <= last and not lines[first - 1].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return LineRange(first, last) if first <= last else None


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip())
