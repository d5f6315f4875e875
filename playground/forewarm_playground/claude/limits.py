"""Rate limits: token buckets per organisation and model.

Cache reads are free. Input is taken when a request starts, output as it was produced.
Source: docs/platform/claude.md#rate-limits-and-errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from forewarm_playground.claude.errors import ApiError, rate_limited


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per minute: requests, input tokens, output tokens, requests to count tokens."""

    requests: int = 1_000
    input: int = 2_000_000
    output: int = 400_000
    counts: int = 2_000

    def shared(self, share: float) -> Limits:
        """Return the limits of a model that has a part of a tier's tokens.

        Limits that are no tier's are what they are, for every model.
        """
        if self not in TIERS.values():
            return self
        return replace(self, input=int(self.input * share), output=int(self.output * share))


TIERS: dict[str, Limits] = {
    "start": Limits(),
    "build": Limits(5_000, 5_000_000, 1_000_000, 4_000),
    "scale": Limits(10_000, 10_000_000, 2_000_000, 8_000),
}


@dataclass(slots=True)
class Bucket:
    """A token bucket that fills continuously, `capacity` a minute."""

    capacity: int
    level: float = field(init=False)
    at: float = -math.inf

    def __post_init__(self) -> None:
        self.level = float(self.capacity)

    def fill(self, at: float) -> None:
        if at > self.at:
            gained = (at - self.at) * self.capacity / 60
            self.level = min(float(self.capacity), self.level + gained)
            self.at = at

    def wait(self, amount: float) -> float:
        """Return the seconds until `amount` can be taken, as of the last `fill`."""
        return max(0.0, (amount - self.level) * 60 / self.capacity)

    def take(self, amount: float) -> None:
        self.level -= amount

    def headers(self, name: str, at: float, rounding: int) -> Iterator[tuple[str, str]]:
        remaining = max(0, math.floor(self.level))
        if rounding > 1:
            remaining = round(remaining / rounding) * rounding
        full = datetime.fromtimestamp(at + self.wait(self.capacity), UTC)
        prefix = f"anthropic-ratelimit-{name}"
        yield f"{prefix}-limit", str(self.capacity)
        yield f"{prefix}-remaining", str(remaining)
        yield f"{prefix}-reset", full.strftime("%Y-%m-%dT%H:%M:%SZ")


class RateLimiter:
    """The buckets of one organisation and model."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = Bucket(limits.requests)
        self.input = Bucket(limits.input)
        self.output = Bucket(limits.output)
        self.counts = Bucket(limits.counts)

    def __repr__(self) -> str:
        return (
            f"<RateLimiter [{self.requests.level:.0f} requests, {self.input.level:.0f} input, "
            f"{self.output.level:.0f} output left]>"
        )

    def admit(self, uncached: int, at: float) -> None:
        """Take one request with so many uncached input tokens, or refuse it and take nothing."""
        self._fill(at)
        self._require(self.requests, 1, "requests")
        self._require(self.input, uncached, "input tokens")
        self._require(self.output, 1, "output tokens")
        self.requests.take(1)
        self.input.take(uncached)

    def admit_count(self, at: float) -> None:
        """Take one request to count tokens, or refuse it."""
        self.counts.fill(at)
        self._require(self.counts, 1, "token counting requests")
        self.counts.take(1)

    def produced(self, tokens: int, at: float) -> None:
        """Take the output that was produced; the bucket may go below zero."""
        self._fill(at)
        self.output.take(tokens)

    def headers(self, at: float) -> dict[str, str]:
        """Return the `anthropic-ratelimit-*` headers."""
        self._fill(at)
        both = Bucket(self.limits.input + self.limits.output)
        both.level = max(0.0, self.input.level) + max(0.0, self.output.level)
        named = (
            ("requests", self.requests, 1),
            ("input-tokens", self.input, 1_000),
            ("output-tokens", self.output, 1_000),
            ("tokens", both, 1_000),
        )
        return {k: v for name, bucket, unit in named for k, v in bucket.headers(name, at, unit)}

    def _fill(self, at: float) -> None:
        for bucket in (self.requests, self.input, self.output):
            bucket.fill(at)

    def _require(self, bucket: Bucket, amount: int, what: str) -> None:
        wait = bucket.wait(amount)
        if wait > 0:
            raise _exceeded(bucket.capacity, what, wait)


def _exceeded(capacity: int, what: str, wait: float) -> ApiError:
    return rate_limited(
        f"This request would exceed your organization's rate limit of {capacity:,} {what} "
        "per minute",
        retry_after=max(1, math.ceil(wait)),
    )
