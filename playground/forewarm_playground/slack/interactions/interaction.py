"""One interaction with the app: its payload, its delivery and its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.modals import filled, forget_old, mint_trigger
from forewarm_playground.slack.messages import blocks as kit
from forewarm_playground.slack.models import Installation, Message, ResponseUrl, Trigger
from forewarm_playground.slack.state import State

_SHOWN = ("text", "value", "url", "style")


@dataclass(slots=True)
class Interaction:
    """One action of a person and what the app answered; `outcome` is None until it has."""

    kind: str
    trigger_id: str = ""
    outcome: Outcome | None = None
    options: list[Json] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        state = "waiting" if self.outcome is None else self.outcome.kind
        return f"<Interaction [{self.kind}: {state}]>"


def _who(state: State, user: str) -> Json:
    person = state.user(user)
    return {"id": user, "username": person.name, "name": person.name, "team_id": person.team}


def base_payload(state: State, installation: Installation, user: str, kind: str) -> Json:
    """Return what every interaction's payload begins with.

    Source: docs/platform/slack.md#interaction-payloads.
    """
    app = state.config.app
    workspace = state.workspaces[installation.team]
    return {
        "type": kind,
        "token": app.verification_token,
        "api_app_id": app.id,
        "team": {"id": workspace.id, "domain": workspace.domain},
        "enterprise": {"id": workspace.enterprise_id} if workspace.enterprise_id else None,
        "is_enterprise_install": installation.grant.organisation is not None,
        "user": _who(state, user),
        "action_ts": f"{state.now():.6f}",
    }


def trigger_for(state: State, installation: Installation, user: str) -> Trigger:
    """Return the right to open one view that goes along with an interaction."""
    return mint_trigger(state, user, installation.team)


def mint_response_url(
    state: State,
    installation: Installation,
    user: str,
    channel: str,
    message: Message | None = None,
) -> str:
    """Return an address that takes five posts in thirty minutes."""
    ident = f"{installation.team}/{state.ids.number()}/{state.ids.next('')}"
    state.response_urls[ident] = ResponseUrl(
        id=ident,
        team=installation.team,
        channel=channel,
        user=user,
        made_at=state.now(),
        message_ts=message.ts if message else None,
        ephemeral=bool(message and message.seen_by),
        thread_ts=message.thread_ts if message else None,
    )
    old = state.now() - 2 * state.config.limits.response_seconds
    forget_old(state.response_urls, lambda held: held.made_at < old)
    return f"{state.base_url}/response/{ident}"


def send(
    state: State,
    installation: Installation,
    interaction: Interaction,
    payload: Json,
    *,
    accepts_reply: bool = False,
    then: Callable[[Outcome], None] | None = None,
) -> Interaction:
    """Deliver an interaction; `then` does what the app's acknowledgement asks for.

    A failure is told to the person. Refuses with `interactivity_disabled`.
    """

    def ended(outcome: Outcome) -> None:
        interaction.outcome = outcome
        if outcome.kind != "acked":
            _warn(state, str(payload["user"]["id"]), interaction.kind)
        elif then is not None:
            then(outcome)

    if not state.config.app.interactivity:
        raise SlackError("interactivity_disabled")
    delivery = Delivery(
        "interactive", interaction.kind, payload, installation.team, accepts_reply, ended
    )
    state.deliver(delivery)
    return interaction


def _warn(state: State, user: str, kind: str) -> None:
    state.notify(user, f"The app did not respond to this {kind}. Try again.")


def named_element(blocks: list[Json], action_id: str) -> tuple[str, Json]:
    """Return an element and its block's id, or refuse with `no_such_action`."""
    for block in blocks:
        for element in kit.elements(block):
            if element.get("action_id") == action_id:
                return str(block["block_id"]), element
    raise SlackError("no_such_action")


def offered_to(state: State, user: str, element: Json) -> list[Json]:
    """Return the options that the app last offered a person for an external menu."""
    return state.offered.get((user, str(element.get("action_id"))), [])


def action_of(state: State, user: str, block_id: str, element: Json, given: Any) -> Json:
    """Return what an interaction says of the element that was used."""
    action: Json = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block_id,
        "action_ts": f"{state.now():.6f}",
    }
    kind = element["type"]
    if kind == "feedback_buttons":
        negative: Json = element["negative_button"]
        down = given in ("down", False, -1, negative.get("value"))
        button = negative if down else element["positive_button"]
        return {**action, "text": button["text"], "value": button.get("value")}
    if kind in ("button", "icon_button", "workflow_button"):
        shown: Json = {key: element[key] for key in _SHOWN if key in element}
        return {**action, **shown}
    return {**action, **filled(element, given, offered_to(state, user, element))}
