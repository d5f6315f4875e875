"""SQLite in threads of its own: a unit of work crosses over once, with all of its statements.

An asynchronous driver crosses over for each statement and for the commit. On a question's path
these crossings cost more than SQLite itself, the flush to the disk included.

One thread writes, in the order of asking, and a few read; WAL with `synchronous=FULL`, so that a
committed write outlives the machine. A write that a user waits for and that the next one flushes
may leave the flush out.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from bot.store.errors import Reason, StoreError

T = TypeVar("T")
Work = Callable[[Connection], T]

READERS = 4
SHRINK_PAGES = 500
"""Pages given back in one step: others write in between."""

_FIRST = (
    # Has to come before the first table and before WAL to have an effect.
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = WAL",
)
_EVERY = (
    "PRAGMA busy_timeout = 200",
    "PRAGMA temp_store = MEMORY",
)
_FLUSHED, _UNFLUSHED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
_WRITER = (
    _FLUSHED,
    # macOS's fsync stops at the drive's cache; elsewhere this does nothing.
    "PRAGMA fullfsync = ON",
    # Purged text is overwritten with zeros, not merely unlinked.
    "PRAGMA secure_delete = ON",
    "PRAGMA journal_size_limit = 67108864",
)


class SqliteFile:
    """Runs units of work on a file, each in a thread. `engine` is the one that writes."""

    def __init__(self, path: Path) -> None:
        _make_private(path)
        self.engine = _engine(path, 1, _prepare_writer)
        # Shares the connection; only here does a unit of work begin a transaction.
        self._transactions = self.engine.execution_options()
        event.listen(self._transactions, "begin", _begin_immediate)
        self._readers = _engine(path, READERS, _prepare_reader)
        self._writing = ThreadPoolExecutor(1, "sqlite-write")
        self._reading = ThreadPoolExecutor(READERS, "sqlite-read")

    async def commit(self, work: Work[T], *, flushed: bool = True) -> T:
        """Run `work` in one transaction. If it is not `flushed`, a later commit flushes it too."""
        begin = self._transactions.begin if flushed else self._begin_unflushed
        return await _run(self._writing, begin, work)

    async def commit_each(self, work: Work[T]) -> T:
        """Run `work`, each of whose statements is committed by itself."""
        return await _run(self._writing, self.engine.connect, work)

    async def look(self, work: Work[T]) -> T:
        """Run `work`, which only reads."""
        return await _run(self._reading, self._readers.connect, work)

    def waiter(self) -> Callable[[Coroutine[Any, Any, T]], T]:
        """Return a function that runs a coroutine for a thread on the present event loop."""
        loop = asyncio.get_running_loop()
        return lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()

    @contextmanager
    def _begin_unflushed(self) -> Iterator[Connection]:
        with self._transactions.connect() as connection:
            # Within a transaction the driver takes no such pragma.
            driver: Any = connection.connection.driver_connection
            driver.execute(_UNFLUSHED)
            try:
                with connection.begin():
                    yield connection
            finally:
                driver.execute(_FLUSHED)

    async def close(self) -> None:
        """Close every connection; no work may be under way."""
        for threads in (self._writing, self._reading):
            threads.shutdown()
        self.engine.dispose()
        self._readers.dispose()


def free_pages(connection: Connection) -> bool:
    """Give a few freed pages back to the disk; tell whether there are more."""
    driver: Any = connection.connection.driver_connection
    # The pragma frees one page for each step, and `execute` of the driver makes only one.
    driver.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")
    return bool(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


def empty_log(connection: Connection) -> bool:
    """Empty the write-ahead log; tell whether that was done, which a reader may keep off."""
    busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy


async def _run(threads: ThreadPoolExecutor, connect: Callable[[], Any], work: Work[T]) -> T:
    def run() -> T:
        with connect() as connection:
            return work(connection)

    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _make_private(path: Path) -> None:
    """Create the file readable by its owner alone: it holds text of threads and bot tokens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        reason: Reason = "refused" if isinstance(error, PermissionError) else "unreachable"
        place = str(path.absolute())
        raise StoreError(reason, "open", type(error).__name__, place) from error


def _engine(path: Path, connections: int, prepare: Callable[[Any, object], None]) -> Engine:
    engine = create_engine(
        "sqlite://",
        # The thread that closes a connection is not the one that opened it. The driver's own
        # implicit BEGIN is deferred and would come too late for the lock.
        creator=partial(sqlite3.connect, path, check_same_thread=False, isolation_level=None),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        # The function that began a transaction ends it.
        pool_reset_on_return=None,
        hide_parameters=True,
    )
    event.listen(engine, "connect", prepare)
    return engine


def _prepare_writer(connection: Any, record: object) -> None:
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
    cursor = connection.cursor()
    for pragma in (*_EVERY, "PRAGMA query_only = ON"):
        cursor.execute(pragma)
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE")
