"""Belief about the entry of a prefix in Claude's cache, corrected by what replies say.

A life counts from the start of the request that wrote or read the entry, not from its reply
(docs/platform/claude.md#cache-life). Entries also vanish early, the more often the longer they
were left alone. How often is learned from the reads that come back.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from bot.claude.cache_check import COVERED
from bot.claude.usage import TTL_SECONDS, Ttl, Usage
from bot.warm.types import PrefixFacts

MARGIN: dict[Ttl, float] = {"5m": 6.0, "1h": 10.0}
"""Seconds before its end at which an entry is refreshed. Too late means a write at full price."""
GAPS = (300.0, 600.0, 1200.0, 2700.0, 3600.0)
"""Ends of the bins of the seconds since the last use, in which evictions are counted."""
PRIOR_EVICTED, PRIOR_SEEN = 0.05, 10.0
"""Until reads were seen, an entry is taken to be gone early once in two hundred."""
DECAY = 0.98
"""Weight that each new observation leaves to those before it in its bin."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cache entry. Times are Unix seconds.

    It can be read from `ready_at` on, and lives while `now < alive_until`. `touched_at` is the
    start of the last request that wrote or read it.
    """

    fingerprint: str
    base_fingerprint: str
    tokens: int
    base_tokens: int
    ttl: Ttl
    touched_at: float
    ready_at: float
    alive_until: float

    def is_alive(self, now: float) -> bool:
        """Tell whether the entry lives, as far as is known."""
        return now < self.alive_until

    def covered_tokens(self, facts: PrefixFacts) -> int:
        """Return how many of a prefix's tokens are read from this entry if it lives."""
        if facts.fingerprint == self.fingerprint:
            return facts.tokens
        if facts.base_fingerprint == self.base_fingerprint:
            return facts.base_tokens
        return 0

    def renew(self, at: float) -> CacheEntry:
        """Return the entry with its life renewed by a read that started at `at`."""
        until = max(self.alive_until, at + TTL_SECONDS[self.ttl])
        return replace(self, touched_at=max(self.touched_at, at), alive_until=until)


def new_entry(facts: PrefixFacts, ttl: Ttl, started_at: float, ready_at: float) -> CacheEntry:
    """Return the entry that a request writes which started and became readable then."""
    return CacheEntry(
        fingerprint=facts.fingerprint,
        base_fingerprint=facts.base_fingerprint,
        tokens=facts.tokens,
        base_tokens=facts.base_tokens,
        ttl=ttl,
        touched_at=started_at,
        ready_at=ready_at,
        alive_until=started_at + TTL_SECONDS[ttl],
    )


def is_read_whole(usage: Usage, tokens: int) -> bool:
    """Tell whether a reply read practically all of a prefix from the cache."""
    return usage.cache_read > 0 and usage.cache_read >= COVERED * tokens


class EvictionRates:
    """How often entries vanish before their time, by how long they were left alone."""

    __slots__ = ("_alive", "_evicted", "_seen")

    def __init__(self) -> None:
        self._evicted = [PRIOR_EVICTED] * len(GAPS)
        self._seen = [PRIOR_SEEN] * len(GAPS)
        self._alive: list[float] = []
        self._update()

    def observe(self, gap: float, survived: bool) -> None:
        """Record a read that came `gap` seconds after the last use, within the entry's life."""
        at = min(bisect_right(GAPS, gap), len(GAPS) - 1)
        # The prior does not decay, so that one early eviction never becomes a certainty.
        self._evicted[at] = (
            PRIOR_EVICTED + (self._evicted[at] - PRIOR_EVICTED) * DECAY + (not survived)
        )
        self._seen[at] = PRIOR_SEEN + (self._seen[at] - PRIOR_SEEN) * DECAY + 1.0
        self._update()

    def alive_probability(self, gap: float) -> float:
        """Return the probability that an entry is still there after `gap` seconds alone.

        It never rises with the gap: an entry that vanishes in a shorter gap is gone in a longer.
        """
        return self._alive[min(bisect_right(GAPS, gap), len(GAPS) - 1)]

    def refresh_interval(self, ttl: Ttl, read: float, loss: float) -> float:
        """Return the seconds between two refreshes that cost least per second.

        `read` is the cost of a refresh, `loss` that of an entry that vanished, in USD.
        """
        # Each refresh costs a read, each eviction a write. Short intervals save evictions, long
        # ones save reads.
        best = TTL_SECONDS[ttl] - MARGIN[ttl]
        least = (read + (1.0 - self.alive_probability(best)) * loss) / best
        # Within a bin the probability is constant, so only the ends of bins can be best.
        for gap, alive in zip(GAPS, self._alive, strict=True):
            if gap > TTL_SECONDS[ttl] - MARGIN[ttl]:
                break
            rate = (read + (1.0 - alive) * loss) / (gap - 1.0)
            if rate < least:
                best, least = gap - 1.0, rate
        return best

    def _update(self) -> None:
        evicted = [gone / seen for gone, seen in zip(self._evicted, self._seen, strict=True)]
        self._alive = [1.0 - worst for worst in accumulate(evicted, max)]

    def snapshot(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {"lost": self._evicted, "seen": self._seen}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> EvictionRates:
        """Return the rates that `snapshot` returned."""
        rates = cls()
        rates._evicted = [float(n) for n in state["lost"]]
        rates._seen = [float(n) for n in state["seen"]]
        rates._update()
        return rates
