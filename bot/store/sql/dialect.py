"""The few phrases that differ between the engines or that SQLAlchemy has no word for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT; both engines spell it alike, in two classes."""
    return insert_for(connection.dialect.name, table)


def insert_for(engine: str, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, for an engine by its name."""
    return postgresql.insert(table) if engine == "postgresql" else sqlite.insert(table)
