"""`python -m benchmarks store`: what the store costs a question, on each engine that is there."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.clock import system_now

if TYPE_CHECKING:
    from rich.progress import Progress

    from bot.store.store import Store

BEFORE_FIRST_WORDS = ("record", "load thread", "reserve")
"""The calls that a question waits for; the rest happens while words are on screen, or after.

Money is reserved before each request leaves.
"""


def store(
    questions: Annotated[int, typer.Option(help="Questions to measure on each engine.")] = 300,
    at_once: Annotated[int, typer.Option(help="Questions in hand at the same time.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where the SQLite file is made: the disk counts.")
    ] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure each verb on a question's path; PostgreSQL by DATABASE_URL, if that is one.

    On PostgreSQL everything happens in a schema of its own, which is dropped at the end.
    """
    import json

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        results = asyncio.run(_measure(questions, at_once, folder, progress))
    if as_document:
        typer.echo(json.dumps(results, indent=2))
        return
    for result in results:
        Console().print(_table(result))


async def _measure(
    questions: int, at_once: int, folder: Path | None, progress: Progress
) -> list[dict[str, Any]]:
    where = Path(tempfile.mkdtemp(prefix="forewarm-bench-", dir=folder))
    try:
        results = [await _on_sqlite(where / "forewarm.db", questions, at_once, progress)]
    finally:
        shutil.rmtree(where)
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        results.append(await _on_postgresql(server, questions, at_once, progress))
    return results


async def _on_sqlite(path: Path, questions: int, at_once: int, progress: Progress) -> Any:
    from bot.store.store import Store

    opened = await Store.open(str(path), now=system_now)
    try:
        return await _run("sqlite", opened, questions, at_once, progress)
    finally:
        await opened.close()


async def _on_postgresql(server: str, questions: int, at_once: int, progress: Progress) -> Any:
    import asyncpg  # type: ignore[import-untyped]  # ships no types

    from bot.store.sql.url import locate
    from bot.store.store import Store

    schema = f"forewarm_bench_{os.getpid()}"
    connection = await asyncpg.connect(locate(server).dsn)
    await connection.execute(f"CREATE SCHEMA {schema}")
    try:
        joint = "&" if "?" in server else "?"
        opened = await Store.open(f"{server}{joint}search_path={schema}", now=system_now)
        try:
            return await _run("postgresql", opened, questions, at_once, progress)
        finally:
            await opened.close()
    finally:
        await connection.execute(f"DROP SCHEMA {schema} CASCADE")
        await connection.close()


async def _run(
    engine: str, opened: Store, questions: int, at_once: int, progress: Progress
) -> dict[str, Any]:
    from bot.telemetry.figures.quantiles import percentile

    task = progress.add_task(engine, total=questions)
    seconds: dict[str, list[float]] = {}
    turns = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with turns:
            taken = await _question(opened, f"q{number}")
        for verb, spent in taken.items():
            seconds.setdefault(verb, []).append(spent)
        progress.advance(task)

    await _question(opened, "warm-up of connections and statements")
    await asyncio.gather(*(one(number) for number in range(questions)))
    return {
        "engine": engine,
        "questions": questions,
        "at_once": at_once,
        "verbs": {
            verb: {f"p{p}_ms": round(1000 * (percentile(spent, p) or 0), 3) for p in (50, 95, 99)}
            for verb, spent in seconds.items()
        },
    }


async def _question(opened: Store, id: str) -> dict[str, float]:
    """Take one question through its life; return the seconds of each verb and of the path."""
    from bot.answer.interfaces import SavedAnswer
    from bot.store.ledger import Cap

    spent: dict[str, float] = {}

    async def timed(verb: str, work: Awaitable[object]) -> None:
        started = time.perf_counter()
        await work
        spent[verb] = time.perf_counter() - started

    inbox, now = opened.inbox, system_now()
    thread = ("T1", "C1", f"{now:.6f}")
    asked = {"id": id, "text": "Where is the retry policy?" * 10, "user": "U1"}
    answer = [{"role": "user", "content": "x" * 2000}, {"role": "assistant", "content": "y" * 4000}]
    await opened.turns.append(*thread, "earlier", answer, "payments")
    await timed(
        "record",
        inbox.record(
            asked,
            id=id,
            workspace="T1",
            channel="C1",
            ts=id,
            at=now,
            owner="bench",
            lease_seconds=60.0,
            event=f"Ev{id}",
        ),
    )
    await timed("load thread", opened.turns.load(*thread))
    caps = [Cap("all/*", 1e6), Cap("answers/payments", 1e6)]
    await timed("reserve", opened.ledger.reserve(id, 0.1, caps))
    spent["before first words"] = sum(spent.get(verb, 0.0) for verb in BEFORE_FIRST_WORDS)
    await timed("note message", inbox.note_message(id, "bench", "1.1"))
    saved = SavedAnswer("y" * 4000, "", (), tuple(answer), "answered")
    await timed("save answer", inbox.save_answer(id, "bench", saved))
    await timed("keep turn", opened.turns.append(*thread, id, answer, "payments"))
    await timed("settle", opened.ledger.settle(id, 0.05))
    await timed("finish", inbox.finish(id, "bench", "answered"))
    return spent


def _table(result: dict[str, Any]) -> Any:
    from rich import box
    from rich.table import Table

    title = f"{result['engine']}: {result['questions']} questions, {result['at_once']} at once, ms"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("Verb")
    for name in ("p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for verb, found in result["verbs"].items():
        style = "bold" if verb == "before first words" else None
        table.add_row(verb, *(f"{value:.2f}" for value in found.values()), style=style)
    return table
