"""The store as one whole: opened once, handed out in parts."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, text

from bot.clock import Now, system_now
from bot.store.audit import Audit
from bot.store.contexts import Contexts
from bot.store.dedup import Events
from bot.store.erase import Eraser
from bot.store.errors import StoreError, is_full
from bot.store.history import History
from bot.store.inbox import Inbox
from bot.store.installations import installation_store
from bot.store.journal import JournalTable
from bot.store.key_value import State
from bot.store.leases import Leases
from bot.store.ledger import Ledger
from bot.store.migrate import migrate, require_current
from bot.store.opinions import Feedback
from bot.store.retention import Purge
from bot.store.sql.clock_offset import clock_of
from bot.store.sql.database import Database
from bot.store.sql.url import locate
from bot.store.turns import Turns


class Store:
    """The store. Every part raises `StoreError` and nothing else of the engine."""

    def __init__(self, database: Database, now: Now) -> None:
        self.database = self._database = database
        self.journal = JournalTable(database)
        self.inbox = Inbox(database, now)
        self.history = History(database)
        self.events = Events(database, now)
        self.turns = Turns(database, now)
        self.leases = Leases(database, now)
        self.state = State(database, now)
        self.ledger = Ledger(database, now)
        self.feedback = Feedback(database, now)
        self.contexts = Contexts(database, now)
        self.audit = Audit(database, now)
        self.retention = Purge(database, now)
        self.erase = Eraser(database, now)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        now: Now,
        set_up: bool = True,
        pool_size: int = 8,
        one_clock: bool | None = None,
    ) -> Store:
        """Open the database and bring its tables to this version.

        `one_clock` sets `now` by the database's clock, so that replicas whose own clocks differ
        agree on when a lease ends; by default if `now` is the system's own. Without `set_up`
        nothing is created or changed: tables of another version are a `StoreError`. Raises
        `BadDatabaseUrl`, `StoreError`.
        """
        location = locate(url)
        if not set_up and location.path is not None and not location.path.exists():
            raise StoreError("schema", "open", "no such file", location.place)
        database = Database(location, pool_size=pool_size)
        try:
            await (migrate(database) if set_up else require_current(database))
            if one_clock or (one_clock is None and now is system_now):
                now = await clock_of(database, now)
        except StoreError as error:
            await database.close()
            # SQLite cannot open its log on a full disk, and does not say why.
            full = (
                error.reason == "unreachable"
                and location.path
                and is_full(location.path.absolute().parent)
            )
            reason = "full" if full else error.reason
            raise StoreError(reason, error.operation, error.detail, location.place) from error
        except BaseException:
            await database.close()
            raise
        return cls(database, now)

    @property
    def shared(self) -> bool:
        """Tell whether other replicas may use this database too."""
        return self._database.kind == "postgresql"

    def installations(self, client_id: str) -> Any:
        """Return Bolt's asynchronous installation store over this database."""
        return installation_store(self._database, client_id)

    async def ping(self) -> float:
        """Return the seconds that a look at the database takes.

        Raises `StoreError` at once, also if the file's disk is full: it can be read, and no
        question can be recorded.
        """

        def work(connection: Connection) -> None:
            connection.execute(text("SELECT 1"))

        started = time.perf_counter()
        await self._database.read("ping", work, patience=0.0)
        file = self._database.location.path
        if file is not None and is_full(file.absolute().parent):
            raise StoreError("full", "ping")
        return time.perf_counter() - started

    async def close(self) -> None:
        """Wait for the writes under way and let go of every connection."""
        await self._database.close()
