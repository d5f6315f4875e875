"""Copy a whole database into an empty one, of either kind, with every row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, Table, func, insert, select, text

from bot.clock import system_now
from bot.errors import ForewarmError
from bot.store.installations import slack_tables
from bot.store.sql.database import Database
from bot.store.sql.tables import metadata
from bot.store.store import Store

ROWS = 500
"""Rows of one statement and one step of progress."""
PATIENCE = 3600.0

T = TypeVar("T")
Look = Callable[[Callable[[Connection], Any]], Any]
"""Runs a unit of work on the source and returns its result."""
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
    def look(work: Callable[[Connection], T]) -> T:
        return wait(source.read("copy", work))

    def work(writing: Connection) -> dict[str, int]:
        _require_empty(writing, target.location.place)
        counts = {}
        for table in _all():
            counts[table.name] = _table(table, look, writing, report)
            _continue_serial(table, writing)
        return counts

    wait = target.waiter()
    return await target.write("copy", work, patience=PATIENCE)


def _require_empty(connection: Connection, place: str) -> None:
    for table in _all():
        if connection.execute(select(table).limit(1)).first() is not None:
            raise NotEmpty(place, table.name)


def _table(table: Table, look: Look, writing: Connection, report: Report) -> int:
    count = select(func.count()).select_from(table)
    total = look(lambda reading: reading.execute(count).scalar_one())
    report(table.name, 0, total)
    done = 0
    keys = list(table.primary_key.columns)
    after: Sequence[Any] | None = None
    while rows := look(partial(_page, table, keys, after)):
        writing.execute(insert(table), [dict(row) for row in rows])
        after = [rows[-1][key.name] for key in keys]
        done += len(rows)
        report(table.name, done, total)
    return done


def _page(
    table: Table, keys: Sequence[Any], after: Sequence[Any] | None, reading: Connection
) -> Sequence[Any]:
    """Return the rows that come after a key."""
    query = select(table).order_by(*keys).limit(ROWS)
    if after is not None:
        query = query.where(_beyond(keys, after))
    return reading.execute(query).mappings().all()


def _beyond(keys: Sequence[Any], after: Sequence[Any]) -> Any:
    """Return the condition that a row's key comes after `after`, in the order of the key."""
    from sqlalchemy import and_, or_

    return or_(
        *(
            and_(*(keys[i] == after[i] for i in range(at)), keys[at] > after[at])
            for at in range(len(keys))
        )
    )


def _continue_serial(table: Table, connection: Connection) -> None:
    """Let PostgreSQL's next number come after the copied ones; SQLite looks by itself."""
    serial = table.autoincrement_column
    if serial is None or connection.dialect.name != "postgresql":
        return
    highest = connection.execute(select(func.max(serial))).scalar_one()
    if highest is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
        given = {"table": f'"{table.name}"', "column": serial.name, "highest": highest}
        connection.execute(statement, given)


def _all() -> Iterator[Table]:
    everything = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(everything)
    slack_tables(everything)
    yield from everything.sorted_tables
