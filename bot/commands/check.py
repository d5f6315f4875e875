"""`forewarm check`: validates an installation and says what to fix."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.app.installation_check import Finding

MARKS = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "red")}
PLAIN_MARKS = {"good": "ok", "note": "note", "bad": "FIX"}
"""For a terminal whose letters lack those marks."""


def check(
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    live: Annotated[
        str, typer.Option(metavar="CHANNEL", help="Probe the real services in this channel.")
    ] = "",
    listen: Annotated[
        float,
        typer.Option(
            min=0, max=86_400, help="Seconds to wait for a person's part of --live; 0 for none."
        ),
    ] = 60.0,
    life: Annotated[
        float,
        typer.Option(
            min=0, max=86_400, help="Seconds for which --live watches a stream; 0 for one look."
        ),
    ] = 420.0,
) -> None:
    """Walk through settings, tokens, scopes, database, contexts, repositories, models and money.

    With --live it posts in a channel, cleans up after itself, and prints what it found as lines of
    JSON that can be sent to Forewarm's developers: they hold no token, name, id or address.
    """
    import json

    from bot.stored import dump

    if live:
        _check_channel(live)
        failed = asyncio.run(_probe(live, listen, life))
        raise typer.Exit(1 if failed else 0)
    findings = _findings(show=not as_document)
    if as_document:
        typer.echo(json.dumps([dump(finding) for finding in findings], indent=2))
    bad = sum(finding.verdict == "bad" for finding in findings)
    if bad and not as_document:
        typer.echo(f"{bad} to fix." if bad > 1 else "1 to fix.")
    if bad:
        raise typer.Exit(1)


def _check_channel(channel: str) -> None:
    """Refuse what is no channel's id before a probe of Claude costs money."""
    import re

    from bot.errors import ForewarmError

    if re.fullmatch(r"[CG][A-Z0-9]{5,}", channel) is None:
        raise ForewarmError(
            "--live takes the id of a channel, such as C0123ABC: copy it from the foot of the"
            " channel's details in Slack."
        )


def _findings(*, show: bool) -> list[Finding]:
    from bot.app.installation_check import Finding
    from bot.settings import SettingsError

    try:
        return asyncio.run(_walk(show=show))
    except SettingsError as error:
        if show:
            raise
        # A program that reads JSON gets JSON, whatever is wrong.
        return [Finding("settings", "bad", problem) for problem in error.problems]


async def _walk(*, show: bool) -> list[Finding]:
    from rich.console import Console

    from bot.app.installation_check import InstallationCheck
    from bot.clock import system_now
    from bot.settings import read_settings, require_network
    from bot.telemetry.logs import configure

    configure("ERROR")
    console = Console(highlight=False)
    findings = []
    settings = read_settings()
    require_network()
    with console.status("looking…"):
        async for finding in InstallationCheck(settings, system_now).run():
            findings.append(finding)
            if show:
                mark, colour = MARKS[finding.verdict]
                if not can_show(mark, console.encoding):
                    mark = PLAIN_MARKS[finding.verdict]
                console.print(f"[{colour}]{mark}[/{colour}] [bold]{finding.part}[/bold]", end=" ")
                console.print(finding.text, markup=False)
    return findings


def can_show(mark: str, encoding: str) -> bool:
    """Tell whether an encoding has every letter of a mark."""
    try:
        mark.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


async def _probe(channel: str, listen: float, life: float) -> int:
    """Print each finding as a line of JSON on stdout, and for people on stderr."""
    from rich.console import Console

    from bot.app.live_probes import LiveProbes, Pace
    from bot.clock import system_now
    from bot.settings import read_settings, require_network
    from bot.slack.probes.interactive import WANTED
    from bot.telemetry.logs import configure

    configure("ERROR")
    console = Console(stderr=True, highlight=False)
    pace = Pace(listen=listen, life=life, step=min(20.0, max(life / 4, 0.1)))
    if listen:
        console.print(f"A person is needed at the end, for {listen:.0f} s. {WANTED}", markup=False)
    failed = 0
    settings = read_settings()
    require_network()
    with console.status("probing; a stream's life alone takes some minutes…") as status:
        async for found in LiveProbes(settings, channel, system_now, pace).run():
            failed += found.outcome == "failed"
            typer.echo(found.line())
            console.print(f"{found.item}: {found.text}", markup=False)
            status.update(f"after {found.item}…")
    return failed
