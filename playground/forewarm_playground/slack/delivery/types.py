"""Deliveries to the app and their outcomes, and changes that a person sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from forewarm_playground.slack.ids import Json

DeliveryKind = Literal["events_api", "interactive", "slash_commands"]
OutcomeKind = Literal["acked", "failed", "lost"]


@dataclass(slots=True, frozen=True)
class Outcome:
    """How a delivery ended: the app's reply if it acknowledged, else the reason of the failure.

    `text` is a reply that was not JSON, which only a slash command may give.
    """

    kind: OutcomeKind
    reply: Json | None = None
    text: str = ""
    reason: str = ""


@dataclass(slots=True)
class Delivery:
    """One payload for the app, the same for each transport.

    `name` is the event's type, the interaction's type or the command: what a fault matches.
    `ended` is called once, with the outcome, when the app has acknowledged or Slack gives up.
    """

    kind: DeliveryKind
    name: str
    payload: Json
    team: str
    accepts_reply: bool = False
    ended: Callable[[Outcome], None] | None = None

    def __repr__(self) -> str:
        return f"<Delivery [{self.kind} {self.name}]>"


@dataclass(slots=True, frozen=True)
class Change:
    """A change that a person's screen may show. `kind` is its type; the rest locates it.

    Only `user` sees it, or all of `channel` if that is empty.
    """

    kind: str
    channel: str = ""
    ts: str = ""
    user: str = ""
    data: Json = field(default_factory=dict)
