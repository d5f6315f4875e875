"""The manifest, against Slack's own schema where that is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from bot.slack.manifest import Features, events, manifest, missing_scopes, scopes

SCHEMA = Path(__file__).parents[3] / "shared" / "slack-manifest-schema.json"
VARIANTS = [
    Features(oauth_url="https://bot.example.com"),
    Features(),
    Features(url="https://bot.example.com/"),
    Features(follow_threads=False, composer_links=False, reactions=False),
    Features(hosts=tuple(f"h{n}.example.com" for n in range(9))),
]


@pytest.mark.parametrize("features", VARIANTS)
@pytest.mark.skipif(not SCHEMA.exists(), reason="Slack's manifest schema is not on this machine")
def test_slacks_schema_takes_every_variant(features: Features) -> None:
    jsonschema.validate(manifest(features), json.loads(SCHEMA.read_text()))


def test_what_is_switched_off_is_not_asked_for() -> None:
    """Least privilege: a scope without a feature behind it is refused by careful admins."""
    least = Features(follow_threads=False, composer_links=False, reactions=False)
    names = {ask.name for ask in [*scopes(least), *events(least)]}
    assert names.isdisjoint(
        {"links:read", "link_shared", "reactions:read", "reaction_added", "message.channels"}
    )
    assert "unfurl_domains" not in manifest(least)["features"]


def test_http_mode_sends_everything_to_one_address() -> None:
    settings = manifest(Features(url="https://bot.example.com/"))["settings"]
    address = "https://bot.example.com/slack/events"
    assert settings["event_subscriptions"]["request_url"] == address
    assert settings["interactivity"]["request_url"] == address
    assert not settings["socket_mode_enabled"]


def test_an_older_installation_lacks_the_scopes_that_came_since() -> None:
    """It goes on working: the scope for files is optional."""
    granted = {ask.name for ask in scopes(Features())} - {"files:read"}
    [missing] = missing_scopes(granted)
    assert (missing.name, missing.optional) == ("files:read", True)
    assert missing_scopes([]) == []


def test_with_oauth_organisations_install_it_and_tokens_rotate() -> None:
    found = manifest(Features(oauth_url="https://bot.example.com/"))
    assert found["oauth_config"]["redirect_urls"] == [
        "https://bot.example.com/slack/oauth_redirect"
    ]
    assert found["settings"]["org_deploy_enabled"]
    assert found["settings"]["token_rotation_enabled"]
    assert "team_access_revoked" in found["settings"]["event_subscriptions"]["bot_events"]
    alone = manifest(Features())
    assert "redirect_urls" not in alone["oauth_config"]
    assert not alone["settings"]["token_rotation_enabled"]
