"""Takes what the event source delivers to the app: in order, again if need be, with faults."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from forewarm_playground.slack.config import DeliveryConfig
from forewarm_playground.slack.delivery.event_throttle import EventThrottle
from forewarm_playground.slack.delivery.transports import Transport
from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.faults import Fault, Faults
from forewarm_playground.slack.log import DeliveryEntry, Log
from forewarm_playground.slack.timers import Timers, sleep

_logger = logging.getLogger(__name__)

OUTBOX = 10_000
"""How many deliveries are kept while there is no transport to take them."""


class Dispatcher:
    """Delivers through a transport; without one, deliveries wait in `outbox` for who looks.

    Events are retried as Slack does (docs/platform/slack.md#http-delivery). Interactions and
    commands are not.
    """

    def __init__(
        self,
        config: DeliveryConfig,
        timers: Timers,
        log: Log,
        faults: Faults,
        health: EventThrottle,
    ) -> None:
        self._config = config
        self._timers = timers
        self._log = log
        self._faults = faults
        self._health = health
        self._under_way: set[asyncio.Task[None]] = set()
        self._held: list[Delivery] = []
        self.transport: Transport | None = None
        self.outbox: deque[Delivery] = deque(maxlen=OUTBOX)
        self.settled: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        over = self.transport.name if self.transport else "no transport"
        return (
            f"<Dispatcher [{over} | {len(self._under_way)} under way | {len(self.outbox)} waiting]>"
        )

    @property
    def idle(self) -> bool:
        """Whether nothing is under way to the app, nor waits to be sent again."""
        return not self._under_way

    def take(self, delivery: Delivery) -> None:
        """Deliver a payload; returns at once."""
        if delivery.kind == "events_api":
            event = delivery.payload.get("event", {})
            verdict = self._health.admit(delivery.team, self._timers.now())
            if verdict.notice is not None:
                self._dispatch(verdict.notice)
            if not verdict.admitted:
                return
        else:
            event = delivery.payload
        fault = self._faults.delivery(delivery.name, event)
        if fault is not None and fault.kind == "reorder":
            self._held.append(delivery)
            return
        self._dispatch(delivery, fault)
        held, self._held = self._held, []
        for late in held:
            self._dispatch(late)

    def _dispatch(self, delivery: Delivery, fault: Fault | None = None) -> None:
        if self.transport is None:
            self.outbox.append(delivery)
            return
        copies = fault.copies if fault is not None and fault.kind == "duplicate" else 0
        for copy in range(copies + 1):
            task = asyncio.get_running_loop().create_task(
                self._deliver(delivery, fault, first=copy == 0)
            )
            self._under_way.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _logger.error("a delivery broke", exc_info=task.exception())
        self.settled()

    async def _deliver(self, delivery: Delivery, fault: Fault | None, *, first: bool) -> None:
        await sleep(self._timers, self._config.latency)
        if fault is not None and fault.kind == "delay":
            await sleep(self._timers, fault.seconds)
        if fault is not None and fault.kind == "lose":
            outcome = Outcome("lost", reason="lost")
        else:
            outcome = await self._attempts(delivery, fault)
        if first and delivery.ended is not None:
            delivery.ended(outcome)

    async def _attempts(self, delivery: Delivery, fault: Fault | None) -> Outcome:
        retries = self._config.retry_seconds if delivery.kind == "events_api" else ()
        outcome, final = await self._attempt(delivery, 0, "", fault)
        for number, wait in enumerate(retries, start=1):
            if outcome.kind == "acked" or final:
                break
            await sleep(self._timers, wait * self._config.retry_scale)
            outcome, final = await self._attempt(delivery, number, outcome.reason, None)
        return outcome

    async def _attempt(
        self, delivery: Delivery, number: int, reason: str, fault: Fault | None
    ) -> tuple[Outcome, bool]:
        transport = self.transport
        if transport is None:
            return Outcome("lost", reason="closed"), True
        entry = DeliveryEntry(
            kind=delivery.kind,
            name=delivery.name,
            transport=transport.name,
            attempt=number,
            reason=reason,
            sent_at=self._timers.now(),
            event_id=str(delivery.payload.get("event_id", "")),
            payload=delivery.payload,
        )
        self._log.deliveries.append(entry)
        attempt = await transport.send(delivery, entry)
        outcome = attempt.outcome
        if fault is not None and fault.kind == "lose_ack" and outcome.kind == "acked":
            outcome = Outcome("failed", reason=transport.timeout_reason)
        entry.ended_at = self._timers.now()
        entry.outcome = outcome.kind if outcome.kind == "acked" else outcome.reason
        entry.reply = outcome.reply if outcome.reply is not None else outcome.text
        if delivery.kind == "events_api":
            self._health.note(self._timers.now(), failed=outcome.kind != "acked")
        return outcome, attempt.final

    async def close(self) -> None:
        """Stop delivering; what was under way is lost."""
        for task in [*self._under_way]:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self.transport is not None:
            await self.transport.close()
            self.transport = None
