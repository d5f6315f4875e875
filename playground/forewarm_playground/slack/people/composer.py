"""Messages of a person: drafts in the composer, posts, edits, deletions, reactions."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence

from forewarm_playground.slack.delivery.events import send_event, subscribed
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages import richtext
from forewarm_playground.slack.messages.messages import (
    Draft,
    delete,
    edit,
    known_links,
    post,
    react,
    thread_root,
    unreact,
)
from forewarm_playground.slack.models import Channel, File, Message
from forewarm_playground.slack.state import State


def joined(state: State, user: str, channel: str) -> Channel:
    """Return a channel that a person is in, or refuse with `not_in_channel`."""
    place = state.channel(channel)
    if state.user(user).id not in place.members:
        raise SlackError("not_in_channel")
    return place


def user_named(state: State, name: str) -> str | None:
    """Return the id of the user with a name, the app's bot under its own."""
    for user in state.users.values():
        if name.lower() in (user.name.lower(), user.real_name.lower()) and not user.deleted:
            return user.id
    return None


def encode(state: State, text: str) -> str:
    """Return what Slack stores when a person types `text`."""
    return richtext.typed(text, lambda name: user_named(state, name))


def compose(state: State, user: str, channel: str, text: str, thread_ts: str | None = None) -> None:
    """Let `text` stand in a composer, unsent; links of the app's domains are announced once.

    The app hears of them in channels that it is not in, too (docs/platform/slack.md#link-shared).
    """
    place = joined(state, user, channel)
    key = (user, channel, thread_ts or "")
    seen = state.composers.setdefault(key, [])
    fresh = [link for link in known_links(state, text) if link["url"] not in seen]
    state.composers[key] = [link["url"] for link in known_links(state, text)]
    installation = state.bot_in(place) or state.installed_for(place)
    if not fresh or installation is None or not subscribed(state, "link_shared", installation):
        return
    ident = f"{user}-{state.ids.uuid()}"
    event: Json = {
        "type": "link_shared",
        "channel": "COMPOSER",
        "is_bot_user_member": installation.bot_user in place.members,
        "user": user,
        "message_ts": ident,
        "unfurl_id": ident,
        "source": "composer",
        "links": fresh,
        "event_ts": f"{state.now():.6f}",
    }
    send_event(state, installation, event)


def say(
    state: State,
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
    place = joined(state, user, channel)
    author = state.users[user]
    if not (text or snippets or files or attachments or blocks):
        raise SlackError("no_text")
    if webhook and not author.is_bot:
        raise SlackError("not_a_bot")
    stored = richtext.stored(text)
    shared = [_snippet(state, user, name, body) for name, body in (snippets or {}).items()]
    shared += [_hosted(state, user, name, body) for name, body in (files or {}).items()]
    draft = Draft(
        text=stored,
        thread_ts=thread_root(place, thread_ts),
        subtype="file_share" if shared else "bot_message" if webhook else None,
        blocks=list(blocks) or (richtext.rich_text(stored, state.ids.next("")) if stored else []),
        attachments=list(attachments),
        files=shared,
        client_msg_id=None if author.is_bot else state.ids.uuid(),
        username=author.real_name if webhook else None,
        app_context=_app_context(state, user, place),
        broadcast=broadcast,
    )
    state.composers.pop((user, channel, thread_ts or ""), None)
    return post(state, place, author, draft)


def _snippet(state: State, user: str, name: str, content: str) -> File:
    return File(
        id=state.ids.next("F"),
        team=state.users[user].team,
        user=user,
        name=name,
        title=name,
        content=content.encode(),
        created=int(state.now()),
        filetype=name.rpartition(".")[2] or "text",
    )


def _hosted(state: State, user: str, name: str, content: bytes) -> File:
    """Return a file as Slack types it, which goes by the name alone: TypeScript is a video."""
    mimetype, _ = mimetypes.guess_type(name)
    return File(
        id=state.ids.next("F"),
        team=state.users[user].team,
        user=user,
        name=name,
        title=name,
        content=content,
        created=int(state.now()),
        mode="hosted",
        filetype=name.rpartition(".")[2] or "binary",
        mimetype=mimetype or "application/octet-stream",
    )


def _app_context(state: State, user: str, place: Channel) -> Json | None:
    """Return what `message.im` says of the person's screen, if the app asked to know it."""
    if place.kind != "im" or "app_context_changed" not in state.config.app.events:
        return None
    if state.config.app.agent != "agent_view" or user not in state.contexts:
        return None
    return {"entities": state.contexts[user]}


def _own(state: State, user: str, channel: str, ts: str, refusal: str) -> Message:
    joined(state, user, channel)
    message = state.message(channel, ts)
    if message.user != user:
        raise SlackError(refusal)
    return message


def rewrite(state: State, user: str, channel: str, ts: str, text: str) -> None:
    """Edit a message of the person's own."""
    message = _own(state, user, channel, ts, "cant_update_message")
    stored = richtext.stored(text)
    edit(state, message, stored, richtext.rich_text(stored, state.ids.next("")), by=user)


def retract(state: State, user: str, channel: str, ts: str) -> None:
    """Delete a message of the person's own."""
    delete(state, _own(state, user, channel, ts, "cant_delete_message"))


def add_reaction(state: State, user: str, channel: str, ts: str, name: str) -> None:
    """React to a message."""
    joined(state, user, channel)
    react(state, state.message(channel, ts), user, name)


def take_reaction(state: State, user: str, channel: str, ts: str, name: str) -> None:
    """Take a reaction back."""
    joined(state, user, channel)
    unreact(state, state.message(channel, ts), user, name)
