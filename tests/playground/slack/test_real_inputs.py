"""Inputs of a real workspace that an emulator easily leaves out: Grid, encodings, Slack's own."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.types import Delivery, Outcome

GRID = {
    "workspaces": [
        {"id": "T0OURS", "enterprise_id": "E0OURS", "enterprise_name": "Ours"},
        {"id": "T0SALES", "enterprise_id": "E0OURS", "installed": False},
        {"id": "T0THEIRS", "enterprise_id": "E0THEIRS", "installed": False},
        {"id": "T0ALONE", "installed": False},
    ],
    "users": [
        {"id": "U0OURS", "workspace": "T0OURS", "admin": True},
        {"id": "U0SALES", "workspace": "T0SALES"},
        {"id": "U0THEIRS", "workspace": "T0THEIRS"},
        {"id": "U0ALONE", "workspace": "T0ALONE"},
        {"id": "U0HIDDEN", "workspace": "T0THEIRS", "stranger": False},
    ],
    "channels": [
        {
            "id": "C0SHARED",
            "workspace": "T0OURS",
            "shared_with": ["T0SALES", "T0THEIRS", "T0ALONE"],
            "members": ["U0OURS", "U0SALES", "U0THEIRS", "U0ALONE", "U0HIDDEN", "bot"],
        }
    ],
}


@pytest.mark.parametrize(
    ("user", "enterprise", "stranger"),
    [
        ("U0OURS", "E0OURS", None),
        ("U0SALES", "E0OURS", False),
        ("U0THEIRS", "E0THEIRS", True),
        ("U0ALONE", None, True),
        ("U0HIDDEN", "E0THEIRS", False),
    ],
)
def test_users_of_a_grid_name_their_organisation(
    user: str, enterprise: str | None, stranger: bool | None
) -> None:
    shape: Any = LocalSlack(GRID).call("users.info", user=user).body["user"]
    assert shape.get("enterprise_user", {}).get("enterprise_id") == enterprise
    assert shape.get("is_stranger") is stranger
    if user == "U0OURS":
        assert shape["enterprise_user"] == {
            "id": "U0OURS",
            "enterprise_id": "E0OURS",
            "enterprise_name": "Ours",
            "is_admin": True,
            "is_owner": False,
            "is_primary_owner": False,
            "teams": ["T0OURS"],
        }


def sent_text(text: str, **app: Any) -> str:
    slack = LocalSlack({"app": {"commands": ["/ask"], **app}})
    seen: list[Any] = []
    slack.state.deliver = seen.append
    slack.user("U0ASKER").slash("C0GENERAL", "/ask", text)
    return str(seen[-1].payload["text"])


ESCAPED = {"escaped_commands": ["/ask"]}


@pytest.mark.parametrize(
    ("typed", "escaped", "plain"),
    [
        ("List<int> && <T>", "List&lt;int&gt; &amp;&amp; &lt;T&gt;", None),
        ("ask @peer", "ask <@U0PEER|peer>", "ask @peer"),
        ("ask <@U0PEER>", "ask <@U0PEER|peer>", "ask @peer"),
        ("in #general?", "in <#C0GENERAL|general>?", "in #general?"),
        ("in <#C0GENERAL>", "in <#C0GENERAL|general>", "in #general"),
        ("a@peer.example and @nobody", "a@peer.example and @nobody", None),
        ("<@U0GONE> x", "&lt;@U0GONE&gt; x", None),
        ("&lt;", "&amp;lt;", None),
        ("C# or #nowhere", "C# or #nowhere", None),
        ("", "", None),
    ],
)
def test_the_text_of_a_command_is_encoded(typed: str, escaped: str, plain: str | None) -> None:
    assert sent_text(typed, **ESCAPED) == escaped
    assert sent_text(typed) == (escaped if plain is None else plain)


def test_a_manifest_says_which_commands_are_escaped() -> None:
    commands = [{"command": "/ask", "should_escape": True}, {"command": "/raw"}]
    manifest = {"features": {"slash_commands": commands}}
    assert LocalSlack({"app": {"manifest": manifest}}).app.escaped_commands == ("/ask",)


def test_slack_announces_members_in_its_own_messages() -> None:
    slack = LocalSlack({"membership_messages": True})
    peer = slack.user("U0PEER")
    peer.leave("C0GENERAL")
    slack.user("U0ASKER").invite("C0GENERAL", "U0PEER")
    peer.archive("C0GENERAL")
    told = [(message.subtype, message.text) for message in slack.messages("C0GENERAL")]
    assert told == [
        ("channel_leave", "<@U0PEER> has left the channel"),
        ("channel_join", "<@U0PEER> has joined the channel"),
        ("channel_archive", "<@U0PEER> archived the channel"),
    ]


def test_slackbot_writes_into_direct_messages_without_a_subtype() -> None:
    slack = LocalSlack()
    channel = slack.user("U0ASKER").dm_channel
    seen: list[Any] = []
    slack.state.deliver = seen.append
    slack.system_message(channel, "asker archived the channel")
    event = seen[-1].payload["event"]
    assert (event["type"], event["user"], event["channel_type"]) == ("message", "USLACKBOT", "im")
    assert not {"subtype", "bot_id"} & event.keys()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("events_api", {"type": "app_rate_limited", "minute_rate_limited": 1}),
        ("events_api", {"type": "event_callback", "event": {"type": "a_new_event"}}),
        ("interactive", {"type": "a_new_interaction"}),
        ("slash_commands", {"command": "/unknown"}),
    ],
)
async def test_any_payload_can_be_delivered(
    slack: LocalSlack, kind: str, payload: dict[str, Any]
) -> None:
    """Slack adds types: an app has to acknowledge those that it does not know."""

    def acknowledge(delivery: Delivery) -> None:
        assert delivery.payload == payload
        assert delivery.ended is not None
        delivery.ended(Outcome("acked"))

    slack.state.deliver = acknowledge
    body = {"kind": kind, "payload": payload}
    async with slack.serve() as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/_control/deliver", json={"kind": "mail"}) as refused:
            assert not (await refused.json())["ok"]
        async with session.post(f"{url}/_control/deliver", json=body) as answer:
            assert await answer.json() == {"ok": True, "outcome": "acked", "reason": ""}
