"""Bring the tables to the newest version, at start, however many replicas start at once.

Alembic is imported only if there is something to do: it takes longer to import than the
version takes to read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from bot.store.errors import Reason, StoreError
from bot.store.sql.database import Database
from bot.store.sql.tables import REVISION

VERSION_TABLE = "forewarm_version"
MIGRATION_PATIENCE = 60.0
"""Seconds for which a replica waits while another one migrates."""

# Any fixed number; PostgreSQL's advisory locks are named by one.
_LOCK = 0x666F7265


async def migrate(database: Database) -> bool:
    """Upgrade to the newest version; return whether there was anything to do.

    Raises `StoreError` with reason `newer` if a newer version of Forewarm wrote the database.
    """
    if await _revision(database) == REVISION:
        return False
    return await database.write("migrate", _upgrade, patience=MIGRATION_PATIENCE)


async def require_current(database: Database) -> None:
    """Raise `StoreError` unless the tables are those of this version; change nothing."""
    found = await _revision(database)
    if found != REVISION:
        reason: Reason = "schema" if found is None or found < REVISION else "newer"
        raise StoreError(reason, "open", f"found {found}, need {REVISION}")


async def _revision(database: Database) -> str | None:
    return await database.read("read the version", _current)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return found.scalar_one_or_none()


def _upgrade(connection: Connection) -> bool:
    # SQLite's BEGIN IMMEDIATE is already exclusive; both locks end with the transaction.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    if _current(connection) == REVISION:
        return False
    _run_alembic(connection)
    return True


def _run_alembic(connection: Connection) -> None:
    from alembic import command
    from alembic.util.exc import CommandError

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise StoreError("newer", "migrate", str(error)) from error


def alembic_config(connection: Connection | None = None) -> Any:
    """Return Alembic's configuration for these migrations, on `connection` if one is given."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
