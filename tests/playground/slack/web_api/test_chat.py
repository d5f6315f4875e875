"""Messages of the bot: posted, updated, deleted, shown to one."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack

GENERAL = {"channel": "C0GENERAL"}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*b*"}}


def test_a_posted_message_comes_back_whole(slack: LocalSlack) -> None:
    """Apps keep the `ts` and read the message as Slack stored it."""
    body = slack.call("chat.postMessage", **GENERAL, text="a & b", blocks=[SECTION]).body
    assert body["channel"] == "C0GENERAL"
    message = body["message"]
    assert message["text"] == "a &amp; b"
    assert (message["user"], message["bot_id"], message["app_id"]) == ("U0BOT", "B0BOT", "A0LOCAL")
    assert message["bot_profile"]["app_id"] == "A0LOCAL"
    assert message["blocks"][0]["block_id"]
    assert "subtype" not in message


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "C0NOWHERE", "text": "t"}, "channel_not_found"),
        ({"channel": "C0QUIET", "text": "t"}, "not_in_channel"),
        ({"channel": "C0HIDDEN", "text": "t"}, "channel_not_found"),
        ({"channel": "C0OLD", "text": "t"}, "is_archived"),
        ({"channel": "U0OTHERBOT", "text": "t"}, "channel_not_found"),
        ({**GENERAL}, "no_text"),
        ({**GENERAL, "text": ""}, "no_text"),
        ({**GENERAL, "text": "t", "markdown_text": "m"}, "markdown_text_conflict"),
        ({**GENERAL, "blocks": [SECTION], "markdown_text": "m"}, "markdown_text_conflict"),
        ({**GENERAL, "markdown_text": "m" * 12_001}, "msg_too_long"),
        ({**GENERAL, "blocks": "not json"}, "invalid_blocks_format"),
        ({**GENERAL, "blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({**GENERAL, "blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({**GENERAL, "text": "t", "attachments": [{"text": "a"}] * 101}, "too_many_attachments"),
        ({**GENERAL, "text": "t", "thread_ts": "1.000001"}, "thread_not_found"),
        ({**GENERAL, "text": "t", "thread_ts": "soon"}, "invalid_thread_ts"),
        ({**GENERAL, "text": "t", "metadata": {"event_type": 1}}, "invalid_metadata_format"),
    ],
)
def test_a_bad_post_is_refused_by_its_documented_name(
    slack: LocalSlack, arguments: dict[str, Any], error: str
) -> None:
    """The bot decides by these codes whether to retry, repair or give up."""
    assert slack.call("chat.postMessage", **arguments).error == error
    assert not slack.bot_messages("C0GENERAL")


def test_a_post_to_a_user_opens_the_direct_message(slack: LocalSlack) -> None:
    """Slack takes a user's id for a channel."""
    body = slack.call("chat.postMessage", channel="U0ASKER", text="t").body
    assert body["channel"] == slack.user("U0ASKER").dm_channel


def test_a_channel_may_be_named(slack: LocalSlack) -> None:
    """`#general` works as in Slack."""
    body = slack.call("chat.postMessage", channel="#general", text="t").body
    assert body["channel"] == "C0GENERAL"


def test_public_channels_take_posts_of_strangers_with_the_scope(slack: LocalSlack) -> None:
    """`chat:write.public` is the optional right to post without joining."""
    slack.installation.scopes += ("chat:write.public",)
    assert slack.call("chat.postMessage", channel="C0QUIET", text="t").body["ok"]


def test_a_customized_message_is_of_the_old_kind(slack: LocalSlack) -> None:
    """With a name of its own it has the subtype `bot_message` and no user; the scope is needed."""
    body = slack.call("chat.postMessage", **GENERAL, text="t", username="Other").body
    assert body["message"]["subtype"] == "bot_message"
    assert body["message"]["username"] == "Other"
    assert "user" not in body["message"]
    slack.installation.scopes = ("chat:write",)
    reply = slack.call("chat.postMessage", **GENERAL, text="t", username="Other")
    assert (reply.error, reply.body["needed"]) == ("missing_scope", "chat:write.customize")


def test_long_text_is_cut_not_refused(slack: LocalSlack) -> None:
    """Slack cuts beyond 40,000 characters (docs/platform/slack.md#message-limits)."""
    body = slack.call("chat.postMessage", **GENERAL, text="x" * 50_000).body
    assert len(body["message"]["text"]) == 40_000


def test_an_update_replaces_the_text_and_is_told(slack: LocalSlack, events: Any) -> None:
    """Edits of the bot reach the app, too: it must compare texts."""
    ts = slack.call("chat.postMessage", **GENERAL, text="one").body["ts"]
    events()
    body = slack.call("chat.update", **GENERAL, ts=ts, text="two").body
    assert (body["ts"], body["text"]) == (ts, "two")
    (event,) = events("message")
    assert event["subtype"] == "message_changed"
    assert event["hidden"] is True
    assert event["message"]["text"] == "two"
    assert event["previous_message"]["text"] == "one"
    assert event["message"]["edited"]["user"] == "U0BOT"


def test_blocks_stay_unless_an_update_speaks_of_them(slack: LocalSlack) -> None:
    """An empty list takes them away; silence keeps them."""
    ts = slack.call("chat.postMessage", **GENERAL, text="one", blocks=[SECTION]).body["ts"]
    kept = slack.call("chat.update", **GENERAL, ts=ts, text="two").body["message"]
    assert kept["blocks"][0]["type"] == "section"
    gone = slack.call("chat.update", **GENERAL, ts=ts, text="two", blocks=[]).body["message"]
    assert "blocks" not in gone


@pytest.mark.parametrize(("text", "error"), [("x" * 4_001, "msg_too_long"), ("x" * 4_000, "")])
def test_an_update_takes_less_text_than_a_post(slack: LocalSlack, text: str, error: str) -> None:
    """4,000 characters (docs/platform/slack.md#message-limits)."""
    ts = slack.call("chat.postMessage", **GENERAL, text="one").body["ts"]
    assert slack.call("chat.update", **GENERAL, ts=ts, text=text).error == error


def test_only_its_own_messages_are_the_apps_to_change(slack: LocalSlack) -> None:
    """Neither a person's nor another bot's."""
    for user in ("U0ASKER", "U0OTHERBOT"):
        ts = slack.user(user).post("C0GENERAL", "mine")
        assert slack.call("chat.update", **GENERAL, ts=ts, text="t").error == "cant_update_message"
        assert slack.call("chat.delete", **GENERAL, ts=ts).error == "cant_delete_message"
    assert slack.call("chat.update", **GENERAL, ts="1.000001", text="t").error == (
        "message_not_found"
    )


def test_a_deleted_message_is_gone_and_told(slack: LocalSlack, events: Any) -> None:
    """The event carries what was deleted."""
    ts = slack.call("chat.postMessage", **GENERAL, text="one").body["ts"]
    events()
    assert slack.call("chat.delete", **GENERAL, ts=ts).body["ts"] == ts
    assert slack.messages("C0GENERAL") == []
    (event,) = events("message")
    assert (event["subtype"], event["deleted_ts"]) == ("message_deleted", ts)
    assert event["previous_message"]["text"] == "one"


def test_an_ephemeral_message_is_in_no_history(slack: LocalSlack, events: Any) -> None:
    """It is shown to one member, and to members only."""
    body = slack.call("chat.postEphemeral", **GENERAL, user="U0ASKER", text="psst").body
    assert body["message_ts"]
    assert events() == []
    assert slack.messages("C0GENERAL") == []
    assert slack.state.ephemerals[0].seen_by == "U0ASKER"
    refused = slack.call("chat.postEphemeral", channel="C0SECRET", user="U0PEER", text="psst")
    assert refused.error == "user_not_in_channel"


def test_a_permalink_names_channel_message_and_thread(slack: LocalSlack) -> None:
    """Receipts and hand-overs link to messages."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    reply = slack.user("U0PEER").post("C0GENERAL", "reply", root)
    link = slack.call("chat.getPermalink", **GENERAL, message_ts=root).body["permalink"]
    assert link == f"https://local.slack.com/archives/C0GENERAL/p{root.replace('.', '')}"
    link = slack.call("chat.getPermalink", **GENERAL, message_ts=reply).body["permalink"]
    assert link.endswith(f"?thread_ts={root}&cid=C0GENERAL")
    assert slack.call("chat.getPermalink", **GENERAL, message_ts="1.1").error == "message_not_found"


def test_an_unfurl_hangs_its_preview_under_the_message(slack: LocalSlack, events: Any) -> None:
    """It arrives as a `message_changed` whose text is the same.

    Source: docs/platform/slack.md#messages-and-mentions.
    """
    ts = slack.user("U0ASKER").post("C0GENERAL", "https://github.com/o/r")
    events()
    slack.installation.scopes += ("links:write",)
    unfurls = {"https://github.com/o/r": {"text": "a repository"}}
    assert slack.call("chat.unfurl", **GENERAL, ts=ts, unfurls=unfurls).body["ok"]
    (event,) = events("message")
    assert event["message"]["attachments"][0]["from_url"] == "https://github.com/o/r"
    assert event["message"]["text"] == event["previous_message"]["text"]
