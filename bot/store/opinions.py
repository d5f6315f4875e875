"""Feedback: the last word of each person on each answer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bot.answer.feedback import Opinion
from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import feedback


class Feedback:
    """The last word of each person on each answer counts."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def give(self, opinion: Opinion) -> None:
        """Keep an opinion; its time is now. An earlier comment stays if none is given."""
        row = {
            "question": opinion.question,
            "user": opinion.user,
            "workspace": opinion.workspace,
            "value": opinion.value,
            "comment": opinion.comment,
            "context": opinion.context,
            "fingerprint": opinion.fingerprint,
            "at": self._now(),
        }
        kept = ("value", "at", *(k for k in ("comment", "context", "fingerprint") if row[k]))

        def work(connection: Connection) -> None:
            added = dialect.insert(connection, feedback)
            connection.execute(
                added.on_conflict_do_update(
                    index_elements=["question", "user"],
                    set_={name: added.excluded[name] for name in kept},
                ),
                row,
            )

        await self._database.change("keep feedback", work)

    async def since(self, at: float) -> Sequence[Opinion]:
        """Return the opinions given since a Unix time, oldest first."""
        query = select(feedback).where(feedback.c.at >= at).order_by(feedback.c.at)

        def work(connection: Connection) -> Sequence[Opinion]:
            return [Opinion(**row) for row in connection.execute(query).mappings()]

        return await self._database.read("read feedback", work)
