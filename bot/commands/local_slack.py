"""`forewarm local-slack`: the local Slack alone, for anybody's client in any language."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer


def local_slack(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 3900,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the app, workspaces, users, channels.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    movable_clock: Annotated[
        bool, typer.Option("--movable-clock", help="Let POST /_control/clock put time forward.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print where it listens as one JSON object.")
    ] = False,
) -> None:
    """Run a local Slack until interrupted; docs/playground.md tells how to use it."""
    asyncio.run(_serve(port, config, host, movable_clock=movable_clock, as_json=json))


async def _serve(
    port: int, config: Path | None, host: str, *, movable_clock: bool, as_json: bool
) -> None:
    from forewarm_playground.slack import LocalSlack, SlackConfig
    from forewarm_playground.slack.timers import MovableClock
    from rich.console import Console

    settings = SlackConfig.load(config) if config else SlackConfig()
    slack = LocalSlack(settings, timers=MovableClock() if movable_clock else None)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with slack.serve(port, host) as url:
        console = Console(highlight=False, soft_wrap=True)
        if as_json:
            console.print_json(data={"url": url, "api_url": slack.api_url})
        else:
            console.print(f"The local Slack listens at [bold]{url}[/]")
            console.print(f"Web API base URL {slack.api_url}, control {url}/_control/")
        await stopped.wait()
