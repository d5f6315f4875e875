"""PostgreSQL over one pool of connections. A unit of work runs as if it did not wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

T = TypeVar("T")
Work = Callable[[Connection], T]


class PostgresPool:
    """Runs units of work on a server."""

    def __init__(self, dsn: str, size: int) -> None:
        self.engine = _engine(dsn, size)
        self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def commit(self, work: Work[T], *, flushed: bool = True) -> T:
        """Run `work` in one transaction. If it is not `flushed`, the server flushes it later."""
        async with self.engine.begin() as connection:
            if not flushed:
                await connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            return await connection.run_sync(work)

    async def commit_each(self, work: Work[T]) -> T:
        """Run `work`, each of whose statements is committed by itself."""
        async with self._single.connect() as connection:
            return await connection.run_sync(work)

    async def look(self, work: Work[T]) -> T:
        """Run `work`, which only reads."""
        return await self.commit_each(work)

    def waiter(self) -> Callable[[Awaitable[T]], T]:
        """Return a function that runs a coroutine for a unit of work."""
        return await_only

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _engine(dsn: str, size: int) -> AsyncEngine:
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
        pool_size=size,
        max_overflow=size,
        pool_timeout=5.0,
        pool_recycle=1800,
        hide_parameters=True,
    )
