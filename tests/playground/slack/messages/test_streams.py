"""The life of a streamed message: who may write, how long, how much, and who sees it."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from hypothesis import given, settings
from hypothesis import strategies as st

TO = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}


def text(markdown: str) -> dict[str, str]:
    return {"type": "markdown_text", "text": markdown}


@pytest.fixture
def question(slack: LocalSlack) -> str:
    return slack.user("U0ASKER").mention("C0GENERAL", "how?")


@pytest.fixture
def stream(slack: LocalSlack, question: str) -> dict[str, str]:
    """A running stream in the question's thread."""
    body = slack.call("chat.startStream", channel="C0GENERAL", thread_ts=question, **TO).body
    return {"channel": "C0GENERAL", "ts": body["ts"]}


def test_a_stream_is_started_appended_to_and_stopped(
    slack: LocalSlack, question: str, stream: dict[str, str]
) -> None:
    """The text is the chunks in order, then the blocks that the stop brings."""
    slack.call("chat.appendStream", **stream, chunks=[text("one "), text("two")])
    slack.call("chat.appendStream", **stream, markdown_text=" three")
    divider = {"type": "divider"}
    body = slack.call("chat.stopStream", **stream, chunks=[text("!")], blocks=[divider]).body
    message = body["message"]
    assert message["text"] == "one two three!"
    assert message["thread_ts"] == question
    assert message["streaming_state"] == "completed"
    assert [block["type"] for block in message["blocks"]] == ["markdown", "divider"]


def test_only_the_recipient_sees_it_grow(slack: LocalSlack, stream: dict[str, str]) -> None:
    """In a channel the others see an empty bubble until it stops.

    Source: docs/platform/slack.md#streaming-behaviour.
    """
    slack.call("chat.appendStream", **stream, markdown_text="live")
    message = slack.messages("C0GENERAL")[-1]
    asker, peer = slack.user("U0ASKER"), slack.user("U0PEER")
    assert (asker.sees(message), peer.sees(message)) == ("live", "")
    slack.call("chat.stopStream", **stream)
    assert (asker.sees(message), peer.sees(message)) == ("live", "live")


def test_a_stream_breaks_after_five_minutes_in_any_state(
    slack: LocalSlack, clock: Any, stream: dict[str, str]
) -> None:
    """Appending does not prolong its life; then neither append nor stop works, update repairs."""
    for _ in range(5):
        clock.pass_(59.9)
        assert slack.call("chat.appendStream", **stream, markdown_text="x").body["ok"]
    clock.pass_(1)
    for method in ("chat.appendStream", "chat.stopStream"):
        error = slack.call(method, **stream, markdown_text="y").error
        assert error == "message_not_in_streaming_state"
    (message,) = slack.bot_messages("C0GENERAL")
    body = slack.call("conversations.replies", channel="C0GENERAL", ts=message.thread_ts).body
    assert body["messages"][-1]["streaming_state"] == "errored"
    assert slack.call("chat.update", **stream, markdown_text="whole").body["ok"]
    assert slack.user("U0PEER").sees(message) == "whole"


def test_too_many_bytes_are_refused_and_nothing_is_lost(
    slack: LocalSlack, stream: dict[str, str]
) -> None:
    """The cap counts UTF-8 bytes of the whole message; a refused append adds nothing."""
    limit = slack.state.config.limits.stream_bytes
    assert slack.call("chat.appendStream", **stream, markdown_text="é" * (limit // 2)).body["ok"]
    assert slack.call("chat.appendStream", **stream, markdown_text="é").error == "msg_too_long"
    body = slack.call("chat.stopStream", **stream).body
    assert body["message"]["text"] == "é" * (limit // 2)


def test_one_call_takes_twelve_thousand_characters_at_most(
    slack: LocalSlack, stream: dict[str, str]
) -> None:
    """The documented limit of `markdown_text`, which the undocumented cap precedes."""
    assert slack.call("chat.appendStream", **stream, markdown_text="x" * 12_001).error == (
        "msg_too_long"
    )


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("recipient_team_id", "missing_recipient_team_id"),
        ("recipient_user_id", "missing_recipient_user_id"),
    ],
)
def test_a_stream_in_a_channel_names_its_recipient(
    slack: LocalSlack, question: str, missing: str, error: str
) -> None:
    """Without one it could not be seen live."""
    given_to = {key: value for key, value in TO.items() if key != missing}
    reply = slack.call("chat.startStream", channel="C0GENERAL", thread_ts=question, **given_to)
    assert reply.error == error


def test_a_direct_message_needs_no_recipient_but_a_thread(slack: LocalSlack) -> None:
    """Its only other member sees it; top-level streams exist in channels only."""
    asker = slack.user("U0ASKER")
    ts = asker.dm("how?")
    assert slack.call("chat.startStream", channel=asker.dm_channel).error == "invalid_arguments"
    reply = slack.call("chat.startStream", channel=asker.dm_channel, thread_ts=ts)
    slack.call(
        "chat.appendStream", channel=asker.dm_channel, ts=reply.body["ts"], markdown_text="live"
    )
    assert asker.sees(slack.messages(asker.dm_channel)[-1]) == "live"


def test_a_channel_may_stream_at_its_top_level(slack: LocalSlack) -> None:
    """The newest documentation lets `thread_ts` be left out in channels."""
    reply = slack.call("chat.startStream", channel="C0GENERAL", **TO)
    assert reply.body["ok"]
    assert slack.messages("C0GENERAL")[-1].thread_ts is None


def test_a_running_stream_cannot_be_updated(slack: LocalSlack, stream: dict[str, str]) -> None:
    """Streaming and updating exclude each other."""
    assert slack.call("chat.update", **stream, text="t").error == "streaming_state_conflict"
    slack.call("chat.stopStream", **stream, markdown_text="done")
    assert slack.call("chat.update", **stream, text="t").body["ok"]


def test_a_stopped_stream_takes_nothing_more(slack: LocalSlack, stream: dict[str, str]) -> None:
    """A second stop, as after a lost reply, is told apart from success."""
    slack.call("chat.stopStream", **stream, markdown_text="done")
    for method in ("chat.appendStream", "chat.stopStream"):
        error = slack.call(method, **stream, markdown_text="y").error
        assert error == "message_not_in_streaming_state"


def test_what_is_no_stream_of_the_app_takes_no_text(slack: LocalSlack, question: str) -> None:
    """Owner and existence are checked, in this order of names."""
    ordinary = slack.call("chat.postMessage", channel="C0GENERAL", text="t").body["ts"]
    for ts, error in (
        (question, "message_not_owned_by_app"),
        ("1.000001", "message_not_found"),
        (ordinary, "message_not_in_streaming_state"),
    ):
        reply = slack.call("chat.appendStream", channel="C0GENERAL", ts=ts, markdown_text="x")
        assert reply.error == error


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "nonsense"},
        {"type": "markdown_text"},
        {"type": "blocks", "blocks": {}},
        {"type": "plan_update"},
        {"type": "task_update", "title": "t"},
        {"type": "task_update", "id": "1", "title": "t", "status": "late"},
        {"type": "task_update", "id": "1", "title": "t" * 257},
    ],
)
def test_a_bad_chunk_is_refused(
    slack: LocalSlack, stream: dict[str, str], chunk: dict[str, Any]
) -> None:
    """Nothing of a call with a bad chunk is taken."""
    reply = slack.call("chat.appendStream", **stream, chunks=[text("good"), chunk])
    assert reply.error == "invalid_chunks"
    assert slack.bot_messages("C0GENERAL")[0].text == ""


def test_an_empty_append_has_no_text(slack: LocalSlack, stream: dict[str, str]) -> None:
    """Slack refuses an append of nothing; a stop of nothing is fine."""
    assert slack.call("chat.appendStream", **stream).error == "no_text"
    assert slack.call("chat.appendStream", **stream, chunks=[]).error == "no_text"
    assert slack.call("chat.stopStream", **stream, chunks=[]).body["ok"]


def test_tasks_are_cards_that_change_in_place(slack: LocalSlack, stream: dict[str, str]) -> None:
    """Same id: title and status replace, details add up; order of first appearance stays."""
    task = {"type": "task_update", "id": "1"}
    for chunk in (
        {**task, "title": "Reading", "status": "in_progress", "details": "a"},
        text("words"),
        {**task, "title": "Read", "status": "complete", "details": "b"},
    ):
        assert slack.call("chat.appendStream", **stream, chunks=[chunk]).body["ok"]
    message = slack.bot_messages("C0GENERAL")[0]
    assert [block["type"] for block in message.blocks] == ["task_card", "markdown"]
    assert message.blocks[0]["title"] == "Read"
    assert message.blocks[0]["status"] == "complete"
    assert message.blocks[0]["details"] == "ab"


def test_stop_ends_the_stream_and_tells_the_app(
    slack: LocalSlack, events: Any, question: str, stream: dict[str, str]
) -> None:
    """The user's Stop: later text is refused, so the answer's generation can be cancelled."""
    slack.call("chat.appendStream", **stream, markdown_text="half")
    events()
    assert slack.user("U0ASKER").stop("C0GENERAL", question) == [stream["ts"]]
    (event,) = events("agent_session_stopped")
    assert event["thread_ts"] == question
    assert event["streaming_message_ts"] == [stream["ts"]]
    assert event["user"] == "U0ASKER"
    for method in ("chat.appendStream", "chat.stopStream"):
        assert slack.call(method, **stream, markdown_text="x").error == "stopped_by_user"


def test_a_stream_tells_its_state_over_the_events(
    slack: LocalSlack, events: Any, question: str
) -> None:
    """Other apps and our own second replica see `streaming_state`.

    Source: docs/platform/slack.md#messages-and-mentions.
    """
    events()
    body = slack.call("chat.startStream", channel="C0GENERAL", thread_ts=question, **TO).body
    slack.call("chat.appendStream", channel="C0GENERAL", ts=body["ts"], markdown_text="a")
    slack.call("chat.stopStream", channel="C0GENERAL", ts=body["ts"])
    started, stopped = events("message")
    assert started["streaming_state"] == "in_progress"
    assert stopped["message"]["streaming_state"] == "completed"


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(min_value=0, max_value=120), st.text(max_size=2000)), max_size=20)
)
def test_what_was_taken_is_what_stands_there(steps: list[tuple[float, str]]) -> None:
    """For any order of refusals: accepted text is kept once, refused text not at all."""
    at = 1_795_424_400.0
    slack = LocalSlack({"limits": {"rates": False}}, now=lambda: at)
    start = slack.call("chat.startStream", channel="C0GENERAL", **TO).body
    stream = {"channel": "C0GENERAL", "ts": start["ts"]}
    taken = ""
    for wait, piece in steps:
        at += wait
        if slack.call("chat.appendStream", **stream, markdown_text=piece).body["ok"]:
            taken += piece
            assert at - 1_795_424_400.0 < 300
    assert slack.bot_messages("C0GENERAL")[0].text == taken
    assert len(taken.encode()) <= slack.state.config.limits.stream_bytes
