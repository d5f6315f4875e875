"""The screen of one person: the state as one user sees it, as JSON for a page."""

from __future__ import annotations

from forewarm_playground.slack.delivery.events import subscribed
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import message_shape, view_shape
from forewarm_playground.slack.messages.agent_sessions import is_agent, session_status, status_of
from forewarm_playground.slack.messages.streams import stream_state
from forewarm_playground.slack.models import Channel, Message, User, View
from forewarm_playground.slack.state import State


def hides_text(state: State, message: Message, user: str) -> bool:
    """Tell whether a stream's text is kept from a person: only its recipient sees it grow.

    Others see an empty bubble until it stops (docs/platform/slack.md#streaming-behaviour).
    """
    stream = message.stream
    if stream is None or stream.recipient == user:
        return False
    return stream_state(stream, state.now()) != "completed"


def shown_text(state: State, message: Message, user: str) -> str:
    """Return the text of a message that a person has on screen."""
    return "" if hides_text(state, message, user) else message.text


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


def channel_view(state: State, channel: Channel, user: str) -> Json:
    """Return a conversation as a person's sidebar shows it."""
    others = [member for member in channel.members if member != user]
    name = channel.name
    if channel.kind in ("im", "mpim"):
        name = ", ".join(
            state.users[member].real_name for member in others if member in state.users
        )
    bot = state.bot_in(channel)
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


def message_view(state: State, message: Message, user: str) -> Json:
    """Return a message as a person sees it.

    `live` says that text is still arriving; `hidden` that it is kept from this person so far.
    """
    shape = message_shape(state, message)
    hidden = hides_text(state, message, user)
    if hidden:
        shape |= {"text": "", "blocks": []}
    streaming = shape.get("streaming_state")
    shape |= {
        "live": streaming == "in_progress",
        "broken": streaming == "errored",
        "hidden": hidden,
        "ephemeral": message.seen_by is not None,
        "markdown": message.markdown,
    }
    if message.stream is not None:
        shape["recipient"] = message.stream.recipient
        shape["task_display_mode"] = message.stream.display
        shape["stopped_by_user"] = message.stream.stopped_by_user
    return shape


def modal_view(state: State, view: View) -> Json:
    """Return a view with what is filled in and the errors that the app gave, by block."""
    return view_shape(state, view) | {"errors": state.view_errors.get(view.id, {})}


def modals_view(state: State, user: str) -> list[Json]:
    """Return the stack of a person's modals, the one in front last."""
    return [modal_view(state, state.views[ident]) for ident in state.modals.get(user, [])]


def home_shape(state: State, user: str) -> Json | None:
    """Return the person's Home tab, or None if the app published none."""
    ident = state.homes.get((state.installation_for(user).team, user))
    return None if ident is None else view_shape(state, state.views[ident])


def status_shape(state: State, channel: str, thread_ts: str) -> Json:
    """Return the status line of a thread; an empty text means none."""
    status = status_of(state, channel, thread_ts)
    return {
        "channel": channel,
        "thread_ts": thread_ts,
        "text": status.text if status else "",
        "loading": list(status.loading) if status else [],
    }


def session_shape(state: State, channel: str, thread_ts: str) -> Json:
    """Return an agent's session; `can_stop` says whether there is a Stop button."""
    session = state.sessions[channel, thread_ts]
    status = session_status(state, session)
    bot = state.bot_in(state.channels[channel])
    hears = bot is not None and subscribed(state, "agent_session_stopped", bot)
    return {
        "channel": channel,
        "thread_ts": thread_ts,
        "status": status,
        "title": session.title,
        "can_stop": hears and status == "processing",
    }


def prompts_shape(state: State, channel: str, thread_ts: str) -> Json:
    """Return the prompts that the app suggests in a conversation; its manifest's if it set none."""
    held = state.prompts.get((channel, thread_ts))
    if held is None and is_agent(state):
        held = {"title": "", "prompts": [*state.config.app.suggested_prompts]}
    return {"channel": channel, "thread_ts": thread_ts, **(held or {"title": "", "prompts": []})}


def visible_channels(state: State, user: str) -> list[Channel]:
    """Return the conversations that a person is in, and public ones that they could join."""
    return [channel for channel in state.channels.values() if may_see(state, channel, user)]


def may_see(state: State, channel: Channel, user: str) -> bool:
    """Tell whether a person can read a conversation: theirs, or public and they are no guest."""
    person = state.user(user)
    open_to_all = channel.kind == "public" and channel.team == person.team
    return user in channel.members or (open_to_all and not person.is_guest)


def history_view(
    state: State, user: str, channel: str, thread_ts: str | None = None, limit: int = 200
) -> list[Json]:
    """Return the newest messages of a channel or thread as a person sees them, oldest first.

    A channel shows its top level; ephemeral messages to this person are among them. Refuses with
    `channel_not_found` what the person may not see.
    """
    place = state.channel(channel)
    if not may_see(state, place, user):
        raise SlackError("channel_not_found")
    if thread_ts is None:
        stamps = place.between(None, None, inclusive=True)[-limit:]
    else:
        root = state.message(channel, thread_ts)
        stamps = [root.ts, *root.replies][-limit:]
    shown = [place.messages[ts] for ts in stamps]
    shown += [
        message
        for message in state.ephemerals
        if message.channel == channel and message.seen_by == user and message.thread_ts == thread_ts
    ]
    return [message_view(state, m, user) for m in sorted(shown, key=lambda m: (len(m.ts), m.ts))]


def snapshot(state: State, user: str) -> Json:
    """Return everything that a page needs to begin with, without messages."""
    app = state.config.app
    installation = state.installation_for(user)
    dm = state.home_of(user).id if state.user(user).team == installation.team else None
    return {
        "now": state.now(),
        "me": person_shape(state.user(user)),
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
        "users": [person_shape(person) for person in state.users.values()],
        "channels": [channel_view(state, c, user) for c in visible_channels(state, user)],
        "home": home_shape(state, user),
        "modals": modals_view(state, user),
        "prompts": prompts_shape(state, dm or "", ""),
        "statuses": [
            status_shape(state, channel, ts)
            for channel, ts in state.statuses
            if user in state.channels[channel].members
        ],
        "sessions": [
            session_shape(state, channel, ts)
            for channel, ts in state.sessions
            if user in state.channels[channel].members
        ],
        "looking_at": state.contexts.get(user, []),
        "panel_open": user in state.panels,
    }


def concerns(state: State, change: Change, user: str) -> bool:
    """Tell whether a person sees a change."""
    if change.user:
        return change.user == user
    channel = state.channels.get(change.channel)
    return channel is not None and user in channel.members


def frame(state: State, change: Change, user: str) -> Json | None:
    """Return what a page is told of a change, as things stand now; None if there is nothing."""
    at, kind = (change.channel, change.ts), change.kind
    if kind in ("message", "message_changed", "stream"):
        message = state.channels[change.channel].messages.get(change.ts)
        if message is None:
            return None
        shown = message_view(state, message, user)
        return {"type": "message", "channel": change.channel, "message": shown}
    if kind == "ephemeral":
        return _ephemeral(state, change, user)
    if kind in ("message_deleted", "ephemeral_deleted"):
        return {"type": "message_deleted", "channel": change.channel, "ts": change.ts}
    if kind == "status":
        return {"type": "status", **status_shape(state, *at)}
    if kind == "session":
        return {"type": "session", **session_shape(state, *at)}
    if kind == "prompts":
        return {"type": "prompts", **prompts_shape(state, *at)}
    if kind == "title":
        title = state.titles.get(at, "")
        return {"type": "title", "channel": at[0], "thread_ts": at[1], "title": title}
    if kind == "view":
        return {"type": "modals", "modals": modals_view(state, user)}
    if kind == "home":
        return {"type": "home", "home": home_shape(state, user)}
    if kind in ("members", "channel"):
        shown = channel_view(state, state.channels[change.channel], user)
        return {"type": "channel", "channel": shown}
    return {"type": kind, "channel": change.channel, **change.data}


def _ephemeral(state: State, change: Change, user: str) -> Json | None:
    for message in state.ephemerals:
        if message.ts == change.ts and message.channel == change.channel:
            shown = message_view(state, message, user)
            return {"type": "message", "channel": change.channel, "message": shown}
    return None
