"""Writing a row only if its version is still the expected one, also through lost replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, Table, Update

from bot.store.sql import dialect
from bot.store.sql.database import Database


async def swap(
    database: Database,
    operation: str,
    table: Table,
    row: Mapping[str, Any],
    change: Update | None,
    mine: Select[Any],
) -> bool:
    """Make the change, or add `row` if there is none to change; tell whether it was done.

    A try may have been committed although its reply was lost: a later one then finds nothing to do,
    and what `mine` selects tells that it was ours.
    """
    tries = 0

    def work(connection: Connection) -> bool:
        nonlocal tries
        tries += 1
        if change is None:
            added = dialect.insert(connection, table).on_conflict_do_nothing()
            done = connection.execute(added, dict(row)).rowcount == 1
        else:
            done = connection.execute(change).rowcount == 1
        return done or (tries > 1 and connection.scalar(mine) is not None)

    return await database.change(operation, work)
