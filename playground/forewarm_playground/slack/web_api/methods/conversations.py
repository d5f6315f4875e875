"""`conversations.*`."""

from __future__ import annotations

from forewarm_playground.slack.config import ChannelKind
from forewarm_playground.slack.delivery.events import MESSAGE_KIND
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json, is_ts, ts_to_us
from forewarm_playground.slack.json_shapes import channel_shape, message_shape
from forewarm_playground.slack.models import Channel
from forewarm_playground.slack.people.membership import join, leave
from forewarm_playground.slack.web_api.access import (
    joined_channel,
    named_channel,
    reachable,
    readable_channel,
)
from forewarm_playground.slack.web_api.paging import decode, encode, limit, page
from forewarm_playground.slack.web_api.registry import Call, method

_TYPES: dict[str, ChannelKind] = {
    "public_channel": "public",
    "private_channel": "private",
    "im": "im",
    "mpim": "mpim",
}
_COMMERCIAL_PAGE = 15


@method("conversations.info", tier=3)
def info(call: Call) -> Json:
    """Return one conversation."""
    channel = readable_channel(call, "read")
    shape = channel_shape(call.state, channel, call.bot.bot_user)
    if call.arguments.flag("include_num_members"):
        shape["num_members"] = len(channel.members)
    if call.arguments.flag("include_locale"):
        shape["locale"] = "en-US"
    return {"channel": shape}


@method("conversations.members", tier=4)
def members(call: Call) -> Json:
    """Return the members of a conversation, a page at a time."""
    channel = readable_channel(call, "read")
    shown, cursor = page(call.arguments, list(channel.members), default=100, most=1000)
    return {"members": list(shown), "response_metadata": {"next_cursor": cursor}}


def listed_kinds(call: Call) -> list[ChannelKind]:
    """Return the kinds that a listing asks for; each needs its own scope."""
    names = call.arguments.words("types") or ["public_channel"]
    if not all(name in _TYPES for name in names):
        raise SlackError("invalid_types")
    kinds = [_TYPES[name] for name in names]
    for kind in kinds:
        call.require(f"{MESSAGE_KIND[kind]}:read")
    return kinds


def member_of(call: Call, user: str) -> list[Channel]:
    """Return the conversations with a user in them that the bot can know of."""
    return [
        channel
        for channel in call.state.channels.values()
        if user in channel.members and reachable(call.state, channel, call.bot)
    ]


@method("conversations.list", tier=2)
def list_conversations(call: Call) -> Json:
    """Return the conversations that the bot can know of, a page at a time."""
    kinds = listed_kinds(call)
    found = [
        channel
        for channel in call.state.channels.values()
        if channel.kind in kinds
        and reachable(call.state, channel, call.bot)
        and not (channel.archived and call.arguments.flag("exclude_archived"))
    ]
    shown, cursor = page(call.arguments, found, default=100, most=999)
    return {
        "channels": [channel_shape(call.state, c, call.bot.bot_user) for c in shown],
        "response_metadata": {"next_cursor": cursor},
    }


def _range(call: Call) -> tuple[int | None, int | None, bool]:
    bounds: list[int | None] = []
    for name, refusal in (("oldest", "invalid_ts_oldest"), ("latest", "invalid_ts_latest")):
        given = call.arguments.optional(name)
        if not given or given in ("0", "now"):
            bounds.append(None)
        elif is_ts(given) or given.isdigit():
            bounds.append(ts_to_us(given))
        else:
            raise SlackError(refusal)
    return bounds[0], bounds[1], call.arguments.flag("inclusive")


def _limit(call: Call, default: int, method_name: str) -> int:
    if call.state.config.app.commercial:
        slow(call, method_name)
        return limit(call.arguments, default=_COMMERCIAL_PAGE, most=_COMMERCIAL_PAGE)
    return limit(call.arguments, default=default, most=999)


def _shown(call: Call, channel: Channel, ts: str) -> Json:
    """Return a message, with its metadata only if the call asks for that."""
    shape = message_shape(call.state, channel.messages[ts])
    if not call.arguments.flag("include_all_metadata"):
        shape.pop("metadata", None)
    return shape


def slow(call: Call, method_name: str) -> None:
    """Hold an app outside the Marketplace to one call a minute.

    Source: docs/platform/slack.md#history-limit.
    """
    if wait := call.limiter.call(f"commercial {method_name}", call.bot.team, 1, call.at):
        raise SlackError("ratelimited", retry_after=wait)


@method("conversations.history", tier=3)
def history(call: Call) -> Json:
    """Return the messages of a channel, newest first, without thread replies."""
    channel = joined_channel(call, "history")
    count = _limit(call, 100, "history")
    oldest, latest, inclusive = _range(call)
    if cursor := call.arguments.optional("cursor"):
        latest, inclusive = int(decode(cursor)), True
    stamps = channel.between(oldest, latest, inclusive=inclusive)
    shown = stamps[-count:][::-1]
    more = len(stamps) > count
    body: Json = {
        "messages": [_shown(call, channel, ts) for ts in shown],
        "has_more": more,
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if more:
        mark = str(ts_to_us(stamps[-count - 1]))
        body["response_metadata"] = {"next_cursor": encode(mark)}
    return body


@method("conversations.replies", tier=3)
def replies(call: Call) -> Json:
    """Return a thread, its root first, then replies from the oldest."""
    channel = joined_channel(call, "history")
    count = _limit(call, 999, "replies")
    named = channel.messages.get(call.arguments.text("ts"))
    root = channel.messages.get(named.root_ts) if named else None
    if root is None:
        raise SlackError("thread_not_found")
    oldest, latest, inclusive = _range(call)
    if cursor := call.arguments.optional("cursor"):
        oldest, inclusive = int(decode(cursor)), True
    low = (oldest or 0) - (1 if inclusive else 0)
    high = latest if latest is not None else channel.last_us + 1
    high += 1 if inclusive else 0
    stamps = [ts for ts in root.replies if low < ts_to_us(ts) < high]
    shown = stamps[: max(count - 1, 0)]
    body: Json = {
        "messages": [_shown(call, channel, ts) for ts in (root.ts, *shown)],
        "has_more": len(stamps) > len(shown),
    }
    if body["has_more"]:
        mark = str(ts_to_us(stamps[len(shown)]))
        body["response_metadata"] = {"next_cursor": encode(mark)}
    return body


@method("conversations.open", "im:write", "mpim:write", tier=3)
def open_conversation(call: Call) -> Json:
    """Open the direct or group message with up to eight users."""
    if call.arguments.has("channel"):
        channel = named_channel(call)
        opened = True
    else:
        users = call.arguments.words("users")
        if not users:
            raise SlackError("users_list_not_supplied")
        if len(users) > 8:
            raise SlackError("too_many_users")
        for user in users:
            call.state.user(user)
        call.require("im:write" if len(users) == 1 else "mpim:write")
        before = len(call.state.channels)
        channel = call.state.open_conversation([*users, call.bot.bot_user], call.bot.team)
        opened = len(call.state.channels) == before
    shape: Json = {"id": channel.id}
    if call.arguments.flag("return_im"):
        shape = channel_shape(call.state, channel, call.bot.bot_user)
    return {"channel": shape, "already_open": opened, "no_op": opened}


@method("conversations.join", "channels:join", tier=3)
def join_channel(call: Call) -> Json:
    """Make the bot a member of a public channel."""
    channel = named_channel(call)
    if channel.kind != "public":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    already = call.bot.bot_user in channel.members
    join(call.state, channel, call.bot.bot_user)
    body: Json = {"channel": channel_shape(call.state, channel, call.bot.bot_user)}
    return {**body, "warning": "already_in_channel"} if already else body


@method("conversations.leave", "channels:manage", "groups:write", tier=3)
def leave_channel(call: Call) -> Json:
    """Take the bot out of a channel."""
    channel = named_channel(call)
    if call.bot.bot_user not in channel.members:
        return {"not_in_channel": True}
    leave(call.state, channel, call.bot.bot_user)
    return {}
