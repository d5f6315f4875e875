"""What the warm room needs of the rest: small protocols of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bot.claude.cache_check import WarmResult
from bot.claude.events import Label
from bot.claude.prefix import Prefix
from bot.claude.usage import Ttl
from bot.warm.signals import Signal
from bot.warm.types import PrefixFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a signal or a question is about: a context's prefix as it stands, and its money."""

    context: str
    prefix: Prefix
    wait_cost_per_hour: float = 100.0
    daily_limit_usd: float = 5.0

    @property
    def facts(self) -> PrefixFacts:
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
        )


Resolve = Callable[[Signal], Target | None]
"""Names the target of a signal; None where nothing may be warmed for it."""


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


class Journal(Protocol):
    """Where records go. Returns at once; the store writes them in order."""

    def write(self, record: object) -> None: ...


class Writings(Protocol):
    """Who writes a cache entry at the moment, across all replicas: one at a time for a name."""

    async def begin(self, name: str, seconds: float) -> bool:
        """Claim the writing for so long at most; False where somebody has it."""

    async def finish(self, name: str) -> None:
        """Give the claim back: the entry is written, or it never will be."""

    async def wait(self, name: str, seconds: float) -> bool:
        """Wait until nobody has the claim; False where it is still held after `seconds`."""


class Saved(Protocol):
    """Keeps what was learned and what is alive over a restart."""

    async def load(self) -> dict[str, Any] | None: ...

    async def save(self, state: dict[str, Any]) -> None: ...
