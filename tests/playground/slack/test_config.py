"""The configuration refuses what it does not understand, and reads an app's own manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.slack.config import ConfigError, SlackConfig

MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Codebase Answers"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "codebase"},
        "agent_view": {"suggested_prompts": [{"title": "Explain", "message": "Explain it"}]},
        "shortcuts": [
            {"name": "Ask", "type": "global", "callback_id": "ask_global", "description": "d"}
        ],
        "slash_commands": [
            {"command": "/code", "url": "http://127.0.0.1:1/slack", "description": "d"}
        ],
        "unfurl_domains": ["github.com", "gitlab.com"],
    },
    "oauth_config": {"scopes": {"bot": ["chat:write", "links:read"]}},
    "settings": {
        "event_subscriptions": {
            "request_url": "http://127.0.0.1:1/e",
            "bot_events": ["app_mention"],
        },
        "interactivity": {"is_enabled": True, "request_url": "http://127.0.0.1:1/i"},
        "socket_mode_enabled": False,
    },
}


def test_a_manifest_describes_the_app() -> None:
    """The app that is tested is the one that will be installed: its manifest says so."""
    app = SlackConfig.parse({"app": {"manifest": MANIFEST, "signing_secret": "s"}}).app
    assert app.name == "Codebase Answers"
    assert app.scopes == ("chat:write", "links:read")
    assert app.events == ("app_mention",)
    assert app.commands == ("/code",)
    assert app.command_url == "http://127.0.0.1:1/slack"
    assert app.interactivity_url == "http://127.0.0.1:1/i"
    assert app.agent == "agent_view"
    assert [s.callback_id for s in app.shortcuts] == ["ask_global"]
    assert not app.socket_mode
    assert app.signing_secret == "s"


def test_a_file_names_its_manifest_beside_it(tmp_path: Path) -> None:
    """A user who runs the emulator alone points it at files."""
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "slack.toml").write_text('[app]\nmanifest = "manifest.json"\nsocket_mode = true\n')
    app = SlackConfig.load(tmp_path / "slack.toml").app
    assert app.commands == ("/code",)
    assert app.socket_mode


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"app": {"scope": []}}, "app.scope"),
        ({"chanels": []}, "chanels"),
        ({"users": [{"id": "U1", "kind": "robot"}]}, "users.0.kind"),
        ({"users": [{"id": "U1", "workspace": "T9"}]}, "users.U1.workspace"),
        ({"channels": [{"id": "C1", "members": ["U9"]}]}, "channels.C1.members"),
        ({"channels": [{"id": "C1", "shared_with": ["T9"]}]}, "channels.C1.shared_with"),
        ({"workspaces": []}, "workspaces"),
        ({"workspaces": [{"id": "T1"}, {"id": "T1", "bot_user": "U9"}]}, "workspaces"),
        ({"users": [{"id": "U1"}, {"id": "U1"}]}, "users"),
        ({"app": {"unfurl_domains": ["a.b"] * 6}}, "app.unfurl_domains"),
    ],
)
def test_a_mistake_is_named_by_its_key(table: dict[str, Any], key: str) -> None:
    """A typo that is silently ignored makes a test prove something else than it says."""
    with pytest.raises(ConfigError) as caught:
        SlackConfig.parse(table)
    assert any(problem.startswith(f"{key}:") for problem in caught.value.problems)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    """The message says which file, since several may be in use."""
    (tmp_path / "slack.toml").write_text("[app")
    with pytest.raises(ConfigError, match=r"slack\.toml"):
        SlackConfig.load(tmp_path / "slack.toml")
    with pytest.raises(ConfigError, match=r"none\.toml"):
        SlackConfig.load(tmp_path / "none.toml")


def test_a_key_is_called_unknown_or_missing_in_plain_words() -> None:
    with pytest.raises(ConfigError) as caught:
        SlackConfig.parse({"app": {"nmae": "x"}, "users": [{"name": "asker"}]})
    assert set(caught.value.problems) == {
        "app.nmae: this key is unknown",
        "users.0.id: this key is missing",
    }
