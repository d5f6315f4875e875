"""Benchmark: threads whose events reach any replica; each question is answered once."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from benchmarks.scatter import Report


def scatter(
    events: Annotated[int, typer.Option(min=1, help="Messages, edits, deletions.")] = 2_000,
    replicas: Annotated[int, typer.Option(min=1, help="Bots on PostgreSQL.")] = 2,
    seed: Annotated[int, typer.Option(help="Decides who says what, and which bot hears.")] = 1,
    together: Annotated[int, typer.Option(min=1, help="Threads at the same time.")] = 12,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Scatter the events of threads over several bots on the PostgreSQL that DATABASE_URL names.

    Ends with status 1 if a question is not answered once, or if a request lacks a message that
    was there before its question.
    """
    import json

    from rich.console import Console
    from rich.progress import Progress

    from benchmarks.scatter import Plan
    from benchmarks.scatter import scatter as run

    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        raise typer.BadParameter("set DATABASE_URL to a PostgreSQL server")
    plan = Plan(server=server, events=events, replicas=replicas, seed=seed, together=together)
    folder = Path(tempfile.mkdtemp(prefix="forewarm-scatter-"))
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("events", total=events)
            report = asyncio.run(
                run(plan, folder, lambda done: progress.update(task, completed=done))
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_document:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        _print(report)
    if not report.good:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    answered = report.verdicts.get("answered", 0)
    typer.echo(
        f"{report.events} events in {report.threads} threads, {report.seconds:.0f} s. "
        f"Of {report.questions} questions ({report.unmentioned} without a mention), {answered} "
        f"are answered, {len(report.wrong)} not exactly once. Their requests hold "
        f"{report.remarks_known} remarks, lack {len(report.unknown)}, and hold "
        f"{len(report.stale)} that were deleted."
    )
    for bot, count in sorted(report.by_replica.items()):
        typer.echo(f"{bot}: {count} requests of Slack")
    for line in (*report.wrong, *report.unknown, *report.stale, *report.strays):
        typer.echo(line)
