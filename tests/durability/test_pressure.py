"""More questions than one bot may answer at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from forewarm_playground.claude import Latency

from benchmarks.cluster import CHANNELS, cluster

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer
    from tests.durability.conftest import Asker


async def test_who_has_to_wait_is_shown_how_many_are_before_them(
    tmp_path: Path, asker: type[Asker], fork_server: ForkServer
) -> None:
    """A bound keeps those who are served fast; a number keeps the others patient."""
    narrow = {"FOREWARM_ANSWERS_AT_ONCE": "1"}
    slow = Latency(base=4.0, per_uncached_token=0.0, per_cached_token=0.0, decode=1000.0)
    async with cluster(
        tmp_path, fork_server=fork_server, environment=narrow, latency=slow
    ) as around:
        (replica,) = around.replicas
        await around.start(replica)
        await around.ready(replica)
        asking = asker(around)
        exams = [asking.ask(100, channel=channel) for channel in CHANNELS[:3]]
        for exam in exams:
            await asking.finished(exam)
        said = " ".join(
            str(call.arguments.get("status"))
            for call in around.slack.log.of("assistant.threads.setStatus")
        )
        assert "1 answer is before this one" in said
        assert "2 answers are before this one" in said
