"""Rules of the simulation: one cache entry, the cost of requests on it, and how long they wait."""

from __future__ import annotations

from dataclasses import dataclass

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs


@dataclass(frozen=True, slots=True)
class Served:
    """Cost of a request in USD, and the seconds by which a cold cache delayed its response."""

    usd: float
    delay: float
    wrote: bool


class SimulatedEntry:
    """One prefix's entry at the server. A life counts from the start of a request.

    It lives while `now < alive_until`, and can be read from `ready_at` on.
    """

    __slots__ = ("alive_until", "costs", "ready_at", "ttl")

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self.ttl: Ttl = "5m"
        self.ready_at = float("-inf")
        self.alive_until = float("-inf")

    def serve(self, at: float, ttl: Ttl) -> Served:
        """Read the entry and renew its life, or write it with the life asked for."""
        if at < self.alive_until:
            self.alive_until = at + TTL_SECONDS[self.ttl]
            return Served(self.costs.read, max(0.0, self.ready_at - at), False)
        self.ttl = ttl
        self.ready_at = at + self.costs.prefill
        self.alive_until = at + TTL_SECONDS[ttl]
        return Served(self.costs.write(ttl), self.costs.prefill, True)
