"""`forewarm report`: what the Home tab shows operators, in a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.clock import system_now
from bot.commands.stored_records import open_store, report_unreadable
from bot.errors import ForewarmError
from bot.telemetry.events import PrefixBuilt
from bot.telemetry.figures.daily_stats import KINDS, DailyStats
from bot.telemetry.figures.report import as_json, as_tables, build_report, plot, since_day

if TYPE_CHECKING:
    from bot.settings import Settings

LEAD_SECONDS = 3600.0
"""Read before the first day, so that warm-ups of the evening before find their questions."""


def report(
    context: Annotated[str | None, typer.Option(help="Only this context.")] = None,
    workspace: Annotated[
        str | None, typer.Option(help="Only the contexts of this workspace (T…), with OAuth.")
    ] = None,
    since: Annotated[str, typer.Option(help="The first day, 2026-11-01, or 7d.")] = "30d",
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    chart: Annotated[
        Path | None, typer.Option("--plot", help="Write a chart to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Show money, waits, hit rates, warm-ups and misses, by context and by day (UTC)."""
    import json

    from bot.commands.outputs import require_writable
    from bot.settings import read_settings

    require_writable(plot=chart)
    now = system_now()
    first = since_day(since, now)
    figures, owners = asyncio.run(_read(read_settings(), first))
    among = [name for name in figures.contexts() if owners.get(name) == workspace]
    if workspace is not None and not among:
        known = ", ".join(sorted(set(owners.values()) - {""})) or "none"
        raise ForewarmError(
            f"Nothing is known of contexts of the workspace {workspace!r} since {first}: choose one"
            f" of those that are ({known}), or an earlier --since."
        )
    if context is not None and context not in figures.contexts():
        known = ", ".join(figures.contexts()) or "none"
        raise ForewarmError(
            f"Nothing is known of a context named {context!r} since {first}: choose one of those"
            f" that are ({known}), or an earlier --since."
        )
    found = build_report(
        figures, now, since=first, context=context, among=None if workspace is None else among
    )
    if chart is not None:
        plot(found, chart)
    if as_document:
        typer.echo(json.dumps(as_json(found), indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(f"From {found.since} to {found.until} (UTC)")
    for table in as_tables(found):
        console.print()
        console.print(table)
    if chart is not None:
        console.print(f"Chart: {chart}", markup=False)


async def _read(settings: Settings, first: str) -> tuple[DailyStats, dict[str, str]]:
    """Return the figures, and the workspace of each context."""
    from rich.console import Console
    from rich.progress import Progress

    from bot.telemetry.codec import Reader

    figures, reader = DailyStats(), Reader(report_unreadable)
    owners: dict[str, str] = {}
    async with open_store(settings) as store:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Reading the journal", total=await store.journal.last())
            async for page in store.journal.replay(kinds=KINDS, since=_start_of(first)):
                for entry in page:
                    figures.apply(reader.read(entry))
                progress.update(task, completed=page[-1].seq)
        async for page in store.journal.replay(kinds=(PrefixBuilt.__name__,)):
            for entry in page:
                if isinstance(built := reader.read(entry), PrefixBuilt):
                    owners[built.context] = built.workspace
    return figures, owners


def _start_of(day: str) -> float:
    from datetime import UTC, datetime

    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() - LEAD_SECONDS
