"""`forewarm audit`: who changed or was refused what, from the audit log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.clock import system_now

if TYPE_CHECKING:
    from bot.settings import Settings

COLUMNS = ("at", "actor", "action", "subject", "detail")
MOST_LINES = 10_000


def audit(
    since: Annotated[str, typer.Option(help="A span, 7d, or a day, 2026-11-01.")] = "30d",
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show each change and each refusal with its person and place, newest last."""
    from bot.commands.stored_records import show_rows, since_time
    from bot.settings import read_settings

    settings, now = read_settings(), system_now()
    begin = since_time(since, now)
    rows = asyncio.run(_read(settings, begin))
    show_rows(rows, COLUMNS, as_json=as_document, as_csv=as_csv)


async def _read(settings: Settings, since: float) -> list[dict[str, Any]]:
    from bot.commands.stored_records import open_store

    async with open_store(settings) as store:
        entries = await store.audit.last(MOST_LINES)
    return [
        {name: getattr(entry, name) for name in COLUMNS} | {"detail": dict(entry.detail)}
        for entry in reversed(entries)
        if entry.at >= since
    ]
