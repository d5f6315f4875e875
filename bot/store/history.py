"""Reads of questions that are over: the askers of a thread, the messages of an answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from bot.delivery.slack_api import JsonObject
from bot.store.sql.database import Database
from bot.store.sql.tables import messages, questions, turns


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of any age and the messages noted for its answer, oldest first.

    `outcome` is None if it has no end.
    """

    question: JsonObject
    messages: tuple[str, ...]
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with the messages of its turn, as they were sent to Claude."""

    id: str
    text: str
    messages: tuple[JsonObject, ...]


class History:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def askers(self, workspace: str, channel: str, thread: str) -> frozenset[str]:
        """Return the users who asked in a thread on purpose, answered or not yet.

        The author of a reply that was only judged to be a question is not among them.
        """
        answered = (
            select(questions.c.question)
            .join(turns, turns.c.question == questions.c.id)
            .where(
                turns.c.workspace == workspace,
                turns.c.channel == channel,
                turns.c.thread == thread,
            )
        )
        # A question has no turn before its answer ends. Few are open at a time.
        unanswered = select(questions.c.question).where(
            questions.c.finished_at.is_(None),
            questions.c.workspace == workspace,
            questions.c.channel == channel,
        )

        def work(connection: Connection) -> Collection[JsonObject]:
            found = [one for one in connection.scalars(unanswered) if one]
            found = [one for one in found if one.get("thread") == thread]
            return [*found, *(one for one in connection.scalars(answered) if one)]

        found = await self._database.read("find who asked in a thread", work)
        return frozenset(str(one["user"]) for one in found if one.get("surface") != "thread")

    async def answered(self, since: float, context: str) -> Sequence[Answered]:
        """Return the questions that a context answered since a Unix time, the oldest first."""
        query = (
            select(questions.c.id, questions.c.question, turns.c.messages)
            .join(turns, turns.c.question == questions.c.id)
            .where(questions.c.at >= since, questions.c.outcome == "answered")
            .order_by(questions.c.at, questions.c.id)
        )

        def work(connection: Connection) -> Sequence[Answered]:
            rows = connection.execute(query).all()
            return [
                Answered(row.id, str(row.question.get("text", "")), tuple(row.messages))
                for row in rows
                if row.question and row.question.get("context") == context
            ]

        return await self._database.read("list answered questions", work)

    async def past(self, id: str) -> Asked | None:
        """Return a question and the messages of its answer; None if it is purged."""
        asked = select(questions.c.question, questions.c.outcome).where(questions.c.id == id)
        noted = select(messages.c.ts).where(messages.c.question == id).order_by(messages.c.ts)

        def work(connection: Connection) -> Asked | None:
            row = connection.execute(asked).one_or_none()
            if row is None or row.question is None:
                return None
            return Asked(row.question, tuple(connection.scalars(noted)), row.outcome)

        return await self._database.read("find an earlier question", work)

    async def others_messages(
        self, id: str, workspace: str, channel: str, stamps: Collection[str]
    ) -> frozenset[str]:
        """Return which of these messages in a channel are noted for other questions than `id`."""
        query = (
            select(messages.c.ts)
            .join(questions, questions.c.id == messages.c.question)
            .where(
                questions.c.workspace == workspace,
                questions.c.channel == channel,
                questions.c.id != id,
                messages.c.ts.in_(stamps),
            )
        )

        def work(connection: Connection) -> frozenset[str]:
            return frozenset(connection.scalars(query))

        return await self._database.read("find messages of others", work)
