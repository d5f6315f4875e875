"""Benchmark: bots killed at random moments; every question has one complete answer."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from benchmarks.chaos import Plan

KILLS_ALONE, KILLS_TOGETHER, TOGETHER = 200, 500, 3


def chaos(
    kills: Annotated[
        int | None,
        typer.Option(min=1, help="Kills of each run; 200 on SQLite, 500 on PostgreSQL."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="sqlite (one process), postgresql (three), or both.")
    ] = "both",
    replicas: Annotated[int, typer.Option(min=1, help="Bots on PostgreSQL.")] = TOGETHER,
    seed: Annotated[int, typer.Option(help="Decides who is killed when, and what breaks.")] = 1,
    every: Annotated[float, typer.Option(help="Mean seconds between kills.")] = 1.5,
    http: Annotated[
        bool, typer.Option("--http", help="Events by HTTP over a load balancer, not by sockets.")
    ] = False,
    keep: Annotated[bool, typer.Option(help="Keep the bots' logs and files.")] = False,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Kill bots with SIGKILL, drop and double deliveries, cut connections; count the answers.

    PostgreSQL by DATABASE_URL, if that is one: a database is made there for the run, and dropped.
    Ends with status 1 if a question has no complete answer, or more than one.
    """
    import json

    from rich.console import Console
    from rich.progress import Progress

    from benchmarks.chaos import Plan

    plans = _plans(engine, kills, replicas, Plan(seed=seed, every=every, http=http))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        results = [_run(plan, keep, progress) for plan in plans]
    if as_document:
        typer.echo(json.dumps(results, indent=2))
    else:
        _print(results)
    if not all(result["good"] for result in results):
        raise typer.Exit(1)


def _plans(engine: str, kills: int | None, replicas: int, common: Plan) -> list[Plan]:
    if engine not in ("sqlite", "postgresql", "both"):
        raise typer.BadParameter("use sqlite, postgresql or both", param_hint="--engine")
    server = os.environ.get("DATABASE_URL", "")
    plans = []
    if engine != "postgresql":
        plans.append(replace(common, kills=kills or KILLS_ALONE))
    if server.startswith("postgres") and engine != "sqlite":
        count = kills or KILLS_TOGETHER
        plans.append(replace(common, kills=count, replicas=replicas, server=server))
    elif engine == "postgresql":
        raise typer.BadParameter("set DATABASE_URL to a PostgreSQL server", param_hint="--engine")
    return plans


def _run(plan: Plan, keep: bool, progress: Progress) -> dict[str, Any]:
    from benchmarks.chaos import chaos as run

    name = f"{plan.replicas} on PostgreSQL" if plan.server else "one on SQLite"
    task = progress.add_task(f"kills, {name}", total=plan.kills)
    folder = Path(tempfile.mkdtemp(prefix="forewarm-chaos-"))
    try:
        report = asyncio.run(run(plan, folder, lambda done: progress.update(task, completed=done)))
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return report.as_json() | ({"folder": str(folder)} if keep else {})


def _print(results: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Every question one complete answer?")
    for heading in ("engine", "bots", "kills", "questions", "answered", "not", "takeover, max"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for result in results:
        wrong = len(result["wrong"]) + len(result["strays"])
        slowest = result["takeover_s"]["max"]
        table.add_row(
            result["engine"],
            str(result["replicas"]),
            str(result["kills"]),
            str(result["questions"]),
            str(result["verdicts"].get("answered", 0)),
            str(wrong),
            "-" if slowest is None else f"{slowest:.1f} s",
        )
    Console().print(table)
    for result in results:
        for line in (*result["wrong"], *result["strays"]):
            Console().print(f"{result['engine']}: {line}", markup=False)
