"""How answers begin to be shown: one pacer, one way of checking citations, many deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.answer.delivery import Check, Delivery
from bot.answer.pacer import Pacer
from bot.answer.ports import Current, SlackCalls, Target
from bot.answer.receipt import stop_block
from bot.clock import Now


class Deliveries:
    """Makes the delivery of each answer. Implements `bot.answer.ports.Deliver`."""

    def __init__(
        self,
        calls: SlackCalls,
        pacer: Pacer,
        now: Now,
        check: Callable[[Current], Check] | None = None,
    ) -> None:
        self._calls = calls
        self._pacer = pacer
        self._now = now
        self._check = check

    def __repr__(self) -> str:
        return f"<Deliveries by {self._pacer!r}>"

    def __call__(
        self,
        question: str,
        target: Target,
        current: Current | None,
        replaces: Sequence[str],
        noted: Callable[[str], Awaitable[None]],
    ) -> Delivery:
        check = self._check(current) if self._check is not None and current is not None else None
        return Delivery(
            self._calls,
            target,
            self._pacer,
            self._now,
            check,
            replaces=replaces,
            noted=noted,
            live=(stop_block(question),),
        )
