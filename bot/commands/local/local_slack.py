"""`forewarm local-slack`: the local Slack alone, for a client in any language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def local_slack(
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)
    ] = 3900,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the app, workspaces, users, channels.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    movable_clock: Annotated[
        bool, typer.Option("--movable-clock", help="Let POST /_control/clock put time forward.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as one JSON object.")
    ] = False,
) -> None:
    """Run a local Slack until interrupted; docs/playground.md explains its use."""
    from forewarm_playground.commands import ServerOptions, run_slack

    run_slack(
        ServerOptions(port=port, config=config, host=host, manual_clock=movable_clock, as_json=json)
    )
