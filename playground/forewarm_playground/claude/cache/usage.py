"""Usage of a request, and its cost.

Sources: docs/platform/claude.md#cache-life, docs/platform/claude.md#usage-fields,
docs/platform/claude.md#prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forewarm_playground.claude.cache.breakpoints import Breakpoint
from forewarm_playground.claude.models import WRITE_1H, WRITE_5M, Model

US_ONLY = 1.1
"""The price of inference in one country, as a multiple, in every category."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request; `input` is what was neither read nor written."""

    input: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0
    thinking: int = 0

    @property
    def written(self) -> int:
        return self.write_5m + self.write_1h

    @property
    def total(self) -> int:
        """All tokens of the prompt."""
        return self.input + self.read + self.written

    @property
    def uncached(self) -> int:
        """Tokens that had to be prefilled; the ones that rate limits count."""
        return self.input + self.written

    def wire(self, *, geo: str | None = None, speed: str = "standard") -> dict[str, Any]:
        """Return the `usage` object of a message."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.written,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.write_5m,
                "ephemeral_1h_input_tokens": self.write_1h,
            },
            "output_tokens": self.output,
            "output_tokens_details": {"thinking_tokens": self.thinking},
            "service_tier": "standard",
            "inference_geo": geo or "global",
            "speed": speed,
        }

    def delta(self) -> dict[str, Any]:
        """Return the cumulative `usage` object of a `message_delta` event."""
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.written,
            "cache_read_input_tokens": self.read,
            "output_tokens": self.output,
            "output_tokens_details": {"thinking_tokens": self.thinking},
        }


def bill(total: int, read: int, points: Sequence[Breakpoint]) -> Usage:
    """Split a prompt of `total` tokens of which `read` were cached, by the positions A, B, C.

    A is the highest hit, B the highest 1-hour marker after it, C the last marker after it.
    """
    after = [point for point in points if point.block.through > read]
    hour = max((point.block.through for point in after if point.ttl == "1h"), default=read)
    last = max((point.block.through for point in after), default=read)
    usage = Usage(input=total - last, read=read, write_1h=hour - read, write_5m=max(0, last - hour))
    assert usage.total == total
    return usage


def cost(usage: Usage, model: Model, geo: str | None = None) -> float:
    """Return what a request costs, in USD at list prices."""
    price = model.price_of(usage.total)
    micro = (
        usage.input * price.input
        + usage.write_5m * price.input * WRITE_5M
        + usage.write_1h * price.input * WRITE_1H
        + usage.read * price.read
        + usage.output * price.output
    )
    return micro / 1e6 * (US_ONLY if geo == "us" else 1.0)
