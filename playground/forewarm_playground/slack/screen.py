"""What one person has on screen: the same world, seen by one user, as JSON for a page."""

from __future__ import annotations

from forewarm_playground.slack.agency import is_agent, session_status, status_of
from forewarm_playground.slack.delivery import Change
from forewarm_playground.slack.events import subscribed
from forewarm_playground.slack.records import Channel, Message, User, View
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.shapes import message_shape, view_shape
from forewarm_playground.slack.streams import stream_state
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def hides_text(world: World, message: Message, user: str) -> bool:
    """Tell whether a stream's text is kept from a person: only its recipient sees it grow.

    Others see an empty bubble until it stops (docs/platform/slack.md#streaming-behaviour).
    """
    stream = message.stream
    if stream is None or stream.recipient == user:
        return False
    return stream_state(stream, world.now()) != "completed"


def shown_text(world: World, message: Message, user: str) -> str:
    """Return the text of a message that a person has on screen."""
    return "" if hides_text(world, message, user) else message.text


def person_shape(user: User) -> Json:
    """Return a user as a page needs them."""
    return {
        "id": user.id,
        "name": user.name,
        "real_name": user.real_name,
        "kind": user.kind,
        "workspace": user.team,
        "deleted": user.deleted,
    }


def channel_view(world: World, channel: Channel, user: str) -> Json:
    """Return a conversation as a person's sidebar shows it."""
    others = [member for member in channel.members if member != user]
    name = channel.name
    if channel.kind in ("im", "mpim"):
        name = ", ".join(
            world.users[member].real_name for member in others if member in world.users
        )
    bot = world.bot_in(channel)
    return {
        "id": channel.id,
        "name": name,
        "kind": channel.kind,
        "workspace": channel.team,
        "shared": channel.is_shared,
        "archived": channel.archived,
        "topic": channel.topic,
        "members": list(channel.members),
        "is_member": user in channel.members,
        "bot_is_member": bot is not None,
        "last_ts": next(reversed(channel.messages), None),
    }


def message_view(world: World, message: Message, user: str) -> Json:
    """Return a message as a person sees it.

    `live` says that text is still arriving; `hidden` that it is kept from this person so far.
    """
    shape = message_shape(world, message)
    hidden = hides_text(world, message, user)
    if hidden:
        shape |= {"text": "", "blocks": []}
    state = shape.get("streaming_state")
    shape |= {
        "live": state == "in_progress",
        "broken": state == "errored",
        "hidden": hidden,
        "ephemeral": message.seen_by is not None,
        "markdown": message.markdown,
    }
    if message.stream is not None:
        shape["recipient"] = message.stream.recipient
        shape["task_display_mode"] = message.stream.display
        shape["stopped_by_user"] = message.stream.stopped_by_user
    return shape


def modal_view(world: World, view: View) -> Json:
    """Return a view with what is filled in and the errors that the app gave, by block."""
    return view_shape(world, view) | {"errors": world.view_errors.get(view.id, {})}


def modals_view(world: World, user: str) -> list[Json]:
    """Return the stack of a person's modals, the one in front last."""
    return [modal_view(world, world.views[ident]) for ident in world.modals.get(user, [])]


def home_shape(world: World, user: str) -> Json | None:
    """Return the person's Home tab, or None if the app published none."""
    ident = world.homes.get((world.installation_for(user).team, user))
    return None if ident is None else view_shape(world, world.views[ident])


def status_shape(world: World, channel: str, thread_ts: str) -> Json:
    """Return the status line of a thread; an empty text means none."""
    status = status_of(world, channel, thread_ts)
    return {
        "channel": channel,
        "thread_ts": thread_ts,
        "text": status.text if status else "",
        "loading": list(status.loading) if status else [],
    }


def session_shape(world: World, channel: str, thread_ts: str) -> Json:
    """Return an agent's session; `can_stop` says whether there is a Stop button."""
    session = world.sessions[channel, thread_ts]
    status = session_status(world, session)
    bot = world.bot_in(world.channels[channel])
    hears = bot is not None and subscribed(world, "agent_session_stopped", bot)
    return {
        "channel": channel,
        "thread_ts": thread_ts,
        "status": status,
        "title": session.title,
        "can_stop": hears and status == "processing",
    }


def prompts_shape(world: World, channel: str, thread_ts: str) -> Json:
    """Return the prompts that the app suggests in a conversation; its manifest's if it set none."""
    held = world.prompts.get((channel, thread_ts))
    if held is None and is_agent(world):
        held = {"title": "", "prompts": [*world.config.app.suggested_prompts]}
    return {"channel": channel, "thread_ts": thread_ts, **(held or {"title": "", "prompts": []})}


def visible_channels(world: World, user: str) -> list[Channel]:
    """Return the conversations that a person is in, and public ones that they could join."""
    return [channel for channel in world.channels.values() if may_see(world, channel, user)]


def may_see(world: World, channel: Channel, user: str) -> bool:
    """Tell whether a person can read a conversation: theirs, or public and they are no guest."""
    person = world.user(user)
    open_to_all = channel.kind == "public" and channel.team == person.team
    return user in channel.members or (open_to_all and not person.is_guest)


def history_view(
    world: World, user: str, channel: str, thread_ts: str | None = None, limit: int = 200
) -> list[Json]:
    """Return the newest messages of a channel or thread as a person sees them, oldest first.

    A channel shows its top level; ephemeral messages to this person are among them. Refuses with
    `channel_not_found` what the person may not see.
    """
    place = world.channel(channel)
    if not may_see(world, place, user):
        raise Refusal("channel_not_found")
    if thread_ts is None:
        stamps = place.between(None, None, inclusive=True)[-limit:]
    else:
        root = world.message(channel, thread_ts)
        stamps = [root.ts, *root.replies][-limit:]
    shown = [place.messages[ts] for ts in stamps]
    shown += [
        message
        for message in world.ephemerals
        if message.channel == channel and message.seen_by == user and message.thread_ts == thread_ts
    ]
    return [message_view(world, m, user) for m in sorted(shown, key=lambda m: (len(m.ts), m.ts))]


def snapshot(world: World, user: str) -> Json:
    """Return everything that a page needs to begin with, without messages."""
    app = world.config.app
    installation = world.installation_for(user)
    dm = world.home_of(user).id if world.user(user).team == installation.team else None
    return {
        "now": world.now(),
        "me": person_shape(world.user(user)),
        "app": {
            "id": app.id,
            "name": app.name,
            "bot_user": installation.bot_user,
            "agent": app.agent,
            "home_tab": app.home_tab,
            "messages_tab": app.messages_tab,
            "commands": list(app.commands),
            "shortcuts": [shortcut.model_dump() for shortcut in app.shortcuts],
            "unfurl_domains": list(app.unfurl_domains),
        },
        "dm": dm,
        "users": [person_shape(person) for person in world.users.values()],
        "channels": [channel_view(world, c, user) for c in visible_channels(world, user)],
        "home": home_shape(world, user),
        "modals": modals_view(world, user),
        "prompts": prompts_shape(world, dm or "", ""),
        "statuses": [
            status_shape(world, channel, ts)
            for channel, ts in world.statuses
            if user in world.channels[channel].members
        ],
        "sessions": [
            session_shape(world, channel, ts)
            for channel, ts in world.sessions
            if user in world.channels[channel].members
        ],
        "looking_at": world.contexts.get(user, []),
        "panel_open": user in world.panels,
    }


def concerns(world: World, change: Change, user: str) -> bool:
    """Tell whether a person sees a change."""
    if change.user:
        return change.user == user
    channel = world.channels.get(change.channel)
    return channel is not None and user in channel.members


def frame(world: World, change: Change, user: str) -> Json | None:
    """Return what a page is told of a change, as things stand now; None if there is nothing."""
    at, kind = (change.channel, change.ts), change.kind
    if kind in ("message", "message_changed", "stream"):
        message = world.channels[change.channel].messages.get(change.ts)
        if message is None:
            return None
        shown = message_view(world, message, user)
        return {"type": "message", "channel": change.channel, "message": shown}
    if kind == "ephemeral":
        return _ephemeral(world, change, user)
    if kind in ("message_deleted", "ephemeral_deleted"):
        return {"type": "message_deleted", "channel": change.channel, "ts": change.ts}
    if kind == "status":
        return {"type": "status", **status_shape(world, *at)}
    if kind == "session":
        return {"type": "session", **session_shape(world, *at)}
    if kind == "prompts":
        return {"type": "prompts", **prompts_shape(world, *at)}
    if kind == "title":
        title = world.titles.get(at, "")
        return {"type": "title", "channel": at[0], "thread_ts": at[1], "title": title}
    if kind == "view":
        return {"type": "modals", "modals": modals_view(world, user)}
    if kind == "home":
        return {"type": "home", "home": home_shape(world, user)}
    if kind in ("members", "channel"):
        shown = channel_view(world, world.channels[change.channel], user)
        return {"type": "channel", "channel": shown}
    return {"type": kind, "channel": change.channel, **change.data}


def _ephemeral(world: World, change: Change, user: str) -> Json | None:
    for message in world.ephemerals:
        if message.ts == change.ts and message.channel == change.channel:
            shown = message_view(world, message, user)
            return {"type": "message", "channel": change.channel, "message": shown}
    return None
