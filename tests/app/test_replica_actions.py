"""Which questions an interruption means that another replica was told of."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bot.answer.question import Question
from bot.app import replica_actions
from bot.app.inbox import QuestionInbox
from bot.app.replica_actions import INTERRUPTIONS, SKEW_SECONDS, RemoteAction, SharedAnswers
from bot.store.store import Store

AT = 1_800_000_000.0
ASKED = Question(
    id="q1",
    workspace="T1",
    channel="C1",
    thread="1.0",
    ts="2.0",
    user="U1",
    text="why?",
    surface="mention",
    asked_at=AT - 5,
    received_at=AT - 5,
)
BY_MESSAGE = RemoteAction("deleted", AT, workspace="T1", channel="C1", ts="2.0")
BY_THREAD = RemoteAction("stopped", AT, workspace="T1", channel="C1", thread="1.0")
BY_ID = RemoteAction("stopped", AT, question="q1")


@pytest.mark.parametrize("one", [BY_MESSAGE, BY_THREAD, BY_ID])
def test_it_means_the_question_that_was_asked_before_it(one: RemoteAction) -> None:
    assert one.means(ASKED)


@pytest.mark.parametrize("one", [BY_MESSAGE, BY_THREAD, BY_ID])
def test_what_is_asked_afterwards_is_answered(one: RemoteAction) -> None:
    """It is looked at for a minute: the thread's next question must not be stopped by it."""
    assert not one.means(replace(ASKED, received_at=AT + SKEW_SECONDS + 0.1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BY_MESSAGE, {"ts": "2.1"}),
        (BY_MESSAGE, {"channel": "C2"}),
        (BY_MESSAGE, {"workspace": "T2"}),
        (BY_THREAD, {"thread": "1.1"}),
        (BY_THREAD, {"channel": "C2"}),
        (BY_ID, {"id": "q2"}),
    ],
)
def test_another_question_goes_on(one: RemoteAction, other: dict[str, str]) -> None:
    assert not one.means(replace(ASKED, **other))  # type: ignore[arg-type]  # strings all of them


async def test_an_action_that_cannot_be_read_does_not_keep_others_from_being_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version may tell of what this one does not know. It is logged once, not each look."""
    monkeypatch.setattr(replica_actions, "LOOK_SECONDS", 0.0)
    store = await Store.open(str(tmp_path / "forewarm.db"), now=lambda: AT)
    stopped: list[str] = []
    looks = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def stop_question(question: str, user: str) -> None:
        stopped.append(question)
        looks.set()

    here = SimpleNamespace(answers=lambda question: True, stop_question=stop_question)
    leases = QuestionInbox(store)
    leases.questions[ASKED.id] = ASKED
    shared = SharedAnswers(cast(Any, here), leases, lambda: AT)
    newer = {"kind": "renamed", "at": AT, "question": "q1", "title": "x"}
    kept = {"kind": "stopped", "at": AT, "question": "q1", "added": 1}
    await store.state.put(INTERRUPTIONS, "a", json.dumps(newer).encode())
    with capture_logs() as logs:
        listening = asyncio.create_task(
            shared.keep_listening(lambda work: tasks.append(asyncio.create_task(work)))
        )
        async with asyncio.timeout(10):
            while not any(line["event"] == "remote_action_unreadable" for line in logs):
                await asyncio.sleep(0.01)
        await store.state.put(INTERRUPTIONS, "b", json.dumps(kept).encode())
        async with asyncio.timeout(10):
            await looks.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert stopped == ["q1"]
    unread = [line for line in logs if line["event"] == "remote_action_unreadable"]
    assert [line["why"] for line in unread] == ["kind: literal_error"]
    await store.close()
