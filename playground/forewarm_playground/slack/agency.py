"""What makes an app an agent: its status under a thread, its sessions, its prompts."""

from __future__ import annotations

from forewarm_playground.slack.delivery import Change
from forewarm_playground.slack.events import send_event, subscribed
from forewarm_playground.slack.records import Session, Status
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.streams import stream_state
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def replied(world: World, channel: str, thread_ts: str) -> None:
    """Clear the status line of a thread, as any reply of the app does."""
    if world.statuses.pop((channel, thread_ts), None) is not None:
        world.publish(Change("status", channel, thread_ts))


def set_status(
    world: World, channel: str, thread_ts: str, text: str, loading: tuple[str, ...]
) -> None:
    """Show a status line for two minutes at most; "" clears it."""
    if text:
        world.statuses[channel, thread_ts] = Status(text, loading, world.now())
    else:
        world.statuses.pop((channel, thread_ts), None)
    world.publish(Change("status", channel, thread_ts))


def status_of(world: World, channel: str, thread_ts: str) -> Status | None:
    """Return the status line that is on screen now."""
    status = world.statuses.get((channel, thread_ts))
    if status is None or world.now() - status.set_at >= world.config.limits.status_seconds:
        return None
    return status


def is_agent(world: World) -> bool:
    """Tell whether the app has sessions: only `agent_view` apps do."""
    return world.config.app.agent == "agent_view"


def begin_session(world: World, channel: str, thread_ts: str, initiator: str | None) -> None:
    """Set the thread's session to processing, opening it if need be."""
    if is_agent(world):
        put_session(world, channel, thread_ts, "processing", initiator=initiator)


def end_turn(world: World, channel: str, thread_ts: str, status: str) -> None:
    """Set the session's status when a stream stops."""
    if is_agent(world) and (channel, thread_ts) in world.sessions:
        put_session(world, channel, thread_ts, status)


def put_session(
    world: World,
    channel: str,
    thread_ts: str,
    status: str,
    *,
    title: str | None = None,
    initiator: str | None = None,
) -> Session:
    """Set a session's status and, when it is new, its title."""
    key = (channel, thread_ts)
    session = world.sessions.get(key)
    if session is None:
        session = Session(channel, thread_ts, status, title or "", world.now(), initiator)
        world.sessions[key] = session
    session.status, session.changed_at = status, world.now()
    world.publish(Change("session", channel, thread_ts))
    return session


def session_status(world: World, session: Session) -> str:
    """Return a session's status now: processing falls back to active after an hour."""
    age = world.now() - session.changed_at
    if session.status == "processing" and age >= world.config.limits.processing_seconds:
        return "active"
    return session.status


def rename_session(world: World, channel: str, thread_ts: str, title: str, by: str) -> None:
    """Give a session another title and tell the app, which hears of its own renaming too."""
    session = world.sessions.get((channel, thread_ts))
    if session is None:
        raise Refusal("not_authorized")
    before, session.title = session.title, title
    world.publish(Change("session", channel, thread_ts))
    place = world.channels[channel]
    installation = world.bot_in(place)
    if installation is None or not subscribed(world, "agent_session_title_changed", installation):
        return
    event: Json = {
        "type": "agent_session_title_changed",
        "channel": channel,
        "thread_ts": thread_ts,
        "title": title,
        "user": by,
        "team_id": installation.team,
        "event_ts": place.stamp(world.now()),
    }
    if before:
        event["previous_title"] = before
    send_event(world, installation, event, channel=place)


def stop_session(world: World, channel: str, thread_ts: str, user: str) -> list[str]:
    """Press Stop: the thread's streams take no more text, and the app is told.

    Returns the streams that were running. Refuses with `no_stop_button` where Slack shows none:
    no processing session, or an app that did not subscribe.
    """
    place = world.channel(channel)
    installation = world.bot_in(place)
    session = world.sessions.get((channel, thread_ts))
    if (
        installation is None
        or session is None
        or session_status(world, session) != "processing"
        or not subscribed(world, "agent_session_stopped", installation)
    ):
        raise Refusal("no_stop_button")
    stopped = [
        message.ts
        for message in place.messages.values()
        if message.root_ts == thread_ts
        and message.stream is not None
        and stream_state(message.stream, world.now()) == "in_progress"
    ]
    for ts in stopped:
        stream = place.messages[ts].stream
        assert stream is not None
        stream.stopped_by_user, stream.state = True, "completed"
        world.publish(Change("message_changed", channel, ts))
    put_session(world, channel, thread_ts, "active")
    event: Json = {
        "type": "agent_session_stopped",
        "channel": channel,
        "thread_ts": thread_ts,
        "user": user,
        "streaming_message_ts": stopped,
        "event_ts": place.stamp(world.now()),
    }
    send_event(world, installation, event, channel=place)
    return stopped
