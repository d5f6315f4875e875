"""The one source of events: what the app is told, if it subscribed, may hear it and is there."""

from __future__ import annotations

from forewarm_playground.slack.delivery.types import Delivery
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.models import Channel, Installation
from forewarm_playground.slack.state import State

MESSAGE_KIND = {"public": "channels", "private": "groups", "im": "im", "mpim": "mpim"}
CHANNEL_TYPE = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}

EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "link_shared": "links:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "app_context_changed": "assistant:write",
    "assistant_thread_started": "assistant:write",
    "assistant_thread_context_changed": "assistant:write",
}
"""The scope without which Slack sends nothing, though the app subscribed.

Source: docs/platform/slack.md#signals-before-a-question.
"""


def subscribed(state: State, name: str, installation: Installation) -> bool:
    """Tell whether the app asked for an event and its token may hear it."""
    if name not in state.config.app.events or installation.revoked:
        return False
    scope = EVENT_SCOPES.get(name)
    return scope is None or scope in installation.scopes


def joined_scope(channel: Channel) -> str:
    """Return the scope that membership events of a channel need."""
    return "channels:read" if channel.kind == "public" else "groups:read"


def send_event(
    state: State,
    installation: Installation,
    event: Json,
    *,
    channel: Channel | None = None,
    seen_by: str | None = None,
) -> None:
    """Deliver one event to the app, in the Events API's wrapper.

    Source: docs/platform/slack.md#event-wrapper.
    `seen_by` replaces the bot in `authorizations`, for events that name no user of their own.
    """
    at = state.now()
    team = installation.team
    app = state.config.app
    enterprise = state.workspaces[team].enterprise_id
    payload: Json = {
        "token": app.verification_token,
        "team_id": team,
        "context_team_id": team,
        "context_enterprise_id": enterprise,
        "api_app_id": app.id,
        "event": event,
        "type": "event_callback",
        "event_id": state.ids.next("Ev"),
        "event_time": int(at),
        "event_context": f"4-{state.ids.next('')}",
        "is_ext_shared_channel": channel is not None and channel.is_shared,
        "authorizations": [
            {
                "enterprise_id": installation.grant.organisation or enterprise,
                "team_id": None if installation.grant.organisation else team,
                "user_id": seen_by or installation.bot_user,
                "is_bot": seen_by is None,
                "is_enterprise_install": installation.grant.organisation is not None,
            }
        ],
    }
    state.deliver(Delivery("events_api", str(event["type"]), payload, team))


def send_message_event(state: State, channel: Channel, event: Json) -> None:
    """Deliver a `message` event if the bot is in the channel and subscribed to its kind."""
    installation = state.bot_in(channel)
    name = f"message.{MESSAGE_KIND[channel.kind]}"
    if installation is not None and subscribed(state, name, installation):
        event = {**event, "channel": channel.id, "channel_type": CHANNEL_TYPE[channel.kind]}
        send_event(state, installation, event, channel=channel)
