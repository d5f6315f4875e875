"""Faults on command: their kinds, targets and counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from forewarm_playground.errors import PlaygroundError

ApiFaultKind = Literal[
    "ratelimited",
    "error",
    "http_error",
    "drop_before",
    "drop_after",
    "slow",
    "slow_after",
    "hold_before",
    "hold_after",
]
DeliveryFaultKind = Literal["duplicate", "delay", "reorder", "lose", "lose_ack"]

API_FAULTS: tuple[ApiFaultKind, ...] = get_args(ApiFaultKind)
DELIVERY_FAULTS: tuple[DeliveryFaultKind, ...] = get_args(DeliveryFaultKind)


class FaultError(PlaygroundError):
    """A fault was asked for that does not exist."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no fault {kind!r}: use one of {', '.join(known)}.")
        self.kind = kind


@dataclass(slots=True, eq=False)
class Fault:
    """One fault; it strikes `times` times (None: always) after `skip` matches went by unharmed.

    `match` compares arguments of a call, or members of an event, with what they must be.

    Of a call: `ratelimited` is refused with HTTP 429 and `retry_after`; `error` with Slack's
    `code`; `http_error` answers `status`; `drop_before` breaks the connection before the call took
    effect and `drop_after` after it did; `slow` waits `seconds` before the effect and `slow_after`
    between effect and reply; `hold_before` and `hold_after` wait until `release`.

    Of a delivery: `duplicate` sends `copies` more, `delay` waits `seconds`, `reorder` lets the next
    one go first, `lose` never sends it, `lose_ack` loses the app's acknowledgement, so that Slack
    sends it again.
    """

    on: str
    kind: ApiFaultKind | DeliveryFaultKind
    times: int | None = 1
    skip: int = 0
    match: Mapping[str, Any] = field(default_factory=dict)
    retry_after: int = 1
    seconds: float = 1.0
    status: int = 500
    code: str = "internal_error"
    copies: int = 1
    struck: int = 0
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def __repr__(self) -> str:
        left = "always" if self.times is None else f"{self.times} left"
        return f"<Fault [{self.kind} on {self.on}: {self.struck} struck, {left}]>"

    async def reached(self) -> None:
        """Wait until it has struck."""
        await self._reached.wait()

    def release(self) -> None:
        """Let go of the call that a `hold` fault holds."""
        self._released.set()

    async def released(self) -> None:
        """Wait until a `hold` is let go."""
        await self._released.wait()

    def meets(self, name: str, values: Mapping[str, Any]) -> bool:
        """Strike if `name` and `values` match and the count says so."""
        if self.times == 0 or not fnmatchcase(name, self.on):
            return False
        if any(str(values.get(key)) != str(value) for key, value in self.match.items()):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.struck += 1
        self._reached.set()
        return True


class Faults:
    """The faults in force, in the order in which they were set."""

    def __init__(self) -> None:
        self._api: list[Fault] = []
        self._deliveries: list[Fault] = []

    def __repr__(self) -> str:
        return f"<Faults [{len(self._api)} on calls | {len(self._deliveries)} on deliveries]>"

    def on_call(self, fault: Fault) -> Fault:
        """Put a fault on calls of methods whose name matches `fault.on` (`chat.*`)."""
        if fault.kind not in API_FAULTS:
            raise FaultError(fault.kind, API_FAULTS)
        self._api.append(fault)
        return fault

    def on_delivery(self, fault: Fault) -> Fault:
        """Put a fault on deliveries whose name matches: an event's type, a command, a kind."""
        if fault.kind not in DELIVERY_FAULTS:
            raise FaultError(fault.kind, DELIVERY_FAULTS)
        self._deliveries.append(fault)
        return fault

    def clear(self) -> None:
        """Take all faults back and let go of what they hold."""
        for fault in self._api:
            fault.release()
        self._api.clear()
        self._deliveries.clear()

    def call(self, method: str, values: Mapping[str, Any]) -> Fault | None:
        """Return the fault that strikes a call."""
        return next((fault for fault in self._api if fault.meets(method, values)), None)

    def delivery(self, name: str, event: Mapping[str, Any]) -> Fault | None:
        """Return the fault that strikes a delivery."""
        return next((fault for fault in self._deliveries if fault.meets(name, event)), None)
