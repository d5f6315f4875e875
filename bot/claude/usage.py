"""Usage of a reply, in tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ttl = Literal["5m", "1h"]
MOST_TOKENS = 100_000_000
"""More than any model takes. A count above it, below zero or that is no number counts as absent."""
TTL_SECONDS: dict[Ttl, int] = {"5m": 300, "1h": 3600}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `input` is what was neither read from nor written to the cache."""

    input: int = 0
    cache_read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0

    @property
    def written(self) -> int:
        return self.write_5m + self.write_1h

    @property
    def total_input(self) -> int:
        return self.input + self.cache_read + self.written


def reports_writes(raw: Mapping[str, Any]) -> bool:
    """Tell whether the server says at all what it wrote to its cache; llama.cpp's does not."""
    return raw.get("cache_creation_input_tokens") is not None


def usage_of(raw: Mapping[str, Any], ttl: Ttl = "5m") -> Usage:
    """Read the `usage` object of a reply (docs/platform/claude.md#usage-fields).

    Fields may be absent or null. If the breakdown of the written tokens by TTL is missing,
    they count as written with `ttl`, the TTL that the request asked for.
    """
    written = _tokens(raw, "cache_creation_input_tokens")
    lives = raw.get("cache_creation")
    lives = lives if isinstance(lives, Mapping) else {}
    write_5m = _tokens(lives, "ephemeral_5m_input_tokens")
    write_1h = _tokens(lives, "ephemeral_1h_input_tokens")
    unexplained = max(0, written - write_5m - write_1h)
    return Usage(
        input=_tokens(raw, "input_tokens"),
        cache_read=_tokens(raw, "cache_read_input_tokens"),
        write_5m=write_5m + (unexplained if ttl == "5m" else 0),
        write_1h=write_1h + (unexplained if ttl == "1h" else 0),
        output=_tokens(raw, "output_tokens"),
    )


def merged(start: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage after a `message_delta`: its counts are cumulative and overwrite.

    Only what the delta states is taken; the breakdown by life stands in `message_start` alone.
    """
    return {**start, **{key: value for key, value in delta.items() if value is not None}}


def _tokens(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    return int(value) if isinstance(value, int | float) and 0 < value <= MOST_TOKENS else 0
