"""`forewarm local-claude`: the local Claude alone, for anybody's client in any language."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import ForewarmError


class CannotListen(ForewarmError):
    """The address is taken or not this machine's."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"Cannot listen on {host}:{port} ({reason}); choose another with --port.")
        self.host = host
        self.port = port


def local_claude(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 3901,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with keys, latency, limits, chaos, models.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    virtual_clock: Annotated[
        bool,
        typer.Option(
            "--virtual-clock",
            help="Let latency pass at once; POST /_control/clock moves the time.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print where it listens as one JSON object.")
    ] = False,
) -> None:
    """Run a local Claude until interrupted; docs/playground.md tells how to use it."""
    try:
        asyncio.run(_serve(port, config, host, virtual_clock=virtual_clock, as_json=json))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotListen(host, port, reason.rpartition(": ")[2]) from error


async def _serve(
    port: int, config: Path | None, host: str, *, virtual_clock: bool, as_json: bool
) -> None:
    from forewarm_playground.claude import Config, LocalClaude, ManualClock
    from forewarm_playground.claude.config import load
    from rich.console import Console

    settings = load(config) if config else Config()
    claude = LocalClaude(settings, clock=ManualClock() if virtual_clock else None)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with claude.serve(port, host) as url:
        console = Console(highlight=False, soft_wrap=True)
        if as_json:
            console.print_json(data={"url": url})
        else:
            console.print(f"The local Claude listens at [bold]{url}[/]")
            console.print(f"ANTHROPIC_BASE_URL={url}, control {url}/_control/")
        await stopped.wait()
