"""Event ids that were seen, so that a delivery that comes twice does nothing the second time."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, select

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import events


class Events:
    """Remembers ids; retention forgets them (Slack redelivers for an hour at most)."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def first_sight(self, id: str) -> bool:
        """Remember the id; return False if it was known."""
        claim = uuid.uuid4().hex
        row = {"id": id, "at": self._now(), "claim": claim}

        def work(connection: Connection) -> bool:
            added = connection.execute(
                dialect.insert(connection, events).on_conflict_do_nothing(), row
            )
            if added.rowcount == 1:
                return True
            # The first try may have been committed although its reply was lost.
            found = connection.scalar(select(events.c.claim).where(events.c.id == id))
            return bool(found == claim)

        return await self._database.change("remember an event", work)
