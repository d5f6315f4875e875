"""Event bodies as Slack sends them (docs/platform/slack.md#signals-before-a-question)."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.events.parse import (
    Deleted,
    Edited,
    actor_of,
    read_edit,
    read_message,
    read_signal,
    viewed_channel,
)

ME = "UBOT"


def body(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_time": 1790000000,
        "event": event,
        "authorizations": [{"team_id": "T1", "user_id": "U_AUTH", "is_bot": True}],
        **more,
    }


def message(**more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "user": "U1",
        "text": "<@UBOT> why?",
        "ts": "1790000000.000100",
        "channel": "C1",
        "channel_type": "channel",
        **more,
    }


def test_a_mention_reads_the_same_from_both_of_its_events() -> None:
    """Slack sends `app_mention` and `message` for one mention; either may come first."""
    mention = {k: v for k, v in message(type="app_mention").items() if k != "channel_type"}
    first, second = read_message(body(mention), ME), read_message(body(message()), ME)
    assert first == second
    assert first is not None
    assert first.mentions_me
    assert first.text == "why?"


@pytest.mark.parametrize(
    "event",
    [
        message(user=ME),
        message(hidden=True),
        message(subtype="channel_join"),
        message(subtype="message_changed"),
        {"type": "message"},
        {"type": "reaction_added", "user": "U1"},
    ],
)
def test_an_event_without_an_author_is_no_message(event: dict[str, Any]) -> None:
    assert read_message(body(event), ME) is None


def test_a_root_message_is_its_own_thread_and_not_in_one() -> None:
    root = read_message(body(message(thread_ts="1790000000.000100")), ME)
    assert root is not None
    assert root.thread is None
    assert root.root == "1790000000.000100"


def test_an_edit_counts_only_if_a_user_changed_the_words() -> None:
    """Slack sends message_changed for unfurls and for our own streaming too."""
    before = {"user": "U1", "ts": "1.0", "text": "old"}
    event = {"type": "message", "subtype": "message_changed", "channel": "C1"}
    edited = {**event, "message": before | {"text": "new"}, "previous_message": before}
    assert read_edit(body(edited), ME) == Edited("T1", "C1", "1.0", "U1", "new")
    unfurled = {**event, "message": before, "previous_message": before}
    assert read_edit(body(unfurled), ME) is None
    own = {**event, "message": {"user": ME, "text": "b"}, "previous_message": {"text": "a"}}
    assert read_edit(body(own), ME) is None


def test_a_deletion_names_the_deleted_message() -> None:
    event = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": "2.0"}
    assert read_edit(body(event), ME) == Deleted("T1", "C1", "2.0")


def test_a_tombstone_is_a_deletion_and_no_edit() -> None:
    """Of a deleted message with replies Slack leaves one: its words are no question."""
    tombstone = {"subtype": "tombstone", "user": "USLACKBOT", "ts": "1.1", "text": "Deleted."}
    said = {"user": "U1", "ts": "1.1", "text": "how?"}
    event = {"type": "message", "subtype": "message_changed", "channel": "C1"}
    buried = {**event, "message": tombstone, "previous_message": said}
    assert read_edit(body(buried), ME) == Deleted("T1", "C1", "1.1")


def test_a_context_change_finds_its_user_in_the_authorizations() -> None:
    """app_context_changed itself names no user (§1.3)."""
    entities = [
        {"type": "slack#/types/canvas_id", "value": "F1"},
        {"type": "slack#/types/message_context", "value": {"channel_id": "C7"}},
    ]
    event = {"type": "app_context_changed", "context": {"entities": entities}}
    signal = read_signal(body(event), ME)
    assert signal is not None
    assert (signal.kind, signal.channel, signal.user) == ("context_changed", "C7", "U_AUTH")
    assert actor_of(body(event)) == "U_AUTH"


def test_an_empty_context_is_no_signal() -> None:
    event = {"type": "app_context_changed", "context": {}}
    assert read_signal(body(event), ME) is None
    assert viewed_channel({}) is None


def test_a_link_in_the_composer_is_told_from_one_that_was_posted() -> None:
    """Only the unsent one comes before a question; its channel is literally COMPOSER."""
    links = [{"domain": "github.com", "url": "https://github.com/o/r/blob/main/a.py?x=1&amp;y=2"}]
    composing = {"type": "link_shared", "channel": "COMPOSER", "user": "U1", "links": links}
    signal = read_signal(body({**composing, "source": "composer"}), ME)
    assert signal is not None
    assert (signal.kind, signal.channel) == ("composer_link", None)
    assert signal.repository == "https://github.com/o/r/blob/main/a.py?x=1&y=2"
    posted = {**composing, "channel": "C1", "source": "conversations_history"}
    signal = read_signal(body(posted), ME)
    assert signal is not None
    assert (signal.kind, signal.channel) == ("link_posted", "C1")


def test_only_the_messages_tab_announces_a_question() -> None:
    opened = {"type": "app_home_opened", "user": "U1", "channel": "D1", "event_ts": "5.5"}
    assert read_signal(body({**opened, "tab": "home"}), ME) is None
    signal = read_signal(body({**opened, "tab": "messages"}), ME)
    assert signal is not None
    assert (signal.kind, signal.user, signal.at) == ("dm_opened", "U1", 5.5)


def test_the_bots_own_join_is_told_from_a_persons() -> None:
    event = {"type": "member_joined_channel", "user": ME, "channel": "C1", "inviter": "U2"}
    signal = read_signal(body(event), ME)
    assert signal is not None
    assert (signal.kind, signal.user) == ("bot_joined", "U2")
    signal = read_signal(body({**event, "user": "U3"}), ME)
    assert signal is not None
    assert (signal.kind, signal.user) == ("person_joined", "U3")


@pytest.mark.parametrize(
    ("text", "me", "others"),
    [
        (f"<@{ME}> how?", True, False),
        (f"<@{ME}2> how?", False, True),
        (f"<@{ME}|bot> how?", True, False),
        ("<@U9> how?", False, True),
        ("<!here> does it retry?", False, True),
        ("<!subteam^S1|@payments> does it retry?", False, True),
        ("<!date^1^{date}|today> does it retry?", False, False),
        ("does it retry?", False, False),
        (f"`&lt;@{ME}&gt;` is how you write it", False, False),
    ],
)
def test_whom_a_message_speaks_to(text: str, me: bool, others: bool) -> None:
    """A question to a group of people is not one to the bot."""
    read = read_message(body(message(text=text)), ME)
    assert read is not None
    assert (read.mentions_me, read.mentions_others) == (me, others)


@pytest.mark.parametrize("user", ["USLACKBOT", "USLACK", ME])
def test_slacks_own_messages_are_none(user: str) -> None:
    assert read_message(body(message(user=user, text="archived the channel?")), ME) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"ts": "soon"},
        {"ts": None},
        {"files": [None]},
        {"blocks": "x"},
        {"attachments": {"a": 1}},
        {"text": None},
        {"text": 5},
        {"app_context": "x"},
        {"app_context": {"entities": ["x", None, {"value": 5}]}},
        {"app_context": {"entities": "x"}},
    ],
)
def test_a_broken_message_does_no_harm(broken: dict[str, Any]) -> None:
    read_message(body({**message(), **broken}), ME)


def test_a_message_carries_what_it_forwards_and_attaches() -> None:
    shared = {"is_share": True, "text": "boom", "author_id": "U2"}
    read = read_message(
        body(message(text="", attachments=[shared], files=[{"id": "F1", "name": "a.log"}])), ME
    )
    assert read is not None
    assert read.has_content
    assert read.quoted[0].text == "boom"
    assert read.files[0].name == "a.log"


def test_an_unfurl_is_no_edit_but_a_changed_block_is() -> None:
    before = {"user": "U1", "ts": "1.0", "text": "see"}
    changed = {"type": "message", "subtype": "message_changed", "channel": "C1"}
    unfurled = {**before, "attachments": [{"title": "a page", "from_url": "https://a.example"}]}
    event = {**changed, "message": unfurled, "previous_message": before}
    assert read_edit(body(event), ME) is None
    written = {**before, "text": "see &lt;this&gt;"}
    edited = read_edit(body({**changed, "message": written, "previous_message": before}), ME)
    assert isinstance(edited, Edited)
    assert edited.text == "see <this>"
