"""Units of work: how they are flushed, and their end when the store closes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection

from bot.store.errors import StoreError
from bot.store.sql.database import Database
from bot.store.sql.url import locate
from bot.store.store import Store

NORMAL, FULL = 1, 2
"""SQLite's numbers for `synchronous`: FULL alone flushes each commit."""


async def test_only_a_write_that_says_so_is_not_flushed(tmp_path: Path) -> None:
    """The next write flushes it. A unit of work that fails must leave nothing behind either."""
    database = Database(locate(str(tmp_path / "forewarm.db")))

    def level(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    def fail(connection: Connection) -> int:
        raise RuntimeError

    assert await database.write("look", level) == FULL
    assert await database.write("look", level, flushed=False) == NORMAL
    assert await database.write("look", level) == FULL
    with pytest.raises(RuntimeError):
        await database.write("fail", fail, flushed=False)
    assert await database.change("look", level) == FULL
    await database.close()


async def test_work_after_the_end_is_refused_and_opens_nothing(tmp_path: Path) -> None:
    """A connection that is opened after the end is never closed."""
    store = await Store.open(str(tmp_path / "forewarm.db"), now=lambda: 0.0)
    await store.close()
    with pytest.raises(StoreError) as caught:
        await store.state.put("kind", "key", b"value")
    assert caught.value.reason == "unreachable"
    assert "is closed" in caught.value.detail
    with pytest.raises(StoreError):
        await store.state.get("kind", "key")
