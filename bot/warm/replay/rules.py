"""The rules of the simulation: one cache entry, what requests on it cost, how long they wait."""

from __future__ import annotations

from dataclasses import dataclass

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs


@dataclass(frozen=True, slots=True)
class Served:
    """What a request came to: USD, and seconds until its response could begin (0 when warm)."""

    usd: float
    held_up: float
    wrote: bool


class CacheEntry:
    """One prefix's entry at the server. Lives count from the start of a request.

    Alive while `now < alive_until`; readable from `ready_at`.
    """

    __slots__ = ("alive_until", "costs", "ready_at", "ttl")

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.ttl: Ttl = "5m"
        self.ready_at = float("-inf")
        self.alive_until = float("-inf")

    def request(self, at: float, ttl: Ttl) -> Served:
        """Read the entry and renew its life, or write one of the life asked for."""
        if at < self.alive_until:
            self.alive_until = at + TTL_SECONDS[self.ttl]
            return Served(self.costs.read, max(0.0, self.ready_at - at), False)
        self.ttl = ttl
        self.ready_at = at + self.costs.prefill
        self.alive_until = at + TTL_SECONDS[ttl]
        return Served(self.costs.write(ttl), self.costs.prefill, True)
