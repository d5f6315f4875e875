"""One transaction at a time, retried if waiting helps, failing as `StoreError`.

SQLite: one connection writes, in the order of asking, and a few read; WAL with
`synchronous=FULL`, so that a committed write outlives the machine. PostgreSQL: one pool.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.store.errors import TRANSIENT, Reason, StoreError, detail_of, reason_of
from bot.store.sql.fast_aiosqlite import connect
from bot.store.sql.url import Kind, Location

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

PATIENCE = 5.0
"""Seconds for which a locked or unreachable database is tried again."""

LEAST_TRY = 1.0
"""Seconds that a try at PostgreSQL may take, however little patience is left."""

SHRINK_PAGES = 500
"""Pages given back in one step: others write in between."""

LOG_PAUSES = (0.05, 0.2, 1.0)
"""Seconds between attempts to empty the write-ahead log while readers are at work."""

_FIRST = (
    # Has to come before the first table and before WAL to have an effect.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
)
_EVERY = (
    "PRAGMA busy_timeout = 200",
    "PRAGMA temp_store = MEMORY",
)
_WRITER = (
    "PRAGMA synchronous = FULL",
    # macOS's fsync stops at the drive's cache; elsewhere this does nothing.
    "PRAGMA fullfsync = ON",
    # Purged text is overwritten with zeros, not merely unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_size_limit = 67108864",
)


class Database:
    """Runs units of work; knows nothing of what they do."""

    def __init__(
        self, location: Location, *, pool_size: int = 8, patience: float = PATIENCE
    ) -> None:
        self.patience = patience
        self.kind: Kind = location.kind
        self.location = location
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        if location.path is not None:
            _make_private(location.path)
            self.engine = _sqlite(location.path, 1, _prepare_writer)
            self._readers = _sqlite(location.path, 4, _prepare_reader)
            event.listen(self.engine.sync_engine, "begin", _begin_immediate)
            self._single = self.engine
        else:
            self.engine = _postgresql(location.dsn or "", pool_size)
            self._readers = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._single = self._readers

    async def write(self, operation: str, work: Work[T], *, patience: float | None = None) -> T:
        """Run `work` in one transaction and commit it.

        A locked or unreachable database is tried again for `patience` seconds.

        Cancelling the caller does not cancel a write that has begun: it is done or not done.
        `work` may run again, even after it was committed (the connection died before the reply),
        so it has to come to the same end twice. Raises `StoreError`.
        """
        return await self._shielded(self._persist(operation, work, self._commit, patience))

    async def change(self, operation: str, work: Work[T], *, patience: float | None = None) -> T:
        """Run `work`, each of whose statements is committed by itself: fewer trips than `write`.

        For changes that one statement makes. The rules of `write` hold here too.
        """
        return await self._shielded(self._persist(operation, work, self._commit_each, patience))

    async def read(self, operation: str, work: Work[T], *, patience: float | None = None) -> T:
        """Run `work` outside a transaction: each of its statements sees what is committed."""
        looking = self._persist(operation, work, self._look, patience)
        # A connection to SQLite that is cancelled on its way is never closed.
        return await (self._shielded(looking) if self.kind == "sqlite" else looking)

    async def shrink(self) -> None:
        """Give freed pages back to the disk, a few at a time; PostgreSQL does so by itself."""
        while self.kind == "sqlite" and await self._shielded(
            self._persist("shrink", _free_pages, self._bare, None)
        ):
            pass

    async def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was overwritten in the database.

        A reader that is at work keeps the log for a moment. Then it is tried again, and if it
        stays, the next checkpoint writes over it.
        """
        if self.kind != "sqlite":
            return
        for pause in LOG_PAUSES:
            emptying = self._persist("empty the log", _empty_log, self._bare, None)
            if await self._shielded(emptying):
                return
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Wait for the work under way, then let go of every connection.

        Later work is a `StoreError`: it would open a connection that is never closed.
        """
        while self._running:
            await asyncio.wait(self._running)
        self._closed = True
        await self.engine.dispose()
        await self._readers.dispose()

    async def _commit(self, work: Work[T]) -> T:
        async with self.engine.begin() as connection:
            return await work(connection)

    async def _commit_each(self, work: Work[T]) -> T:
        async with self._single.connect() as connection:
            if self.kind == "sqlite":
                driver: Any = (await connection.get_raw_connection()).driver_connection
                driver.commit_each()
            return await work(connection)

    async def _look(self, work: Work[T]) -> T:
        async with self._readers.connect() as connection:
            return await work(connection)

    async def _bare(self, work: Work[T]) -> T:
        async with self.engine.connect() as connection:
            return await work(connection)

    async def _persist(
        self,
        operation: str,
        work: Work[T],
        attempt: Callable[[Work[T]], Awaitable[T]],
        patience: float | None,
    ) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.patience if patience is None else patience)
        pause = 0.02
        while True:
            if self._closed:
                raise StoreError("unreachable", operation, "the store is closed")
            try:
                async with asyncio.timeout(self._longest(deadline - loop.time())):
                    return await attempt(work)
            except StoreError:
                raise
            except Exception as error:
                reason = reason_of(error)
                if reason is None:
                    raise
                if reason not in TRANSIENT or loop.time() + pause > deadline:
                    raise StoreError(reason, operation, detail_of(error)) from error
            # Replicas that lost the same server must not come back in step.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(pause * 2, 0.5)

    def _longest(self, left: float) -> float | None:
        """Return how long a try may take: a server that vanished answers nothing at all.

        SQLite's thread cannot be interrupted, and a file does not vanish.
        """
        return None if self.kind == "sqlite" else max(LEAST_TRY, left)

    async def _shielded(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._settled)
        return await asyncio.shield(task)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # A caller that was cancelled cannot look at it any more.


def _make_private(path: Path) -> None:
    """Create the file readable by its owner alone: it holds text of threads and bot tokens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        reason: Reason = "refused" if isinstance(error, PermissionError) else "unreachable"
        place = str(path.absolute())
        raise StoreError(reason, "open", type(error).__name__, place) from error


def _sqlite(path: Path, connections: int, prepare: Callable[[Any, object], None]) -> AsyncEngine:
    engine = create_async_engine(
        "sqlite+aiosqlite://",
        async_creator=partial(connect, path),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30.0,
        # The function that began a transaction ends it; one more rollback costs a thread hop.
        pool_reset_on_return=None,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", prepare)
    return engine


def _prepare_writer(connection: Any, record: object) -> None:
    # The driver's own implicit BEGIN is deferred and would come too late for the lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _EVERY + _WRITER:
        cursor.execute(pragma)
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone() != ("wal",):
        for pragma in _FIRST:
            cursor.execute(pragma)
    cursor.close()


def _prepare_reader(connection: Any, record: object) -> None:
    # Nothing here may need the lock, or a reader could not be opened during a write.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (*_EVERY, "PRAGMA query_only = ON"):
        cursor.execute(pragma)
    cursor.close()


async def _free_pages(connection: AsyncConnection) -> bool:
    # The pragma frees one page for each step, and `execute` of the driver makes only one.
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")
    async with driver.execute("PRAGMA freelist_count") as cursor:
        (left,) = await cursor.fetchone()
    return bool(left)


async def _empty_log(connection: AsyncConnection) -> bool:
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
        busy, _, _ = await cursor.fetchone()
    return not busy


def _begin_immediate(connection: Any) -> None:
    connection.connection.driver_connection.begin_immediate()


def _postgresql(dsn: str, pool_size: int) -> AsyncEngine:
    import asyncpg  # type: ignore[import-untyped]  # ships no types

    async def dial() -> Any:
        return await asyncpg.connect(
            dsn,
            timeout=5.0,
            # A machine that vanished answers nothing, not even an error.
            command_timeout=10.0,
            server_settings={
                "application_name": "forewarm",
                "idle_in_transaction_session_timeout": "15000",
            },
        )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=dial,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5.0,
        pool_recycle=1800,
        hide_parameters=True,
    )
