"""Choose the size of the prefix and of the excerpts for one repository. Pure.

Both cost wait: a cached token of the prefix little, a token of an excerpt, which is not cached, a
dozen times as much. The whole repository in the prefix covers every question, so it is chosen if
its wait is short enough. Beyond that size each pair on the curve of equal wait is possible, and the
one that most likely covers a question is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MAX_WAIT = 2.0
"""Seconds from sending to the first words that `auto` keeps to."""
SLOW_PREFILL = 2_000
"""Tokens a second below which excerpts in the prompt cost more wait than they are worth."""
SMALLEST_PREFIX = 10_000
LEAST_EXCERPTS = 3_000
_MOST_EXCERPTS = 12_000
_STEP = 1_000
_NEARLY = 0.015
"""Shares of coverage that differ by less are taken for equal: the fit is no better."""
_MARGIN = 1e-9


@dataclass(frozen=True)
class Speed:
    """Seconds to the first words: `base` plus so much for each token.

    The defaults are fitted to the measurements of Anthropic's notebook on speculative prompt
    caching. Figures that the bot measures on its own model replace them.
    """

    base: float = 0.35
    uncached: float = 0.1353e-3
    cached: float = 0.01047e-3
    requests: int = 0
    """Requests of the bot's own that the figures are fitted to; 0: they are a guess."""

    def wait(self, prefix: float, excerpts: float) -> float:
        """Return the predicted seconds with a warm prefix of so many tokens."""
        return self.base + self.cached * prefix + self.uncached * excerpts

    @property
    def is_slow(self) -> bool:
        """Return whether prefill is too slow for excerpts."""
        return self.uncached * SLOW_PREFILL > 1


LOCAL_SPEED = Speed(uncached=0.005, cached=0.0)
"""Of a model on the team's own processor, until it was measured."""


@dataclass(frozen=True)
class Rates:
    """USD per token: read from the cache, written to it, and plain input."""

    read: float
    write: float
    plain: float

    def warm(self, prefix: float, excerpts: float) -> float:
        """Return what the input of a question costs if the prefix is warm, in USD."""
        return prefix * self.read + excerpts * self.plain

    def cold(self, prefix: float) -> float:
        """Return what writing the prefix costs, in USD."""
        return prefix * self.write


FREE = Rates(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Size:
    """The choice of `auto` and its reason.

    `wait` is the predicted seconds of a warm question, `prefill` those of a cold write. In USD,
    `warm` is the input of a warm question, `cold` a cold write, `hour` an hour of warmth without a
    question, which reads the prefix once. `requests` is the number of requests that the speed was
    measured on.
    """

    budget_tokens: int
    excerpt_tokens: int
    wait: float
    prefill: float
    warm: float
    cold: float
    hour: float
    reason: str
    requests: int = 0

    def document(self) -> dict[str, object]:
        """Return the size as JSON."""
        return {
            "budget": self.budget_tokens,
            "excerpts": self.excerpt_tokens,
            "wait": round(self.wait, 3),
            "prefill": round(self.prefill, 2),
            "warm_usd": round(self.warm, 5),
            "write_usd": round(self.cold, 5),
            "hour_usd": round(self.hour, 5),
            "reason": self.reason,
            "measured_requests": self.requests,
        }

    def sentence(self) -> str:
        """Return the size, its costs and its reason for people."""
        excerpts = f" and {self.excerpt_tokens:,} of excerpts" if self.excerpt_tokens else ""
        measured = f" from {self.requests:,} requests of its own" if self.requests else ""
        return (
            f"{self.budget_tokens:,} tokens of prefix{excerpts}, since {self.reason}. "
            f"Predicted{measured}: {self.wait:.1f} s and ${self.warm:.3f} for a warm question, "
            f"{self.prefill:.0f} s and ${self.cold:.2f} for a cold write, "
            f"${self.hour:.3f} for an hour of warmth."
        )


@dataclass(frozen=True)
class SizePolicy:
    """Limits of the choice. `most_cold` in USD, `max_wait` in seconds, `window` in tokens."""

    speed: Speed = Speed()
    rates: Rates = FREE
    max_wait: float = MAX_WAIT
    most_cold: float = math.inf
    window: int = 1_000_000

    def choose(self, whole: int) -> Size:
        """Return the sizes for repositories of `whole` tokens."""
        return choose_size(
            whole,
            self.speed,
            self.rates,
            max_wait=self.max_wait,
            most_cold=self.most_cold,
            window=self.window,
        )

    def excerpts_beside(self, budget: int) -> int:
        """Return the tokens of excerpts beside a prefix whose size is set by hand.

        A prefix that takes the whole wait by itself still gets the fewest that help.
        """
        if self.speed.is_slow:
            return 0
        left = (self.max_wait - self.speed.base - self.speed.cached * budget) / self.speed.uncached
        return max(LEAST_EXCERPTS, min(_MOST_EXCERPTS, int(left + _MARGIN) // 100 * 100))


def choose_size(
    whole: int,
    speed: Speed,
    rates: Rates = FREE,
    *,
    max_wait: float = MAX_WAIT,
    most_cold: float = math.inf,
    window: int = 1_000_000,
) -> Size:
    """Return the sizes for repositories of `whole` tokens.

    `most_cold` is the most USD that one cold write may cost, `window` the most tokens of a prefix.
    """
    affordable = most_cold / rates.write if rates.write else math.inf
    room = int(min(window, affordable))
    # A prefix has room for later pushes, for the error of the estimate and for its frame.
    least, wanted = math.ceil(whole * 1.25) + 1_500, math.ceil(whole * 1.3) + 12_000
    if least <= room and speed.wait(whole, 0) <= max_wait:
        why = f"the whole repository fits into a predicted wait of {max_wait:.1f} s"
        return _size(min(room, wanted), 0, whole, speed, rates, why)
    left = max(0.0, max_wait - speed.base)
    most = min(room, int(left / speed.cached)) if speed.cached else room
    if speed.is_slow:
        budget = max(SMALLEST_PREFIX, most)
        why = "prefill is too slow for excerpts, so the prefix takes the whole wait"
        return _size(min(budget, room), 0, budget, speed, rates, why)
    pairs = [_pair(budget, speed, max_wait) for budget in range(SMALLEST_PREFIX, most + 1, _STEP)]
    budget, excerpts = _best(pairs, whole) if pairs else (min(SMALLEST_PREFIX, room), 0)
    why = (
        f"of the pairs with a predicted wait of at most {max_wait:.1f} s this one most likely "
        f"covers a question about {whole:,} tokens"
    )
    return _size(budget, excerpts, budget, speed, rates, why)


def _best(pairs: Sequence[tuple[int, int]], whole: int) -> tuple[int, int]:
    """Return the pair with the largest prefix among those that cover most, or nearly.

    A prefix is seen by every question, and costs nothing while it stays warm.
    """
    covered = [expected_coverage(budget, excerpts, whole) for budget, excerpts in pairs]
    enough = max(covered) - _NEARLY
    return max(pair for pair, share in zip(pairs, covered, strict=True) if share >= enough)


def _pair(budget: int, speed: Speed, max_wait: float) -> tuple[int, int]:
    """Return the budget with the excerpts that the rest of the wait allows."""
    left = (max_wait - speed.base - speed.cached * budget) / speed.uncached
    return budget, max(0, min(_MOST_EXCERPTS, int(left + _MARGIN) // 100 * 100))


def _size(budget: int, excerpts: int, prefix: int, speed: Speed, rates: Rates, reason: str) -> Size:
    return Size(
        budget,
        excerpts,
        wait=speed.wait(prefix, excerpts),
        prefill=speed.base + speed.uncached * prefix,
        warm=rates.warm(prefix, excerpts),
        cold=rates.cold(prefix),
        hour=rates.warm(prefix, 0),
        reason=reason,
        requests=speed.requests,
    )


def expected_coverage(budget: int, excerpts: int, whole: int) -> float:
    """Return the expected share of questions whose files the prompt holds.

    A fit to the measurements of `docs/evidence.md`, off by at most two points there: excerpts and
    prefix miss a question independently of each other.
    """
    in_prefix = math.pow(min(1.0, budget * 0.8 / max(1, whole)), 0.8)
    return 1 - (1 - in_prefix) * (1 - _excerpts(excerpts))


def _excerpts(tokens: int) -> float:
    return 0.85 * (1 - math.exp(-((tokens / 2_200) ** 0.8)))
