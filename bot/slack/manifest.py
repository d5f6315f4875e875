"""The Slack app manifest for one installation: the least scopes for what is switched on.

Pure. Each scope and each event carries the reason it is asked for; `forewarm manifest --why` and
the docs print those, and nothing is asked for without one (docs/platform/slack.md#manifest).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.transport import EVENTS_PATH

INSTALL_PATH, REDIRECT_PATH = "/slack/install", "/slack/oauth_redirect"
"""The pages on which the app is installed with OAuth."""
MOST_DOMAINS = 5
AGENT_DESCRIPTION = "Ask anything about the code; answers stream in with links into it."


@dataclass(frozen=True, slots=True)
class Ask:
    """One scope or event, and what it is for. The bot works without an `optional` one."""

    name: str
    why: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Features of this installation. `url` is the public address in HTTP mode, else None.

    `oauth_url` is the public address of the pages on which workspaces and organisations install
    the app, None if one workspace's token is used.
    """

    name: str = "Forewarm"
    url: str | None = None
    oauth_url: str | None = None
    hosts: Sequence[str] = ("github.com",)
    follow_threads: bool = True
    composer_links: bool = True
    reactions: bool = True


def scopes(features: Features) -> list[Ask]:
    """Return the bot scopes, each with its reason."""
    asked = [
        Ask("app_mentions:read", "to be asked by a mention"),
        Ask("assistant:write", "to live in the agent pane and show what it is doing"),
        Ask("chat:write", "to answer, stream and show a status"),
        Ask("channels:read", "to know who is in a context's public channels, which decides access"),
        Ask("groups:read", "the same for private channels it was invited to"),
        Ask("users:read", "to tell members from guests and other organisations' people"),
        Ask("im:history", "to read questions in its direct messages"),
        Ask("im:read", "to know its direct messages"),
        Ask("im:write", "to answer privately what was asked with /ask"),
        Ask("commands", "for /ask, /codebase and the shortcuts"),
        Ask("channels:history", "to read the thread in which it is asked, in public channels"),
        Ask("groups:history", "the same in private channels it was invited to"),
        Ask("files:read", "to read logs, code and screenshots that people attach", optional=True),
    ]
    if features.composer_links:
        asked.append(Ask("links:read", "to warm up when a link to the code is being typed"))
    if features.reactions:
        asked.append(Ask("reactions:read", "to warm up when people react in its channels"))
    return asked


def missing_scopes(granted: Collection[str]) -> list[Ask]:
    """Return the scopes that an installation lacks; none if Slack did not tell what it granted."""
    return [ask for ask in scopes(Features()) if granted and ask.name not in granted]


def events(features: Features) -> list[Ask]:
    """Return the event subscriptions, each with its reason."""
    asked = [
        Ask("app_mention", "a question"),
        Ask("message.im", "a question in a direct message"),
        Ask("app_home_opened", "its DM or Home tab was opened: a question is near"),
        Ask("app_context_changed", "which channel the person looks at beside the agent pane"),
        Ask("agent_session_stopped", "a user pressed Stop"),
        Ask("member_joined_channel", "it was invited, or a user gained access"),
        Ask("member_left_channel", "it was removed, or a user lost access"),
        Ask("channel_archive", "to let go of a public channel"),
        Ask("group_archive", "to let go of a private channel"),
        Ask("app_uninstalled", "to stop and forget"),
        Ask("tokens_revoked", "to stop and forget"),
    ]
    if features.oauth_url:
        asked.append(Ask("team_access_revoked", "to forget a workspace that left its organisation"))
    if features.follow_threads:
        asked.append(Ask("message.channels", "replies in threads it is in, edits and deletions"))
        asked.append(Ask("message.groups", "the same in private channels"))
    if features.composer_links:
        asked.append(Ask("link_shared", "a link to the code in a user's composer"))
    if features.reactions:
        asked.append(Ask("reaction_added", "a sign of life in its channels"))
    return asked


def manifest(features: Features) -> dict[str, Any]:
    """Return the manifest as Slack's schema takes it."""
    return {
        "_metadata": {"major_version": 2, "minor_version": 0},
        "display_information": {
            "name": features.name[:35],
            "description": "Answers questions about your repositories, with links into the code",
            "background_color": "#1f2937",
        },
        "features": _features(features),
        "oauth_config": _oauth(features),
        "settings": _settings(features),
    }


def _oauth(features: Features) -> dict[str, Any]:
    described: dict[str, Any] = {"scopes": {"bot": [ask.name for ask in scopes(features)]}}
    if features.oauth_url:
        described["redirect_urls"] = [features.oauth_url.rstrip("/") + REDIRECT_PATH]
    return described


def _features(features: Features) -> dict[str, Any]:
    described: dict[str, Any] = {
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": features.name.lower()[:80], "always_online": True},
        "agent_view": {"agent_description": AGENT_DESCRIPTION},
        "shortcuts": [
            _shortcut("Ask the codebase", "global", "ask_global", "Open a question box"),
            _shortcut("Explain this", "message", "ask_message", "Explain this message's code"),
        ],
        "slash_commands": [
            _command(features, "/ask", "Ask about the codebase", "your question"),
            _command(features, "/codebase", "What this channel answers from", "attach URL"),
        ],
    }
    if features.composer_links:
        described["unfurl_domains"] = list(features.hosts)[:MOST_DOMAINS]
    return described


def _shortcut(name: str, kind: str, callback: str, description: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "callback_id": callback, "description": description}


def _command(features: Features, command: str, description: str, hint: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "command": command,
        "description": description,
        "usage_hint": hint,
        "should_escape": True,
    }
    return described | ({"url": _endpoint(features.url)} if features.url else {})


def _settings(features: Features) -> dict[str, Any]:
    subscriptions: dict[str, Any] = {"bot_events": [ask.name for ask in events(features)]}
    interactivity: dict[str, Any] = {"is_enabled": True}
    if features.url:
        endpoint = _endpoint(features.url)
        subscriptions["request_url"] = endpoint
        interactivity |= {"request_url": endpoint, "message_menu_options_url": endpoint}
    return {
        "event_subscriptions": subscriptions,
        "interactivity": interactivity,
        "org_deploy_enabled": features.oauth_url is not None,
        "socket_mode_enabled": features.url is None,
        "token_rotation_enabled": features.oauth_url is not None,
    }


def _endpoint(url: str) -> str:
    return url.rstrip("/") + EVENTS_PATH
