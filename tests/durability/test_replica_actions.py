"""Slack tells any replica what a person did; the one that answers has to hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from forewarm_playground.claude import Latency

from benchmarks.cluster import CHANNELS, EVENTS_PATH, PEOPLE, Cluster, cluster
from benchmarks.oracle import said
from tests.durability.conftest import until
from tests.durability.test_stopping import seen

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer
    from benchmarks.oracle import Exam
    from tests.durability.conftest import Asker

SLOW = Latency(base=0.05, per_uncached_token=0.00001, per_cached_token=0.000001, decode=60.0)
WORDS = 700
HELD_BY = "SELECT DISTINCT owner FROM questions WHERE finished_at IS NULL"


@asynccontextmanager
async def two(folder: Path, server: str, fork_server: ForkServer) -> AsyncIterator[Cluster]:
    """Two replicas over HTTP: events go to the first, until they are pointed at the other."""
    async with cluster(
        folder, replicas=2, server=server, fork_server=fork_server, http=True, latency=SLOW
    ) as around:
        for replica in around.replicas:
            await around.start(replica)
        await asyncio.gather(*(around.ready(replica) for replica in around.replicas))
        tell(around, 0)
        yield around


def tell(around: Cluster, number: int) -> None:
    """Let Slack speak to one of the replicas alone from now on."""
    around.slack.point_at(around.replicas[number].url + EVENTS_PATH)


def text_of(around: Cluster, exam: Exam) -> str:
    return "".join(said(m) for m in around.slack.bot_messages(exam.channel, exam.thread))


def has_begun(around: Cluster, exam: Exam) -> bool:
    return f"w{exam.number}x2" in text_of(around, exam)


async def begun(around: Cluster, exams: list[Exam]) -> None:
    for exam in exams:
        await until(partial(has_begun, around, exam), "no words")


async def test_stops_edits_and_deletions_reach_the_replica_that_answers(
    tmp_path: Path, asker: type[Asker], postgres_server: str, fork_server: ForkServer
) -> None:
    """Without this, half of them would do nothing where two replicas stand side by side."""
    async with two(tmp_path, postgres_server, fork_server) as around:
        asking, person = asker(around), around.slack.user(PEOPLE[0])
        stopped, edited, other = (asking.ask(WORDS, channel=channel) for channel in CHANNELS[:3])
        root = person.post(CHANNELS[3], "a thread of its own")
        deleted = asking.ask(WORDS, channel=CHANNELS[3], thread=root)
        await begun(around, [stopped, deleted, edited, other])
        assert len(await around.rows(HELD_BY)) == 1
        tell(around, 1)
        person.stop(stopped.channel, stopped.thread)
        person.delete(deleted.channel, deleted.ts)
        person.edit(edited.channel, edited.ts, "exam 77: 5 words")
        await until(lambda: "Stopped at your request" in text_of(around, stopped), "not stopped")
        await until(lambda: "question was deleted" in text_of(around, deleted), "not deleted")
        await until(lambda: "w77x5" in text_of(around, edited), "not edited")
        told = around.replicas[0].logged("interrupted_elsewhere")
        assert "deleted" in {line["kind"] for line in told}
        assert f"w{edited.number}x" not in text_of(around, edited)
        assert f"w{other.number}x{WORDS}" not in text_of(around, other)
        await asking.finished(other)


async def test_a_question_deleted_while_no_replica_held_it_is_not_answered_after_a_takeover(
    tmp_path: Path, asker: type[Asker], postgres_server: str, fork_server: ForkServer
) -> None:
    """Its holder is dead and its lease still runs: the deletion has to outlive that."""
    async with two(tmp_path, postgres_server, fork_server) as around:
        person = around.slack.user(PEOPLE[0])
        root = person.post(CHANNELS[0], "a thread of its own")
        exam = asker(around).ask(WORDS, thread=root)
        await begun(around, [exam])
        tell(around, 1)
        await around.kill(around.replicas[0])
        person.delete(exam.channel, exam.ts)
        async with asyncio.timeout(60):
            while await around.unfinished():
                await asyncio.sleep(0.1)
        assert f"w{exam.number}x{WORDS}" not in text_of(around, exam)


async def test_a_bot_that_is_stopping_sends_slack_elsewhere(
    tmp_path: Path, asker: type[Asker], postgres_server: str, fork_server: ForkServer
) -> None:
    """An event that it still took could be lost; one that it refuses comes again."""
    async with two(tmp_path, postgres_server, fork_server) as around:
        asking, (first, _) = asker(around), around.replicas
        begin = asking.ask(200)
        await begun(around, [begin])
        stopping = asyncio.ensure_future(around.terminate(first, 25))
        async with asyncio.timeout(10):
            while await seen(first, "/readyz") != 503:
                await asyncio.sleep(0.02)
        late = asking.ask(5, channel=CHANNELS[1])
        await until(
            lambda: any(
                d.outcome == "http_error"
                for d in around.slack.log.deliveries
                if d.payload.get("event", {}).get("ts") == late.ts
            ),
            "the event was taken",
        )
        tell(around, 1)
        await asking.finished(late)
        await asking.finished(begin)
        assert (await stopping)[0] == 0
