"""Slack's messages as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.answer.thread.message import BotIdentity, is_own, plain, said

OWN = BotIdentity("UBOT", "B1", "T1")


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<@UBOT> how?", "how?"),
        ("ask <@U2> or <@U3|ann>", "ask @U2 or @U3"),
        ("see <#C1|general> and <#C2>", "see #general and #C2"),
        ("<!here> <!subteam^S1|@devs> <!date^1^{date}|today>", "@here @devs today"),
        ("<https://a.example/x?a=1&amp;b=2|docs>", "docs (https://a.example/x?a=1&b=2)"),
        ("<https://a.example|a.example>", "https://a.example"),
        ("List&lt;int&gt; &amp;&amp; a &amp;lt; b", "List<int> && a &lt; b"),
        ("a < b and c > d", "a < b and c > d"),
    ],
)
def test_slack_s_marks_are_read_as_people_see_them(raw: str, read: str) -> None:
    """The model answers what was written, not how Slack stores it."""
    assert plain(raw, "UBOT") == read


def message(**fields: Any) -> dict[str, Any]:
    return {"ts": "1.000001", "user": "U1", "text": "hi", **fields}


@pytest.mark.parametrize(
    ("fields", "speaker", "by"),
    [
        ({}, "person", "U1"),
        ({"user": "UBOT"}, "own", "UBOT"),
        ({"user": None, "bot_id": "B1"}, "own", "UBOT"),
        ({"bot_id": "B2"}, "bot", "B2"),
        ({"subtype": "bot_message", "user": None}, "bot", "a bot"),
        ({"user_team": "T2"}, "outsider", "U1"),
        ({"user_team": "T1"}, "person", "U1"),
    ],
)
def test_who_speaks_is_told_apart(fields: dict[str, Any], speaker: str, by: str) -> None:
    """Bots and strangers are marked for the model; our own words are not data."""
    one = said(message(**fields), OWN)
    assert one is not None
    assert (one.speaker, one.by) == (speaker, by)


@pytest.mark.parametrize(
    "fields",
    [{"subtype": "channel_join"}, {"text": " "}, {"hidden": True}, {"ts": None}],
)
def test_what_nobody_said_is_nothing(fields: dict[str, Any]) -> None:
    """Joins and hidden events are no part of a conversation."""
    assert said(message(**fields), OWN) is None


def test_a_bot_s_words_are_found_in_its_blocks_and_attachments() -> None:
    """Alerts often have no text at all, and questions are asked about them."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "Disk is full"}}]
    one = said(message(text="", blocks=blocks, bot_id="B2"), OWN)
    assert one is not None
    assert one.text == "Disk is full"
    attached = said(
        message(text="", attachments=[{"fallback": "Build 7 failed", "title": "CI"}]), OWN
    )
    assert attached is not None
    assert "CI" in attached.text


def test_nesting_without_end_is_read_to_a_bound() -> None:
    """Blocks come from other apps; none may make us recurse for ever."""
    node: dict[str, Any] = {"text": "deep"}
    for _ in range(500):
        node = {"elements": [node]}
    assert said(message(text="", blocks=[node]), OWN) is None


def test_a_message_of_ours_without_words_is_ours() -> None:
    """A stream that died before its first words must be found, too."""
    assert is_own({"ts": "1.0", "bot_id": "B1", "text": ""}, OWN)
    assert not is_own({"ts": "1.0", "user": "U1", "text": ""}, OWN)
