"""Real bot processes on either engine: forked off one process that has imported the program."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks.cluster import CHANNELS, PEOPLE, Cluster
from benchmarks.fork_server import ForkServer, start_fork_server
from benchmarks.oracle import Exam, Verdict, judge, unexpected_messages, wording


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> str | None:
    """Each engine in turn: None is SQLite."""
    if request.param == "sqlite":
        return None
    found: str = request.getfixturevalue("postgres_server")
    return found


class Asker:
    """Asks in a cluster's Slack and reads what becomes of it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._number = 0

    def ask(
        self,
        words: int = 60,
        *,
        channel: str = CHANNELS[0],
        looks: bool = False,
        thread: str | None = None,
    ) -> Exam:
        self._number += 1
        text = wording(self._number, words, looks)
        ts = self._cluster.slack.user(PEOPLE[0]).mention(channel, text, thread)
        return Exam(self._number, words, looks, channel, thread or ts, ts, time.time())

    async def ask_in_modal(self, channel: str, words: int = 60) -> Exam:
        """Ask by `/ask`: the exam's thread is not known before the bot has posted it."""
        self._number += 1
        person = self._cluster.slack.user(PEOPLE[0])
        await person.open_modal(channel, "/ask")
        await self._cluster.slack.until(lambda: "submit" in person.modal.content, "the full modal")
        await person.type(wording(self._number, words, False), per_key=0.0)
        await person.submit()
        return Exam(self._number, words, False, channel, "", "", time.time())

    def verdict(self, exam: Exam) -> Verdict:
        return judge(exam, self._cluster.slack.bot_messages(exam.channel, exam.thread))

    async def finished(self, exam: Exam, seconds: float = 60.0) -> None:
        """Wait for the whole answer and for its end in the store; nothing may come after."""
        await until(lambda: self.verdict(exam) == "answered", f"no answer to {exam}", seconds)
        async with asyncio.timeout(seconds):
            while any(one.id.endswith(exam.ts) for one in await self._cluster.unfinished()):
                await asyncio.sleep(0.1)
        messages = self._cluster.slack.bot_messages(exam.channel, exam.thread)
        assert self.verdict(exam) == "answered"
        assert unexpected_messages(messages) == []


async def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait until something holds, or fail with its name."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"it stayed: {what}") from None


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """The process that bots are forked from: the program is imported once for all tests."""
    with start_fork_server() as opened:
        yield opened


@pytest.fixture
def asker() -> type[Asker]:
    return Asker
