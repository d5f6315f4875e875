"""Options and output that commands over the stored records share."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from bot.clock import system_now
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.store.store import Store
    from bot.stored import UnreadableValue

_SPAN = re.compile(r"(\d{1,6})(m|h|d)")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the installation's database, without making its tables or bringing them up to date."""
    from bot.store.sql.url import default_url
    from bot.store.store import Store

    url = settings.database_url or default_url(settings.home)
    store = await Store.open(url, now=system_now, set_up=False)
    try:
        yield store
    finally:
        await store.close()


def report_unreadable(error: UnreadableValue) -> None:
    """Say that a stored record cannot be read."""
    typer.secho(f"forewarm: {error.user_message}", fg=typer.colors.YELLOW, err=True)


def since_time(given: str, now: float) -> float:
    """Return the Unix time that `90m`, `2h`, `7d` or a day such as 2026-11-01 (UTC) means."""
    if match := _SPAN.fullmatch(given):
        return now - int(match[1]) * _SECONDS[match[2]]
    try:
        at = datetime.fromisoformat(given).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ForewarmError(
            f"--since {given!r} is no time: give a span such as 90m, 2h or 7d, or a day such as"
            " 2026-11-01."
        ) from None
    if at > now:
        raise ForewarmError(
            f"--since {given} lies ahead, so there is nothing yet: give a past day."
        )
    return at


def show_rows(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, as_csv: bool
) -> None:
    """Print rows as a table, as JSON or as CSV. A row's `at` is shown as UTC in the table."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if as_csv:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
        typer.echo(text.getvalue(), nl=False)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # Names and comments are not markup, even if they hold brackets.
        table.add_row(*(Text(_format_value(column, row.get(column))) for column in columns))
    Console().print(table)
    typer.echo(f"{len(rows)} in all." if rows else "Nothing in this time.")


def _format_value(column: str, value: Any) -> str:
    if column == "at" and isinstance(value, float | int):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    return _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, Mapping | list | tuple) else str(value)
    # A spreadsheet takes a cell that begins so for a formula.
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text
