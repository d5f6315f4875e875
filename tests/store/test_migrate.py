"""The tables are brought to this version at start, once, however many start at once."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, String, Text, text

from bot.store.errors import StoreError
from bot.store.installations import slack_tables
from bot.store.migrate import VERSION_TABLE, alembic_config, migrate
from bot.store.retention import FOR_EVER, Retention, rules
from bot.store.sql.database import Database
from bot.store.sql.tables import REVISION, metadata
from bot.store.sql.url import locate
from bot.store.store import Store


def test_the_newest_revision_is_the_head_of_the_migrations() -> None:
    """A migration that is added without its number would never run."""
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [REVISION]


async def test_replicas_that_start_at_once_migrate_once_and_all_come_up(
    empty_url: str, clock: Any
) -> None:
    """A deploy starts every replica in the same second."""
    databases = [Database(locate(empty_url)) for _ in range(5)]
    done = await asyncio.gather(*(migrate(database) for database in databases))
    assert sum(done) == 1
    stores = [Store(database, clock) for database in databases]
    await asyncio.gather(*(s.state.put("k", str(i), b"") for i, s in enumerate(stores)))
    assert len(await stores[0].state.all("k")) == 5
    for store in stores:
        await store.close()


async def test_the_migrated_tables_are_those_that_the_code_declares(store: Store, url: str) -> None:
    """A column that only one of the two knows fails in production, not in tests."""
    declared = MetaData()
    for table in metadata.tables.values():
        if not table.name.startswith("slack_"):
            table.to_metadata(declared)
    slack_tables(declared)

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": _differs, "version_table": VERSION_TABLE}
        )
        return list(compare_metadata(context, declared))

    database = Database(locate(url))
    assert await database.read("compare", compare) == []
    await database.close()


def _differs(context: Any, inspected: Any, declared: Any, found: Any, wanted: Any) -> bool | None:
    # slack_sdk declares narrow strings where we keep text; both are text to the engine.
    return False if isinstance(found, String | Text) and isinstance(wanted, String) else None


async def test_a_database_of_a_newer_version_is_refused_untouched(
    empty_url: str, clock: Any
) -> None:
    """After a rollback the old code must not write into tables that it does not know."""
    await (await Store.open(empty_url, now=clock)).close()
    database = Database(locate(empty_url))

    def pretend(connection: Connection) -> None:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608 - a constant

    await database.write("pretend", pretend)
    await database.close()
    with pytest.raises(StoreError) as caught:
        await Store.open(empty_url, now=clock)
    assert caught.value.reason == "newer"
    assert "install that version again" in caught.value.user_message


async def test_looking_without_setting_up_creates_nothing(tmp_path: Path, clock: Any) -> None:
    """`forewarm report` in the wrong folder must not leave a database there."""
    path = tmp_path / "forewarm.db"
    with pytest.raises(StoreError) as caught:
        await Store.open(f"sqlite:///{path}", now=clock, set_up=False)
    assert caught.value.reason == "schema"
    assert not path.exists()


async def test_looking_at_an_empty_server_sets_nothing_up(empty_postgres: str, clock: Any) -> None:
    """The same on PostgreSQL."""
    with pytest.raises(StoreError) as caught:
        await Store.open(empty_postgres, now=clock, set_up=False)
    assert caught.value.reason == "schema"


async def test_the_file_writes_ahead_and_syncs_fully(tmp_path: Path, clock: Any) -> None:
    """A committed question has to outlive the machine, not only the process."""
    store = await Store.open(str(tmp_path / "f.db"), now=clock)
    synchronous = await store.database.change(
        "look", lambda connection: connection.scalar(text("PRAGMA synchronous"))
    )
    await store.close()
    with sqlite3.connect(tmp_path / "f.db") as look:
        mode, vacuum = (
            look.execute(f"PRAGMA {p}").fetchone() for p in ("journal_mode", "auto_vacuum")
        )
    look.close()
    assert (synchronous, mode, vacuum) == (2, ("wal",), (2,))


def test_every_table_has_a_retention_or_is_named_as_kept() -> None:
    """Forgotten data would be kept for ever."""
    everything = Retention(state={"entry": 7})
    ruled = {table.name for _, table, _ in rules(everything, 0.0)}
    declared = set(metadata.tables) | {"slack_bots", "slack_installations"}
    assert ruled | FOR_EVER == declared
