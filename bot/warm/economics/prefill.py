"""How fast this prefix is processed, measured from the requests that wrote it."""

from __future__ import annotations

from typing import Any

SECONDS_PER_TOKEN = 0.000126
"""Of a cold request: Anthropic's figures for 150,000 tokens (facts/anthropic.md §15)."""
LOCAL_SECONDS_PER_TOKEN = 0.005
"""Of a model on the team's own processor, until it was measured."""
NEW = 0.3
"""The weight of each new measurement."""


class Speed:
    """Seconds that a cold prefix takes longer than a warm one."""

    __slots__ = ("_guess", "cold_seconds", "cold_tokens", "read_seconds")

    def __init__(self, seconds_per_token: float) -> None:
        self._guess = seconds_per_token
        self.cold_seconds: float | None = None
        self.cold_tokens = 0.0
        self.read_seconds: float | None = None

    def prefill(self, tokens: int) -> float:
        """Return the expected seconds until `tokens` that are not cached have been processed."""
        if self.cold_seconds is None:
            return self._guess * tokens
        longer = max(0.0, self.cold_seconds - (self.read_seconds or 0.0))
        return longer * tokens / self.cold_tokens

    def wrote(self, tokens: int, seconds: float) -> None:
        """So many uncached tokens took so long until the response began."""
        if tokens <= 0 or seconds <= 0:
            return
        if self.cold_seconds is None or not 0.5 < tokens / self.cold_tokens < 2.0:
            # A small overlay says little about the whole; a larger prefix than ever says all.
            if self.cold_seconds is None or tokens > self.cold_tokens:
                self.cold_seconds, self.cold_tokens = seconds, float(tokens)
            return
        self.cold_seconds += NEW * (seconds - self.cold_seconds)
        self.cold_tokens += NEW * (tokens - self.cold_tokens)

    def read(self, seconds: float) -> None:
        """A request that read everything took so long until the response began."""
        if seconds <= 0:
            return
        old = self.read_seconds
        self.read_seconds = seconds if old is None else old + NEW * (seconds - old)

    def snapshot(self) -> dict[str, Any]:
        return {
            "guess": self._guess,
            "cold_seconds": self.cold_seconds,
            "cold_tokens": self.cold_tokens,
            "read_seconds": self.read_seconds,
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Speed:
        speed = cls(float(saved["guess"]))
        speed.cold_seconds = saved["cold_seconds"]
        speed.cold_tokens = float(saved["cold_tokens"])
        speed.read_seconds = saved["read_seconds"]
        return speed


def guess(model: str, tokens: int, seconds: float | None) -> Speed:
    """Return a speed from what is known of a model before anything was measured."""
    if seconds is not None:
        return Speed(seconds / max(1, tokens))
    claude = model.startswith("claude-")
    return Speed(SECONDS_PER_TOKEN if claude else LOCAL_SECONDS_PER_TOKEN)
