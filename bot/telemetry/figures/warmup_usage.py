"""Use of warm-ups: each belongs to a chain of warmth that is read by a question or lapses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from bot.claude.events import RequestEnded
from bot.claude.usage import TTL_SECONDS

K = TypeVar("K", bound=Hashable)
End = Literal["used", "wasted", "failed"]


@dataclass(slots=True)
class _Chain(Generic[K]):
    """Warm-ups of one prefix that no question has read yet, and the life they bought."""

    keys: list[K] = field(default_factory=list)
    alive_until: float = 0.0


class WarmupUsage(Generic[K]):
    """Unread warm-ups by prefix, each under a key of its counter.

    A warm-up is used when a question read its prefix while it lived, and so are the refreshes
    that kept it alive until then. It is wasted when its life ran out unread, or when a question
    came in time and read nothing. A warm-up that did not do its work has failed.
    """

    def __init__(self) -> None:
        self._chains: dict[str, _Chain[K]] = {}

    def apply(self, record: RequestEnded, key: K) -> list[tuple[K, End]]:
        """Take a request; return the warm-ups whose end is known by it."""
        if record.purpose in ("warm", "refresh"):
            return self._warmed(record, key) if record.complete else [(key, "failed")]
        if record.purpose in ("question", "round") and record.usage.total_input:
            return self._count_question(record)
        return []

    def unread(self, now: float) -> tuple[Counter[K], Counter[K]]:
        """Return the unread ones by key: those whose life is over at `now`, and those alive."""
        lapsed: Counter[K] = Counter()
        alive: Counter[K] = Counter()
        for chain in self._chains.values():
            (alive if chain.alive_until >= now else lapsed).update(chain.keys)
        return lapsed, alive

    def lapse(self, now: float) -> list[tuple[K, End]]:
        """Let go of the unread ones whose life was over at `now`: they are wasted."""
        over = [chain for chain in self._chains.values() if chain.alive_until < now]
        return [one for chain in over for one in _closed(chain, "wasted")]

    def forget(self, old: Callable[[K], bool]) -> None:
        """Drop the unread ones whose key is too old, and prefixes that have none left."""
        for chain in self._chains.values():
            chain.keys = [key for key in chain.keys if not old(key)]
        self._chains = {prefix: chain for prefix, chain in self._chains.items() if chain.keys}

    def _warmed(self, record: RequestEnded, key: K) -> list[tuple[K, End]]:
        chain = self._chains.setdefault(record.prefix, _Chain())
        lapsed = record.started_at > chain.alive_until
        closed = _closed(chain, "wasted") if lapsed else []
        chain.keys.append(key)
        chain.alive_until = max(chain.alive_until, record.started_at + TTL_SECONDS[record.ttl])
        return closed

    def _count_question(self, record: RequestEnded) -> list[tuple[K, End]]:
        chain = self._chains.get(record.prefix)
        if chain is None:
            return []
        in_time = record.started_at <= chain.alive_until
        return _closed(chain, "used" if in_time and record.usage.cache_read else "wasted")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WarmupUsage) and self._chains == other._chains


def _closed(chain: _Chain[K], end: End) -> list[tuple[K, End]]:
    closed: list[tuple[K, End]] = [(key, end) for key in chain.keys]
    chain.keys.clear()
    return closed
