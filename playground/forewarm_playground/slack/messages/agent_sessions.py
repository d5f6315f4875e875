"""Features of an agent: the status under a thread, sessions and suggested prompts."""

from __future__ import annotations

from forewarm_playground.slack.delivery.events import send_event, subscribed
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages.streams import stream_state
from forewarm_playground.slack.models import Session, Status
from forewarm_playground.slack.state import State


def replied(state: State, channel: str, thread_ts: str) -> None:
    """Clear the status line of a thread, as any reply of the app does."""
    if state.statuses.pop((channel, thread_ts), None) is not None:
        state.publish(Change("status", channel, thread_ts))


def set_status(
    state: State, channel: str, thread_ts: str, text: str, loading: tuple[str, ...]
) -> None:
    """Show a status line for two minutes at most; "" clears it."""
    if text:
        state.statuses[channel, thread_ts] = Status(text, loading, state.now())
    else:
        state.statuses.pop((channel, thread_ts), None)
    state.publish(Change("status", channel, thread_ts))


def status_of(state: State, channel: str, thread_ts: str) -> Status | None:
    """Return the status line that is on screen now."""
    status = state.statuses.get((channel, thread_ts))
    if status is None or state.now() - status.set_at >= state.config.limits.status_seconds:
        return None
    return status


def is_agent(state: State) -> bool:
    """Tell whether the app has sessions: only `agent_view` apps do."""
    return state.config.app.agent == "agent_view"


def begin_session(state: State, channel: str, thread_ts: str, initiator: str | None) -> None:
    """Set the thread's session to processing, opening it if need be."""
    if is_agent(state):
        put_session(state, channel, thread_ts, "processing", initiator=initiator)


def end_turn(state: State, channel: str, thread_ts: str, status: str) -> None:
    """Set the session's status when a stream stops."""
    if is_agent(state) and (channel, thread_ts) in state.sessions:
        put_session(state, channel, thread_ts, status)


def put_session(
    state: State,
    channel: str,
    thread_ts: str,
    status: str,
    *,
    title: str | None = None,
    initiator: str | None = None,
) -> Session:
    """Set a session's status and, when it is new, its title."""
    key = (channel, thread_ts)
    session = state.sessions.get(key)
    if session is None:
        session = Session(channel, thread_ts, status, title or "", state.now(), initiator)
        state.sessions[key] = session
    session.status, session.changed_at = status, state.now()
    state.publish(Change("session", channel, thread_ts))
    return session


def session_status(state: State, session: Session) -> str:
    """Return a session's status now: processing falls back to active after an hour."""
    age = state.now() - session.changed_at
    if session.status == "processing" and age >= state.config.limits.processing_seconds:
        return "active"
    return session.status


def rename_session(state: State, channel: str, thread_ts: str, title: str, by: str) -> None:
    """Give a session another title and tell the app, which hears of its own renaming too."""
    session = state.sessions.get((channel, thread_ts))
    if session is None:
        raise SlackError("not_authorized")
    before, session.title = session.title, title
    state.publish(Change("session", channel, thread_ts))
    place = state.channels[channel]
    installation = state.bot_in(place)
    if installation is None or not subscribed(state, "agent_session_title_changed", installation):
        return
    event: Json = {
        "type": "agent_session_title_changed",
        "channel": channel,
        "thread_ts": thread_ts,
        "title": title,
        "user": by,
        "team_id": installation.team,
        "event_ts": place.stamp(state.now()),
    }
    if before:
        event["previous_title"] = before
    send_event(state, installation, event, channel=place)


def stop_session(state: State, channel: str, thread_ts: str, user: str) -> list[str]:
    """Press Stop: the thread's streams take no more text, and the app is told.

    Returns the streams that were running. Refuses with `no_stop_button` if Slack shows none:
    no processing session, or an app that did not subscribe.
    """
    place = state.channel(channel)
    installation = state.bot_in(place)
    session = state.sessions.get((channel, thread_ts))
    if (
        installation is None
        or session is None
        or session_status(state, session) != "processing"
        or not subscribed(state, "agent_session_stopped", installation)
    ):
        raise SlackError("no_stop_button")
    stopped = [
        message.ts
        for message in place.messages.values()
        if message.root_ts == thread_ts
        and message.stream is not None
        and stream_state(message.stream, state.now()) == "in_progress"
    ]
    for ts in stopped:
        stream = place.messages[ts].stream
        assert stream is not None
        stream.stopped_by_user, stream.state = True, "completed"
        state.publish(Change("message_changed", channel, ts))
    put_session(state, channel, thread_ts, "active")
    event: Json = {
        "type": "agent_session_stopped",
        "channel": channel,
        "thread_ts": thread_ts,
        "user": user,
        "streaming_message_ts": stopped,
        "event_ts": place.stamp(state.now()),
    }
    send_event(state, installation, event, channel=place)
    return stopped
