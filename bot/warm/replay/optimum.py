"""Clairvoyant optimum: the cheapest way to serve a trace if every question is known in advance.

Dynamic programming over the questions. The state after a question is the life of the entry that
it leaves, 5 minutes or 1 hour. Between two questions there are two choices:

    hold     refresh as often as the life demands
    lapse    write anew: at the question, which waits, or up to one prefill ahead of it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs

LIVES: tuple[Ttl, ...] = ("5m", "1h")


def optimum_usd(questions: Sequence[float], costs: Costs, warm_ttft: float) -> float:
    """Return the least total cost, waiting included, of answering questions at these times."""
    if not questions:
        return 0.0
    best = {life: _cost_of_writing(life, math.inf, costs) for life in LIVES}
    for before, at in pairwise(questions):
        best = _next_question(best, at - before, costs)
    return min(best.values()) + costs.second * warm_ttft * len(questions)


def _next_question(best: dict[Ttl, float], gap: float, costs: Costs) -> dict[Ttl, float]:
    after = {life: best[life] + _cost_of_holding(life, gap, costs) for life in LIVES}
    for old in LIVES:
        lapsed = gap - TTL_SECONDS[old]
        if lapsed > 0:
            for new in LIVES:
                after[new] = min(after[new], best[old] + _cost_of_writing(new, lapsed, costs))
    return after


def _cost_of_holding(life: Ttl, gap: float, costs: Costs) -> float:
    """Return the cost of refreshing through the gap and of the question's own read."""
    return costs.read * max(1, math.ceil(gap / TTL_SECONDS[life]))


def _cost_of_writing(life: Ttl, lapsed: float, costs: Costs) -> float:
    """Return the cost of a new entry, written at the question or up to `lapsed` s ahead of it."""
    ahead = min(lapsed, costs.prefill)
    at_question = costs.write(life) + costs.second * costs.prefill
    warmed = costs.write(life) + costs.read + costs.second * (costs.prefill - ahead)
    return min(at_question, warmed)
