"""Facts about a provider's cache that no documentation tells: probed once, then remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.claude.providers.table import Provider
from bot.claude.usage import Ttl

BOTH_LIVES: tuple[Ttl, ...] = ("5m", "1h")


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """Facts about one model at one provider.

    Entries can live for `lives`, shortest first; an empty tuple means that `cache_control` is
    ignored and no warmth exists. `zero` tells whether `max_tokens: 0` is accepted, None if that is
    not known yet.
    """

    lives: tuple[Ttl, ...] = BOTH_LIVES
    zero: bool | None = None

    @property
    def caches(self) -> bool:
        """Whether warmth exists there."""
        return bool(self.lives)

    def longest(self, ttl: Ttl) -> Ttl:
        """Return this life if it exists there, else 5 minutes."""
        return ttl if ttl in self.lives else "5m"


def documented(provider: Provider) -> CacheFacts | None:
    """Return what a provider documents; None if it does not document the lives of its entries."""
    return None if provider.lives is None else CacheFacts(provider.lives, provider.zero)


class FactStore(Protocol):
    """Remembers what was found out, for all replicas and across restarts."""

    async def load(self, name: str) -> CacheFacts | None: ...

    async def save(self, name: str, facts: CacheFacts) -> None: ...


class FactsOfOneRun:
    """Remembers facts for as long as a command runs."""

    def __init__(self) -> None:
        self._facts: dict[str, CacheFacts] = {}

    async def load(self, name: str) -> CacheFacts | None:
        return self._facts.get(name)

    async def save(self, name: str, facts: CacheFacts) -> None:
        self._facts[name] = facts
