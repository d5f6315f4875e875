"""One transaction at a time, retried if waiting helps, failing as `StoreError`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from bot.store.errors import TRANSIENT, StoreError, detail_of, reason_of
from bot.store.sql.sqlite import SqliteFile, empty_log, free_pages
from bot.store.sql.url import Kind, Location

T = TypeVar("T")
Work = Callable[[Connection], T]

PATIENCE = 5.0
"""Seconds for which a locked or unreachable database is tried again."""

LEAST_TRY = 1.0
"""Seconds that a try at PostgreSQL may take, however little patience is left."""

LOG_PAUSES = (0.05, 0.2, 1.0)
"""Seconds between attempts to empty the write-ahead log while readers are at work."""


class Database:
    """Runs units of work; knows nothing of what they do.

    A unit of work is a plain function. On SQLite it runs in a thread, so it may touch nothing but
    its arguments and its connection.
    """

    def __init__(
        self, location: Location, *, pool_size: int = 8, patience: float = PATIENCE
    ) -> None:
        self.patience = patience
        self.kind: Kind = location.kind
        self.location = location
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        if location.path is not None:
            self.connections: Any = SqliteFile(location.path)
        else:
            from bot.store.sql.postgresql import PostgresPool

            self.connections = PostgresPool(location.dsn or "", pool_size)

    async def write(
        self,
        operation: str,
        work: Work[T],
        *,
        patience: float | None = None,
        flushed: bool = True,
    ) -> T:
        """Run `work` in one transaction and commit it.

        A locked or unreachable database is tried again for `patience` seconds. If it is not
        `flushed`, it outlives this process at once, and the machine after the next write.

        Cancelling the caller does not cancel a write that has begun: it is done or not done.
        `work` may run again, even after it was committed (the connection died before the reply),
        so it has to come to the same end twice. Raises `StoreError`.
        """
        return await self._shielded(
            self._persist(
                operation, lambda: self.connections.commit(work, flushed=flushed), patience
            )
        )

    async def change(self, operation: str, work: Work[T], *, patience: float | None = None) -> T:
        """Run `work`, each of whose statements is committed by itself: fewer trips than `write`.

        For changes that one statement makes. The rules of `write` hold here too.
        """
        return await self._shielded(
            self._persist(operation, lambda: self.connections.commit_each(work), patience)
        )

    async def read(self, operation: str, work: Work[T], *, patience: float | None = None) -> T:
        """Run `work` outside a transaction: each of its statements sees what is committed."""
        looking = self._persist(operation, lambda: self.connections.look(work), patience)
        # Work that has begun in a thread goes on, and `close` has to wait for it.
        return await (self._shielded(looking) if self.kind == "sqlite" else looking)

    def waiter(self) -> Callable[[Awaitable[T]], T]:
        """Return a function by which a unit of work of this database waits for something else."""
        waiter: Callable[[Awaitable[T]], T] = self.connections.waiter()
        return waiter

    async def shrink(self) -> None:
        """Give freed pages back to the disk, a few at a time; PostgreSQL does so by itself."""
        while self.kind == "sqlite" and await self.change("shrink", free_pages):
            pass

    async def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was overwritten in the database.

        A reader that is at work keeps the log for a moment. Then it is tried again, and if it
        stays, the next checkpoint writes over it.
        """
        if self.kind != "sqlite":
            return
        for pause in LOG_PAUSES:
            if await self.change("empty the log", empty_log):
                return
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Wait for the work under way, then let go of every connection.

        Later work is a `StoreError`: it would open a connection that is never closed.
        """
        while self._running:
            await asyncio.wait(self._running)
        self._closed = True
        await self.connections.close()

    async def _persist(
        self, operation: str, attempt: Callable[[], Awaitable[T]], patience: float | None
    ) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.patience if patience is None else patience)
        pause = 0.02
        while True:
            if self._closed:
                raise StoreError("unreachable", operation, "the store is closed")
            try:
                if self.kind == "sqlite":
                    # A thread cannot be interrupted, and a file does not vanish.
                    return await attempt()
                # A server that vanished answers nothing at all.
                async with asyncio.timeout(max(LEAST_TRY, deadline - loop.time())):
                    return await attempt()
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

    async def _shielded(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._settled)
        return await asyncio.shield(task)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # A caller that was cancelled cannot look at it any more.
