"""Interface of both transports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.log import DeliveryEntry


@dataclass(slots=True, frozen=True)
class Attempt:
    """Result of one attempt. `final` forbids another, which the app may ask for."""

    outcome: Outcome
    final: bool = False


class Transport(Protocol):
    """Carries a delivery to the app once, and waits for its acknowledgement."""

    name: str
    timeout_reason: str
    """The reason that a retry gives when no acknowledgement came in time."""

    async def send(self, delivery: Delivery, entry: DeliveryEntry) -> Attempt:
        """Return how it went; never raises for what the app or the network does."""
        ...

    async def close(self) -> None:
        """Give up every connection."""
        ...
