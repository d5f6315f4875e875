"""Which conversations and people a bot may read and write."""

from __future__ import annotations

from forewarm_playground.slack.delivery.events import MESSAGE_KIND
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.models import Channel, Installation, User
from forewarm_playground.slack.state import State
from forewarm_playground.slack.web_api.registry import Call


def reachable(state: State, channel: Channel, bot: Installation) -> bool:
    """Tell whether a bot can know of a channel: public in its workspace, or it is a member."""
    teams = (channel.team, *channel.shared_with)
    return bot.bot_user in channel.members or (channel.kind == "public" and bot.team in teams)


def named_channel(call: Call, argument: str = "channel") -> Channel:
    """Return the conversation that an argument names by id or `#name`, if the bot can know of it.

    Refuses with `channel_not_found`.
    """
    wanted = call.arguments.text(argument)
    channel = call.state.channels.get(wanted)
    if channel is None:
        name = wanted.removeprefix("#")
        named = (c for c in call.state.channels.values() if c.name == name and c.kind != "im")
        channel = next(named, None)
    if channel is None or not reachable(call.state, channel, call.bot):
        raise SlackError("channel_not_found")
    return channel


def readable_channel(call: Call, right: str) -> Channel:
    """Return the named conversation if the token's scopes let it use `right` (read, history)."""
    channel = named_channel(call)
    call.require(f"{MESSAGE_KIND[channel.kind]}:{right}")
    return channel


def joined_channel(call: Call, right: str) -> Channel:
    """Return a readable conversation that the bot is a member of, or refuse `not_in_channel`."""
    channel = readable_channel(call, right)
    if call.bot.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def writable_channel(call: Call) -> Channel:
    """Return the conversation to post to; a user's id means the direct message with them."""
    wanted = call.arguments.text("channel")
    user = call.state.users.get(wanted)
    if user is not None:
        if user.is_bot or user.deleted:
            raise SlackError("channel_not_found")
        members = [user.id, call.bot.bot_user]
        channel = call.state.open_conversation(members, call.bot.team)
    else:
        channel = named_channel(call)
    if call.bot.bot_user not in channel.members and "chat:write.public" not in call.bot.scopes:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    if channel.kind == "im" and not call.state.config.app.messages_tab:
        raise SlackError("messages_tab_disabled")
    return channel


def visible_user(call: Call, argument: str = "user") -> User:
    """Return a user of the bot's workspace, or one who shares a channel with it."""
    user = call.state.user(call.arguments.text(argument))
    if user.team != call.bot.team and not _meets(call.state, user, call.bot):
        raise SlackError("user_not_visible")
    return user


def _meets(state: State, user: User, bot: Installation) -> bool:
    return any(
        user.id in channel.members and bot.team in (channel.team, *channel.shared_with)
        for channel in state.channels.values()
    )
