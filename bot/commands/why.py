"""`forewarm why`: why a channel's cache is warm or cold, from the journal."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from bot.clock import system_now

if TYPE_CHECKING:
    from bot.settings import Settings

BEFORE_SECONDS = 2 * 86_400.0
"""Read before the time that is asked about, to know the state in which it began."""


def why(
    channel: Annotated[str, typer.Argument(help="A channel's id, or a context's name.")],
    since: Annotated[str, typer.Option(help="A span, 2h, or a day, 2026-11-01.")] = "2h",
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the decisions, signals, costs and questions that led to a channel's present state."""
    from bot.commands.stored_records import since_time
    from bot.context.config.load import load_contexts
    from bot.errors import ForewarmError
    from bot.settings import read_settings
    from bot.stored import dump
    from bot.telemetry.explain import as_lines, context_of, explain

    settings, now = read_settings(), system_now()
    begin = since_time(since, now)
    records = asyncio.run(_read(settings, begin - BEFORE_SECONDS))
    contexts = load_contexts(settings.contexts).contexts
    context = next((c.name for c in contexts if channel in (c.name, *c.channels)), None)
    context = context or context_of(records, channel)
    if context is None:
        raise ForewarmError(
            f"Nothing is recorded of {channel} and no context file names it: give a channel's id,"
            " a context's name, or an earlier --since."
        )
    found = explain(records, now, channel=channel, context=context, since=begin)
    typer.echo(json.dumps(dump(found), indent=2) if as_document else "\n".join(as_lines(found)))


async def _read(settings: Settings, since: float) -> list[object]:
    from bot.commands.stored_records import open_store, report_unreadable
    from bot.telemetry.codec import Reader
    from bot.telemetry.explain import KINDS

    reader, records = Reader(report_unreadable), list[object]()
    async with open_store(settings) as store:
        async for page in store.journal.replay(kinds=KINDS, since=since):
            records += [record for entry in page if (record := reader.read(entry)) is not None]
    return records
