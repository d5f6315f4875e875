"""Fixed strategies, each followed exactly over a whole trace.

A strategy writes with one life, keeps the entry alive for a fixed time after the last question,
and warms at typing signals or not. Refreshes between two events are counted, not replayed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs
from bot.warm.replay.traces import Event

HOUR = 3600.0
KEEP_HOURS: tuple[float, ...] = (0, 1, 2, 4, 10, 24, 40, 100, math.inf)
"""Hours for which an entry is kept alive after the last question."""
LEAST_LIFE = 130.0
"""Seconds of life below which a typing signal warms: the longest typing, and a little more."""


@dataclass(frozen=True, slots=True)
class FixedStrategy:
    """A fixed strategy.

    `at_signal` warms at a typing signal if the entry would end soon. `always` warms at every
    signal, as Anthropic's notebook does (docs/platform/claude.md#anthropics-notebook).
    `from_start` writes the entry at the first message instead of at the first question.
    """

    ttl: Ttl
    keep_hours: float
    at_signal: bool = False
    always: bool = False
    from_start: bool = False

    @property
    def name(self) -> str:
        """The strategy in words. It is a name in the output of `forewarm simulate --json`."""
        kept = "for ever" if math.isinf(self.keep_hours) else f"{self.keep_hours:g} h"
        return f"{self.ttl}, kept {kept}" + (", warmed at typing" if self.at_signal else "")


PROMPT_CACHING = FixedStrategy("5m", 0)
NOTEBOOK = FixedStrategy("5m", 0, at_signal=True, always=True)
ALWAYS_ON = FixedStrategy("1h", math.inf, from_start=True)
PINGER = FixedStrategy("5m", math.inf)


def fixed_strategies(signals: bool) -> Iterator[FixedStrategy]:
    """Return every fixed strategy; those that warm at signals only if the trace has `signals`."""
    for ttl, keep, at_signal in product(("5m", "1h"), KEEP_HOURS, (False, True)):
        if signals or not at_signal:
            yield FixedStrategy("5m" if ttl == "5m" else "1h", keep, at_signal)


@dataclass(frozen=True, slots=True)
class Bill:
    """Cost of a strategy. `waits` are the seconds by which each question was delayed."""

    api_usd: float
    waits: tuple[float, ...]

    def total(self, costs: Costs, warm_ttft: float) -> float:
        """Return the money with all waiting at its price, in USD.

        `warm_ttft` is the seconds to the first token of a warm request: every question waits them.
        """
        return self.api_usd + costs.second * (sum(self.waits) + warm_ttft * len(self.waits))


def replay_fixed(strategy: FixedStrategy, timeline: Sequence[Event], costs: Costs) -> Bill:
    """Return the cost of a strategy over all events, from the first to the last."""
    if not timeline:
        return Bill(0.0, ())
    life = float(TTL_SECONDS[strategy.ttl])
    write, read, prefill = costs.write(strategy.ttl), costs.read, costs.prefill
    keep = strategy.keep_hours * HOUR
    # `alive` is the end of the entry's life, `until` the end of refreshing.
    usd, alive, ready, until = 0.0, -math.inf, -math.inf, -math.inf
    waits: list[float] = []
    started = False
    for event in timeline:
        at = event.at
        if strategy.from_start and not started:
            usd, alive, ready, until = write, at + life, at + prefill, math.inf
        started = True
        if alive <= at and alive < until:
            refreshes = _count_refreshes(alive, life, at, until)
            usd += refreshes * read
            alive += refreshes * life
        if event.kind == "question":
            until = max(until, at + keep)
        elif (
            event.kind == "message"
            or not strategy.at_signal
            or (not strategy.always and alive - at >= LEAST_LIFE)
        ):
            continue
        if at < alive:
            usd += read
        else:
            usd += write
            ready = at + prefill
        alive = at + life
        if event.kind == "question":
            waits.append(max(0.0, ready - at))
    return Bill(usd, tuple(waits))


def _count_refreshes(alive: float, life: float, at: float, until: float) -> int:
    """Count refreshes at `alive`, `alive + life`…, each before `until` and not after `at`."""
    by_time = math.floor((at - alive) / life) + 1
    if math.isinf(until):
        return by_time
    return min(by_time, math.ceil((until - alive) / life))
