"""Slack's messages as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.answer.thread.message import BotIdentity, is_own, thread_message

OWN = BotIdentity("UBOT", "B1", "T1", "E1")


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
        ({"user_team": "E1"}, "person", "U1"),
        ({"source_team": "E2"}, "outsider", "U1"),
    ],
)
def test_who_speaks_is_told_apart(fields: dict[str, Any], speaker: str, by: str) -> None:
    """Bots and strangers are marked for the model; our own words are not data."""
    one = thread_message(message(**fields), OWN)
    assert one is not None
    assert (one.speaker, one.by) == (speaker, by)


@pytest.mark.parametrize(
    "fields",
    [
        {"subtype": "channel_join"},
        {"subtype": "tombstone"},
        {"text": " "},
        {"hidden": True},
        {"ts": None},
        {"user": "USLACKBOT"},
        {"user": "USLACK", "text": "archived the channel"},
    ],
)
def test_an_event_without_an_author_is_nothing(fields: dict[str, Any]) -> None:
    """Joins and hidden events are no part of a conversation."""
    assert thread_message(message(**fields), OWN) is None


def test_an_email_that_slack_posts_is_a_message() -> None:
    """Alerts often come by the address of a channel; people ask below them."""
    mail = {"id": "F1", "mode": "email", "filetype": "email", "plain_text": "db1 is full"}
    one = thread_message(message(user="USLACKBOT", text="", files=[mail]), OWN)
    assert one is not None
    assert (one.speaker, one.files[0].preview) == ("bot", "db1 is full")


def test_software_is_called_by_the_name_it_posts_under() -> None:
    profile = {"name": "Alerts"}
    one = thread_message(message(bot_id="B2", bot_profile=profile), OWN)
    assert one is not None
    assert one.name == "Alerts"
    webhook = thread_message(message(subtype="bot_message", user=None, username="CI"), OWN)
    assert webhook is not None
    assert webhook.name == "CI"


def test_a_message_of_ours_without_words_is_ours() -> None:
    """A stream that died before its first words must be found, too."""
    assert is_own({"ts": "1.0", "bot_id": "B1", "text": ""}, OWN)
    assert not is_own({"ts": "1.0", "user": "U1", "text": ""}, OWN)
