"""No process dies: a connection breaks, and it is unknown whether Slack took the words."""

from __future__ import annotations

import asyncio
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cluster import CHANNELS, cluster

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer
    from tests.durability.conftest import Asker

METHODS = ("chat.startStream", "chat.appendStream", "chat.stopStream")
KINDS = ("drop_before", "drop_after", "http_error")


async def test_a_call_whose_fate_is_unknown_leaves_one_whole_answer(
    tmp_path: Path, asker: type[Asker], fork_server: ForkServer
) -> None:
    """The thread is read, and tells: nothing is lost, nothing is said twice."""
    async with cluster(tmp_path, fork_server=fork_server) as around:
        (replica,) = around.replicas
        await around.start(replica)
        await around.ready(replica)
        asking, asked = asker(around), {}
        for case, channel in zip(product(METHODS, KINDS), CHANNELS + CHANNELS, strict=False):
            method, kind = case
            around.slack.fail_call(method, kind, match={"channel": channel})
            asked[case] = asking.ask(200, channel=channel)
            if channel == CHANNELS[-1]:
                await asyncio.gather(*(asking.finished(exam) for exam in asked.values()))
        for exam in asked.values():
            await asking.finished(exam)
