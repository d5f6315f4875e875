"""`reactions.*`."""

from __future__ import annotations

import re

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import message_shape
from forewarm_playground.slack.messages.messages import react, unreact
from forewarm_playground.slack.models import Message
from forewarm_playground.slack.web_api.access import named_channel
from forewarm_playground.slack.web_api.registry import Call, method

_NAME = re.compile(r"[a-z0-9_'+-]+(?:::skin-tone-[2-6])?")


def _item(call: Call) -> Message:
    channel = named_channel(call)
    message = channel.messages.get(call.arguments.text("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    if call.bot.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return message


def _name(call: Call) -> str:
    name = call.arguments.text("name").strip(":")
    if _NAME.fullmatch(name) is None:
        raise SlackError("invalid_name")
    return name


@method("reactions.add", "reactions:write", tier=3)
def add(call: Call) -> Json:
    """React to a message as the bot."""
    react(call.state, _item(call), call.bot.bot_user, _name(call))
    return {}


@method("reactions.remove", "reactions:write", tier=2)
def remove(call: Call) -> Json:
    """Take the bot's reaction back."""
    unreact(call.state, _item(call), call.bot.bot_user, _name(call))
    return {}


@method("reactions.get", "reactions:read", tier=3)
def get(call: Call) -> Json:
    """Return a message with its reactions."""
    message = _item(call)
    return {
        "type": "message",
        "channel": message.channel,
        "message": message_shape(call.state, message),
    }
