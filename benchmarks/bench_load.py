"""`python -m benchmarks load`: ten times the events that Slack sends one workspace at most."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

EVENTS_A_SECOND = 83.3
"""Ten times 30,000 an hour, Slack's cap for one app in one workspace.

Source: docs/platform/slack.md#http-delivery.
"""
SHARES = (0.004, 0.02)
BAR_SECONDS = 0.1
STEP_SECONDS = 15.0


def load(
    seconds: Annotated[float, typer.Option(help="How long each rate is held.")] = 600.0,
    rate: Annotated[float, typer.Option(help="Events a second.")] = EVENTS_A_SECOND,
    step: Annotated[bool, typer.Option(help="Also go up in steps, to the limit.")] = True,
    seed: Annotated[int, typer.Option(help="Decides who says what.")] = 1,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure acknowledgements, loss and memory under load: 0.4 % questions, 2 %, and in steps.

    On PostgreSQL if DATABASE_URL names one, else on SQLite. Ends with status 1 if anything
    is lost, or an acknowledgement's p99 is above 100 ms at the steady rate.
    """
    import json

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        result = _measure(rate, seconds, step, seed, progress)
    if as_document:
        typer.echo(json.dumps(result, indent=2))
    else:
        _print(result)
    if not all(_good(one) for one in result["steady"]):
        raise typer.Exit(1)


def _measure(
    rate: float, seconds: float, step: bool, seed: int, progress: Progress
) -> dict[str, Any]:
    from functools import partial

    from benchmarks.load import steady, steps

    url = os.environ.get("DATABASE_URL", "")
    server = url if url.startswith("postgres") else None
    held = []
    for share in SHARES:
        title = f"{rate:g} events/s, {100 * share:g} % questions"
        work = partial(steady, rate=rate, share=share, seconds=seconds, server=server, seed=seed)
        held.append(_run(progress, title, work))
    climb = []
    if step:
        climbing = partial(
            steps,
            share=SHARES[0],
            seconds=STEP_SECONDS,
            first=rate,
            bar=BAR_SECONDS,
            server=server,
            seed=seed,
        )
        climb = _run(progress, "in steps", climbing)
    return {"engine": "postgresql" if server else "sqlite", "steady": held, "steps": climb}


def _run(
    progress: Progress,
    title: str,
    work: Callable[..., Coroutine[Any, Any, Any]],
) -> Any:
    task = progress.add_task(title, total=1.0)
    folder = Path(tempfile.mkdtemp(prefix="forewarm-load-"))
    try:
        return asyncio.run(work(folder, tell=lambda part: progress.update(task, completed=part)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _good(one: dict[str, Any]) -> bool:
    slowest = one["ack_ms"]["p99"]
    return (
        one["lost"] == 0
        and set(one["verdicts"]) <= {"answered"}
        and slowest is not None
        and slowest <= 1000 * BAR_SECONDS
    )


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"One bot on {result['engine']}")
    headings = ("events/s", "questions", "lost", "answered", "ack p50", "ack p99", "memory", "CPU")
    for heading in headings:
        table.add_column(heading, justify="right")
    for one in (*result["steady"], *result["steps"]):
        memory = one["memory_mib"]
        table.add_row(
            f"{one['events_per_second']:.0f}",
            str(one["questions"]),
            str(one["lost"]),
            str(one["verdicts"].get("answered", 0)),
            f"{one['ack_ms']['p50']} ms",
            f"{one['ack_ms']['p99']} ms",
            f"{memory['second_quarter']} → {memory['last_quarter']} MiB",
            f"{one['cpu_cores']} cores",
        )
    Console().print(table)
