"""Questions that are stored, taken over and read again, also those of another version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.answer.question import File, Question
from bot.app.inbox import LEASE_SECONDS, QuestionInbox, question_json, question_of
from bot.store.inbox import Claimed
from bot.store.store import Store

PLAIN = Question(
    id="T1-C1-1.1",
    workspace="T1",
    channel="C1",
    ts="1.1",
    thread=None,
    user="U1",
    text="why? \ud83d 🎉",
    surface="modal",
    received_at=1.0,
    asked_at=None,
)
FULL = Question(
    id="T1-C1-2.2",
    workspace="T1",
    channel="C1",
    ts="2.2",
    thread="1.1",
    user="U1",
    text="and then?",
    surface="thread",
    received_at=2.5,
    asked_at=2.2,
    in_thread=True,
    context="payments",
    enterprise="E1",
    user_team="T2",
    files=(File(id="F1", name="a.log", kind="text/plain", size=3, snippet=True, preview="abc"),),
)
NEEDED = {
    *("id", "workspace", "channel", "ts", "thread", "user", "text", "surface"),
    *("received_at", "asked_at"),
}
"""The fields that version 0.1.0 cannot do without."""


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(str(tmp_path / "forewarm.db"), now=Clock())
    yield opened
    await opened.close()


@pytest.mark.parametrize("question", [PLAIN, FULL])
def test_a_question_comes_back_as_it_was(question: Question) -> None:
    assert question_of(question_json(question)) == question


def test_a_plain_question_holds_only_what_the_first_version_needs() -> None:
    """It refuses a question with a field that it does not know, and stops taking any over."""
    assert question_json(PLAIN).keys() == NEEDED


async def record(store: Store, id: str, question: dict[str, Any]) -> None:
    await store.inbox.record(
        question,
        id=id,
        workspace="T1",
        channel="C1",
        ts=id,
        at=1.0,
        owner="dead",
        lease_seconds=-1.0,
    )


async def test_a_question_that_cannot_be_read_is_left_to_others(store: Store) -> None:
    """One of a newer version must not keep the rest from being taken over."""
    await record(store, "newer", question_json(PLAIN) | {"surface": "telepathy", "id": "newer"})
    await record(store, "broken", {"id": "broken"})
    await record(store, FULL.id, question_json(FULL))
    leases, taken = QuestionInbox(store), asyncio.Event()
    seen: list[str] = []

    async def take(claimed: Claimed, question: Question) -> None:
        seen.append(question.id)
        taken.set()

    with capture_logs() as logs:
        looking = asyncio.create_task(leases.keep_looking(take))
        async with asyncio.timeout(10):
            await taken.wait()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert seen == [FULL.id]
    assert leases.ids == {FULL.id}
    told = {line["question"]: line["why"] for line in logs if line["event"].endswith("unreadable")}
    assert told == {"newer": "surface: literal_error", "broken": "workspace: missing"}
    free = await store.inbox.claim_expired("other", LEASE_SECONDS)
    assert free == [], "held for a while, then free for a replica that can read them"
