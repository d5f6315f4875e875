"""How answers begin to be shown: one pacer, one way of checking citations, many deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.clock import Now
from bot.context.pack import Snapshot
from bot.delivery.delivery import Check, Delivery
from bot.delivery.rate_limit.limiter import Pacer
from bot.delivery.slack_api import JsonObject, SlackCalls, Target


class Deliveries:
    """Makes the delivery of each answer. Implements `bot.answer.interfaces.Deliver`."""

    def __init__(
        self,
        calls: SlackCalls,
        pacer: Pacer,
        now: Now,
        check: Callable[[Snapshot], Check] | None = None,
    ) -> None:
        self._calls = calls
        self._pacer = pacer
        self._now = now
        self._check = check

    def __repr__(self) -> str:
        return f"<Deliveries by {self._pacer!r}>"

    def __call__(
        self,
        target: Target,
        snapshot: Snapshot | None,
        replaces: Sequence[str],
        noted: Callable[[str], Awaitable[None]],
        live: Sequence[JsonObject],
    ) -> Delivery:
        check = self._check(snapshot) if self._check is not None and snapshot is not None else None
        return Delivery(
            self._calls,
            target,
            self._pacer,
            self._now,
            check,
            replaces=replaces,
            noted=noted,
            live=live,
        )
