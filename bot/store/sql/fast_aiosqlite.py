"""A SQLite connection that crosses over to its thread once for each statement.

aiosqlite crosses for opening a cursor, executing, fetching and closing it: on a question's path
these crossings cost more than SQLite itself, the flush to the disk included.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite


@dataclass(slots=True)
class _Done:
    rows: list[Any]
    description: Any
    rowcount: int
    lastrowid: int | None


class SingleHopConnection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors hold everything as soon as they have executed."""

    _begins = False
    _alone = False

    def begin_immediate(self) -> None:
        """Take the write lock together with the next statement, in one crossing."""
        self._begins = not self._alone

    def commit_each(self) -> None:
        """Let each statement commit by itself, until the next `commit` or `rollback`."""
        self._alone = True

    def cursor(self) -> Any:
        return HopCursor(self)

    async def commit(self) -> None:
        if not self._is_over():
            await super().commit()

    async def rollback(self) -> None:
        if not self._is_over():
            await super().rollback()

    def _is_over(self) -> bool:
        """Go back to transactions; tell whether there is none to end."""
        over = self._alone or self._begins
        self._alone = self._begins = False
        return over

    async def hop(self, function: Callable[..., sqlite3.Cursor], *arguments: Any) -> _Done:
        begins, self._begins = self._begins, False
        done: _Done = await self._execute(  # type: ignore[no-untyped-call]  # aiosqlite's own is
            _run, self._conn, begins, function, *arguments
        )
        return done


class HopCursor:
    """The part of a cursor that SQLAlchemy's adapter needs."""

    def __init__(self, connection: SingleHopConnection) -> None:
        self._connection = connection
        self._done = _Done([], None, -1, None)
        self.arraysize = 1

    @property
    def description(self) -> Any:
        return self._done.description

    @property
    def rowcount(self) -> int:
        return self._done.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._done.lastrowid

    async def __aenter__(self) -> HopCursor:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> HopCursor:
        self._done = await self._connection.hop(sqlite3.Connection.execute, statement, parameters)
        return self

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> HopCursor:
        self._done = await self._connection.hop(sqlite3.Connection.executemany, statement, rows)
        return self

    async def fetchall(self) -> list[Any]:
        rows, self._done.rows = self._done.rows, []
        return rows

    async def close(self) -> None:
        self._done.rows = []


async def connect(path: Path) -> SingleHopConnection:
    """Open the file; create it if it is not there."""
    connection = SingleHopConnection(partial(sqlite3.connect, path), iter_chunk_size=64)
    # A process that dies without closing must not hang on this thread.
    connection._thread.daemon = True
    await connection
    return connection


def _run(
    connection: sqlite3.Connection,
    begins: bool,
    function: Callable[..., sqlite3.Cursor],
    *arguments: Any,
) -> _Done:
    if begins:
        connection.execute("BEGIN IMMEDIATE")
    cursor = function(connection, *arguments)
    rows = cursor.fetchall() if cursor.description else []
    done = _Done(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
    cursor.close()
    return done
