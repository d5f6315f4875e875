"""Tokens, scopes, unknown methods: what every call meets before its method does."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.web_api.registry import METHODS

FACTS = (
    "auth.test",
    "apps.connections.open",
    "chat.postMessage",
    "chat.update",
    "chat.delete",
    "chat.postEphemeral",
    "chat.getPermalink",
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "chat.unfurl",
    "conversations.info",
    "conversations.history",
    "conversations.replies",
    "conversations.members",
    "conversations.list",
    "conversations.open",
    "conversations.join",
    "users.info",
    "users.list",
    "users.conversations",
    "views.open",
    "views.push",
    "views.update",
    "views.publish",
    "assistant.threads.setStatus",
    "assistant.threads.setTitle",
    "assistant.threads.setSuggestedPrompts",
    "agents.sessions.setStatus",
    "agents.sessions.rename",
    "reactions.add",
    "bots.info",
    "team.info",
    "oauth.v2.access",
)


@pytest.mark.parametrize("name", FACTS)
def test_every_method_that_we_use_is_there(name: str) -> None:
    """A method that is missing would make the bot fail where Slack would not."""
    assert name in METHODS


def test_a_method_that_is_not_there_is_unknown(slack: LocalSlack) -> None:
    """Silence or success would hide that nothing is emulated."""
    reply = slack.call("stars.add", channel="C0GENERAL")
    assert (reply.status, reply.error) == (200, "unknown_method")


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("chat.postMessage", "", "not_authed"),
        ("chat.postMessage", "xoxb-wrong", "invalid_auth"),
        ("chat.postMessage", "xapp-1-A0LOCAL-1-local", "not_allowed_token_type"),
        ("apps.connections.open", "xoxb-local", "not_allowed_token_type"),
        ("apps.connections.open", "", "not_authed"),
    ],
)
def test_the_wrong_token_is_refused(slack: LocalSlack, method: str, token: str, error: str) -> None:
    """Mixing the two tokens up is the commonest mistake of a new installation."""
    assert slack.api.call(method, {}, token).error == error


@pytest.mark.parametrize(
    ("method", "arguments", "needed"),
    [
        ("chat.postMessage", {"channel": "C0GENERAL", "text": "t"}, "chat:write"),
        ("conversations.info", {"channel": "C0GENERAL"}, "channels:read"),
        ("conversations.info", {"channel": "C0SECRET"}, "groups:read"),
        ("conversations.history", {"channel": "C0GENERAL"}, "channels:history"),
        ("conversations.list", {"types": "public_channel,im"}, "im:read"),
        ("users.info", {"user": "U0ASKER"}, "users:read"),
        ("reactions.add", {}, "reactions:write"),
        ("assistant.threads.setTitle", {}, "assistant:write"),
        ("team.info", {}, "team:read"),
    ],
)
def test_a_missing_scope_is_named(
    slack: LocalSlack, method: str, arguments: dict[str, Any], needed: str
) -> None:
    """`forewarm check` tells people which scope to add from exactly this reply."""
    held = tuple(scope for scope in slack.installation.scopes if scope != needed)
    slack.installation.scopes = held
    reply = slack.call(method, **arguments)
    assert reply.error == "missing_scope"
    assert reply.body["needed"] == needed
    assert reply.body["provided"] == ",".join(held)


def test_a_reply_tells_the_scopes_and_an_id(slack: LocalSlack) -> None:
    """Clients read the scopes from the headers (docs/platform/slack.md#web-api)."""
    headers = slack.call("auth.test").headers
    assert headers["x-oauth-scopes"].split(",") == list(slack.installation.scopes)
    assert headers["x-slack-req-id"]


def test_auth_test_says_who_it_is(slack: LocalSlack) -> None:
    """Bolt finds its own user and bot id here, and drops its own messages by them."""
    body = slack.call("auth.test").body
    assert body["user_id"] == "U0BOT"
    assert body["bot_id"] == "B0BOT"
    assert body["team_id"] == "T0LOCAL"
    assert body["url"] == "https://local.slack.com/"
    assert body["is_enterprise_install"] is False


def test_unknown_arguments_are_ignored(slack: LocalSlack) -> None:
    """Bolt adds `team_id` to every call; Slack does not mind."""
    assert slack.call("users.info", user="U0ASKER", team_id="T0LOCAL", nonsense="1").body["ok"]


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("chat.postMessage", {"text": "t"}, "channel"),
        ("chat.update", {"channel": "C0GENERAL", "text": "t"}, "ts"),
        ("views.open", {"trigger_id": "1"}, "view"),
        ("assistant.threads.setStatus", {"channel_id": "C0GENERAL"}, "thread_ts"),
    ],
)
def test_a_missing_argument_is_named(
    slack: LocalSlack, method: str, arguments: dict[str, Any], named: str
) -> None:
    """The reply says what to add, as Slack's does."""
    reply = slack.call(method, **arguments)
    assert reply.error == "invalid_arguments"
    assert reply.body["response_metadata"]["messages"] == [
        f"[ERROR] missing required field: {named}"
    ]


def test_a_log_keeps_no_token(slack: LocalSlack) -> None:
    """The control interface must not show the app's secrets."""
    from forewarm_playground.slack.web_api.arguments import Arguments

    shown = Arguments({"token": "xoxb-1", "client_secret": "s", "channel": "C1"}).shown()
    assert shown == {"channel": "C1"}


def test_the_api_tells_its_state(slack: LocalSlack) -> None:
    """A failing assertion shows whether limits were on."""
    assert repr(slack.api).endswith("<Limiter [off | 0 methods | 0 channels]>]>")
