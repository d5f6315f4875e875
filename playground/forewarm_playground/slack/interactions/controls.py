"""Commands, shortcuts and buttons: the ways in which a person calls the app."""

from __future__ import annotations

import re
from typing import Any

from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.interaction import (
    Interaction,
    action_of,
    base_payload,
    mint_response_url,
    named_element,
    send,
    trigger_for,
)
from forewarm_playground.slack.interactions.modals import initial_values
from forewarm_playground.slack.interactions.responses import show_reply
from forewarm_playground.slack.json_shapes import message_shape
from forewarm_playground.slack.messages.richtext import escape
from forewarm_playground.slack.models import Message
from forewarm_playground.slack.people.composer import joined, user_named
from forewarm_playground.slack.state import State


def slash(state: State, user: str, channel: str, command: str, text: str = "") -> Interaction:
    """Send a slash command; it cannot be used in threads.

    Refuses with `unknown_command` or `not_in_channel`.
    """
    app = state.config.app
    if command not in app.commands:
        raise SlackError("unknown_command")
    place = joined(state, user, channel)
    installation = state.installation_for(user)
    if installation.team != state.users[user].team:
        raise SlackError("unknown_command")
    workspace = state.workspaces[installation.team]
    trigger = trigger_for(state, installation, user)
    payload: Json = {
        "token": app.verification_token,
        "team_id": workspace.id,
        "team_domain": workspace.domain,
        "channel_id": place.id,
        "channel_name": "directmessage" if place.kind == "im" else place.name,
        "user_id": user,
        "user_name": state.users[user].name,
        "command": command,
        "text": _command_text(state, text, is_escaped=command in app.escaped_commands),
        "api_app_id": app.id,
        "is_enterprise_install": "true" if installation.grant.organisation else "false",
        "response_url": mint_response_url(state, installation, user, place.id),
        "trigger_id": trigger.id,
    }
    if workspace.enterprise_id:
        payload["enterprise_id"] = workspace.enterprise_id
    interaction = Interaction("slash_command", trigger.id)

    def ended(outcome: Outcome) -> None:
        interaction.outcome = outcome
        if outcome.kind != "acked":
            reason = "dispatch_failed" if outcome.reason == "http_error" else "operation_timeout"
            state.notify(user, f"{command} failed with the error “{reason}”", place.id)
        else:
            show_reply(state, installation, place.id, user, outcome)

    state.deliver(Delivery("slash_commands", command, payload, installation.team, True, ended))
    return interaction


def _command_text(state: State, text: str, *, is_escaped: bool) -> str:
    """Return a command's text as Slack encodes it. Slack always escapes `&`, `<` and `>`.

    With `should_escape` in the manifest, names of users and channels become `<@id|name>` and
    `<#id|name>`. Without it, they stay names.
    Source: https://docs.slack.dev/interactivity/implementing-slash-commands
    """

    def user(ident: str, shown: str) -> str:
        known = state.users.get(ident)
        if known is None:
            return shown
        return f"<@{ident}|{known.name}>" if is_escaped else f"@{known.name}"

    def channel(ident: str, shown: str) -> str:
        known = state.channels.get(ident)
        if known is None:
            return shown
        return f"<#{ident}|{known.name}>" if is_escaped else f"#{known.name}"

    def token(match: re.Match[str]) -> str:
        if match["stored"]:
            find = user if match["mark"] == "@" else channel
            return find(match["id"], escape(match[0]))
        mark, name = match["sigil"], match["name"]
        if mark == "@":
            return user(user_named(state, name) or "", match[0])
        named = (one.id for one in state.channels.values() if one.name == name)
        return channel(next(named, ""), match[0])

    parts, end = [], 0
    for match in _NAMED.finditer(text):
        parts += [escape(text[end : match.start()]), token(match)]
        end = match.end()
    return "".join([*parts, escape(text[end:])])


_NAMED = re.compile(
    r"(?P<stored><(?P<mark>[@#])(?P<id>[A-Z0-9]+)(?:\|[^<>]*)?>)"
    r"|(?<![\w@#])(?P<sigil>[@#])(?P<name>[\w.-]*\w)"
)


def _shortcut(state: State, callback_id: str, kind: str) -> None:
    known = state.config.app.shortcuts
    if not any(s.callback_id == callback_id and s.type == kind for s in known):
        raise SlackError("unknown_shortcut")


def global_shortcut(state: State, user: str, callback_id: str) -> Interaction:
    """Choose a global shortcut of the app."""
    _shortcut(state, callback_id, "global")
    installation = state.installation_for(user)
    trigger = trigger_for(state, installation, user)
    payload = base_payload(state, installation, user, "shortcut")
    payload |= {"callback_id": callback_id, "trigger_id": trigger.id}
    return send(state, installation, Interaction("shortcut", trigger.id), payload)


def message_shortcut(
    state: State, user: str, channel: str, ts: str, callback_id: str
) -> Interaction:
    """Choose a shortcut of the app from a message's menu."""
    _shortcut(state, callback_id, "message")
    place = joined(state, user, channel)
    message = state.message(channel, ts)
    installation = state.installed_for(place) or state.installation_for(user)
    trigger = trigger_for(state, installation, user)
    payload = base_payload(state, installation, user, "message_action")
    payload |= {
        "callback_id": callback_id,
        "trigger_id": trigger.id,
        "response_url": mint_response_url(state, installation, user, channel, message),
        "message_ts": ts,
        "channel": {"id": channel, "name": place.name},
        "message": message_shape(state, message),
    }
    return send(state, installation, Interaction("message_action", trigger.id), payload)


def click(
    state: State, user: str, channel: str, ts: str, action_id: str, value: Any = None
) -> Interaction:
    """Use an element under a message: press a button, choose an option, give feedback.

    `value` is what is chosen; of feedback buttons `"down"`, or its own value, is the negative one.
    Refuses with `no_such_action` if the message has no such element.
    """
    place = joined(state, user, channel)
    message = _shown_to(state, user, channel, ts)
    block_id, element = named_element(message.blocks, action_id)
    installation = state.bot_in(place) or state.installation_for(user)
    trigger = trigger_for(state, installation, user)
    action = action_of(state, user, block_id, element, value)
    payload = base_payload(state, installation, user, "block_actions")
    payload |= {
        "container": {
            "type": "message",
            "message_ts": ts,
            "channel_id": channel,
            "is_ephemeral": message.seen_by is not None,
        },
        "trigger_id": trigger.id,
        "channel": {"id": channel, "name": place.name},
        "message": message_shape(state, message),
        "state": {"values": _message_values(message, action)},
        "response_url": mint_response_url(state, installation, user, channel, message),
        "actions": [action],
    }
    if message.thread_ts:
        payload["container"]["thread_ts"] = message.thread_ts
    return send(state, installation, Interaction("block_actions", trigger.id), payload)


def _message_values(message: Message, action: Json) -> dict[str, dict[str, Json]]:
    """Return the state of a message's inputs, with what was just chosen in its place."""
    values = initial_values({"blocks": message.blocks}, {})
    held = values.get(action["block_id"], {})
    if action["action_id"] in held:
        own = ("block_id", "action_id", "action_ts")
        held[action["action_id"]] = {k: v for k, v in action.items() if k not in own}
    return values


def _shown_to(state: State, user: str, channel: str, ts: str) -> Message:
    for message in state.ephemerals:
        if (message.channel, message.ts, message.seen_by) == (channel, ts, user):
            return message
    return state.message(channel, ts)
