"""The best places for a question: in a reply without Claude, and above a weak model's words. Pure.

An apology alone helps no reader. The places come from the index, so they need no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import dedent

from bot.retrieval.search import FoundExcerpt
from bot.retrieval.terms import terms

MOST_PLACES = 5
QUOTED_LINES = 3
_LONGEST = 160
UNAVAILABLE = "Claude is not available. These places match your question:"
MOST_ABOVE = 3
ABOVE = "These places match your question:"
BELOW = "**The model's answer:**"
_FENCE = re.compile(r"`{3,}|~{3,}")


def write_places(found: Sequence[FoundExcerpt], question: str) -> str:
    """Return Markdown for a reply without Claude: the places and their most telling lines."""
    parts = _write_places(found, question, MOST_PLACES)
    return "\n\n".join([UNAVAILABLE, *parts]) if parts else ""


def write_places_above(found: Sequence[FoundExcerpt], question: str) -> str:
    """Return Markdown that stands before an answer: fewer places, and the answer's heading."""
    parts = _write_places(found, question, MOST_ABOVE)
    return "\n\n".join([ABOVE, *parts, BELOW, ""]) if parts else ""


def _write_places(found: Sequence[FoundExcerpt], question: str, most: int) -> list[str]:
    wanted = set(terms(question))
    ordered = sorted(found, key=lambda one: -one.excerpt.score)[:most]
    return [part for one in ordered for part in _write_place(one, wanted)]


def _write_place(one: FoundExcerpt, wanted: set[str]) -> list[str]:
    lines = [line.decode("utf-8", "replace")[:_LONGEST] for line in one.lines]
    at = _best_line(lines, wanted)
    quoted = lines[at : at + QUOTED_LINES]
    first = one.excerpt.first + at
    last = first + len(quoted) - 1
    body = dedent(_FENCE.sub("", "\n".join(quoted)))
    return [f"`{one.excerpt.path}:{first}-{last}`", f"```\n{body}\n```"]


def _best_line(lines: Sequence[str], wanted: set[str]) -> int:
    """Return the index of the line that begins the lines with most words of the question."""
    rated = [len(wanted.intersection(terms(line))) for line in lines]
    starts = range(max(1, len(lines) - QUOTED_LINES + 1))
    return max(starts, key=lambda at: (sum(rated[at : at + QUOTED_LINES]), rated[at], -at))
