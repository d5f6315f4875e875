"""Interfaces through which warmth uses the rest of the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from bot.claude.cache_check import WarmResult
from bot.claude.events import Label
from bot.claude.prefix import Prefix
from bot.claude.providers.cache_facts import BOTH_LIVES
from bot.claude.usage import Ttl
from bot.warm.types import PrefixFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Subject of a signal or a question: a context's prefix as it is now, and its limits.

    `wait_cost_per_hour` and `daily_limit_usd` are in USD. `lives` are those of `PrefixFacts`.
    """

    context: str
    prefix: Prefix
    wait_cost_per_hour: float = 100.0
    daily_limit_usd: float = 5.0
    lives: tuple[Ttl, ...] = BOTH_LIVES

    @property
    def facts(self) -> PrefixFacts:
        """The prefix in the form that the governor takes."""
        return PrefixFacts(
            key=self.prefix.key,
            fingerprint=self.prefix.fingerprint,
            base_fingerprint=self.prefix.base_fingerprint,
            tokens=self.prefix.tokens,
            base_tokens=self.prefix.base_tokens,
            model=self.prefix.model,
            context=self.context,
            wait_cost_per_hour=self.wait_cost_per_hour,
            daily_limit_usd=self.daily_limit_usd,
            lives=self.lives,
        )


class Warmer(Protocol):
    """Sends warm-ups (`bot.claude.client.ClaudeClient`). Raises `ClaudeError`.

    Cancelling the call closes its connection, and the server stops working on it.
    """

    async def warm(
        self,
        prefix: Prefix,
        ttl: Ttl = "5m",
        *,
        label: Label | None = None,
        previous: str | None = None,
    ) -> WarmResult: ...


class WriteLock(Protocol):
    """Which request writes a cache entry at the moment, across all replicas: one for a name."""

    async def acquire(self, name: str, seconds: float) -> bool:
        """Take the lock for so long at most. Return False if it is taken."""

    async def release(self, name: str) -> None:
        """Free the lock: the entry is written, or it never will be."""

    async def wait(self, name: str, seconds: float) -> bool:
        """Wait until the lock is free. Return False if it is still taken after `seconds`."""


class Saved(Protocol):
    """Keeps what was learned and what is alive across a restart."""

    async def load(self) -> dict[str, Any] | None: ...

    async def save(self, state: dict[str, Any]) -> None: ...
