"""Everything that is logged while a question is worked on carries the question's id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground.claude import ToolUse
from forewarm_playground.claude.responses.matching import RequestInfo

from bot.answer import tools
from tests.loglines import log_lines, logged

if TYPE_CHECKING:
    from tests.app.conftest import Begin

CHANNEL = "C0PAY"


def _broken(*_: Any) -> str:
    raise RuntimeError("a bug")


def _reply(asked: RequestInfo) -> Any:
    if asked.has_results or "plain" in asked.question:
        return "It returns seven."
    return ToolUse("search", {"pattern": "step_7"})


async def test_every_line_of_a_question_carries_its_id(
    product: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has one line has all of them: Claude's failures, Slack's, a thread's."""
    monkeypatch.setitem(tools._TOOLS, "search", _broken)
    with log_lines("INFO") as lines:
        async with product() as running:
            running.claude.rule(None, _reply)
            running.claude.fault("overloaded", match={"stream": True}, times=2)
            asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
            limited = asker.mention(CHANNEL, "a plain one: what does step_7 return?")
            await running.answered(CHANNEL, limited)
            broken = asker.mention(CHANNEL, "look it up: what does step_7 return?")
            await running.answered(CHANNEL, broken)
            running.slack.fail_call("conversations.replies", "error", code="fatal_error")
            root = peer.post(CHANNEL, "I wonder about step_7")
            unread = asker.mention(CHANNEL, "a plain one: what does it return?", root)
            await running.answered(CHANNEL, root)
            monkeypatch.setattr(running.bot.edge.desk, "_context_for", _broken)
            failed = asker.mention(CHANNEL, "a plain one: what does step_9 return?")
            await running.until(lambda: "task_failed" in lines.getvalue(), "the failure")
            await running.until(lambda: not running.bot.answerer.running, "the end")
            place = f"{running.bot.me.workspace}-{CHANNEL}"
        told = [line for line in logged(lines) if line["logger"].startswith("bot.")]
    ended = [line for line in told if line["event"] == "question_ended"]
    assert [line["question"] for line in ended] == [
        f"{place}-{ts}" for ts in (limited, broken, unread)
    ]
    assert {line["outcome"] for line in ended} == {"answered"}
    assert all(line["usd"] > 0 and line["wait_seconds"]["total"] > 0 for line in ended)
    [built] = [line for line in told if line["event"] == "context_built"]
    assert (built["context"], built["files"]) == ("pay", 2)
    [started] = [line for line in told if line["event"] == "started"]
    assert started["settings"]["slack_bot_token"] == "set"
    assert "xoxb" not in lines.getvalue()
    about_all = {
        "question_ended",
        "context_built",
        "warmth_decided",
        "ready",
        "stopping",
        "stopped",
    }
    told = [line for line in told if line["event"] not in about_all]
    assert {(line["event"], line.get("question")) for line in told} == {
        ("started", None),
        ("claude_request_failed", f"{place}-{limited}"),
        ("look_up_crashed", f"{place}-{broken}"),
        ("thread_unread", f"{place}-{unread}"),
        ("task_failed", f"{place}-{failed}"),
    }
