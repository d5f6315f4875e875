"""Benchmark: dollars a month by repository size and questions a day, from the bot's own governor.

Made-up offices ask on weekdays from 9 to 18, without any signal before a question. Each is replayed
through the governor for twelve weeks, at the sizes of prefix and excerpts that `auto` chooses. An
answer adds its excerpts, its own part of the prompt and its words. Nothing here is measured on a
real team: the table says the price of one assumption, and names it.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

HOUR = 3600.0
MONDAY = 1_790_553_600.0
"""A Monday at 0:00 UTC, in Unix seconds."""
WEEKS = 12
OWN_TOKENS = 1_500
"""Tokens of a question's own part: the thread, the question, the instructions."""
OUTPUT_TOKENS = 600
"""Tokens of an answer."""
WHOLES = (50_000, 150_000, 400_000, 2_000_000, 10_000_000)
A_DAY = (5, 30, 100)


@dataclass(frozen=True, slots=True)
class Row:
    """One office. Tokens, USD a month, seconds; `warm` is the share of questions."""

    whole: int
    prefix: int
    excerpts: int
    a_day: int
    usd_a_month: float
    warm: float
    wait_p50: float
    wait_p95: float


def costs(
    model: Annotated[
        str, typer.Option(help="The model whose prices are paid.")
    ] = "claude-sonnet-5-5",
    seed: Annotated[int, typer.Option(help="Seed of the offices.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print dollars a month by repository size and questions a day."""
    rows = list(_rows(model, seed))
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows)


def _rows(model: str, seed: int) -> Iterator[Row]:
    from bot.claude.prices import price_of
    from bot.context.sizing import Rates, Speed, choose_size

    speed = Speed()
    for whole in WHOLES:
        price = price_of(model, min(whole, 150_000))
        rates = Rates(price.read / 1e6, price.write_5m / 1e6, price.input / 1e6)
        size = choose_size(whole, speed, rates)
        prefix = min(size.budget_tokens, whole)
        for a_day in A_DAY:
            yield _row(model, whole, prefix, size.excerpt_tokens, a_day, seed)


def _row(model: str, whole: int, prefix: int, excerpts: int, a_day: int, seed: int) -> Row:
    from bot.claude.prices import price_of
    from bot.context.sizing import Speed
    from bot.warm.economics.costs import costs_for
    from bot.warm.replay.replay import Replay, RequestLine
    from bot.warm.replay.traces import Event
    from bot.warm.types import PrefixFacts

    speed, price = Speed(), price_of(model, prefix)
    warm_wait = speed.wait(prefix, excerpts + OWN_TOKENS)
    prefill = prefix * (speed.uncached - speed.cached)
    timeline = [
        Event(at=at, kind="question", user=f"u{number % 9}", thread=number, opens=True)
        for number, at in enumerate(_office(a_day, seed))
    ]
    facts = PrefixFacts(
        key="office",
        fingerprint="office",
        base_fingerprint="office",
        tokens=prefix,
        base_tokens=prefix,
        model=model,
        context="office",
        wait_cost_per_hour=100.0,
        daily_limit_usd=5.0,
        prefill_seconds=prefill,
    )
    lines: list[RequestLine] = []
    bill = Replay(facts, costs_for(model, prefix, prefill, 100.0), warm_wait, log=lines.append).run(
        timeline
    )
    own = (excerpts + OWN_TOKENS) * price.input + OUTPUT_TOKENS * price.output
    whole_usd = bill.api_usd + len(timeline) * own / 1e6
    waits = sorted(warm_wait + extra for extra in bill.waits)
    return Row(
        whole,
        prefix,
        excerpts,
        a_day,
        whole_usd / (WEEKS * 7) * 30,
        sum(1 for extra in bill.waits if extra <= 0.01) / len(waits),
        statistics.median(waits),
        waits[int(0.95 * (len(waits) - 1))],
    )


def _office(a_day: int, seed: int) -> Iterator[float]:
    """Yield times of questions on weekdays from 9 to 18, in Unix seconds."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    for day in range(WEEKS * 7):
        if day % 7 < 5:
            for hour in sorted(chance.uniform(9.0, 18.0) for _ in range(a_day)):
                yield MONDAY + day * 24 * HOUR + hour * HOUR


def _print(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "repository", "prefix + excerpts", "questions a day", "USD a month", "warm", "p50, p95"
    )
    for row in rows:
        table.add_row(
            f"{row.whole:,} tokens",
            f"{row.prefix:,} + {row.excerpts:,}",
            str(row.a_day),
            f"{row.usd_a_month:.0f}",
            f"{row.warm:.0%}",
            f"{row.wait_p50:.1f} s, {row.wait_p95:.1f} s",
        )
    Console(width=110).print(table)
