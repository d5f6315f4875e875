"""What a person says: typing into the composer, posting, editing, deleting, reacting."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence

from forewarm_playground.slack import richtext
from forewarm_playground.slack.events import send_event, subscribed
from forewarm_playground.slack.posting import (
    Draft,
    delete,
    edit,
    known_links,
    post,
    react,
    thread_root,
    unreact,
)
from forewarm_playground.slack.records import Channel, File, Message
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def joined(world: World, user: str, channel: str) -> Channel:
    """Return a channel that a person is in, or refuse with `not_in_channel`."""
    place = world.channel(channel)
    if world.user(user).id not in place.members:
        raise Refusal("not_in_channel")
    return place


def user_named(world: World, name: str) -> str | None:
    """Return the id of the user with a name, the app's bot under its own."""
    for user in world.users.values():
        if name.lower() in (user.name.lower(), user.real_name.lower()) and not user.deleted:
            return user.id
    return None


def encode(world: World, text: str) -> str:
    """Return what Slack stores when a person types `text`."""
    return richtext.typed(text, lambda name: user_named(world, name))


def compose(world: World, user: str, channel: str, text: str, thread_ts: str | None = None) -> None:
    """Let `text` stand in a composer, unsent; links of the app's domains are announced once.

    The app hears of them in channels that it is not in, too (docs/platform/slack.md#link-shared).
    """
    place = joined(world, user, channel)
    key = (user, channel, thread_ts or "")
    seen = world.composers.setdefault(key, [])
    fresh = [link for link in known_links(world, text) if link["url"] not in seen]
    world.composers[key] = [link["url"] for link in known_links(world, text)]
    installation = world.bot_in(place) or world.installed_for(place)
    if not fresh or installation is None or not subscribed(world, "link_shared", installation):
        return
    ident = f"{user}-{world.ids.uuid()}"
    event: Json = {
        "type": "link_shared",
        "channel": "COMPOSER",
        "is_bot_user_member": installation.bot_user in place.members,
        "user": user,
        "message_ts": ident,
        "unfurl_id": ident,
        "source": "composer",
        "links": fresh,
        "event_ts": f"{world.now():.6f}",
    }
    send_event(world, installation, event)


def say(
    world: World,
    user: str,
    channel: str,
    text: str,
    *,
    thread_ts: str | None = None,
    broadcast: bool = False,
    snippets: Mapping[str, str] | None = None,
    webhook: bool = False,
    files: Mapping[str, bytes] | None = None,
    attachments: Sequence[Json] = (),
    blocks: Sequence[Json] = (),
) -> Message:
    """Post `text`, written as Slack stores it (`<@U…>`, `&amp;`), to a channel the person is in.

    `snippets` are shared texts and `files` other shared files, name to content. `attachments` and
    `blocks` are stored as they are. A bot's message has `bot_id` and, sent through a
    `webhook` as old integrations do, the subtype `bot_message` and no user. Refuses with
    `not_in_channel`, `no_text`, `is_archived`, `thread_not_found`.
    """
    place = joined(world, user, channel)
    author = world.users[user]
    if not (text or snippets or files or attachments or blocks):
        raise Refusal("no_text")
    if webhook and not author.is_bot:
        raise Refusal("not_a_bot")
    stored = richtext.stored(text)
    shared = [_snippet(world, user, name, body) for name, body in (snippets or {}).items()]
    shared += [_hosted(world, user, name, body) for name, body in (files or {}).items()]
    draft = Draft(
        text=stored,
        thread_ts=thread_root(place, thread_ts),
        subtype="file_share" if shared else "bot_message" if webhook else None,
        blocks=list(blocks) or (richtext.rich_text(stored, world.ids.next("")) if stored else []),
        attachments=list(attachments),
        files=shared,
        client_msg_id=None if author.is_bot else world.ids.uuid(),
        username=author.real_name if webhook else None,
        app_context=_app_context(world, user, place),
        broadcast=broadcast,
    )
    world.composers.pop((user, channel, thread_ts or ""), None)
    return post(world, place, author, draft)


def _snippet(world: World, user: str, name: str, content: str) -> File:
    return File(
        id=world.ids.next("F"),
        team=world.users[user].team,
        user=user,
        name=name,
        title=name,
        content=content.encode(),
        created=int(world.now()),
        filetype=name.rpartition(".")[2] or "text",
    )


def _hosted(world: World, user: str, name: str, content: bytes) -> File:
    """Return a file as Slack types it, which goes by the name alone: TypeScript is a video."""
    mimetype, _ = mimetypes.guess_type(name)
    return File(
        id=world.ids.next("F"),
        team=world.users[user].team,
        user=user,
        name=name,
        title=name,
        content=content,
        created=int(world.now()),
        mode="hosted",
        filetype=name.rpartition(".")[2] or "binary",
        mimetype=mimetype or "application/octet-stream",
    )


def _app_context(world: World, user: str, place: Channel) -> Json | None:
    """Return what `message.im` says of the person's screen, if the app asked to know it."""
    if place.kind != "im" or "app_context_changed" not in world.config.app.events:
        return None
    if world.config.app.agent != "agent_view" or user not in world.contexts:
        return None
    return {"entities": world.contexts[user]}


def _own(world: World, user: str, channel: str, ts: str, refusal: str) -> Message:
    joined(world, user, channel)
    message = world.message(channel, ts)
    if message.user != user:
        raise Refusal(refusal)
    return message


def rewrite(world: World, user: str, channel: str, ts: str, text: str) -> None:
    """Edit a message of the person's own."""
    message = _own(world, user, channel, ts, "cant_update_message")
    stored = richtext.stored(text)
    edit(world, message, stored, richtext.rich_text(stored, world.ids.next("")), by=user)


def retract(world: World, user: str, channel: str, ts: str) -> None:
    """Delete a message of the person's own."""
    delete(world, _own(world, user, channel, ts, "cant_delete_message"))


def add_reaction(world: World, user: str, channel: str, ts: str, name: str) -> None:
    """React to a message."""
    joined(world, user, channel)
    react(world, world.message(channel, ts), user, name)


def take_reaction(world: World, user: str, channel: str, ts: str, name: str) -> None:
    """Take a reaction back."""
    joined(world, user, channel)
    unreact(world, world.message(channel, ts), user, name)
