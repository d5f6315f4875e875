"""Types that the governor takes and returns."""

from __future__ import annotations

from dataclasses import dataclass

from bot.claude.providers.cache_facts import BOTH_LIVES
from bot.claude.usage import Ttl, Usage
from bot.warm.events import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixFacts:
    """A prefix as it is now, and what warmth on it is worth.

    `key` stays the same across pushes. `fingerprint` identifies the exact bytes,
    `base_fingerprint` those without the overlays. `wait_cost_per_hour` and `daily_limit_usd` are
    in USD. `prefill_seconds` is a first guess of how much longer a cold request waits, which
    measurements replace. `lives` are the lives that entries can have at the model's provider; there
    is no warmth if it is empty.
    """

    key: str
    fingerprint: str
    base_fingerprint: str
    tokens: int
    base_tokens: int
    model: str
    context: str
    wait_cost_per_hour: float = 100.0
    daily_limit_usd: float = 5.0
    prefill_seconds: float | None = None
    lives: tuple[Ttl, ...] = BOTH_LIVES


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An action on a prefix, and its reason.

    `ttl` is the life that a request of this action asks for. With "nothing" and "lapse" it is the
    life that the next request on the prefix should ask for. `next_look_at` is when to decide again
    (Unix seconds). `expected` tokens are believed cached. `notice` asks for an operator's
    attention. `missed` is the reason for a miss that this decision follows.
    """

    at: float
    prefix: str
    action: Action
    ttl: Ttl
    reason: str
    cost_usd: float = 0.0
    gain_usd: float = 0.0
    next_look_at: float | None = None
    expected: int = 0
    notice: bool = False
    missed: str | None = None

    @property
    def spends(self) -> bool:
        """Whether a request is to be sent."""
        return self.action in ("warm", "refresh")


NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Outcome of a request: the usage of its reply, or the kind of its error.

    `seconds` is the time until the response began. `kept` tells that the prefix is cached now; if
    it is None, the figures of `usage` decide. `missed` is the server's own diagnosis of a read
    that fell short. `lives` are the lives that the provider turned out to have, None if that is as
    it was.
    """

    usage: Usage = NOTHING_USED
    usd: float = 0.0
    started_at: float
    seconds: float
    kept: bool | None = None
    error: str | None = None
    retry_after: float | None = None
    missed: str | None = None
    lives: tuple[Ttl, ...] | None = None
