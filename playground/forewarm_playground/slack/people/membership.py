"""People and bots join and leave channels."""

from __future__ import annotations

from forewarm_playground.slack.delivery.events import joined_scope, send_event, subscribed
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages.messages import Draft, hear_mentions, post
from forewarm_playground.slack.models import Channel
from forewarm_playground.slack.state import State


def join(state: State, channel: Channel, user: str, *, inviter: str | None = None) -> None:
    """Make a user a member; the app hears of it, of its own joining too.

    Source: docs/platform/slack.md#member-joined.
    """
    if user in channel.members:
        return
    if channel.archived:
        raise SlackError("is_archived")
    person = state.user(user)
    app = state.installations.get(channel.team)
    of_organisation = app is not None and app.bot_user == user
    at_home = person.team == channel.team or person.team in channel.shared_with
    if not at_home and not of_organisation:
        raise SlackError("user_not_in_workspace")
    channel.members[user] = None
    state.publish(Change("members", channel.id))
    _announce(state, channel, user, "channel_join", f"<@{user}> has joined the channel")
    _tell(state, channel, user, "member_joined_channel", inviter)
    if person.app_id == state.config.app.id:
        hear_mentions(state, channel)


def leave(state: State, channel: Channel, user: str) -> None:
    """Take a user out of a channel; the app hears of it while it is a member itself."""
    if user not in channel.members:
        raise SlackError("not_in_channel")
    _announce(state, channel, user, "channel_leave", f"<@{user}> has left the channel")
    _tell(state, channel, user, "member_left_channel", None)
    del channel.members[user]
    state.publish(Change("members", channel.id))


def archive(state: State, channel: Channel, user: str) -> None:
    """Archive a channel, as one of its members. Posting there is refused; the app hears of it."""
    if user not in channel.members:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("already_archived")
    kind = "channel_archive" if channel.kind == "public" else "group_archive"
    installation = state.bot_in(channel)
    _announce(state, channel, user, "channel_archive", f"<@{user}> archived the channel")
    channel.archived = True
    state.publish(Change("channel", channel.id))
    if installation is None or not subscribed(state, kind, installation):
        return
    if joined_scope(channel) not in installation.scopes:
        return
    stamp = channel.stamp(state.now())
    event: Json = {"type": kind, "channel": channel.id, "user": user, "event_ts": stamp}
    send_event(state, installation, event, channel=channel)


def _announce(state: State, channel: Channel, user: str, subtype: str, text: str) -> None:
    """Post Slack's own message about a change, if the configuration asks for such messages."""
    if state.config.membership_messages:
        post(state, channel, state.users[user], Draft(text=text, subtype=subtype))


def _tell(state: State, channel: Channel, user: str, kind: str, inviter: str | None) -> None:
    installation = state.bot_in(channel)
    if installation is None or not subscribed(state, kind, installation):
        return
    if joined_scope(channel) not in installation.scopes:
        return
    event: Json = {
        "type": kind,
        "user": user,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": state.users[user].team,
        "event_ts": channel.stamp(state.now()),
    }
    if inviter is not None:
        event["inviter"] = inviter
    send_event(state, installation, event, channel=channel)
