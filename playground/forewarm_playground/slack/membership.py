"""People and bots join and leave channels."""

from __future__ import annotations

from forewarm_playground.slack.delivery import Change
from forewarm_playground.slack.events import joined_scope, send_event, subscribed
from forewarm_playground.slack.posting import hear_mentions
from forewarm_playground.slack.records import Channel
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def join(world: World, channel: Channel, user: str, *, inviter: str | None = None) -> None:
    """Make a user a member; the app hears of it, of its own joining too.

    Source: docs/platform/slack.md#member-joined.
    """
    if user in channel.members:
        return
    if channel.archived:
        raise Refusal("is_archived")
    person = world.user(user)
    if person.team != channel.team and person.team not in channel.shared_with:
        raise Refusal("user_not_in_workspace")
    channel.members[user] = None
    world.publish(Change("members", channel.id))
    _tell(world, channel, user, "member_joined_channel", inviter)
    if person.app_id == world.config.app.id:
        hear_mentions(world, channel)


def leave(world: World, channel: Channel, user: str) -> None:
    """Take a user out of a channel; the app hears of it while it is a member itself."""
    if user not in channel.members:
        raise Refusal("not_in_channel")
    _tell(world, channel, user, "member_left_channel", None)
    del channel.members[user]
    world.publish(Change("members", channel.id))


def archive(world: World, channel: Channel, user: str) -> None:
    """Archive a channel, as one of its members: nobody can post there, and the app hears of it."""
    if user not in channel.members:
        raise Refusal("not_in_channel")
    if channel.archived:
        raise Refusal("already_archived")
    kind = "channel_archive" if channel.kind == "public" else "group_archive"
    installation = world.bot_in(channel)
    channel.archived = True
    world.publish(Change("channel", channel.id))
    if installation is None or not subscribed(world, kind, installation):
        return
    if joined_scope(channel) not in installation.scopes:
        return
    stamp = channel.stamp(world.now())
    event: Json = {"type": kind, "channel": channel.id, "user": user, "event_ts": stamp}
    send_event(world, installation, event, channel=channel)


def _tell(world: World, channel: Channel, user: str, kind: str, inviter: str | None) -> None:
    installation = world.bot_in(channel)
    if installation is None or not subscribed(world, kind, installation):
        return
    if joined_scope(channel) not in installation.scopes:
        return
    event: Json = {
        "type": kind,
        "user": user,
        "channel": channel.id,
        "channel_type": "C" if channel.kind == "public" else "G",
        "team": world.users[user].team,
        "event_ts": channel.stamp(world.now()),
    }
    if inviter is not None:
        event["inviter"] = inviter
    send_event(world, installation, event, channel=channel)
