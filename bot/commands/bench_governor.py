"""`forewarm bench governor`: how many decisions a second one core makes, and what they hold."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.warm.facts import PrefixFacts
    from bot.warm.signals import Signal

CHANNELS = 8
USERS = 40


def governor(
    decisions: Annotated[int, typer.Option(min=1_000, help="Decisions to make.")] = 100_000,
    prefixes: Annotated[int, typer.Option(min=1, help="Prefixes to decide about.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the made-up traffic.")] = 1,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Feed made-up signals and questions of many channels to one governor."""
    from rich.console import Console

    with Console(stderr=True).status("deciding…"):
        found = measure(decisions, prefixes, seed)
    if as_document:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(
        f"{found['decisions_per_second']:,.0f} decisions a second on one core"
        f" ({decisions:,} over {prefixes} prefixes);"
        f" {found['bytes_per_prefix'] / 1024:.0f} KiB held for each prefix."
    )


def measure(decisions: int, prefixes: int, seed: int) -> dict[str, float]:
    """Return decisions a second (process time) and bytes held for each prefix afterwards."""
    from bot.warm.governor import Governor

    traffic = list(_traffic(decisions, prefixes, random.Random(seed)))  # noqa: S311 - no secret
    fast = Governor()
    began = time.process_time()
    _feed(fast, traffic)
    seconds = time.process_time() - began
    # Tracing slows everything down, so memory is measured on a run of its own.
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = Governor()
    _feed(held, traffic[: min(decisions, 20_000)])
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "decisions": decisions,
        "prefixes": prefixes,
        "seconds": seconds,
        "decisions_per_second": decisions / seconds,
        "bytes_per_prefix": (after - before) / prefixes,
    }


Step = tuple["PrefixFacts", "Signal", bool]


def _feed(governor: object, traffic: list[Step]) -> None:
    from bot.claude.usage import Usage
    from bot.warm.facts import Decision, Result
    from bot.warm.governor import Governor

    assert isinstance(governor, Governor)
    for facts, signal, asks in traffic:
        decision: Decision | None
        if asks:
            user = signal.user or ""
            decision = governor.question(facts, signal.channel, signal.thread, user, signal.at)
        else:
            decision = governor.signal(facts, signal)
        if decision.spends:
            request = governor.begin(decision, signal.user)
            written = Usage(write_5m=facts.tokens)
            result = Result(usage=written, usd=0.01, started_at=signal.at, seconds=19.0)
            governor.end(request, result, signal.at + 0.001)


def _traffic(decisions: int, prefixes: int, chance: random.Random) -> Iterator[Step]:
    from bot.warm.facts import PrefixFacts
    from bot.warm.signals import Signal

    known = [
        PrefixFacts(
            key=f"p{n}",
            fingerprint=f"f{n}",
            base_fingerprint=f"b{n}",
            tokens=150_000,
            base_tokens=150_000,
            model="claude-sonnet-5-5",
            context=f"c{n}",
        )
        for n in range(prefixes)
    ]
    at = 1_800_000_000.0
    for n in range(decisions):
        at += chance.expovariate(1 / 10)
        facts = chance.choice(known)
        signal = Signal(
            kind=chance.choice(("dm_opened", "channel_message", "thread_message", "modal_typing")),
            workspace="T1",
            at=at,
            channel=f"C{facts.key}{chance.randrange(CHANNELS)}",
            thread=f"{n // 7}",
            user=f"U{chance.randrange(USERS)}",
        )
        yield facts, signal, chance.random() < 0.1
