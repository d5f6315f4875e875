"""`forewarm pack`, for those who come through the whole command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.commands.packing import Request, run


def pack(
    target: Annotated[
        str, typer.Argument(help="A context's name, its file, or a path of a repository.")
    ],
    at: Annotated[
        str | None, typer.Option(metavar="REF", help="A branch, tag or commit; HEAD by default.")
    ] = None,
    budget: Annotated[int | None, typer.Option(metavar="N", help="The most tokens.")] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep base and overlays there.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all blocks there.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build a context or a path and show or write it."""
    run(Request(target, at, budget, state, output, as_json))
