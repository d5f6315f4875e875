"""Navigation of a person: the app's direct message, its Home tab, the active channel."""

from __future__ import annotations

from forewarm_playground.slack.delivery.events import send_event, subscribed
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import view_shape
from forewarm_playground.slack.messages.agent_sessions import is_agent
from forewarm_playground.slack.messages.messages import Draft, post
from forewarm_playground.slack.models import Channel, Installation, Message
from forewarm_playground.slack.people.composer import joined
from forewarm_playground.slack.state import State


def open_app(state: State, user: str, tab: str = "messages") -> Channel:
    """Open the app on a tab: messages (its direct message), home or about.

    Slack tells the app on every visit (docs/platform/slack.md#app-home-opened). Refuses with
    `messages_tab_disabled` or `home_tab_disabled`.
    """
    app = state.config.app
    if tab == "messages" and not app.messages_tab:
        raise SlackError("messages_tab_disabled")
    if tab == "home" and not app.home_tab:
        raise SlackError("home_tab_disabled")
    installation = state.installation_for(user)
    place = state.home_of(user)
    state.panels.add(user)
    if subscribed(state, "app_home_opened", installation):
        send_event(state, installation, _opened(state, installation, user, place, tab))
    return place


def _opened(state: State, installation: Installation, user: str, place: Channel, tab: str) -> Json:
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": place.id,
        "tab": tab,
        "event_ts": f"{state.now():.6f}",
    }
    home = state.homes.get((installation.team, user))
    if tab == "home" and home is not None:
        event["view"] = view_shape(state, state.views[home])
    if is_agent(state) and "app_context_changed" in state.config.app.events:
        event["context"] = context(state, user)
    return event


def close_app(state: State, user: str) -> None:
    """Leave the app's panel: what the person looks at is no longer told."""
    state.panels.discard(user)


def context(state: State, user: str) -> Json:
    """Return what the person looks at, as ordered entities; empty if nothing is known."""
    entities = state.contexts.get(user)
    return {"entities": entities} if entities else {}


def look_at(state: State, user: str, channel: str | None, message_ts: str | None = None) -> None:
    """Move to a channel (None: to none), and to a message there; told while the panel is open."""
    entities: list[Json] = []
    if channel is not None:
        place = joined(state, user, channel)
        entities.append(
            {"type": "slack#/types/channel_id", "value": place.id, "team_id": place.team}
        )
        if message_ts is not None:
            value = {"channel_id": place.id, "message_ts": message_ts}
            entities.append(
                {"type": "slack#/types/message_context", "value": value, "team_id": place.team}
            )
    before = state.contexts.get(user, [])
    state.contexts[user] = entities
    if user in state.panels and before != entities:
        _tell_context(state, user, channel)


def _tell_context(state: State, user: str, channel: str | None) -> None:
    installation = state.installation_for(user)
    if is_agent(state) and subscribed(state, "app_context_changed", installation):
        event: Json = {"type": "app_context_changed", "context": context(state, user)}
        send_event(state, installation, event, seen_by=user)
    elif subscribed(state, "assistant_thread_context_changed", installation):
        _tell_assistant(state, installation, user, channel, "assistant_thread_context_changed")


def _tell_assistant(
    state: State, installation: Installation, user: str, channel: str | None, kind: str
) -> None:
    if state.config.app.agent != "assistant_view":
        return
    place = state.home_of(user)
    roots = (m for m in place.messages.values() if m.subtype == "assistant_app_thread")
    root = next(reversed([*roots]), None)
    if root is None:
        return
    seen: Json = {"force_search": False}
    if channel is not None:
        team = state.channels[channel].team
        enterprise = state.workspaces[team].enterprise_id
        seen = {"channel_id": channel, "team_id": team, "enterprise_id": enterprise}
    thread: Json = {
        "user_id": user,
        "context": seen,
        "channel_id": place.id,
        "thread_ts": root.ts,
    }
    event: Json = {"type": kind, "assistant_thread": thread, "event_ts": f"{state.now():.6f}"}
    send_event(state, installation, event)


def start_assistant_thread(state: State, user: str) -> Message:
    """Open a new thread of an `assistant_view` app (docs/platform/slack.md#assistant-threads)."""
    if state.config.app.agent != "assistant_view":
        raise SlackError("not_allowed")
    installation = state.installation_for(user)
    place = state.home_of(user)
    bot = state.users[installation.bot_user]
    draft = Draft(text="New Assistant Thread", subtype="assistant_app_thread")
    root = post(state, place, bot, draft)
    state.panels.add(user)
    if subscribed(state, "assistant_thread_started", installation):
        entities = state.contexts.get(user)
        channel = str(entities[0]["value"]) if entities else None
        _tell_assistant(state, installation, user, channel, "assistant_thread_started")
    state.publish(Change("message", place.id, root.ts))
    return root
