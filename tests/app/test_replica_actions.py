"""Which questions an interruption means that another replica was told of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.answer.question import Question
from bot.app.replica_actions import SKEW_SECONDS, RemoteAction

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
