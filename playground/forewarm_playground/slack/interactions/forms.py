"""Actions of a person in a modal or on a Home tab: type, choose, submit, close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewarm_playground.slack.delivery.types import Outcome
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.interaction import (
    Interaction,
    action_of,
    base_payload,
    mint_response_url,
    named_element,
    offered_to,
    send,
    trigger_for,
)
from forewarm_playground.slack.interactions.modals import close_top, filled, inputs, is_empty
from forewarm_playground.slack.interactions.responses import answer_submission, answer_suggestion
from forewarm_playground.slack.json_shapes import message_shape, view_shape
from forewarm_playground.slack.models import Installation, Message, View
from forewarm_playground.slack.state import State


def top_view(state: State, user: str) -> View:
    """Return the modal in front of a person, or refuse with `no_modal`."""
    stack = state.modals.get(user)
    if not stack:
        raise SlackError("no_modal")
    return state.views[stack[-1]]


def home_view(state: State, user: str) -> View:
    """Return a person's Home tab, or refuse with `no_home`."""
    installation = state.installation_for(user)
    ident = state.homes.get((installation.team, user))
    if ident is None:
        raise SlackError("no_home")
    return state.views[ident]


def act_in_view(state: State, user: str, view: View, action_id: str, value: Any) -> Interaction:
    """Use an element of a view other than typing: the app hears of it as `block_actions`."""
    block_id, element = named_element(view.blocks, action_id)
    block = next(block for block in view.blocks if block["block_id"] == block_id)
    action = action_of(state, user, block_id, element, value)
    if any(element is held for _, held in inputs(view.content)):
        chosen = filled(element, value, offered_to(state, user, element))
        view.values.setdefault(block_id, {})[action_id] = chosen
    if block["type"] == "input" and not block.get("dispatch_action"):
        return Interaction("silent", outcome=Outcome("acked"))
    return _tell_action(state, user, view, action)


def _tell_action(state: State, user: str, view: View, action: Json) -> Interaction:
    installation = state.installations[view.team]
    trigger = trigger_for(state, installation, user)
    payload = base_payload(state, installation, user, "block_actions")
    shape = view_shape(state, view)
    payload |= {
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger.id,
        "view": shape,
        "state": {"values": _copied(view.values)},
        "actions": [action],
    }
    return send(state, installation, Interaction("block_actions", trigger.id), payload)


def _copied(values: dict[str, dict[str, Json]]) -> dict[str, dict[str, Json]]:
    return {block: dict(actions) for block, actions in values.items()}


def put_text(state: State, view: View, action_id: str, text: str) -> None:
    """Let a text input of a view hold `text`, without a word to the app."""
    block_id, element = named_element(view.blocks, action_id)
    limit = element.get("max_length")
    if limit is not None and len(text) > int(limit):
        raise SlackError("text_too_long")
    view.values.setdefault(block_id, {})[action_id] = filled(element, text)


def dispatches(view: View, action_id: str, trigger: str) -> bool:
    """Tell whether an input asks to be told of `on_character_entered` or `on_enter_pressed`."""
    block_id, element = named_element(view.blocks, action_id)
    block = next(block for block in view.blocks if block["block_id"] == block_id)
    if not block.get("dispatch_action"):
        return False
    config = element.get("dispatch_action_config") or {}
    return trigger in config.get("trigger_actions_on", ["on_enter_pressed"])


def tell_typing(state: State, user: str, view: View, action_id: str) -> Interaction:
    """Tell the app what an input holds now (docs/platform/slack.md#characters-entered)."""
    block_id, _ = named_element(view.blocks, action_id)
    value = view.values[block_id][action_id]
    action: Json = {
        **value,
        "block_id": block_id,
        "action_id": action_id,
        "action_ts": f"{state.now():.6f}",
    }
    return _tell_action(state, user, view, action)


def suggest(
    state: State,
    user: str,
    action_id: str,
    query: str,
    *,
    view: View | None = None,
    message: Message | None = None,
) -> Interaction | None:
    """Type into an external select; the app is asked for options.

    Returns None while the query is shorter than the element's `min_query_length` (3 by default).
    """
    blocks = view.blocks if view is not None else message.blocks if message is not None else []
    block_id, element = named_element(blocks, action_id)
    if "external_select" not in element["type"]:
        raise SlackError("no_such_action")
    if len(query) < int(element.get("min_query_length", 3)):
        return None
    installation = state.installation_for(user)
    payload = base_payload(state, installation, user, "block_suggestion")
    payload |= {"action_id": action_id, "block_id": block_id, "value": query}
    if view is not None:
        payload["container"] = {"type": "view", "view_id": view.id}
        payload["view"] = view_shape(state, view)
    elif message is not None:
        place = state.channels[message.channel]
        payload["container"] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": place.id,
            "is_ephemeral": message.seen_by is not None,
        }
        payload["channel"] = {"id": place.id, "name": place.name}
        payload["message"] = message_shape(state, message)
    interaction = Interaction("block_suggestion")

    def then(outcome: Outcome) -> None:
        interaction.options = answer_suggestion(state, user, outcome)
        state.offered[user, action_id] = interaction.options

    return send(state, installation, interaction, payload, accepts_reply=True, then=then)


def submit(state: State, user: str) -> Interaction:
    """Press the submit button of the modal in front.

    Slack's client keeps an incomplete form to itself: refuses with `incomplete`, naming the blocks.
    """
    view = top_view(state, user)
    if not view.content.get("submit"):
        raise SlackError("no_submit_button")
    if lacking := _incomplete(view):
        raise SlackError("incomplete", details={"blocks": lacking})
    installation = state.installations[view.team]
    trigger = trigger_for(state, installation, user)
    payload = base_payload(state, installation, user, "view_submission")
    payload.pop("action_ts")
    payload |= {
        "trigger_id": trigger.id,
        "view": view_shape(state, view),
        "response_urls": _response_urls(state, installation, user, view),
    }
    interaction = Interaction("view_submission", trigger.id)

    def then(outcome: Outcome) -> None:
        interaction.errors = answer_submission(state, installation, view, outcome)

    return send(state, installation, interaction, payload, accepts_reply=True, then=then)


def _incomplete(view: View) -> list[str]:
    optional = {b["block_id"]: b.get("optional", False) for b in view.blocks}
    kinds = {b["block_id"]: b["type"] for b in view.blocks}
    return [
        block_id
        for block_id, element in inputs(view.content)
        if kinds[block_id] == "input"
        and not optional[block_id]
        and is_empty(view.values[block_id][element["action_id"]])
    ]


def _response_urls(
    state: State, installation: Installation, user: str, view: View
) -> list[Mapping[str, str]]:
    urls: list[Mapping[str, str]] = []
    for block_id, element in inputs(view.content):
        if not element.get("response_url_enabled"):
            continue
        value = view.values[block_id][element["action_id"]]
        channel = value.get("selected_conversation") or value.get("selected_channel")
        if channel:
            urls.append(
                {
                    "block_id": block_id,
                    "action_id": str(element["action_id"]),
                    "channel_id": channel,
                    "response_url": mint_response_url(state, installation, user, channel),
                }
            )
    return urls


def close(state: State, user: str, *, all_of_them: bool = False) -> Interaction | None:
    """Close the modal in front, or all; the app hears of those that asked to know."""
    view = top_view(state, user)
    closing = state.modals[user] if all_of_them else [view.id]
    asked = [state.views[i] for i in closing if state.views[i].content.get("notify_on_close")]
    told = [_closed_payload(state, user, held, cleared=all_of_them) for held in asked]
    clears = bool(view.content.get("clear_on_close"))
    for _ in range(len(state.modals[user]) if all_of_them or clears else 1):
        close_top(state, user)
    interaction: Interaction | None = None
    for payload in told:
        installation = state.installations[view.team]
        interaction = send(state, installation, Interaction("view_closed"), payload)
    return interaction


def _closed_payload(state: State, user: str, view: View, *, cleared: bool) -> Json:
    payload = base_payload(state, state.installations[view.team], user, "view_closed")
    payload.pop("action_ts")
    return payload | {"view": view_shape(state, view), "is_cleared": cleared}
