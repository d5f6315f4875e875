"""The journal's rows: appended in batches, read by every replica from a sequence number on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

from sqlalchemy import ColumnElement, Connection, func, select, text

from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import journal
from bot.telemetry.interfaces import Entry, Line

# Any fixed number but that of the migrations.
_APPENDING = 0x6A6F7572
_PAGE = 2000


class JournalTable:
    """Appends and reads; what a record means is the telemetry's business."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, source: str, lines: Sequence[Line]) -> None:
        """Store the lines in order; a line that is there already is left alone."""
        rows = [
            {"source": source, "number": n.number, "at": n.at, "kind": n.kind, "body": n.body}
            for n in lines
        ]

        def work(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":
                # Sequence numbers are drawn before the commit: without this, a reader could pass
                # a number that becomes visible later, and never see it.
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_APPENDING})"))
            connection.execute(dialect.insert(connection, journal).on_conflict_do_nothing(), rows)

        if rows:
            await self._database.write("append to the journal", work)

    async def read(
        self,
        after: int = 0,
        *,
        limit: int = _PAGE,
        upto: int | None = None,
        kinds: Collection[str] | None = None,
        since: float | None = None,
        not_from: str | None = None,
    ) -> Sequence[Entry]:
        """Return at most `limit` records with `after < seq <= upto`, in order.

        `since` leaves out what happened before that Unix time, `not_from` one source's records.
        """
        wanted: list[ColumnElement[bool]] = [journal.c.seq > after]
        if upto is not None:
            wanted.append(journal.c.seq <= upto)
        if kinds is not None:
            wanted.append(journal.c.kind.in_(kinds))
        if since is not None:
            wanted.append(journal.c.at >= since)
        if not_from is not None:
            wanted.append(journal.c.source != not_from)
        query = select(journal).where(*wanted).order_by(journal.c.seq).limit(limit)

        def work(connection: Connection) -> Sequence[Entry]:
            return [Entry(*row) for row in connection.execute(query)]

        return await self._database.read("read the journal", work)

    async def replay(
        self,
        after: int = 0,
        *,
        kinds: Collection[str] | None = None,
        since: float | None = None,
    ) -> AsyncIterator[Sequence[Entry]]:
        """Yield everything after `after` up to what is there now, page by page."""
        end = await self.last()
        while page := await self.read(after, upto=end, kinds=kinds, since=since):
            yield page
            after = page[-1].seq

    async def last(self) -> int:
        """Return the newest sequence number, 0 if the journal is empty."""

        def work(connection: Connection) -> int:
            return connection.scalar(select(func.max(journal.c.seq))) or 0

        return await self._database.read("read the journal", work)
