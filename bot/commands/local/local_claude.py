"""`forewarm local-claude`: the local Claude alone, for a client in any language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def local_claude(
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535)
    ] = 3901,
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
        bool, typer.Option("--json", help="Print the address as one JSON object.")
    ] = False,
) -> None:
    """Run a local Claude until interrupted; docs/playground.md explains its use."""
    from forewarm_playground.commands import ServerOptions, run_claude

    run_claude(
        ServerOptions(port=port, config=config, host=host, manual_clock=virtual_clock, as_json=json)
    )
