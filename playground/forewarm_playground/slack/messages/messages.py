"""Messages are posted, edited and deleted, and the app and the page are notified."""

from __future__ import annotations

from dataclasses import dataclass, field

from forewarm_playground.slack.delivery.events import send_event, send_message_event, subscribed
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json, is_ts
from forewarm_playground.slack.json_shapes import TOMBSTONE_TEXT, file_shape, message_shape
from forewarm_playground.slack.messages import richtext
from forewarm_playground.slack.models import Channel, File, Message, Stream, User
from forewarm_playground.slack.state import State


@dataclass(slots=True)
class Draft:
    """A message about to be posted; what a field means, `Message` says."""

    text: str = ""
    thread_ts: str | None = None
    subtype: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    username: str | None = None
    icons: Json | None = None
    metadata: Json | None = None
    app_context: Json | None = None
    client_msg_id: str | None = None
    stream: Stream | None = None
    markdown: bool = False
    unfurls: bool = False
    broadcast: bool = False


def thread_root(channel: Channel, thread_ts: str | None) -> str | None:
    """Return the root of the thread that `thread_ts` names, which may be any message of it."""
    if thread_ts is None:
        return None
    if not is_ts(thread_ts):
        raise SlackError("invalid_thread_ts")
    named = channel.messages.get(thread_ts)
    if named is None:
        raise SlackError("thread_not_found")
    return named.root_ts


def post(state: State, channel: Channel, author: User, draft: Draft) -> Message:
    """Add a message to a channel and tell the app what Slack tells it.

    Refuses with `is_archived`, `invalid_thread_ts` or `thread_not_found`.
    """
    if channel.archived:
        raise SlackError("is_archived")
    root = thread_root(channel, draft.thread_ts)
    message = Message(
        channel=channel.id,
        ts=channel.stamp(state.now()),
        user=author.id,
        team=author.team,
        text=draft.text,
        thread_ts=root,
        subtype="thread_broadcast" if draft.broadcast and root else draft.subtype,
        blocks=draft.blocks,
        attachments=draft.attachments,
        bot_id=author.bot_id,
        app_id=author.app_id,
        username=draft.username,
        icons=draft.icons,
        client_msg_id=draft.client_msg_id,
        metadata=draft.metadata,
        app_context=draft.app_context,
        stream=draft.stream,
        markdown=draft.markdown,
        unfurls=draft.unfurls,
        broadcast=draft.broadcast,
    )
    _attach(state, message, draft.files)
    _enter(channel, message)
    state.publish(Change("message", channel.id, message.ts))
    announce(state, channel, message)
    return message


def _attach(state: State, message: Message, files: list[File]) -> None:
    for file in files:
        state.files[file.id] = file
        file.channels.append(message.channel)
    message.files = [file_shape(state, file) for file in files]


def _enter(channel: Channel, message: Message) -> None:
    channel.messages[message.ts] = message
    if not message.is_reply or message.broadcast:
        channel.list_top_level(message.ts)
    if message.is_reply and message.thread_ts is not None:
        root = channel.messages[message.thread_ts]
        root.replies.append(message.ts)
        if message.user not in root.repliers:
            root.repliers.append(message.user)


def announce(state: State, channel: Channel, message: Message) -> None:
    """Tell the app of a new message: a mention, the message itself, links that it unfurls."""
    event = message_shape(state, message) | {"event_ts": message.ts}
    if message.app_context is not None:
        event["app_context"] = message.app_context
    _announce_mention(state, channel, message, event)
    send_message_event(state, channel, event | {"channel": channel.id})
    own = message.app_id == state.config.app.id
    if not own:
        links = known_links(state, message.text)
        if links:
            _announce_links(state, channel, message, links)


def _announce_mention(state: State, channel: Channel, message: Message, event: Json) -> None:
    mentioned = richtext.mentioned(message.text)
    if not mentioned or channel.kind == "im" or message.app_id == state.config.app.id:
        return
    for installation in state.installations.values():
        elsewhere = installation.team not in (channel.team, *channel.shared_with)
        if installation.grant.organisation and elsewhere:
            # One bot user in all workspaces of an organisation: its mention is heard in one.
            continue
        if installation.bot_user not in mentioned:
            continue
        if installation.bot_user not in channel.members:
            channel.unheard.append(message)
        elif subscribed(state, "app_mention", installation):
            mention = {**event, "type": "app_mention", "channel": channel.id}
            mention |= foreign_fields(state, message, installation.team)
            send_event(state, installation, mention, channel=channel)


def foreign_fields(state: State, message: Message, team: str) -> Json:
    """Return what a mention says of an author from another organisation.

    Source: docs/platform/slack.md#messages-and-mentions.
    """
    author = state.users.get(message.user)
    if author is None or author.team == team:
        return {}
    return {
        "user_team": author.team,
        "source_team": author.team,
        "user_profile": {
            "name": author.name,
            "real_name": author.real_name,
            "display_name": author.name,
            "team": author.team,
            "is_restricted": author.is_guest,
            "is_ultra_restricted": author.kind == "single_channel_guest",
        },
    }


def hear_mentions(state: State, channel: Channel) -> None:
    """Deliver the mentions that a bot missed before it was invited.

    Source: docs/platform/slack.md#mentions-of-a-bot-that-is-not-a-member.
    """
    unheard, channel.unheard = channel.unheard, []
    for message in unheard:
        if message.ts in channel.messages:
            event = message_shape(state, message) | {"event_ts": message.ts}
            _announce_mention(state, channel, message, event)


def known_links(state: State, text: str) -> list[Json]:
    """Return the links of a text whose domain the app claims, as `link_shared` lists them."""
    links = []
    for url in richtext.urls(text):
        host = url.split("/", 3)[2].split(":")[0].lower()
        for domain in state.config.app.unfurl_domains:
            if host == domain or host.endswith(f".{domain}"):
                links.append({"domain": domain, "url": url})
    return links


def _announce_links(state: State, channel: Channel, message: Message, links: list[Json]) -> None:
    installation = state.bot_in(channel) or state.installed_for(channel)
    if installation is None or not subscribed(state, "link_shared", installation):
        return
    event: Json = {
        "type": "link_shared",
        "channel": channel.id,
        "is_bot_user_member": installation.bot_user in channel.members,
        "user": message.user,
        "message_ts": message.ts,
        "unfurl_id": f"{channel.id}.{message.ts}.{state.ids.next('')}",
        "source": "conversations_history",
        "links": links,
        "event_ts": message.ts,
    }
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
    send_event(state, installation, event, channel=channel)


def edit(state: State, message: Message, text: str, blocks: list[Json], *, by: str) -> None:
    """Replace a message's text and blocks and tell the app, with what stood before."""
    before = message_shape(state, message)
    message.text, message.blocks = text, blocks
    channel = state.channels[message.channel]
    stamp = channel.stamp(state.now())
    message.edited = {"user": by, "ts": stamp}
    changed(state, message, before, stamp)


def changed(state: State, message: Message, before: Json, stamp: str) -> None:
    """Notify the app and the page that a message has changed."""
    channel = state.channels[message.channel]
    state.publish(Change("message_changed", channel.id, message.ts))
    event: Json = {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "message": message_shape(state, message),
        "previous_message": before,
        "ts": stamp,
        "event_ts": stamp,
    }
    send_message_event(state, channel, event)


def delete(state: State, message: Message) -> None:
    """Delete a message; the root of a thread with replies leaves a tombstone."""
    channel = state.channels[message.channel]
    before = message_shape(state, message)
    stamp = channel.stamp(state.now())
    if message.replies:
        _replace_with_tombstone(message)
        changed(state, message, before, stamp)
        return
    _leave(channel, message)
    state.publish(Change("message_deleted", channel.id, message.ts))
    event: Json = {
        "type": "message",
        "subtype": "message_deleted",
        "hidden": True,
        "deleted_ts": message.ts,
        "previous_message": before,
        "ts": stamp,
        "event_ts": stamp,
    }
    send_message_event(state, channel, event)


def _replace_with_tombstone(message: Message) -> None:
    message.subtype, message.user = "tombstone", "USLACKBOT"
    message.text, message.blocks, message.files, message.attachments = TOMBSTONE_TEXT, [], [], []
    message.bot_id = message.app_id = message.stream = None
    message.reactions = {}


def _leave(channel: Channel, message: Message) -> None:
    del channel.messages[message.ts]
    channel.unlist(message.ts)
    root = channel.messages.get(message.thread_ts or "")
    if root is not None and message.ts in root.replies:
        root.replies.remove(message.ts)
        authors = (channel.messages[ts].user for ts in root.replies)
        root.repliers = list(dict.fromkeys(authors))


def react(state: State, message: Message, user: str, name: str) -> None:
    """Add a reaction, or refuse with `already_reacted`."""
    users = message.reactions.setdefault(name, [])
    if user in users:
        raise SlackError("already_reacted")
    users.append(user)
    _tell_reaction(state, message, user, name, "reaction_added")


def unreact(state: State, message: Message, user: str, name: str) -> None:
    """Take a reaction back, or refuse with `no_reaction`."""
    users = message.reactions.get(name, [])
    if user not in users:
        raise SlackError("no_reaction")
    users.remove(user)
    if not users:
        del message.reactions[name]
    _tell_reaction(state, message, user, name, "reaction_removed")


def _tell_reaction(state: State, message: Message, user: str, name: str, kind: str) -> None:
    channel = state.channels[message.channel]
    state.publish(Change("message_changed", channel.id, message.ts))
    installation = state.bot_in(channel)
    if installation is None or not subscribed(state, kind, installation):
        return
    event: Json = {
        "type": kind,
        "user": user,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "event_ts": channel.stamp(state.now()),
    }
    send_event(state, installation, event, channel=channel)
