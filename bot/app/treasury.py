"""Warm-ups under the ledger: what all replicas together may spend on warmth in a day."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

import structlog

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError
from bot.claude.prefix import Prefix
from bot.claude.prices import price_of
from bot.claude.records import Label
from bot.claude.usage import Ttl
from bot.claude.warmth import WarmResult
from bot.store.errors import StoreError
from bot.store.ledger import Cap, Ledger

AGAIN_SECONDS = 60.0
"""After a refusal; by then this replica has learned what the others spent."""
MARGIN = 1.1
"""Tokens are an estimate until a reply has measured the prefix."""

_log = structlog.get_logger(__name__)


class CappedWarmer:
    """`bot.warm.ports.Warmer` that reserves in the ledger before a warm-up leaves.

    The governor's own caps know what other replicas spent only a second later: without this, three
    of them could each spend the day's last dollar. `cap_of` names a context's cap in USD.
    """

    def __init__(
        self, claude: ClaudeClient, ledger: Ledger, daily_usd: float, cap_of: Callable[[str], float]
    ) -> None:
        self._claude = claude
        self._ledger = ledger
        self._daily_usd = daily_usd
        self._cap_of = cap_of

    def __repr__(self) -> str:
        return f"<CappedWarmer: ${self._daily_usd:g} a day>"

    async def warm(
        self,
        prefix: Prefix,
        ttl: Ttl = "5m",
        *,
        label: Label | None = None,
        previous: str | None = None,
    ) -> WarmResult:
        """Warm within the caps. Raises `ClaudeError`, also where a cap refuses."""
        context = label.context if label else ""
        caps = [Cap("warmth/*", self._daily_usd), Cap(f"warmth/{context}", self._cap_of(context))]
        id = uuid.uuid4().hex
        await self._reserve(id, prefix, ttl, caps)
        spent = _most_usd(prefix, ttl)
        try:
            done = await self._claude.warm(prefix, ttl, label=label, previous=previous)
            spent = done.usd
        except ClaudeError:
            spent = 0.0
            raise
        finally:
            # Cancelled: nobody knows what was written, so that the most counts.
            await asyncio.shield(self._settle(id, spent))
        return done

    async def _reserve(self, id: str, prefix: Prefix, ttl: Ttl, caps: list[Cap]) -> None:
        try:
            refused = await self._ledger.reserve(id, _most_usd(prefix, ttl), caps)
        except StoreError as error:
            raise _later(prefix, str(error)) from error
        if refused is not None:
            raise _later(prefix, f"{refused.scope}: ${refused.left:.4f} left of ${refused.cap:g}")

    async def _settle(self, id: str, usd: float) -> None:
        try:
            await self._ledger.settle(id, usd)
        except StoreError as error:
            # The reservation counts as spent when its time is over.
            _log.warning("money not settled", error=str(error))


def _later(prefix: Prefix, why: str) -> ClaudeError:
    _log.warning("no money for a warm-up", why=why)
    return ClaudeError("rate_limited", model=prefix.model, retry_after=AGAIN_SECONDS, detail=why)


def _most_usd(prefix: Prefix, ttl: Ttl) -> float:
    price = price_of(prefix.model, prefix.tokens)
    return MARGIN * prefix.tokens * (price.write_5m if ttl == "5m" else price.write_1h) / 1e6
