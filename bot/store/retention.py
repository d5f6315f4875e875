"""How long each kind is kept, and the purge that keeps to it.

The purge deletes in small transactions, so that no question waits for it, and gives SQLite's freed
pages back to the disk. Every table is ruled here or named in `FOR_EVER`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, tuple_

from bot.clock import Now
from bot.store.sql.database import Database
from bot.store.sql.tables import (
    audit,
    events,
    feedback,
    journal,
    leases,
    messages,
    questions,
    reservations,
    spending,
    state,
    turns,
)
from bot.telemetry.figures.money import day_of
from bot.telemetry.interfaces import FREQUENT

DAY = 86_400.0
BATCH = 500

FOR_EVER = frozenset({"contexts", "slack_bots", "slack_installations"})
"""Kept until they are replaced, removed, or their workspace is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Days for which each kind is kept. `text` rules what people and Claude wrote in threads.

    `state` rules values by their kind or its first word, counted from their last change; other
    kinds stay.
    """

    text: float = 30
    journal: float = 400
    signals: float = 60
    events: float = 1
    leases: float = 1
    money: float = 400
    feedback: float = 400
    audit: float = 400
    state: Mapping[str, float] = field(default_factory=dict)


Rule = tuple[str, Table, ColumnElement[bool]]


class Purge:
    """Deletes what is older than its retention."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def run(self, retention: Retention | None = None) -> Mapping[str, int]:
        """Delete what is too old; return how many rows went, by kind."""
        gone = {
            name: await self._exhaust(table, old)
            for name, table, old in rules(retention or Retention(), self._now())
        }
        if any(gone.values()):
            await self._database.shrink()
            await self._database.empty_log()
        return gone

    async def _exhaust(self, table: Table, old: ColumnElement[bool]) -> int:
        key = table.primary_key.columns
        batch = delete(table).where(tuple_(*key).in_(select(*key).where(old).limit(BATCH)))
        total = 0

        def work(connection: Connection) -> int:
            return connection.execute(batch).rowcount

        while gone := await self._database.write("purge", work):
            total += gone
        return total


def rules(keep: Retention, now: float) -> list[Rule]:
    """Return what is too old at `now`: the kind, its table, and which of its rows."""

    def before(days: float) -> float:
        return now - days * DAY

    frequent = and_(journal.c.at < before(keep.signals), journal.c.kind.in_(FREQUENT))
    free = or_(leases.c.owner.is_(None), leases.c.until < before(keep.leases))
    settled = reservations.c.settled.is_not(None)
    first_day = day_of(before(keep.money))
    states: list[Rule] = [
        (f"state {kind}", state, and_(_is_kind(kind), state.c.at < before(days)))
        for kind, days in keep.state.items()
    ]
    return [
        ("questions", questions, questions.c.at < before(keep.text)),
        ("messages", messages, messages.c.at < before(keep.text)),
        ("turns", turns, turns.c.at < before(keep.text)),
        ("signals", journal, frequent),
        ("journal", journal, journal.c.at < before(keep.journal)),
        ("events", events, events.c.at < before(keep.events)),
        ("leases", leases, and_(free, leases.c.at < before(keep.leases))),
        ("reservations", reservations, and_(settled, reservations.c.until < before(1))),
        ("money", spending, spending.c.day < first_day),
        ("feedback", feedback, feedback.c.at < before(keep.feedback)),
        ("audit", audit, audit.c.at < before(keep.audit)),
        *states,
    ]


def _is_kind(kind: str) -> ColumnElement[bool]:
    return or_(state.c.kind == kind, state.c.kind.startswith(f"{kind} ", autoescape=True))
