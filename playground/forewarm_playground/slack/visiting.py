"""Where a person looks: the app's direct message, its Home tab, the channel beside its panel."""

from __future__ import annotations

from forewarm_playground.slack.agency import is_agent
from forewarm_playground.slack.delivery import Change
from forewarm_playground.slack.events import send_event, subscribed
from forewarm_playground.slack.posting import Draft, post
from forewarm_playground.slack.records import Channel, Installation, Message
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.shapes import view_shape
from forewarm_playground.slack.speaking import joined
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def open_app(world: World, user: str, tab: str = "messages") -> Channel:
    """Open the app on a tab: messages (its direct message), home or about.

    Slack tells the app on every visit (docs/platform/slack.md#app-home-opened). Refuses with
    `messages_tab_disabled` or `home_tab_disabled`.
    """
    app = world.config.app
    if tab == "messages" and not app.messages_tab:
        raise Refusal("messages_tab_disabled")
    if tab == "home" and not app.home_tab:
        raise Refusal("home_tab_disabled")
    installation = world.installation_for(user)
    place = world.home_of(user)
    world.panels.add(user)
    if subscribed(world, "app_home_opened", installation):
        send_event(world, installation, _opened(world, installation, user, place, tab))
    return place


def _opened(world: World, installation: Installation, user: str, place: Channel, tab: str) -> Json:
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": place.id,
        "tab": tab,
        "event_ts": f"{world.now():.6f}",
    }
    home = world.homes.get((installation.team, user))
    if tab == "home" and home is not None:
        event["view"] = view_shape(world, world.views[home])
    if is_agent(world) and "app_context_changed" in world.config.app.events:
        event["context"] = context(world, user)
    return event


def close_app(world: World, user: str) -> None:
    """Leave the app's panel: what the person looks at is no longer told."""
    world.panels.discard(user)


def context(world: World, user: str) -> Json:
    """Return what the person looks at, as ordered entities; empty if nothing is known."""
    entities = world.contexts.get(user)
    return {"entities": entities} if entities else {}


def look_at(world: World, user: str, channel: str | None, message_ts: str | None = None) -> None:
    """Move to a channel (None: to none), and to a message there; told while the panel is open."""
    entities: list[Json] = []
    if channel is not None:
        place = joined(world, user, channel)
        entities.append(
            {"type": "slack#/types/channel_id", "value": place.id, "team_id": place.team}
        )
        if message_ts is not None:
            value = {"channel_id": place.id, "message_ts": message_ts}
            entities.append(
                {"type": "slack#/types/message_context", "value": value, "team_id": place.team}
            )
    before = world.contexts.get(user, [])
    world.contexts[user] = entities
    if user in world.panels and before != entities:
        _tell_context(world, user, channel)


def _tell_context(world: World, user: str, channel: str | None) -> None:
    installation = world.installation_for(user)
    if is_agent(world) and subscribed(world, "app_context_changed", installation):
        event: Json = {"type": "app_context_changed", "context": context(world, user)}
        send_event(world, installation, event, seen_by=user)
    elif subscribed(world, "assistant_thread_context_changed", installation):
        _tell_assistant(world, installation, user, channel, "assistant_thread_context_changed")


def _tell_assistant(
    world: World, installation: Installation, user: str, channel: str | None, kind: str
) -> None:
    if world.config.app.agent != "assistant_view":
        return
    place = world.home_of(user)
    roots = (m for m in place.messages.values() if m.subtype == "assistant_app_thread")
    root = next(reversed([*roots]), None)
    if root is None:
        return
    seen: Json = {"force_search": False}
    if channel is not None:
        team = world.channels[channel].team
        enterprise = world.workspaces[team].enterprise_id
        seen = {"channel_id": channel, "team_id": team, "enterprise_id": enterprise}
    thread: Json = {
        "user_id": user,
        "context": seen,
        "channel_id": place.id,
        "thread_ts": root.ts,
    }
    event: Json = {"type": kind, "assistant_thread": thread, "event_ts": f"{world.now():.6f}"}
    send_event(world, installation, event)


def start_assistant_thread(world: World, user: str) -> Message:
    """Open a new thread of an `assistant_view` app (docs/platform/slack.md#assistant-threads)."""
    if world.config.app.agent != "assistant_view":
        raise Refusal("not_allowed")
    installation = world.installation_for(user)
    place = world.home_of(user)
    bot = world.users[installation.bot_user]
    draft = Draft(text="New Assistant Thread", subtype="assistant_app_thread")
    root = post(world, place, bot, draft)
    world.panels.add(user)
    if subscribed(world, "assistant_thread_started", installation):
        entities = world.contexts.get(user)
        channel = str(entities[0]["value"]) if entities else None
        _tell_assistant(world, installation, user, channel, "assistant_thread_started")
    world.publish(Change("message", place.id, root.ts))
    return root
