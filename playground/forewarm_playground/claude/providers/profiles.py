"""Differences of each provider from Anthropic's own API.

Source of each row: docs/providers.md. A test may give a provider another profile, to see how a
client lives with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from forewarm_playground.claude.cache.render import Ttl

ProviderName = Literal[
    "anthropic", "aws", "bedrock", "bedrock-mantle", "vertex", "google-cloud", "foundry"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The capabilities of a provider.

    `lives` are the lives of entries that it accepts. With `caches` off it takes markers and ignores
    them. `reports` tells whether its usage has cache fields at all. `least` is the smallest prefix
    that it caches, None for the model's own. `zero` tells whether `max_tokens: 0` is accepted.
    `region_price` is the price of a request that is bound to a region, as a multiple.
    """

    lives: tuple[Ttl, ...] = ("5m", "1h")
    caches: bool = True
    reports: bool = True
    least: int | None = None
    zero: bool = True
    automatic: bool = True
    diagnostics: bool = False
    region_price: float = 1.0


PROFILES: Mapping[ProviderName, Profile] = {
    "anthropic": Profile(diagnostics=True),
    "aws": Profile(),
    "bedrock": Profile(automatic=False, least=4_096, region_price=1.1),
    "bedrock-mantle": Profile(least=4_096, region_price=1.1),
    "vertex": Profile(region_price=1.1),
    "google-cloud": Profile(),
    "foundry": Profile(),
}
