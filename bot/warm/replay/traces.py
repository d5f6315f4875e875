"""Arrival traces: which user wrote when in which thread, read as questions to the bot.

A trace has one JSON object per line, ordered by time, in gzip or plain: `t` (Unix seconds),
`user`, `thread`, `chars`, `asks`. A first message of a thread that asks is a question. Each later
message of the same user in that thread that asks is a follow-up question. All other messages are
activity of the channel.
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
"""Characters per second."""
SHORTEST_TYPING, LONGEST_TYPING = 3.0, 120.0
"""Seconds."""

Hints = Literal["none", "typing", "noisy"]
"""Signals before a message: none, the typing of questions, or also of other openings."""


class TraceError(ForewarmError):
    """A trace cannot be read. `path` names the file, `line` the line if one is at fault."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        place = f"{path}, line {line}" if line else f"{path}"
        super().__init__(
            f"The trace {place} cannot be replayed, because {problem}: name a file of JSON lines"
            " as docs/governor.md describes."
        )
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel. `at` is Unix seconds, `typing` the seconds that it took to type."""

    at: float
    user: str
    thread: int
    opens: bool
    is_question: bool
    typing: float


@dataclass(frozen=True, slots=True)
class Event:
    """An event that a bot in the channel sees. `opens` tells that it opens its thread."""

    at: float
    kind: Literal["typing", "message", "question"]
    user: str
    thread: int
    opens: bool


def read_trace(path: Path) -> list[Message]:
    """Return a trace's messages. Raise `TraceError` if it cannot be read."""
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError) as error:
        raise TraceError(path, _why(error)) from error
    rows = [_row(path, number, line) for number, line in enumerate(data.splitlines(), 1) if line]
    if not rows:
        raise TraceError(path, "it is empty")
    for number, (before, after) in enumerate(pairwise(rows), 2):
        if after["t"] < before["t"]:
            raise TraceError(path, "it is not ordered by time", number)
    return list(messages(rows))


def messages(rows: Iterable[dict[str, Any]]) -> Iterable[Message]:
    """Return the rows as questions and activity."""
    askers: dict[int, str | None] = {}
    for row in rows:
        thread, user, asks = row["thread"], row["user"], row["asks"]
        opens = thread not in askers
        if opens:
            askers[thread] = user if asks else None
        typing = min(LONGEST_TYPING, max(SHORTEST_TYPING, row["chars"] / TYPING_SPEED))
        question = asks and askers[thread] == user
        yield Message(row["t"], user, thread, opens, question, typing)


def thin_out(trace: Sequence[Message], keep: float, seed: int) -> list[Message]:
    """Return a trace that keeps each thread with probability `keep`."""
    if keep >= 1.0:
        return list(trace)
    chance = random.Random(seed)  # noqa: S311 - a reproducible sample, not a secret
    threads = dict.fromkeys(message.thread for message in trace)
    kept = {thread for thread in threads if chance.random() < keep}
    return [message for message in trace if message.thread in kept]


def events(trace: Sequence[Message], hints: Hints) -> list[Event]:
    """Return the events in order of time. At equal times, the typing comes first."""
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
        raise TraceError(
            path, "it is no object with t, user, thread, chars and asks", number
        ) from error


def _why(error: OSError | EOFError) -> str:
    """Return why a file gives no lines."""
    reasons: dict[type[Exception], str] = {
        FileNotFoundError: "there is no such file",
        IsADirectoryError: "it is a folder",
        PermissionError: "this user may not read it",
    }
    return reasons.get(type(error), "it is damaged")
