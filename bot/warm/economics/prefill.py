"""Seconds of prefill of one prefix, measured from the requests that wrote and read it."""

from __future__ import annotations

from typing import Any

from bot.claude.providers.table import is_claude

SECONDS_PER_TOKEN = 0.000126
"""Of a cold request on Claude, until one was measured (docs/platform/claude.md#latency)."""
LOCAL_SECONDS_PER_TOKEN = 0.005
"""Of a model on the team's own processor, until one was measured."""
NEWEST_WEIGHT = 0.3
"""Weight of the newest measurement in the mean."""


class PrefillSpeed:
    """How many seconds a cold prefix takes longer than a warm one."""

    __slots__ = ("_seconds_per_token", "cold_seconds", "cold_tokens", "read_seconds")

    def __init__(self, seconds_per_token: float) -> None:
        self._seconds_per_token = seconds_per_token
        self.cold_seconds: float | None = None
        self.cold_tokens = 0.0
        self.read_seconds: float | None = None

    def seconds(self, tokens: int) -> float:
        """Return the expected seconds until so many uncached tokens have been processed."""
        if self.cold_seconds is None:
            return self._seconds_per_token * tokens
        longer = max(0.0, self.cold_seconds - (self.read_seconds or 0.0))
        return longer * tokens / self.cold_tokens

    def record_write(self, tokens: int, seconds: float) -> None:
        """Record that a response began `seconds` after a request with so many uncached tokens."""
        if tokens <= 0 or seconds <= 0:
            return
        if self.cold_seconds is None or not 0.5 < tokens / self.cold_tokens < 2.0:
            # A small overlay says little about the whole prefix. A far larger prefix than ever
            # replaces what was measured on a smaller one.
            if self.cold_seconds is None or tokens > self.cold_tokens:
                self.cold_seconds, self.cold_tokens = seconds, float(tokens)
            return
        self.cold_seconds += NEWEST_WEIGHT * (seconds - self.cold_seconds)
        self.cold_tokens += NEWEST_WEIGHT * (tokens - self.cold_tokens)

    def record_read(self, seconds: float) -> None:
        """Record that a response began `seconds` after a request that read the whole prefix."""
        if seconds <= 0:
            return
        old = self.read_seconds
        self.read_seconds = seconds if old is None else old + NEWEST_WEIGHT * (seconds - old)

    def snapshot(self) -> dict[str, Any]:
        """Return the measurements as JSON."""
        return {
            "guess": self._seconds_per_token,
            "cold_seconds": self.cold_seconds,
            "cold_tokens": self.cold_tokens,
            "read_seconds": self.read_seconds,
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> PrefillSpeed:
        """Return the measurements that `snapshot` returned."""
        speed = cls(float(state["guess"]))
        speed.cold_seconds = state["cold_seconds"]
        speed.cold_tokens = float(state["cold_tokens"])
        speed.read_seconds = state["read_seconds"]
        return speed


def initial_speed(model: str, tokens: int, seconds: float | None) -> PrefillSpeed:
    """Return a speed before any measurement: from `seconds` for the prefix, or from the model."""
    if seconds is not None:
        return PrefillSpeed(seconds / max(1, tokens))
    return PrefillSpeed(SECONDS_PER_TOKEN if is_claude(model) else LOCAL_SECONDS_PER_TOKEN)
