"""`reactions.*`."""

from __future__ import annotations

import re

from forewarm_playground.slack.access import named_channel
from forewarm_playground.slack.posting import react, unreact
from forewarm_playground.slack.records import Message
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.shapes import message_shape
from forewarm_playground.slack.web_api import Call, method
from forewarm_playground.slack.wire import Json

_NAME = re.compile(r"[a-z0-9_'+-]+(?:::skin-tone-[2-6])?")


def _item(call: Call) -> Message:
    channel = named_channel(call)
    message = channel.messages.get(call.arguments.text("timestamp"))
    if message is None:
        raise Refusal("message_not_found")
    if call.bot.bot_user not in channel.members:
        raise Refusal("not_in_channel")
    return message


def _name(call: Call) -> str:
    name = call.arguments.text("name").strip(":")
    if _NAME.fullmatch(name) is None:
        raise Refusal("invalid_name")
    return name


@method("reactions.add", "reactions:write", tier=3)
def add(call: Call) -> Json:
    """React to a message as the bot."""
    react(call.world, _item(call), call.bot.bot_user, _name(call))
    return {}


@method("reactions.remove", "reactions:write", tier=2)
def remove(call: Call) -> Json:
    """Take the bot's reaction back."""
    unreact(call.world, _item(call), call.bot.bot_user, _name(call))
    return {}


@method("reactions.get", "reactions:read", tier=3)
def get(call: Call) -> Json:
    """Return a message with its reactions."""
    message = _item(call)
    return {
        "type": "message",
        "channel": message.channel,
        "message": message_shape(call.world, message),
    }
