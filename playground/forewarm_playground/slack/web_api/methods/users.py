"""`users.*`."""

from __future__ import annotations

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import channel_shape, user_shape
from forewarm_playground.slack.models import User
from forewarm_playground.slack.web_api.access import visible_user
from forewarm_playground.slack.web_api.methods.conversations import listed_kinds, member_of
from forewarm_playground.slack.web_api.paging import page
from forewarm_playground.slack.web_api.registry import Call, method


def _shape(call: Call, user: User) -> Json:
    email = "users:read.email" in call.bot.scopes
    shape = user_shape(call.state, user, call.bot.team, email=email)
    if call.arguments.flag("include_locale"):
        shape["locale"] = user.locale
    return shape


@method("users.info", "users:read", tier=4)
def info(call: Call) -> Json:
    """Return one user."""
    return {"user": _shape(call, visible_user(call))}


@method("users.list", "users:read", tier=2)
def list_users(call: Call) -> Json:
    """Return the users of the workspace, a page at a time."""
    users = [user for user in call.state.users.values() if user.team == call.bot.team]
    shown, cursor = page(call.arguments, users, default=200, most=1000)
    return {
        "members": [_shape(call, user) for user in shown],
        "cache_ts": int(call.at),
        "response_metadata": {"next_cursor": cursor},
    }


@method("users.lookupByEmail", "users:read.email", tier=3)
def lookup_by_email(call: Call) -> Json:
    """Return the user with an e-mail address."""
    wanted = call.arguments.text("email").lower()
    for user in call.state.users.values():
        if user.email.lower() == wanted and user.team == call.bot.team and not user.deleted:
            return {"user": _shape(call, user)}
    raise SlackError("users_not_found")


@method("users.conversations", tier=3)
def conversations(call: Call) -> Json:
    """Return the conversations of a user that the bot can know of; by default the bot's own."""
    kinds = listed_kinds(call)
    wanted = call.arguments.optional("user") or call.bot.bot_user
    call.state.user(wanted)
    found = [
        channel
        for channel in member_of(call, wanted)
        if channel.kind in kinds
        and not (channel.archived and call.arguments.flag("exclude_archived"))
    ]
    shown, cursor = page(call.arguments, found, default=100, most=999)
    return {
        "channels": [channel_shape(call.state, c, call.bot.bot_user) for c in shown],
        "response_metadata": {"next_cursor": cursor},
    }
