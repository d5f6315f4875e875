"""Questions: recorded once, held under a lease, taken over when the holder dies, finished once.

A process that no longer holds a question can change nothing about it: every change names its
owner. An owner's name belongs to one start of one process and is never used again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, and_, literal, or_, select, update

from bot.answer.events import Outcome
from bot.answer.interfaces import SavedAnswer
from bot.clock import Now
from bot.delivery.slack_api import JsonObject
from bot.store.deleted_messages import without_deleted
from bot.store.errors import LeaseLost
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import messages, questions

TOO_OLD = 15 * 60.0
"""Seconds after which a question is apologised for: an answer would come out of the blue."""

RECORD_PATIENCE = 2.0
"""Seconds: Slack wants its acknowledgement within 3."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A question that was taken over, and what its former holders left behind.

    `messages` are the time stamps of messages noted in Slack, oldest first; `saved` is the whole
    answer if it was stored. `claims` counts the holders. `too_old` asks for an apology.
    """

    id: str
    question: JsonObject
    workspace: str
    channel: str
    ts: str
    at: float
    claims: int
    messages: tuple[str, ...]
    saved: SavedAnswer | None
    too_old: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question without an end. `owner` is None if no process holds it."""

    id: str
    at: float
    owner: str | None
    lease_until: float


class Inbox:
    """The questions of every replica."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def record(
        self,
        question: JsonObject,
        *,
        id: str,
        workspace: str,
        channel: str,
        ts: str,
        at: float,
        owner: str,
        lease_seconds: float,
        event: str | None = None,
    ) -> bool:
        """Keep a question and hold it for `owner`; return False if it is known already.

        Known means: the same id, the same event id, or the same (workspace, channel, ts).
        """
        claim = uuid.uuid4().hex
        row = {
            "id": id,
            "workspace": workspace,
            "channel": channel,
            "ts": ts,
            "event": event,
            "at": at,
            "question": dict(question),
            "owner": owner,
            "lease_until": self._now() + lease_seconds,
            "claim": claim,
            "claims": 1,
        }

        def work(connection: Connection) -> bool:
            added = connection.execute(
                dialect.insert(connection, questions).on_conflict_do_nothing(), row
            )
            if added.rowcount == 1:
                return True
            # The first try may have been committed although its reply was lost.
            found = connection.scalar(select(questions.c.claim).where(questions.c.id == id))
            return bool(found == claim)

        return await self._database.change(
            "record a question", work, patience=min(self._database.patience, RECORD_PATIENCE)
        )

    async def claim_expired(
        self, owner: str, lease_seconds: float, limit: int = 10, *, busy: Collection[str] = ()
    ) -> Sequence[Claimed]:
        """Take over at most `limit` questions whose lease has run out, oldest first.

        `busy` are the ids that this very process is answering.
        """
        claim, now = uuid.uuid4().hex, self._now()
        free = and_(questions.c.lease_until <= now, questions.c.id.not_in(busy))
        wanted = (
            select(questions.c.id)
            .where(questions.c.finished_at.is_(None), or_(free, questions.c.claim == claim))
            .order_by(questions.c.at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        def work(connection: Connection) -> Sequence[Claimed]:
            ids = list(connection.scalars(wanted))
            if not ids:
                return []
            taken = connection.execute(
                update(questions)
                .where(questions.c.id.in_(ids))
                .values(
                    owner=owner,
                    lease_until=now + lease_seconds,
                    claim=claim,
                    claims=questions.c.claims + 1,
                )
                .returning(questions)
            )
            rows = sorted(taken.mappings().all(), key=lambda row: (row["at"], row["id"]))
            noted = _noted(connection, ids)
            return [_claimed(row, noted.get(row["id"], ()), now) for row in rows]

        return await self._database.write("take questions over", work)

    async def renew(self, ids: Collection[str], owner: str, lease_seconds: float) -> frozenset[str]:
        """Hold the questions for longer; return those that `owner` holds no more."""
        until = self._now() + lease_seconds

        def work(connection: Connection) -> frozenset[str]:
            held = connection.scalars(
                update(questions)
                .where(questions.c.id.in_(ids), questions.c.owner == owner)
                .values(lease_until=until)
                .returning(questions.c.id)
            )
            return frozenset(ids) - frozenset(held)

        if not ids:
            return frozenset()
        return await self._database.change("renew leases", work)

    async def release(self, id: str, owner: str) -> None:
        """Release the question: any process may claim it at once."""
        values = {"owner": None, "lease_until": 0.0}
        await self._change("release a question", id, owner, values, must=False)

    async def reopen(self, id: str, owner: str, question: JsonObject, lease_seconds: float) -> bool:
        """Open a question anew for `owner`, finished or not; forget its answer.

        Returns False if another process holds it, or if it is purged.
        """
        c, now = questions.c, self._now()
        free = or_(c.finished_at.is_not(None), c.owner == owner, c.lease_until <= now)
        change = (
            update(questions)
            .where(c.id == id, c.question.is_not(None), free)
            .values(
                question=dict(question),
                owner=owner,
                lease_until=now + lease_seconds,
                answer=None,
                outcome=None,
                finished_at=None,
            )
        )

        def work(connection: Connection) -> bool:
            return connection.execute(change).rowcount == 1

        return await self._database.change("open a question anew", work)

    async def note_message(self, id: str, owner: str, ts: str) -> None:
        """Remember that a message of this answer stands in Slack. Raises `LeaseLost`."""
        c = questions.c
        # Locked while it is looked at: a takeover always sees the message.
        held = (
            select(c.id, literal(ts), literal(self._now(), Double))
            .where(*_held(id, owner))
            .with_for_update(read=True)
        )

        def work(connection: Connection) -> bool:
            added = dialect.insert(connection, messages).from_select(["question", "ts", "at"], held)
            if connection.execute(added.on_conflict_do_nothing()).rowcount == 1:
                return True
            return connection.scalar(held) is not None

        if not await self._database.change("note a message", work):
            raise LeaseLost(id)

    async def save_answer(self, id: str, owner: str, answer: SavedAnswer) -> None:
        """Keep the whole answer, so that a takeover completes it. Raises `LeaseLost`."""
        c = questions.c
        row = _answer_row(answer)

        def work(connection: Connection) -> bool:
            place = (
                connection.execute(select(c.workspace, c.channel).where(*_held(id, owner)))
            ).one_or_none()
            if place is None:
                return False
            sent = without_deleted(connection, *place, answer.messages)
            written: Sequence[JsonObject] | None = None
            while sent != written:
                row["messages"] = sent
                change = update(questions).where(*_held(id, owner)).values(answer=row)
                if connection.execute(change).rowcount != 1:
                    return False
                # A deletion that came meanwhile has not seen the row.
                written, sent = sent, without_deleted(connection, *place, sent)
            return True

        if not await self._database.change("save an answer", work):
            raise LeaseLost(id)

    async def finish(self, id: str, owner: str, outcome: Outcome) -> None:
        """Nothing is left to do for the question. Raises `LeaseLost`.

        Once finished it stays finished; a second call by the same owner changes nothing.
        """
        values = {"outcome": outcome, "finished_at": self._now()}
        await self._change("finish a question", id, owner, values)

    async def waiting(self) -> Sequence[Waiting]:
        """Return every question without an end, oldest first."""
        c = questions.c
        query = (
            select(c.id, c.at, c.owner, c.lease_until).where(c.finished_at.is_(None)).order_by(c.at)
        )

        def work(connection: Connection) -> Sequence[Waiting]:
            return [Waiting(*row) for row in connection.execute(query)]

        return await self._database.read("list the waiting questions", work)

    async def is_with_others(
        self, workspace: str, channel: str, ts: str, owner: str, *, since: float
    ) -> bool:
        """Tell whether a message is a question that `owner` does not hold.

        One that was finished counts as long as that was after `since`.
        """
        c = questions.c
        query = select(c.id).where(
            c.workspace == workspace,
            c.channel == channel,
            c.ts == ts,
            or_(c.finished_at.is_(None), c.finished_at > since),
            or_(c.owner.is_(None), c.owner != owner),
        )

        def work(connection: Connection) -> bool:
            return connection.scalar(query) is not None

        return await self._database.read("find who holds a question", work)

    async def _change(
        self, operation: str, id: str, owner: str, values: dict[str, Any], *, must: bool = True
    ) -> None:
        change = update(questions).where(*_held(id, owner)).values(**values)
        ended = select(questions.c.id).where(
            questions.c.id == id, questions.c.owner == owner, questions.c.finished_at.is_not(None)
        )

        def work(connection: Connection) -> bool:
            changed = connection.execute(change)
            if changed.rowcount == 1:
                return True
            # Finished by this owner: by the try whose reply was lost, or twice.
            return connection.scalar(ended) is not None

        if not await self._database.change(operation, work) and must:
            raise LeaseLost(id)


def _held(id: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    return (questions.c.id == id, questions.c.owner == owner, questions.c.finished_at.is_(None))


def _noted(connection: Connection, ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    found = connection.execute(
        select(messages.c.question, messages.c.ts)
        .where(messages.c.question.in_(ids))
        .order_by(messages.c.question, messages.c.ts)
    )
    noted: dict[str, tuple[str, ...]] = {}
    for question, ts in found:
        noted[question] = (*noted.get(question, ()), ts)
    return noted


def _claimed(row: Any, noted: tuple[str, ...], now: float) -> Claimed:
    return Claimed(
        id=row["id"],
        question=row["question"],
        workspace=row["workspace"],
        channel=row["channel"],
        ts=row["ts"],
        at=row["at"],
        claims=row["claims"],
        messages=noted,
        saved=_saved(row["answer"]),
        too_old=now - row["at"] > TOO_OLD,
    )


def _answer_row(answer: SavedAnswer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "last_line": answer.last_line,
        "blocks": list(answer.blocks),
        "messages": list(answer.messages),
        "outcome": answer.outcome,
    }


def _saved(answer: dict[str, Any] | None) -> SavedAnswer | None:
    if answer is None:
        return None
    return SavedAnswer(
        text=answer["text"],
        last_line=answer["last_line"],
        blocks=tuple(answer["blocks"]),
        messages=tuple(answer["messages"]),
        outcome=answer["outcome"],
    )
