"""Copy a whole database into an empty one, of either kind, with every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import MetaData, Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import system_now
from bot.errors import ForewarmError
from bot.store.installations import slack_tables
from bot.store.sql.database import Database
from bot.store.sql.tables import metadata
from bot.store.store import Store

ROWS = 500
"""Rows of one statement and one step of progress."""
PATIENCE = 3600.0

Report = Callable[[str, int, int], None]
"""Is told a table's name, how many of its rows are copied, and how many there are."""


class NotEmpty(ForewarmError):
    """The target of a copy holds rows already. `place` is its host or file."""

    def __init__(self, place: str, table: str) -> None:
        super().__init__(
            f"The database at {place} is not empty (its table {table} has rows), so nothing was"
            " copied: name a new file or a new database."
        )


async def copy_database(source_url: str, target_url: str, report: Report) -> dict[str, int]:
    """Copy every table in one transaction; return its number of rows by name.

    The source is only read. No bot may run on either of them. Raises `NotEmpty`, `StoreError`,
    `BadDatabaseUrl`.
    """
    source = await Store.open(source_url, now=system_now, set_up=False)
    try:
        target = await Store.open(target_url, now=system_now)
        try:
            return await _copy(source.database, target.database, report)
        finally:
            await target.close()
    finally:
        await source.close()


async def _copy(source: Database, target: Database, report: Report) -> dict[str, int]:
    async def work(writing: AsyncConnection) -> dict[str, int]:
        await _require_empty(writing, target.location.place)
        return await source.read("copy", lambda reading: _tables(reading, writing, report))

    return await target.write("copy", work, patience=PATIENCE)


async def _require_empty(connection: AsyncConnection, place: str) -> None:
    for table in _all():
        if (await connection.execute(select(table).limit(1))).first() is not None:
            raise NotEmpty(place, table.name)


async def _tables(
    reading: AsyncConnection, writing: AsyncConnection, report: Report
) -> dict[str, int]:
    counts = {}
    for table in _all():
        counts[table.name] = await _table(table, reading, writing, report)
        await _continue_serial(table, writing)
    return counts


async def _table(
    table: Table, reading: AsyncConnection, writing: AsyncConnection, report: Report
) -> int:
    total = (await reading.execute(select(func.count()).select_from(table))).scalar_one()
    report(table.name, 0, total)
    done = 0
    keys = list(table.primary_key.columns)
    after: Sequence[Any] | None = None
    while True:
        query = select(table).order_by(*keys).limit(ROWS)
        if after is not None:
            query = query.where(_beyond(keys, after))
        rows = (await reading.execute(query)).mappings().all()
        if not rows:
            return done
        await writing.execute(insert(table), [dict(row) for row in rows])
        after = [rows[-1][key.name] for key in keys]
        done += len(rows)
        report(table.name, done, total)


def _beyond(keys: Sequence[Any], after: Sequence[Any]) -> Any:
    """Return the condition that a row's key comes after `after`, in the order of the key."""
    from sqlalchemy import and_, or_

    return or_(
        *(
            and_(*(keys[i] == after[i] for i in range(at)), keys[at] > after[at])
            for at in range(len(keys))
        )
    )


async def _continue_serial(table: Table, connection: AsyncConnection) -> None:
    """Let PostgreSQL's next number come after the copied ones; SQLite looks by itself."""
    serial = table.autoincrement_column
    if serial is None or connection.dialect.name != "postgresql":
        return
    highest = (await connection.execute(select(func.max(serial)))).scalar_one()
    if highest is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
        given = {"table": f'"{table.name}"', "column": serial.name, "highest": highest}
        await connection.execute(statement, given)


def _all() -> Iterator[Table]:
    everything = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(everything)
    slack_tables(everything)
    yield from everything.sorted_tables
