"""`forewarm db copy`: moves everything from one database to another, of either kind."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer


def copy(
    source: Annotated[
        str | None, typer.Option("--from", help="The database to read. Default: the present one.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="The empty database to fill. Or set COPY_TO.")
    ] = None,
) -> None:
    """Copy every row of a database into an empty one: SQLite to PostgreSQL, and back.

    Stop the bot first. Addresses are those that DATABASE_URL takes; a bare path is an SQLite file.
    One with a password belongs into the variable COPY_TO (or COPY_FROM), not on a command line.
    """
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from bot.app.home_folder import refuse_if_in_use
    from bot.errors import ForewarmError
    from bot.settings import copy_addresses, read_settings
    from bot.store.copy import copy_database
    from bot.store.sql.url import default_url

    settings = read_settings()
    from_variable, to_variable = copy_addresses()
    begin = source or from_variable or settings.database_url or default_url(settings.home)
    end = target or to_variable
    if end is None:
        raise ForewarmError(
            "No database to fill is named: give --to FILE, or set COPY_TO to the address of an"
            " empty database."
        )
    refuse_if_in_use(begin)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def report(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=total)
            progress.update(tasks[table], completed=done)

        counts = asyncio.run(copy_database(begin, end, report))
    for table, count in counts.items():
        typer.echo(f"{table}: {count:,}")
    typer.echo(f"{sum(counts.values()):,} rows were copied. Set DATABASE_URL and start the bot.")
