"""Contexts that were set inside Slack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from bot.clock import Now
from bot.store.sql.database import Database
from bot.store.sql.optimistic_lock import swap
from bot.store.sql.tables import contexts


@dataclass(frozen=True, slots=True)
class SlackContext:
    """A context as it was set inside Slack. `body` is what a file would hold, as JSON."""

    workspace: str
    name: str
    body: Mapping[str, Any]
    changed_by: str
    version: int
    at: float


class Contexts:
    """Contexts set inside Slack. Their merge with context files is not done here."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def all(self) -> Sequence[SlackContext]:
        """Return every context, by workspace and name."""
        query = select(contexts).order_by(contexts.c.workspace, contexts.c.name)

        def work(connection: Connection) -> Sequence[SlackContext]:
            return [SlackContext(**row) for row in connection.execute(query).mappings()]

        return await self._database.read("read contexts", work)

    async def save(
        self,
        workspace: str,
        name: str,
        body: Mapping[str, Any],
        by: str,
        *,
        expected: int | None = None,
    ) -> bool:
        """Save a context; return False if its version is not `expected` any more (None: new).

        Two people who edit at once cannot overwrite each other unseen.
        """
        now = self._now()
        values = {"body": dict(body), "changed_by": by, "at": now}
        row = {**values, "workspace": workspace, "name": name, "version": 1}
        where = (contexts.c.workspace == workspace, contexts.c.name == name)
        change = (
            update(contexts)
            .where(*where, contexts.c.version == expected)
            .values(**values, version=contexts.c.version + 1)
        )
        mine = select(contexts.c.name).where(
            *where,
            contexts.c.version == (expected or 0) + 1,
            contexts.c.changed_by == by,
            contexts.c.at == now,
        )

        given = None if expected is None else change
        return await swap(self._database, "save a context", contexts, row, given, mine)

    async def remove(self, workspace: str, name: str, *, expected: int) -> bool:
        """Remove a context; return False if its version is not `expected` any more."""
        tries = 0
        where = (contexts.c.workspace == workspace, contexts.c.name == name)
        gone = delete(contexts).where(*where, contexts.c.version == expected)
        there = select(contexts.c.name).where(*where)

        def work(connection: Connection) -> bool:
            nonlocal tries
            tries += 1
            if connection.execute(gone).rowcount == 1:
                return True
            # A try may have been committed although its reply was lost.
            return tries > 1 and connection.scalar(there) is None

        return await self._database.change("remove a context", work)
