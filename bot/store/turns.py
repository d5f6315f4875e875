"""The turns of a thread as they were sent to Claude (`bot.answer.interfaces.Turns`).

The context of a turn is kept in its question's own record, which has had a place for it since the
first version: an older replica on the same database goes on working, and no table changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from bot.answer.interfaces import Turn
from bot.clock import Now
from bot.delivery.slack_api import JsonObject
from bot.store.deleted_messages import (
    forget_answer,
    forget_message,
    remember_deletion,
    without_deleted,
)
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import questions, turns


class Turns:
    """One turn for each question; keys and text come back byte for byte."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def load(self, workspace: str, channel: str, thread: str) -> Sequence[Turn]:
        """Return the thread's turns in the order in which their questions were first kept."""
        query = (
            select(turns.c.question, turns.c.messages, questions.c.question.label("asked"))
            .join(questions, questions.c.id == turns.c.question, isouter=True)
            .where(
                turns.c.workspace == workspace,
                turns.c.channel == channel,
                turns.c.thread == thread,
            )
            .order_by(turns.c.id)
        )

        def work(connection: Connection) -> Sequence[Turn]:
            found = connection.execute(query)
            return [
                Turn(id, tuple(messages), (asked or {}).get("context"))
                for id, messages, asked in found
            ]

        return await self._database.read("load a thread", work)

    async def append(
        self,
        workspace: str,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[JsonObject],
        context: str,
    ) -> None:
        """Keep a turn and its context. A second turn of a question replaces the first."""
        row: dict[str, Any] = {
            "workspace": workspace,
            "channel": channel,
            "thread": thread,
            "question": question,
            "at": self._now(),
        }

        def work(connection: Connection) -> None:
            added = dialect.insert(connection, turns)
            keeping = added.on_conflict_do_update(
                index_elements=["workspace", "channel", "thread", "question"],
                set_={"messages": added.excluded.messages, "at": added.excluded.at},
            )
            sent = without_deleted(connection, workspace, channel, messages)
            written: Sequence[JsonObject] | None = None
            while sent != written:
                row["messages"] = [dict(message) for message in sent]
                connection.execute(keeping, row)
                # A deletion that came meanwhile has not seen the row.
                written, sent = sent, without_deleted(connection, workspace, channel, sent)
            c = questions.c
            asked = connection.scalar(select(c.question).where(c.id == question))
            if asked is not None and asked.get("context") != context:
                named = {**asked, "context": context}
                connection.execute(update(questions).where(c.id == question).values(question=named))

        await self._database.change("keep a turn", work)

    async def forget_message(self, workspace: str, channel: str, thread: str, ts: str) -> None:
        """Take a message that was deleted in Slack out of all that is kept of its thread."""
        now = self._now()

        def remember(connection: Connection) -> None:
            remember_deletion(connection, workspace, channel, ts, now)

        def forget(connection: Connection) -> None:
            forget_message(connection, workspace, channel, thread, ts)
            forget_answer(connection, workspace, channel, ts)

        await self._database.change("remember a deletion", remember)
        await self._database.write("forget a message", forget)
        await self._database.empty_log()
