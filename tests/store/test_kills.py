"""After kills at any moment every question is finished, none by two processes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bot.store.sql.url import locate
from bot.store.store import Store

WORKER = Path(__file__).with_name("kill_worker.py")
ROOT = Path(__file__).parents[2]


class Replicas:
    """Worker processes, of which a dead one is replaced."""

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        self._started = 0
        self.running: list[int] = []

    async def start(self) -> None:
        self._server = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), self._url),
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def fill(self) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        while len(self.running) < self._count:
            self._started += 1
            self._server.stdin.write(f"{self._started}\n".encode())
            self.running.append(int(await self._server.stdout.readline()))

    async def stall(self, which: int, seconds: float) -> None:
        """Hold a process for longer than its leases last: it wakes up as a stale holder."""
        os.kill(self.running[which], signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self.running[which], signal.SIGCONT)

    def kill(self, which: int) -> None:
        os.kill(self.running.pop(which), signal.SIGKILL)

    async def stop(self) -> None:
        while self.running:
            self.kill(0)
        self._server.kill()
        await self._server.communicate()


@pytest.mark.parametrize(("url", "replicas"), [("sqlite", 1), ("postgresql", 3)], indirect=["url"])
async def test_after_twenty_random_kills_every_question_is_finished_once(
    url: str, replicas: int
) -> None:
    """Killed with SIGKILL, or held up, at seeded moments: between statements and inside of them."""
    chance = random.Random(20)
    store = await Store.open(url, now=time.time)
    workers = Replicas(url, replicas)
    await workers.start()
    asked = 0
    try:
        for round in range(20):
            await workers.fill()
            for _ in range(3):
                asked += 1
                assert await _ask(store, f"q{asked}")
            await asyncio.sleep(chance.uniform(0.02, 0.25))
            if round % 7 == 0:
                await workers.stall(0, 0.6)
            workers.kill(chance.randrange(replicas))
        await workers.fill()
        async with asyncio.timeout(60):
            while await store.inbox.waiting():
                await asyncio.sleep(0.1)
    finally:
        await workers.stop()
    told = Counter([json.loads(entry.body) for entry in await store.journal.read()])
    assert set(told) <= {f"q{number}" for number in range(1, asked + 1)}
    assert set(told.values()) == {1}
    await store.close()
    path = locate(url).path
    if path is not None:
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def _ask(store: Store, id: str) -> bool:
    return await store.inbox.record(
        {"text": id},
        id=id,
        workspace="T1",
        channel="C1",
        ts=id,
        at=time.time(),
        owner="asker",
        lease_seconds=0.0,
    )
