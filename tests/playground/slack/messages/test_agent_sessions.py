"""Status lines, sessions, prompts: what makes an app an agent."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.messages.agent_sessions import status_of


@pytest.fixture
def question(slack: LocalSlack) -> dict[str, str]:
    ts = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    return {"channel_id": "C0GENERAL", "thread_ts": ts}


def shown(slack: LocalSlack, question: dict[str, str]) -> str:
    status = status_of(slack.state, question["channel_id"], question["thread_ts"])
    return status.text if status else ""


def test_a_status_shows_until_the_app_replies(slack: LocalSlack, question: dict[str, str]) -> None:
    """Any reply of the app clears it, in channels too.

    Source: docs/platform/slack.md#status-and-sessions.
    """
    reply = slack.call(
        "assistant.threads.setStatus",
        **question,
        status="is thinking",
        loading_messages=["Reading", "Looking"],
    )
    assert reply.body["ok"]
    assert shown(slack, question) == "is thinking"
    slack.call("chat.postMessage", channel="C0GENERAL", text="t", thread_ts=question["thread_ts"])
    assert shown(slack, question) == ""


def test_a_status_fades_after_two_minutes(
    slack: LocalSlack, clock: Any, question: dict[str, str]
) -> None:
    """A long answer has to set it again."""
    slack.call("assistant.threads.setStatus", **question, status="is thinking")
    clock.pass_(119)
    assert shown(slack, question) == "is thinking"
    clock.pass_(1)
    assert shown(slack, question) == ""


def test_an_empty_status_clears_it(slack: LocalSlack, question: dict[str, str]) -> None:
    """The app's own way to take it back."""
    slack.call("assistant.threads.setStatus", **question, status="is thinking")
    assert slack.call("assistant.threads.setStatus", **question, status="").body["ok"]
    assert shown(slack, question) == ""


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"channel_id": "C0QUIET"}, "channel_not_found"),
        ({"thread_ts": "1.000001"}, "invalid_thread_ts"),
        ({"loading_messages": ["x"] * 11}, "invalid_arguments"),
    ],
)
def test_a_bad_status_is_refused(
    slack: LocalSlack, question: dict[str, str], change: dict[str, Any], error: str
) -> None:
    """With the documented errors."""
    arguments = {**question, "status": "x", **change}
    assert slack.call("assistant.threads.setStatus", **arguments).error == error


def test_a_stream_opens_a_session_and_its_stop_ends_the_turn(
    slack: LocalSlack, question: dict[str, str]
) -> None:
    """Starting sets processing; stopping sets active, or what it says."""
    where = {"channel": "C0GENERAL", "thread_ts": question["thread_ts"]}
    to = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}
    ts = slack.call("chat.startStream", **where, **to).body["ts"]
    session = slack.state.sessions["C0GENERAL", question["thread_ts"]]
    assert session.status == "processing"
    stream = {"channel": "C0GENERAL", "ts": ts}
    slack.call("chat.stopStream", **stream, session_status="processing")
    assert session.status == "processing"
    ts = slack.call("chat.startStream", **where, **to).body["ts"]
    slack.call("chat.stopStream", channel="C0GENERAL", ts=ts)
    assert session.status == "active"


def test_a_session_keeps_processing_until_told_or_an_hour_has_passed(
    slack: LocalSlack, clock: Any, question: dict[str, str]
) -> None:
    """Unlike a status line it does not clear on a reply.

    Source: docs/platform/slack.md#status-and-sessions.
    """
    body = slack.call("agents.sessions.setStatus", **question, status="processing", title="T").body
    assert (body["status"], body["agent_status"], body["title"]) == (
        "processing",
        "processing",
        "T",
    )
    slack.call("chat.postMessage", channel="C0GENERAL", text="t", thread_ts=question["thread_ts"])
    clock.pass_(3599)
    assert slack.user("U0ASKER").stop("C0GENERAL", question["thread_ts"]) == []
    slack.call("agents.sessions.setStatus", **question, status="processing")
    clock.pass_(3600)
    with pytest.raises(SlackError, match="no_stop_button"):
        slack.user("U0ASKER").stop("C0GENERAL", question["thread_ts"])


def test_the_stop_button_needs_the_subscription(clock: Any) -> None:
    """Without the event Slack shows no button, and warns the app."""
    slack = LocalSlack({"app": {"events": ["app_mention"]}}, now=clock)
    ts = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    question = {"channel_id": "C0GENERAL", "thread_ts": ts}
    body = slack.call("agents.sessions.setStatus", **question, status="processing").body
    assert body["warning"] == "missing_agent_session_stopped_event_subscription"
    with pytest.raises(SlackError, match="no_stop_button"):
        slack.user("U0ASKER").stop("C0GENERAL", ts)


def test_renaming_needs_a_session_and_is_told(
    slack: LocalSlack, events: Any, question: dict[str, str]
) -> None:
    """Before there is a session it is `not_authorized`."""
    rename = {**question, "title": "two"}
    assert slack.call("agents.sessions.rename", **rename).error == "not_authorized"
    slack.call("agents.sessions.setStatus", **question, status="active", title="one")
    events()
    assert slack.call("agents.sessions.rename", **rename).body["title"] == "two"
    (event,) = events()
    assert (event["type"], event["title"], event["previous_title"]) == (
        "agent_session_title_changed",
        "two",
        "one",
    )
    too_long = {**question, "title": "x" * 201}
    assert slack.call("agents.sessions.rename", **too_long).error == "invalid_arguments"


def test_prompts_of_an_agent_leave_the_thread_out(slack: LocalSlack) -> None:
    """With `thread_ts` an `agent_view` app silently offers nothing.

    Source: docs/platform/slack.md#status-and-sessions.
    """
    asker = slack.user("U0ASKER")
    ts = asker.dm("hi")
    prompts = [{"title": "Explain", "message": "Explain it"}]
    where: dict[str, Any] = {"channel_id": asker.dm_channel, "prompts": prompts}
    method = "assistant.threads.setSuggestedPrompts"
    assert slack.call(method, **where, thread_ts=ts).body["ok"]
    assert slack.state.prompts == {}
    assert slack.call(method, **where, title="Try").body["ok"]
    held = slack.state.prompts[asker.dm_channel, ""]
    assert held == {"title": "Try", "prompts": prompts}
    assert slack.call(method, **{**where, "prompts": prompts * 5}).error == "invalid_arguments"


def test_only_agents_have_sessions(clock: Any) -> None:
    """`assistant_view` apps and plain ones are refused."""
    slack = LocalSlack({"app": {"agent": "none"}}, now=clock)
    ts = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    where = {"channel_id": "C0GENERAL", "thread_ts": ts}
    assert slack.call("agents.sessions.setStatus", **where, status="active").error == "not_allowed"
