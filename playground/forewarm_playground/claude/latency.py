"""How long the local Claude takes (docs/platform/claude.md#latency).

The defaults are fitted to the two rows of Anthropic's speculative-caching notebook: 151,629 tokens
take 20.87 s to the first token cold and 1.94 s warm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forewarm_playground.claude.cache.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """All times in seconds. `decode` is in tokens a second; `chunk` in tokens a streamed delta.

    `thinking` gives the seconds of thinking by effort, for answers that do not say their own.
    """

    base: float = 0.35
    per_uncached_token: float = 0.1353e-3
    per_cached_token: float = 0.01047e-3
    decode: float = 50.0
    chunk: int = 4
    ping: float = 15.0
    thinking: Mapping[str, float] = field(default_factory=dict)

    def prefill(self, usage: Usage) -> float:
        """Return the seconds from a request's start to the beginning of its response."""
        return (
            self.base
            + self.per_uncached_token * usage.uncached
            + self.per_cached_token * usage.read
        )

    def generation(self, tokens: int) -> float:
        """Return the seconds that so many tokens take to write."""
        return tokens / self.decode


INSTANT = Latency(base=0, per_uncached_token=0, per_cached_token=0, decode=float("inf"))
"""No latency at all, for tests in which time plays no part."""
