"""Requests under the ledger: what all replicas together may spend in a day."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import structlog

from bot.answer.loop import Model
from bot.claude.cache_check import WarmResult
from bot.claude.client import ClaudeClient
from bot.claude.errors import CapReached, ClaudeError
from bot.claude.events import Label
from bot.claude.prefix import Prefix
from bot.claude.prices import cost, price_of
from bot.claude.request import Request
from bot.claude.stream import OUTPUT_CHARACTERS, Ended, Event, Started, Text
from bot.claude.usage import Ttl, Usage
from bot.slack.texts import MONEY_OUT
from bot.store.errors import StoreError
from bot.store.ledger import Cap, Ledger, Refusal

AGAIN_SECONDS = 60.0
"""After a refusal; by then this replica has learned what the others spent."""
PATIENCE = 0.5
"""Seconds to wait for a store that does not answer: a user waits for the answer."""
WAIT_SECONDS, POLL_SECONDS = 15.0, 0.25
"""A cold prefix of 400,000 tokens takes longer than this; its reservation is then too large."""
ENDLESS_USD = 1e9
MARGIN = 1.1
"""Tokens are an estimate until a reply has measured the prefix."""

_log = structlog.get_logger(__name__)


class SpendingLedger:
    """Reserves in the ledger before a request leaves, and settles when it has ended.

    The journal tells what was spent only when a request has ended: without reservations, forty
    questions at once would each find the day's last dollar. `daily_usd` caps everything together,
    `workspace_cap` the contexts of a context's workspace.

    A store that does not answer stops no answer. Meanwhile this process counts the most that its
    own requests under way can cost, and the store learns of them when they end.
    """

    def __init__(
        self,
        ledger: Ledger,
        daily_usd: float,
        workspace_cap: Callable[[str], Cap | None] = lambda context: None,
    ) -> None:
        self._ledger = ledger
        self._whole = Cap("all/*", daily_usd)
        self._workspace_cap = workspace_cap
        self._under_way: dict[str, float] = {}
        self._not_stored: dict[str, Sequence[Cap]] = {}

    async def reserve(
        self,
        usd: float,
        caps: Sequence[Cap],
        context: str = "",
        *,
        leaves: Callable[[float], bool] | None = None,
    ) -> str | Refusal:
        """Return what names the reservation, or the cap that refused.

        `leaves` tells whether this process's own caps leave an amount in USD. It decides if the
        store does not answer. Raises `StoreError` then, if there is no `leaves`.
        """
        id, workspace = uuid.uuid4().hex, self._workspace_cap(context)
        held = [self._whole, *caps] if workspace is None else [self._whole, workspace, *caps]
        try:
            refused = await self._ledger.reserve(id, usd, held, patience=PATIENCE)
        except StoreError as error:
            if leaves is None:
                raise
            refused = self._refuse_here(usd, leaves)
            _log.warning("money_not_reserved", error=str(error), refused=refused is not None)
            if refused is None:
                self._not_stored[id] = held
        if refused is None:
            self._under_way[id] = usd
        return refused or id

    def _refuse_here(self, usd: float, leaves: Callable[[float], bool]) -> Refusal | None:
        """Return None if the caps leave so much beside all requests of this process under way."""
        if leaves(sum(self._under_way.values()) + usd):
            return None
        return Refusal("this process, without the store", self._whole.usd, 0.0, leaves(usd))

    async def reduce(self, id: str, usd: float) -> None:
        """Lower a reservation to the most that its request can still cost, in USD."""
        self._under_way[id] = usd
        if id in self._not_stored:
            return
        try:
            await self._ledger.reduce(id, usd)
        except StoreError as error:
            # The reservation stays as it is, which is only too careful.
            _log.warning("reservation_not_reduced", error=str(error))

    async def settle(self, id: str, usd: float) -> None:
        """Replace the reservation by the amount spent, even if the caller is cancelled."""
        self._under_way.pop(id, None)
        await asyncio.shield(self._settle(id, usd))

    async def _settle(self, id: str, usd: float) -> None:
        late = self._not_stored.pop(id, None)
        try:
            if late is not None:
                # It is spent, also if the caps are reached.
                endless = [Cap(cap.scope, ENDLESS_USD) for cap in late]
                await self._ledger.reserve(id, usd, endless)
            await self._ledger.settle(id, usd)
        except StoreError as error:
            # The reservation counts as spent when its time is over.
            _log.warning("money_not_settled", error=str(error))


class CappedWarmer:
    """`bot.warm.interfaces.Warmer` within the day's caps. `cap_of` names a context's cap in USD."""

    def __init__(
        self,
        claude: ClaudeClient,
        ledger: SpendingLedger,
        daily_usd: float,
        cap_of: Callable[[str], float],
    ) -> None:
        self._claude = claude
        self._ledger = ledger
        self._daily_usd = daily_usd
        self._cap_of = cap_of

    async def warm(
        self,
        prefix: Prefix,
        ttl: Ttl = "5m",
        *,
        label: Label | None = None,
        previous: str | None = None,
    ) -> WarmResult:
        """Warm within the caps. Raises `ClaudeError`, also if a cap refuses."""
        context = label.context if label else ""
        caps = [Cap("warmth/*", self._daily_usd), Cap(f"warmth/{context}", self._cap_of(context))]
        spent = _write_usd(prefix, ttl)
        id = await self._reserve(prefix, spent, caps, context)
        try:
            done = await self._claude.warm(prefix, ttl, label=label, previous=previous)
            spent = done.usd
        except ClaudeError as error:
            if not error.may_be_charged:
                spent = 0.0
            raise
        finally:
            # If it was cancelled or got no reply, the amount written is not known: the most counts.
            await self._ledger.settle(id, spent)
        return done

    async def _reserve(self, prefix: Prefix, usd: float, caps: Sequence[Cap], context: str) -> str:
        try:
            reserved = await self._ledger.reserve(usd, caps, context)
        except StoreError as error:
            raise _postpone(prefix, str(error)) from error
        if isinstance(reserved, Refusal):
            raise _postpone(prefix, _describe_refusal(reserved))
        return reserved


class CappedModel:
    """`bot.answer.loop.Model` within the day's caps.

    The most that a reply can cost is reserved: its whole prefix written anew. The reply's first
    event tells what was read and written, so the rest is free again within a second. A request
    that only other reservations keep out waits for that, at most `WAIT_SECONDS`. If a server does
    not tell what it has read, the most counts as spent.

    `cap_of` names a context's cap on answers in USD, or None if it has none. A store that cannot
    be reached stops no answer: then `leaves` tells whether the caps leave a context an amount in
    USD, as far as this process knows.
    """

    def __init__(
        self,
        model: Model,
        ledger: SpendingLedger,
        cap_of: Callable[[str], float | None],
        leaves: Callable[[str, float], bool],
    ) -> None:
        self._model = model
        self._ledger = ledger
        self._cap_of = cap_of
        self._leaves = leaves

    async def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]:
        """Stream within the caps. Raises `ClaudeError`, also if a cap refuses."""
        spent = answer_usd(request)
        # A local model costs nothing, so nothing is reserved.
        id = await self._reserve(request, spent, label) if spent > 0 else None
        lowering: asyncio.Task[None] | None = None
        received, has_begun = 0, False
        try:
            async with aclosing(self._model.stream(request, label=label)) as events:
                async for event in events:
                    has_begun = True
                    if isinstance(event, Text):
                        received += len(event.text)
                    told = isinstance(event, Started | Ended) and event.usage.total_input > 0
                    if isinstance(event, Started) and id is not None and told:
                        spent = min(spent, _rest_usd(request, event.usage))
                        # Beside the answer: the first words do not wait for the store.
                        lowering = asyncio.create_task(self._ledger.reduce(id, spent))
                    if isinstance(event, Ended) and told:
                        spent = cost(request.prefix.model, _with_output(event.usage, received))
                    yield event
        except ClaudeError as error:
            if not (has_begun or error.may_be_charged):
                spent = 0.0
            raise
        finally:
            # If it was cut short, its output is not known, so the most counts.
            if lowering is not None:
                await asyncio.gather(lowering, return_exceptions=True)
            if id is not None:
                await self._ledger.settle(id, spent)

    async def _reserve(self, request: Request, usd: float, label: Label | None) -> str:
        context = label.context if label else ""
        own = self._cap_of(context)
        caps = [] if own is None else [Cap(f"answers/{context}", own)]
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            reserved = await self._ledger.reserve(
                usd, caps, context, leaves=partial(self._leaves, context)
            )
            if not isinstance(reserved, Refusal):
                return reserved
            if not reserved.may_pass or asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(POLL_SECONDS)
        _log.warning("answer_refused_by_cap", why=_describe_refusal(reserved))
        raise CapReached(
            MONEY_OUT.format(name=context),
            model=request.prefix.model,
            detail=_describe_refusal(reserved),
        )


def _describe_refusal(refused: Refusal) -> str:
    return f"{refused.scope}: ${refused.left:.4f} left of ${refused.cap:g}"


def _postpone(prefix: Prefix, why: str) -> ClaudeError:
    _log.warning("no_money_for_a_warm_up", why=why)
    return ClaudeError("rate_limited", model=prefix.model, retry_after=AGAIN_SECONDS, detail=why)


def _write_usd(prefix: Prefix, ttl: Ttl) -> float:
    """Return the most that a warm-up can cost."""
    price = price_of(prefix.model, prefix.tokens)
    return MARGIN * prefix.tokens * (price.write_5m if ttl == "5m" else price.write_1h) / 1e6


def answer_usd(request: Request) -> float:
    """Return the most that a reply can cost in USD: everything written, the longest answer."""
    prefix, tail = request.prefix, request.tail_tokens
    price = price_of(prefix.model, prefix.tokens + tail)
    write = price.write_5m if request.ttl == "5m" else price.write_1h
    written = MARGIN * (prefix.tokens + tail)
    return (written * max(write, price.input) + request.max_tokens * price.output) / 1e6


def _rest_usd(request: Request, usage: Usage) -> float:
    """Return the most that a reply can cost in USD once its input has been counted."""
    model = request.prefix.model
    price = price_of(model, request.prefix.tokens + request.tail_tokens)
    return cost(model, usage) + request.max_tokens * price.output / 1e6


def _with_output(usage: Usage, received: int) -> Usage:
    """Return the usage of a reply of `received` characters, estimated if it was not told."""
    return usage if usage.output else replace(usage, output=round(received / OUTPUT_CHARACTERS))
