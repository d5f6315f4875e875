"""The turns of a thread as they were sent to Claude (`bot.answer.interfaces.Turns`)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.answer.interfaces import Turn
from bot.clock import Now
from bot.delivery.slack_api import JsonObject
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.schema import turns


class Turns:
    """One turn for each question; keys and text come back byte for byte."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def load(self, workspace: str, channel: str, thread: str) -> Sequence[Turn]:
        """Return the thread's turns in the order in which their questions were first kept."""
        query = (
            select(turns.c.question, turns.c.messages)
            .where(
                turns.c.workspace == workspace,
                turns.c.channel == channel,
                turns.c.thread == thread,
            )
            .order_by(turns.c.id)
        )

        async def work(connection: AsyncConnection) -> Sequence[Turn]:
            found = await connection.execute(query)
            return [Turn(question, tuple(messages)) for question, messages in found]

        return await self._database.read("load a thread", work)

    async def append(
        self,
        workspace: str,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[JsonObject],
    ) -> None:
        """Keep a turn. A question that has one already gets the new one in the same place."""
        row = {
            "workspace": workspace,
            "channel": channel,
            "thread": thread,
            "question": question,
            "messages": [dict(message) for message in messages],
            "at": self._now(),
        }

        async def work(connection: AsyncConnection) -> None:
            added = dialect.insert(connection, turns)
            await connection.execute(
                added.on_conflict_do_update(
                    index_elements=["workspace", "channel", "thread", "question"],
                    set_={"messages": added.excluded.messages, "at": added.excluded.at},
                ),
                row,
            )

        await self._database.change("keep a turn", work)
