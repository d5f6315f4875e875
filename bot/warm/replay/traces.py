"""Arrival traces: who wrote when in which thread, read as questions to the bot.

One JSON object a line, ordered by time, gzip or plain: `t` (Unix seconds), `user`, `thread`,
`chars`, `asks`. A thread whose first message asks is a question; each later message of the same
user in that thread that asks is a follow-up question. All else is the channel's activity.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from bot.errors import ForewarmError

TYPING_SPEED = 5.0
"""Characters a second."""
SHORTEST_TYPING, LONGEST_TYPING = 3.0, 120.0

Hints = Literal["none", "typing", "noisy"]
"""What is seen before a message is posted: nothing; the typing of questions; and of openings."""


class TraceError(ForewarmError):
    """A trace cannot be read. `path` and, where it lies in a line, `line` say where."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        where = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"The trace {where} cannot be replayed: {problem}.")
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel. `typing` is how long it took to type, in seconds."""

    at: float
    user: str
    thread: int
    opens: bool
    is_question: bool
    typing: float


@dataclass(frozen=True, slots=True)
class Event:
    """What a bot in the channel notices, in order of time."""

    at: float
    kind: Literal["typing", "message", "question"]
    user: str
    thread: int
    opens: bool


def read_trace(path: Path) -> list[Message]:
    """Return a trace's messages; raise `TraceError`."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise TraceError(path, getattr(error, "strerror", None) or "it is damaged") from error
    rows = [_row(path, number, line) for number, line in enumerate(data.splitlines(), 1) if line]
    if not rows:
        raise TraceError(path, "it is empty")
    for number, (before, after) in enumerate(pairwise(rows), 2):
        if after["t"] < before["t"]:
            raise TraceError(path, "it is not ordered by time", number)
    return list(messages(rows))


def messages(rows: Iterable[dict[str, Any]]) -> Iterable[Message]:
    """Read rows as questions and activity."""
    askers: dict[int, str | None] = {}
    for row in rows:
        thread, user, asks = row["thread"], row["user"], row["asks"]
        opens = thread not in askers
        if opens:
            askers[thread] = user if asks else None
        typing = min(LONGEST_TYPING, max(SHORTEST_TYPING, row["chars"] / TYPING_SPEED))
        question = asks and askers[thread] == user
        yield Message(row["t"], user, thread, opens, question, typing)


def thinned(trace: Sequence[Message], keep: float, seed: int) -> list[Message]:
    """Keep each thread with probability `keep`."""
    if keep >= 1.0:
        return list(trace)
    chance = random.Random(seed)  # noqa: S311 - a reproducible sample, not a secret
    threads = dict.fromkeys(message.thread for message in trace)
    kept = {thread for thread in threads if chance.random() < keep}
    return [message for message in trace if message.thread in kept]


def events(trace: Sequence[Message], hints: Hints) -> list[Event]:
    """Return what is noticed, in order; of two things at one time, the typing comes first."""
    seen: list[tuple[float, int, int, Event]] = []
    for number, m in enumerate(trace):
        kind: Literal["message", "question"] = "question" if m.is_question else "message"
        seen.append((m.at, 1, number, Event(m.at, kind, m.user, m.thread, m.opens)))
        hinted = m.is_question or (hints == "noisy" and m.opens)
        if hints != "none" and hinted:
            began = m.at - m.typing
            seen.append((began, 0, number, Event(began, "typing", m.user, m.thread, m.opens)))
    return [event for *_, event in sorted(seen, key=lambda item: item[:3])]


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
        return {
            "t": float(row["t"]),
            "user": str(row["user"]),
            "thread": row["thread"],
            "chars": float(row["chars"]),
            "asks": bool(row["asks"]),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise TraceError(path, "a line holds t, user, thread, chars and asks", number) from error
