"""What Anthropic's cache is believed to hold of a prefix, corrected by what replies say.

Lives count from the start of the request that wrote or read the entry (facts/anthropic.md §4).
Entries also vanish before their time, the more often the longer they were left alone: how often
is learned from the reads that come back.
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
"""Seconds before its end at which an entry is refreshed: a late refresh is a full-price write."""
GAPS = (300.0, 600.0, 1200.0, 2700.0, 3600.0)
"""Ends of the bins of the time since the last touch, in which survival is learned."""
PRIOR_LOST, PRIOR_SEEN = 0.05, 10.0
FORGET = 0.98


@dataclass(frozen=True, slots=True)
class Entry:
    """One cache entry. Readable from `ready_at`, alive while `now < alive_until`."""

    fingerprint: str
    base_fingerprint: str
    tokens: int
    base_tokens: int
    ttl: Ttl
    touched_at: float
    ready_at: float
    alive_until: float

    def alive(self, now: float) -> bool:
        return now < self.alive_until

    def covers(self, facts: PrefixFacts) -> int:
        """Return how many of a prefix's tokens are read from this entry if it is alive."""
        if facts.fingerprint == self.fingerprint:
            return facts.tokens
        if facts.base_fingerprint == self.base_fingerprint:
            return facts.base_tokens
        return 0

    def touched(self, at: float) -> Entry:
        """Return the entry with its life renewed by a read that started at `at`."""
        until = max(self.alive_until, at + TTL_SECONDS[self.ttl])
        return replace(self, touched_at=max(self.touched_at, at), alive_until=until)


def written(facts: PrefixFacts, ttl: Ttl, started_at: float, ready_at: float) -> Entry:
    """Return the entry that a request writes which started and became readable then."""
    return Entry(
        fingerprint=facts.fingerprint,
        base_fingerprint=facts.base_fingerprint,
        tokens=facts.tokens,
        base_tokens=facts.base_tokens,
        ttl=ttl,
        touched_at=started_at,
        ready_at=ready_at,
        alive_until=started_at + TTL_SECONDS[ttl],
    )


def read_whole(usage: Usage, tokens: int) -> bool:
    """Tell whether a reply read practically all of a prefix from the cache."""
    return usage.cache_read > 0 and usage.cache_read >= COVERED * tokens


class Survival:
    """How surely entries live as long as they should, by how long they were left alone."""

    __slots__ = ("_alive", "_lost", "_seen")

    def __init__(self) -> None:
        self._lost = [PRIOR_LOST] * len(GAPS)
        self._seen = [PRIOR_SEEN] * len(GAPS)
        self._alive: list[float] = []
        self._sum_up()

    def observe(self, gap: float, survived: bool) -> None:
        """Note a read that came `gap` seconds after the last touch, within the entry's life."""
        at = min(bisect_right(GAPS, gap), len(GAPS) - 1)
        self._lost[at] = PRIOR_LOST + (self._lost[at] - PRIOR_LOST) * FORGET + (not survived)
        self._seen[at] = PRIOR_SEEN + (self._seen[at] - PRIOR_SEEN) * FORGET + 1.0
        self._sum_up()

    def after(self, gap: float) -> float:
        """Return the probability that an entry is still there after `gap` seconds alone.

        Never rises with the gap: what a shorter gap has lost, a longer one has lost too.
        """
        return self._alive[min(bisect_right(GAPS, gap), len(GAPS) - 1)]

    def cadence(self, ttl: Ttl, read: float, loss: float) -> float:
        """Return after how many seconds alone a refresh is cheapest.

        `read` is what a refresh costs and `loss` what a vanished entry does, in USD.
        """
        best = TTL_SECONDS[ttl] - MARGIN[ttl]
        least = (read + (1.0 - self.after(best)) * loss) / best
        for gap, alive in zip(GAPS, self._alive, strict=True):
            if gap > TTL_SECONDS[ttl] - MARGIN[ttl]:
                break
            rate = (read + (1.0 - alive) * loss) / (gap - 1.0)
            if rate < least:
                best, least = gap - 1.0, rate
        return best

    def _sum_up(self) -> None:
        lost = [lost / seen for lost, seen in zip(self._lost, self._seen, strict=True)]
        self._alive = [1.0 - worst for worst in accumulate(lost, max)]

    def snapshot(self) -> dict[str, Any]:
        return {"lost": self._lost, "seen": self._seen}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Survival:
        survival = cls()
        survival._lost = [float(n) for n in saved["lost"]]
        survival._seen = [float(n) for n in saved["seen"]]
        survival._sum_up()
        return survival
