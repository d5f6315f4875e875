"""The clairvoyant optimum: the cheapest way to serve a trace whose every question is known.

Dynamic programming over the questions, with the life of the entry that each leaves alive. Between
two questions the entry is refreshed as often as its life demands, or it lapses and is written
anew: at the question itself (which waits), or just ahead of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs

LIVES: tuple[Ttl, ...] = ("5m", "1h")


def optimum_usd(questions: Sequence[float], costs: Costs, warm_ttft: float) -> float:
    """Return the least total cost, waits valued, of answering questions at these times."""
    if not questions:
        return 0.0
    best = {life: _anew(life, math.inf, costs) for life in LIVES}
    for before, at in pairwise(questions):
        best = _step(best, at - before, costs)
    return min(best.values()) + costs.second * warm_ttft * len(questions)


def _step(best: dict[Ttl, float], gap: float, costs: Costs) -> dict[Ttl, float]:
    after = {life: best[life] + _held(life, gap, costs) for life in LIVES}
    for old in LIVES:
        asleep = gap - TTL_SECONDS[old]
        if asleep > 0:
            for new in LIVES:
                after[new] = min(after[new], best[old] + _anew(new, asleep, costs))
    return after


def _held(life: Ttl, gap: float, costs: Costs) -> float:
    """Return the cost of refreshing through the gap and of the question's own read."""
    return costs.read * max(1, math.ceil(gap / TTL_SECONDS[life]))


def _anew(life: Ttl, asleep: float, costs: Costs) -> float:
    """Return the cost of a new entry, written at the question or up to `asleep` s ahead of it."""
    ahead = min(asleep, costs.prefill)
    waiting = costs.write(life) + costs.second * costs.prefill
    warmed = costs.write(life) + costs.read + costs.second * (costs.prefill - ahead)
    return min(waiting, warmed)
