"""`python -m benchmarks entry`: the longest pause of the event loop while strangers send junk."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp

MOST_SECONDS = 0.020
"""The longest step of the event loop that is allowed, in seconds of processor time."""
AT_ONCE = 16


def entry(
    requests: Annotated[int, typer.Option(help="Requests to send.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the random choices.")] = 1,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send unsigned requests from another process, and time each step of the server's loop.

    A step is one callback of the event loop. Its processor time does not depend on what else the
    machine does. Its wall time does. Exits with 1 if a step takes more than 20 ms of processor.
    """
    import json

    from bot.telemetry.logs import configure

    configure("ERROR")
    result = asyncio.run(_measure(requests, seed))
    if as_document:
        typer.echo(json.dumps(result, indent=2))
    else:
        typer.echo(
            f"{result['requests']} unsigned requests in {result['seconds']:.1f} s."
            f" Longest step: {result['longest_processor_ms']:.1f} ms of processor"
            f" ({result['longest_callback']}),"
            f" {result['longest_wall_ms']:.1f} ms of wall time. Reached the app:"
            f" {result['reached']}. Statuses: {result['statuses']}."
        )
    if result["longest_processor_ms"] > MOST_SECONDS * 1000 or result["reached"]:
        raise SystemExit(1)


class _App:
    """Stands for Bolt and counts what reaches it."""

    reached = 0

    async def async_dispatch(self, request: Any) -> Any:
        self.reached += 1


async def _measure(requests: int, seed: int) -> dict[str, Any]:
    from bot.app.web import WebServer
    from bot.garbage_collection import set_aside_start_up
    from bot.slack.identity import Identity
    from bot.slack.transport import EventsEntry

    app: Any = _App()
    bolt: AsyncApp = app
    me = Identity("T0OURS", "Ours", "U0BOT", "B0BOT", frozenset(), app_id="A0OURS")
    server = WebServer("127.0.0.1", 0, time.time)
    EventsEntry(bolt, me, "secret" * 6, time.time).add_to(server.application.router)
    await server.start()
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    sender = context.Process(target=_send_all, args=(server.port, requests, seed, results))
    set_aside_start_up()  # As the bot does, so that no collection looks through its modules.
    longest = _time_steps()
    began = time.perf_counter()
    sender.start()
    # A thread waits for the sender, so that the loop has nothing else to do.
    await asyncio.to_thread(sender.join)
    seconds = time.perf_counter() - began
    statuses = {} if results.empty() else results.get()
    await server.stop()
    return {
        "requests": requests,
        "seconds": round(seconds, 2),
        "longest_processor_ms": round(longest["processor"] * 1000, 2),
        "longest_callback": longest["callback"],
        "longest_wall_ms": round(longest["wall"] * 1000, 2),
        "reached": app.reached,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
    }


def _name_of(handle: asyncio.Handle) -> str:
    """Return the name of what a step of the loop runs."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # asyncio has no public name
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return getattr(owner.get_coro(), "__qualname__", "a task")
    return str(getattr(callback, "__qualname__", callback))


def _time_steps() -> dict[str, Any]:
    """Time every callback of the event loop from now on; return the longest, in seconds."""
    longest: dict[str, Any] = {"processor": 0.0, "wall": 0.0, "callback": ""}
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        processor, wall = time.thread_time(), time.perf_counter()
        run(handle)
        spent = time.thread_time() - processor
        if spent > longest["processor"]:
            longest["processor"], longest["callback"] = spent, _name_of(handle)
        longest["wall"] = max(longest["wall"], time.perf_counter() - wall)

    asyncio.Handle._run = timed  # type: ignore[assignment, method-assign]  # for the benchmark
    return longest


def _send_all(port: int, requests: int, seed: int, results: Any) -> None:
    """Send everything from this process; put the counts of the statuses."""
    from benchmarks.hostile_requests import draw, send

    numbers, statuses = random.Random(seed), Counter[int]()  # noqa: S311 - no secret

    async def worker(count: int) -> None:
        for _ in range(count):
            try:
                statuses.update(await send(port, draw(numbers), time.time(), 60.0) or [0])
            except TimeoutError:
                statuses[-1] += 1

    async def all_of_them() -> None:
        share, rest = divmod(requests, AT_ONCE)
        await asyncio.gather(*(worker(share + (n < rest)) for n in range(AT_ONCE)))

    asyncio.run(all_of_them())
    results.put(dict(statuses))
