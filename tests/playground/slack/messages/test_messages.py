"""The app is told of messages exactly as Slack tells it."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.config import ALL_EVENTS, ALL_SCOPES


def test_a_mention_in_a_channel_is_told_twice(slack: LocalSlack, events: Any) -> None:
    """Both `app_mention` and `message.channels` arrive: apps tell them apart by (channel, ts)."""
    ts = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    mention, message = events()
    assert (mention["type"], message["type"]) == ("app_mention", "message")
    assert (mention["ts"], mention["channel"]) == (message["ts"], message["channel"])
    assert mention["ts"] == ts
    assert "channel_type" not in mention
    assert message["channel_type"] == "channel"
    assert message["client_msg_id"]
    assert message["blocks"][0]["type"] == "rich_text"
    assert message["event_ts"] == ts


def test_every_event_has_an_id_and_names_who_may_see_it(slack: LocalSlack) -> None:
    """The wrapper of the Events API (docs/platform/slack.md#event-wrapper)."""
    slack.user("U0ASKER").mention("C0GENERAL", "how?")
    first, second = (delivery.payload for delivery in slack.outbox)
    assert first["event_id"] != second["event_id"]
    assert first["type"] == "event_callback"
    assert (first["team_id"], first["api_app_id"]) == ("T0LOCAL", "A0LOCAL")
    assert first["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": "T0LOCAL",
            "user_id": "U0BOT",
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert isinstance(first["event_time"], int)


@pytest.mark.parametrize(
    ("channel", "kind"), [("C0GENERAL", "channel"), ("C0SECRET", "group"), ("C0SHARED", "channel")]
)
def test_a_message_names_the_kind_of_its_channel(
    slack: LocalSlack, events: Any, channel: str, kind: str
) -> None:
    """Subscriptions are by kind."""
    slack.user("U0ASKER").post(channel, "hi")
    (event,) = events()
    assert event["channel_type"] == kind


def test_a_direct_message_is_no_mention(slack: LocalSlack, events: Any) -> None:
    """`app_mention` is never sent for direct messages, even if one mentions the bot."""
    slack.user("U0ASKER").dm("<@U0BOT> hi")
    (event,) = events()
    assert (event["type"], event["channel_type"]) == ("message", "im")


def test_a_bot_hears_nothing_of_channels_it_is_not_in(slack: LocalSlack, events: Any) -> None:
    """Neither messages, edits, reactions nor joins."""
    asker = slack.user("U0ASKER")
    ts = asker.post("C0QUIET", "hi")
    asker.edit("C0QUIET", ts, "ho")
    asker.react("C0QUIET", ts, "eyes")
    asker.delete("C0QUIET", ts)
    slack.user("U0PEER").leave("C0QUIET")
    assert events() == []


def test_a_mention_waits_until_the_bot_is_invited(slack: LocalSlack, events: Any) -> None:
    """The mention arrives after the bot's own join; deleted ones do not."""
    asker = slack.user("U0ASKER")
    asker.delete("C0QUIET", asker.mention("C0QUIET", "never mind"))
    ts = asker.mention("C0QUIET", "how?")
    assert events() == []
    asker.invite("C0QUIET")
    joined, mention = events()
    assert (joined["type"], joined["user"], joined["inviter"]) == (
        "member_joined_channel",
        "U0BOT",
        "U0ASKER",
    )
    assert (mention["type"], mention["ts"]) == ("app_mention", ts)


def test_the_bots_own_messages_are_told_too(slack: LocalSlack, events: Any) -> None:
    """Slack sends an app its own messages; Bolt drops them, other clients must."""
    slack.call("chat.postMessage", channel="C0GENERAL", text="<@U0BOT> me")
    (event,) = events()
    assert (event["type"], event["bot_id"]) == ("message", "B0BOT")


def test_other_bots_are_told_apart(slack: LocalSlack, events: Any) -> None:
    """A modern bot's message has `bot_id`; an old integration's the subtype and no user."""
    other = slack.user("U0OTHERBOT")
    other.post("C0GENERAL", "modern")
    other.post("C0GENERAL", "old", webhook=True)
    modern, old = events("message")
    assert modern["bot_id"] == old["bot_id"] == "B0OTHERBOT"
    assert modern["user"] == "U0OTHERBOT"
    assert old["subtype"] == "bot_message"
    assert "user" not in old


def test_a_reply_names_its_thread_and_parent(slack: LocalSlack, events: Any) -> None:
    """Thread activity is a signal: it must say whose thread it is."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    events()
    slack.user("U0PEER").post("C0GENERAL", "reply", root)
    (event,) = events()
    assert (event["thread_ts"], event["parent_user_id"]) == (root, "U0ASKER")


def test_a_reply_to_a_reply_lands_in_the_thread(slack: LocalSlack) -> None:
    """Threads have one level."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    reply = slack.user("U0PEER").post("C0GENERAL", "reply", root)
    slack.user("U0ASKER").post("C0GENERAL", "again", reply)
    assert [m.text for m in slack.messages("C0GENERAL", root)] == ["root", "reply", "again"]


def test_an_edit_carries_both_texts(slack: LocalSlack, events: Any) -> None:
    """An edited question is answered anew only if its text changed."""
    asker = slack.user("U0ASKER")
    ts = asker.post("C0GENERAL", "one")
    events()
    asker.edit("C0GENERAL", ts, "two")
    (event,) = events()
    assert (event["subtype"], event["hidden"]) == ("message_changed", True)
    assert (event["previous_message"]["text"], event["message"]["text"]) == ("one", "two")
    assert event["message"]["ts"] == ts
    assert event["ts"] > ts
    assert event["channel_type"] == "channel"


def test_a_deleted_root_with_replies_leaves_a_tombstone(slack: LocalSlack, events: Any) -> None:
    """Slack keeps the thread: it tells of a change, not of a deletion."""
    asker = slack.user("U0ASKER")
    root = asker.post("C0GENERAL", "root")
    slack.user("U0PEER").post("C0GENERAL", "reply", root)
    events()
    asker.delete("C0GENERAL", root)
    (event,) = events()
    assert event["subtype"] == "message_changed"
    assert event["message"]["subtype"] == "tombstone"
    assert event["message"]["reply_count"] == 1
    body = slack.call("conversations.replies", channel="C0GENERAL", ts=root).body
    assert [m["text"] for m in body["messages"]] == ["This message was deleted.", "reply"]


def test_a_deleted_reply_no_longer_counts(slack: LocalSlack) -> None:
    """The root's numbers follow."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    slack.user("U0PEER").post("C0GENERAL", "a", root)
    reply = slack.user("U0ASKER").post("C0GENERAL", "b", root)
    slack.user("U0ASKER").delete("C0GENERAL", reply)
    body = slack.call("conversations.history", channel="C0GENERAL").body["messages"][0]
    assert (body["reply_count"], body["reply_users"]) == (1, ["U0PEER"])


def test_reactions_are_told_with_what_they_are_on(slack: LocalSlack, events: Any) -> None:
    """`item_user` and `item` say on whose message (docs/platform/slack.md#reactions)."""
    asker, peer = slack.user("U0ASKER"), slack.user("U0PEER")
    ts = asker.post("C0GENERAL", "one")
    events()
    peer.react("C0GENERAL", ts, "eyes")
    peer.unreact("C0GENERAL", ts, "eyes")
    added, removed = events()
    assert (added["type"], removed["type"]) == ("reaction_added", "reaction_removed")
    assert added["item"] == {"type": "message", "channel": "C0GENERAL", "ts": ts}
    assert (added["user"], added["item_user"], added["reaction"]) == ("U0PEER", "U0ASKER", "eyes")


def test_the_bot_reacts_once(slack: LocalSlack) -> None:
    """`reactions.add` has its own errors."""
    ts = slack.user("U0ASKER").post("C0GENERAL", "one")
    item = {"channel": "C0GENERAL", "timestamp": ts}
    assert slack.call("reactions.add", **item, name=":eyes:").body["ok"]
    assert slack.call("reactions.add", **item, name="eyes").error == "already_reacted"
    shown = slack.call("reactions.get", **item).body["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": ["U0BOT"], "count": 1}]
    assert slack.call("reactions.remove", **item, name="eyes").body["ok"]
    assert slack.call("reactions.remove", **item, name="eyes").error == "no_reaction"
    assert slack.call("reactions.add", **item, name="no such").error == "invalid_name"


def test_a_strangers_mention_says_where_they_are_from(slack: LocalSlack, events: Any) -> None:
    """The bot refuses other organisations by these fields.

    Source: docs/platform/slack.md#messages-and-mentions.
    """
    slack.user("U0FOREIGN").mention("C0SHARED", "how?")
    wrapped = slack.outbox[0].payload
    mention, message = events()
    assert wrapped["is_ext_shared_channel"] is True
    assert (mention["user_team"], mention["source_team"]) == ("T0OTHER", "T0OTHER")
    assert mention["user_profile"]["is_restricted"] is False
    assert message["team"] == "T0OTHER"


def test_a_known_link_is_told_when_it_is_posted(slack: LocalSlack, events: Any) -> None:
    """In channels without the bot, too: a privacy duty of the app.

    Source: docs/platform/slack.md#link-shared.
    """
    root = slack.user("U0ASKER").post("C0QUIET", "root")
    slack.user("U0ASKER").post("C0QUIET", "https://github.com/o/r/blob/main/a.py", root)
    (event,) = events()
    assert event["type"] == "link_shared"
    assert event["source"] == "conversations_history"
    assert event["is_bot_user_member"] is False
    assert (event["channel"], event["thread_ts"]) == ("C0QUIET", root)
    assert event["links"] == [
        {"domain": "github.com", "url": "https://github.com/o/r/blob/main/a.py"}
    ]


@pytest.mark.parametrize(
    "text", ["https://example.test/x", "https://notgithub.com/x", "github.com/o/r", "https://a/"]
)
def test_other_links_are_not_told(slack: LocalSlack, events: Any, text: str) -> None:
    """Only links of the app's own domains."""
    slack.user("U0ASKER").post("C0GENERAL", text)
    assert [event["type"] for event in events()] == ["message"]


def test_the_apps_own_links_are_not_told(slack: LocalSlack, events: Any) -> None:
    """Slack sends no `link_shared` for the app's own messages."""
    slack.call("chat.postMessage", channel="C0GENERAL", text="https://github.com/o/r")
    assert events("link_shared") == []


def test_a_snippet_comes_with_its_message(slack: LocalSlack, events: Any) -> None:
    """Its text is behind a URL that needs the token, and in `files.info`."""
    slack.user("U0ASKER").post("C0GENERAL", "look", snippets={"a.py": "print(1)\n"})
    (event,) = events()
    assert event["subtype"] == "file_share"
    (file,) = event["files"]
    assert (file["name"], file["mode"], file["preview"]) == ("a.py", "snippet", "print(1)\n")
    body = slack.call("files.info", file=file["id"]).body
    assert body["content"] == "print(1)\n"


# A workspace that leaves its organisation is a test of its own: tests/app/workspaces.
@pytest.mark.parametrize("name", [one for one in ALL_EVENTS if one != "team_access_revoked"])
def test_an_event_comes_only_if_it_was_asked_for(name: str) -> None:
    """An app that did not subscribe hears nothing: a missing line in the manifest must show."""
    heard = {True: _told(name, ALL_EVENTS), False: _told(name, tuple(set(ALL_EVENTS) - {name}))}
    kind = name.split(".")[0]
    if kind == "message":
        assert len(heard[True]) > len(heard[False])
    else:
        assert kind in heard[True]
        assert kind not in heard[False]


def _told(name: str, subscribed: tuple[str, ...]) -> list[str]:
    agent = "assistant_view" if name.startswith("assistant") else "agent_view"
    slack = LocalSlack(
        {
            "app": {"events": subscribed, "agent": agent},
            "limits": {"rates": False},
            "channels": [
                {"id": "C0GENERAL", "members": ["U0ASKER", "U0PEER", "bot"]},
                {"id": "C0PRIVATE", "kind": "private", "members": ["U0ASKER", "bot"]},
                {"id": "C0GROUP", "kind": "mpim", "members": ["U0ASKER", "U0PEER", "bot"]},
            ],
        }
    )
    _do_everything(slack)
    return [delivery.name for delivery in slack.outbox]


def _do_everything(slack: LocalSlack) -> None:
    asker, peer = slack.user("U0ASKER"), slack.user("U0PEER")
    asker.open_dm()
    asker.look_at("C0GENERAL")
    if slack.app.agent == "assistant_view":
        asker.start_assistant_thread()
        asker.look_at(None)
    ts = asker.mention("C0GENERAL", "https://github.com/o/r")
    for channel in ("C0PRIVATE", "C0GROUP"):
        asker.post(channel, "hi")
    asker.dm("hi")
    asker.react("C0GENERAL", ts, "eyes")
    asker.unreact("C0GENERAL", ts, "eyes")
    peer.leave("C0GENERAL")
    peer.join("C0GENERAL")
    slack.call(
        "agents.sessions.setStatus",
        channel_id="C0GENERAL",
        thread_ts=ts,
        status="processing",
        title="one",
    )
    slack.call("agents.sessions.rename", channel_id="C0GENERAL", thread_ts=ts, title="two")
    if "agent_session_stopped" in slack.app.events and slack.app.agent == "agent_view":
        asker.stop("C0GENERAL", ts)
    for channel in ("C0GENERAL", "C0PRIVATE"):
        asker.archive(channel)
    slack.call("auth.revoke")


@pytest.mark.parametrize(
    ("scope", "kind"),
    [
        ("app_mentions:read", "app_mention"),
        ("channels:history", "message"),
        ("reactions:read", "reaction_added"),
        ("links:read", "link_shared"),
        ("channels:read", "member_joined_channel"),
        ("assistant:write", "app_context_changed"),
    ],
)
def test_an_event_needs_its_scope(scope: str, kind: str) -> None:
    """Subscribing is not enough: without the scope Slack stays silent."""
    for scopes in (ALL_SCOPES, tuple(set(ALL_SCOPES) - {scope})):
        slack = LocalSlack({"app": {"scopes": scopes}, "limits": {"rates": False}})
        asker = slack.user("U0ASKER")
        asker.open_dm()
        asker.look_at("C0GENERAL")
        ts = asker.mention("C0GENERAL", "https://github.com/o/r")
        asker.react("C0GENERAL", ts, "eyes")
        slack.user("U0PEER").leave("C0GENERAL")
        slack.user("U0PEER").join("C0GENERAL")
        told = [delivery.name for delivery in slack.outbox]
        assert (kind in told) is (scope in scopes)


def test_nothing_is_told_of_typing(slack: LocalSlack, events: Any) -> None:
    """Modern apps have no typing event: a test that sent one would deceive its app."""
    slack.user("U0ASKER").type_draft("C0GENERAL", "how does the")
    assert events() == []


def test_an_archived_channel_takes_no_message(slack: LocalSlack) -> None:
    """Not a person's, either."""
    from forewarm_playground.slack.errors import SlackError

    with pytest.raises(SlackError, match="is_archived"):
        slack.user("U0ASKER").post("C0OLD", "hi")
