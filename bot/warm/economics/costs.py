"""Cost of touching a prefix: money by life, seconds of prefill, the value of a second.

The formulas are in docs/governor.md#costs, the prices in docs/platform/claude.md#prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.claude.prices import Price, price_of
from bot.claude.providers.cache_facts import BOTH_LIVES
from bot.claude.usage import Ttl

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Costs:
    """USD for one prefix: writing it with either life, reading it, a second of waiting.

    `prefill` is how many seconds a cold request waits longer than a warm one. `lives` are the lives
    that can be written.
    """

    write_5m: float
    write_1h: float
    read: float
    prefill: float
    second: float
    lives: tuple[Ttl, ...] = BOTH_LIVES

    @property
    def is_free(self) -> bool:
        """Whether warmth costs no money: the model runs on the team's own hardware."""
        return not (self.write_5m or self.write_1h or self.read)

    def write(self, ttl: Ttl) -> float:
        """Return the cost of writing the prefix with this life."""
        return self.write_5m if ttl == "5m" else self.write_1h


def costs_of(
    price: Price,
    tokens: int,
    prefill: float,
    wait_cost_per_hour: float,
    lives: tuple[Ttl, ...] = BOTH_LIVES,
) -> Costs:
    """Return the costs of a prefix of this many tokens at a price."""
    return Costs(
        write_5m=price.write_5m * tokens / MILLION,
        write_1h=price.write_1h * tokens / MILLION,
        read=price.read * tokens / MILLION,
        prefill=prefill,
        second=wait_cost_per_hour / 3600,
        lives=lives,
    )


def costs_for(model: str, tokens: int, prefill: float, wait_cost_per_hour: float) -> Costs:
    """Return the costs of a prefix on this model, at list prices."""
    return costs_of(price_of(model, tokens), tokens, prefill, wait_cost_per_hour)
