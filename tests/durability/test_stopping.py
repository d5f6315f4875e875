"""Ends that are announced: SIGTERM, and what a load balancer and an operator see of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from forewarm_playground.claude import Latency

from benchmarks.cluster import CHANNELS, Replica, cluster

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer
    from tests.durability.conftest import Asker

BAR_SECONDS = 25
SLOW = Latency(base=0.05, per_uncached_token=0.00001, per_cached_token=0.000001, decode=100.0)


async def seen(replica: Replica, path: str) -> int:
    """Return what the bot's own server answers; 0 where nothing listens."""
    try:
        async with aiohttp.ClientSession() as session, session.get(replica.url + path) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0


async def test_a_bot_that_is_asked_to_end_finishes_what_it_has_begun(
    tmp_path: Path, asker: type[Asker], server: str | None, fork_server: ForkServer
) -> None:
    """A deploy must not be seen by anybody who waits for an answer."""
    async with cluster(tmp_path, server=server, fork_server=fork_server) as around:
        (replica,) = around.replicas
        await around.start(replica)
        await around.ready(replica)
        asking = asker(around)
        exams = [asking.ask(200, channel=channel) for channel in CHANNELS[:4]]
        async with asyncio.timeout(20):
            while any(asking.verdict(exam) == "missing" for exam in exams):
                await asyncio.sleep(0.02)
        code, seconds = await around.terminate(replica, BAR_SECONDS)
        assert code == 0
        assert seconds <= BAR_SECONDS
        assert [asking.verdict(exam) for exam in exams] == ["answered"] * 4
        assert await around.unfinished() == []


async def test_what_cannot_be_finished_in_time_is_handed_over(
    tmp_path: Path, asker: type[Asker], fork_server: ForkServer
) -> None:
    """Half an answer may stand for a moment, and the one who comes next replaces it."""
    async with cluster(tmp_path, fork_server=fork_server, latency=SLOW) as around:
        (replica,) = around.replicas
        await around.start(replica)
        await around.ready(replica)
        asking = asker(around)
        exam = asking.ask(700)
        async with asyncio.timeout(20):
            while asking.verdict(exam) == "missing":
                await asyncio.sleep(0.02)
        stopping = asyncio.ensure_future(around.terminate(replica, BAR_SECONDS))
        await asyncio.sleep(1.0)
        assert await seen(replica, "/healthz") == 200
        assert await seen(replica, "/readyz") == 503
        code, _ = await stopping
        assert code == 0
        (left,) = await around.unfinished()
        assert left.owner is None
        around.claude.latency = Latency(base=0.05, decode=2000.0)
        await around.start(replica)
        await asking.finished(exam)


async def test_health_and_readiness_tell_the_truth(
    tmp_path: Path, postgres_server: str, fork_server: ForkServer
) -> None:
    """A bot without its database lives and cannot answer: it is not to be killed, nor asked."""
    async with cluster(tmp_path, server=postgres_server, fork_server=fork_server) as around:
        (replica,) = around.replicas
        await around.start(replica)
        await around.ready(replica)
        assert around.wire is not None
        assert await seen(replica, "/healthz") == 200
        around.wire.refuse()
        async with asyncio.timeout(30):
            while await seen(replica, "/readyz") != 503:
                await asyncio.sleep(0.1)
        assert await seen(replica, "/healthz") == 200
        around.wire.release()
        async with asyncio.timeout(30):
            while await seen(replica, "/readyz") != 200:
                await asyncio.sleep(0.1)
