"""Records made by hand and by chance, and a journal's store that lives in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived, Wait
from bot.claude.events import RequestEnded, RequestStarted
from bot.claude.usage import Usage
from bot.errors import ForewarmError
from bot.telemetry.events import PrefixBuilt, RepositoryAt
from bot.telemetry.interfaces import Entry, Line

NOON = 1_800_014_400.0
"""Midday of a UTC day."""


class Clock:
    """Wall time that a test turns by hand."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class JournalTable:
    """A journal's store as it behaves at its edges: it may be away, slow, and repeat a write."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.away = False
        self.lose_reply = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, source: str, lines: Sequence[Line]) -> None:
        await self.gate.wait()
        if self.away:
            raise ForewarmError("The database is away.")
        known = {(e.source, e.number) for e in self.entries}
        for line in lines:
            if (source, line.number) not in known:
                entry = Entry(
                    len(self.entries) + 1, source, line.number, line.at, line.kind, line.body
                )
                self.entries.append(entry)
        if self.lose_reply:
            self.lose_reply = False
            raise ForewarmError("The connection died before the reply.")

    async def read(
        self,
        after: int = 0,
        *,
        limit: int = 2000,
        upto: int | None = None,
        kinds: Collection[str] | None = None,
        since: float | None = None,
        not_from: str | None = None,
    ) -> Sequence[Entry]:
        return [
            e
            for e in self.entries
            if e.seq > after
            and (upto is None or e.seq <= upto)
            and (kinds is None or e.kind in kinds)
            and (since is None or e.at >= since)
            and e.source != not_from
        ][:limit]

    async def last(self) -> int:
        return len(self.entries)


class Make:
    """Makes records with sensible fields; a test names only those it is about."""

    def built(self, **changes: Any) -> PrefixBuilt:
        at = RepositoryAt(name="acme/pay", ref="main", commit="4f2c1a9", committed_at=NOON - 60)
        values: dict[str, Any] = {
            "at": NOON,
            "prefix": "p",
            "fingerprint": "f",
            "context": "payments",
            "model": "claude-sonnet-5-5",
            "tokens": 1000,
            "files": 10,
            "omitted": 1,
            "seconds": 0.1,
            "repositories": (at,),
        }
        return PrefixBuilt(**(values | changes))

    def started(self, **changes: Any) -> RequestStarted:
        values: dict[str, Any] = {
            "at": NOON,
            "request": "r",
            "purpose": "warm",
            "prefix": "p",
            "fingerprint": "f",
            "context": "payments",
            "model": "claude-sonnet-5-5",
            "tokens": 1000,
            "expected": 0,
            "ttl": "5m",
        }
        return RequestStarted(**(values | changes))

    def ended(self, **changes: Any) -> RequestEnded:
        values: dict[str, Any] = {
            "at": NOON + 2,
            "request": "r",
            "purpose": "warm",
            "prefix": "p",
            "fingerprint": "f",
            "context": "payments",
            "model": "claude-sonnet-5-5",
            "usage": Usage(write_5m=1000),
            "usd": 0.25,
            "seconds": 2.0,
            "complete": True,
            "started_at": NOON,
            "ttl": "5m",
            "tokens": 1000,
        }
        return RequestEnded(**(values | changes))

    def received(self, **changes: Any) -> QuestionReceived:
        values: dict[str, Any] = {
            "at": NOON,
            "question": "q",
            "workspace": "T1",
            "channel": "C1",
            "thread": "1.1",
            "user": "U1",
            "surface": "mention",
            "asked_at": NOON - 0.2,
            "context": "payments",
        }
        return QuestionReceived(**(values | changes))

    def words(self, total: float = 2.0, **changes: Any) -> FirstWords:
        wait = Wait(delivery=0.0, queue=0.0, join=0.0, prefill=total, thinking=0.0, paint=0.0)
        values: dict[str, Any] = {
            "at": NOON + 2,
            "question": "q",
            "context": "payments",
            "wait": wait,
            "warm": True,
            "slack_wait": None,
        }
        return FirstWords(**(values | changes))

    def answered(self, **changes: Any) -> QuestionEnded:
        values: dict[str, Any] = {
            "at": NOON + 9,
            "question": "q",
            "context": "payments",
            "outcome": "answered",
        }
        return QuestionEnded(**(values | changes))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table() -> JournalTable:
    return JournalTable()


@pytest.fixture
def make() -> Make:
    return Make()
