"""Benchmark: decisions a second on one core; with traces, how good they are."""

from __future__ import annotations

import heapq
import json
import math
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.commands.simulate import PREFILL_SECONDS, TOKENS, WARM_TTFT, Setup

if TYPE_CHECKING:
    from bot.warm.signals import Signal
    from bot.warm.types import Decision, PrefixFacts, Result

CHANNELS = 8
USERS = 40
BUSY, SLOW = 83.0, 0.1
"""Events a second: ten times what Slack sends one workspace at most, when speed matters; and so
few that nearly all that was worked out has grown old by the next, which costs the most for each."""


def governor(
    traces: Annotated[
        list[Path] | None,
        typer.Argument(help="Traces to replay, whole and thinned, with and without hints."),
    ] = None,
    decisions: Annotated[int, typer.Option(min=1_000, help="Events to decide about.")] = 100_000,
    prefixes: Annotated[int, typer.Option(min=1, help="Prefixes to decide about.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the made-up traffic.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, help="Thinnings of each trace.")] = 8,
    model: Annotated[str, typer.Option(help="Whose prices are paid.")] = "claude-sonnet-5-5",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of the prefix.")] = 150_000,
    wait_cost: Annotated[
        float, typer.Option("--wait-cost", help="What an hour of waiting is worth, USD.")
    ] = 100.0,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Without traces: feed made-up signals and questions of many channels to one governor, at a
    rate of events that no workspace passes, and then at a slow one.

    With traces: replay each of them many times and hold the governor's cost against that of the
    best fixed strategy chosen in hindsight.
    """
    if traces:
        _table(traces, _setup(model, tokens, wait_cost), seeds, as_document)
        return
    from rich.console import Console

    with Console(stderr=True).status("deciding…"):
        busy = measure(decisions, prefixes, seed, BUSY)
        slow = measure(decisions, prefixes, seed, SLOW)
    if as_document:
        typer.echo(json.dumps({**busy, "slow": slow}, indent=2))
        return
    typer.echo(
        f"{busy['decisions_per_second']:,.0f} decisions a second on one core at {BUSY:.0f} events a"
        f" second, {slow['decisions_per_second']:,.0f} at one in {1 / SLOW:.0f} seconds"
        f" ({decisions:,} events over {prefixes} prefixes, one in ten a question);"
        f" {max(busy['bytes_per_prefix'], slow['bytes_per_prefix']) / 1024:.0f} KiB held for each"
        " prefix."
    )


def _setup(model: str, tokens: int, wait_cost: float) -> Setup:
    return Setup(
        tokens=tokens,
        model=model,
        prefill=PREFILL_SECONDS * tokens / TOKENS,
        warm=WARM_TTFT,
        wait_cost=wait_cost,
        hints="none",
        keep=1.0,
        seed=1,
    )


def _table(traces: list[Path], setup: Setup, seeds: int, as_document: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from benchmarks.governor_results import as_json, replays, table

    with Progress(transient=True, console=Console(stderr=True)) as bar:
        task = bar.add_task("replaying", total=replays(len(traces), seeds))
        cells = list(table(traces, setup, seeds, lambda: bar.advance(task)))
    if as_document:
        typer.echo(json.dumps(as_json(cells), indent=2))
        return
    shown = Table("hints", "threads kept", "replays", "mean", "worst", "p95 wait, s")
    for cell in cells:
        figures = (f"{v:.3f}" if v is not None else "-" for v in (cell.mean, cell.worst))
        wait = f"{cell.wait_p95:.2f}" if cell.wait_p95 is not None else "-"
        shown.add_row(cell.hints, f"{cell.keep:.4g}", str(cell.replays), *figures, wait)
    console = Console()
    console.print(shown)
    beyond = max((c.beyond_caching for c in cells if c.beyond_caching is not None), default=0.0)
    console.print(
        "Total cost by that of the best fixed strategy in hindsight; against prompt caching alone"
        f" {beyond:+.1%} at the most.",
        highlight=False,
    )


def measure(decisions: int, prefixes: int, seed: int, rate: float) -> dict[str, float]:
    """Return decisions a second (process time) and bytes held for each prefix afterwards.

    `rate` is the events of the made-up traffic, per second.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    traffic = list(_traffic(decisions, prefixes, rate, chance))
    began = time.process_time()
    made = _Desk().serve(traffic)
    seconds = time.process_time() - began
    # Tracing slows everything down, so memory is measured on a run of its own.
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held = _Desk()
    held.serve(traffic[: min(decisions, 20_000)])
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "decisions": made,
        "events_per_second": rate,
        "prefixes": prefixes,
        "seconds": seconds,
        "decisions_per_second": made / seconds,
        "bytes_per_prefix": (after - before) / prefixes,
    }


Step = tuple["PrefixFacts", "Signal", bool]


class _Desk:
    """Does what the bot's driver does: looks when it is time, sends, reports what came back."""

    def __init__(self) -> None:
        from bot.warm.governor import Governor
        from bot.warm.limits import Limits

        self._governor = Governor(Limits(daily_usd=math.inf, per_user_hour=1_000_000))
        self._looks: dict[str, float] = {}
        self._due: list[tuple[float, str]] = []
        self._made = 0

    def serve(self, traffic: list[Step]) -> int:
        """Take all of it in; return how many decisions were made."""
        for facts, signal, asks in traffic:
            self._look_until(signal.at)
            if asks:
                self._ask(facts, signal)
            else:
                self._heed(self._governor.handle_signal(facts, signal))
        return self._made

    def _look_until(self, at: float) -> None:
        while self._due and self._due[0][0] <= at:
            due, key = heapq.heappop(self._due)
            if self._looks.get(key) == due:
                self._heed(self._governor.look(key, due))

    def _ask(self, facts: PrefixFacts, signal: Signal) -> None:
        user = signal.user or ""
        decision = self._governor.handle_question(
            facts, signal.channel, signal.thread, user, signal.at
        )
        self._made += 1
        self._governor.record_request(facts.key, decision.ttl, signal.at)
        result = self._result(decision, facts.tokens, signal.at)
        self._heed(self._governor.apply_reply(facts.key, decision.ttl, result, signal.at))

    def _heed(self, decision: Decision | None) -> None:
        while decision is not None:
            self._made += 1
            if decision.next_look_at is not None:
                self._looks[decision.prefix] = decision.next_look_at
                heapq.heappush(self._due, (decision.next_look_at, decision.prefix))
            if not decision.spends:
                return
            request = self._governor.begin_warm_up(decision)
            result = self._result(decision, TOKENS, decision.at)
            decision = self._governor.end_warm_up(request, result, decision.at)

    def _result(self, decision: Decision, tokens: int, at: float) -> Result:
        from bot.claude.usage import Usage
        from bot.warm.types import Result

        usage = Usage(write_5m=tokens) if decision.ttl == "5m" else Usage(write_1h=tokens)
        if decision.expected:
            usage = Usage(cache_read=tokens)
        return Result(usage=usage, usd=0.01, started_at=at, seconds=19.0)


def _traffic(decisions: int, prefixes: int, rate: float, chance: random.Random) -> Iterator[Step]:
    from bot.warm.signals import Signal
    from bot.warm.types import PrefixFacts

    known = [
        PrefixFacts(
            key=f"p{n}",
            fingerprint=f"f{n}",
            base_fingerprint=f"b{n}",
            tokens=TOKENS,
            base_tokens=TOKENS,
            model="claude-sonnet-5-5",
            context=f"c{n}",
            daily_limit_usd=math.inf,
        )
        for n in range(prefixes)
    ]
    at = 1_800_000_000.0
    for n in range(decisions):
        at += chance.expovariate(rate)
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
