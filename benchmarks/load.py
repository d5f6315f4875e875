"""Events at many times Slack's cap against one real bot: acknowledgements, answers, memory."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cluster import CHANNELS, PEOPLE, Cluster, Replica, cluster
from benchmarks.oracle import Exam, judge, wording

SAMPLE_SECONDS = 2.0
SETTLE_SECONDS = 90.0
WARM_UP_SECONDS = 5.0
ANSWER_WORDS = 60
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
CHATTER = (
    "looks good to me",
    "the build is red again, who has an idea?",
    "lunch?",
    "moving this to tomorrow, see the ticket",
)
LIMITS = {"events_per_hour": 100_000_000, "log_entries": 400_000, "rates": True}


@dataclass(slots=True)
class Loaded:
    """Result of one stretch of load. Seconds, bytes."""

    rate: float
    share: float
    seconds: float
    events: int = 0
    behind: float = 0.0
    acks: list[float] = field(default_factory=list)
    unacknowledged: int = 0
    exams: list[Exam] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def good(self) -> bool:
        return not self.unacknowledged and set(self.verdicts) <= {"answered"}

    def as_json(self) -> dict[str, Any]:
        quarter = max(1, len(self.memory) // 4)
        first, last = self.memory[quarter : 2 * quarter], self.memory[-quarter:]
        return {
            "events_per_second": self.rate,
            "questions_percent": 100 * self.share,
            "seconds": round(self.seconds, 1),
            "events": self.events,
            "lost": self.unacknowledged,
            "ack_ms": {q: _ms(self.acks, part) for q, part in QUANTILES.items()},
            "sender_behind_s": round(self.behind, 3),
            "questions": len(self.exams),
            "verdicts": self.verdicts,
            "memory_mib": {
                "second_quarter": _mib(first),
                "last_quarter": _mib(last),
                "most": _mib([max(self.memory, default=0)]),
            },
            "cpu_cores": round(self.cpu / self.seconds, 2) if self.seconds else None,
        }


QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def _ms(seconds: list[float], part: float) -> float | None:
    found = sorted(seconds)
    return round(1000 * found[min(len(found) - 1, int(part * len(found)))], 1) if found else None


def _mib(bytes_: list[int]) -> float | None:
    return round(sum(bytes_) / len(bytes_) / 2**20, 1) if bytes_ else None


class Load:
    """Posts at a steady rate into a cluster's Slack and looks at what the bot makes of it."""

    def __init__(self, around: Cluster, replica: Replica, seed: int) -> None:
        self._c = around
        self._replica = replica
        self._chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._number = 0

    async def run(
        self, rate: float, share: float, seconds: float, tell: Callable[[float], None]
    ) -> Loaded:
        """Post `rate` messages a second, of which `share` are questions."""
        loaded = Loaded(rate, share, seconds)
        self._c.slack.log.clear()
        before = _cpu(self._replica)
        sampling = asyncio.ensure_future(self._sample(loaded))
        try:
            await self._post_all(loaded, tell)
            loaded.cpu = _cpu(self._replica) - before
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
        await self._settle(loaded)
        return loaded

    async def _post_all(self, loaded: Loaded, tell: Callable[[float], None]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        total = int(loaded.rate * loaded.seconds)
        for number in range(total):
            late = loop.time() - (began + number / loaded.rate)
            loaded.behind = max(loaded.behind, late)
            if late < 0:
                await asyncio.sleep(-late)
            elif number % 16 == 0:
                await asyncio.sleep(0)
            self._post(loaded)
            if number % 100 == 0:
                tell(number / total)
        loaded.seconds = loop.time() - began

    def _post(self, loaded: Loaded) -> None:
        person = self._c.slack.user(self._chance.choice(PEOPLE))
        channel = self._chance.choice(CHANNELS)
        loaded.events += 1
        if self._chance.random() >= loaded.share:
            person.post(channel, self._chance.choice(CHATTER))
            return
        self._number += 1
        ts = person.mention(channel, wording(self._number, ANSWER_WORDS, False))
        loaded.exams.append(Exam(self._number, ANSWER_WORDS, False, channel, ts, ts, time.time()))

    async def _sample(self, loaded: Loaded) -> None:
        while True:
            loaded.memory.append(_memory(self._replica))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _settle(self, loaded: Loaded) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                while not self._at_rest(loaded):  # noqa: ASYNC110 - answers ring no bell
                    await asyncio.sleep(0.5)
        entries = [d for d in self._c.slack.log.deliveries if d.kind == "events_api"]
        acked = {d.event_id for d in entries if d.outcome == "acked"}
        loaded.unacknowledged = len({d.event_id for d in entries} - acked)
        loaded.acks = [d.latency for d in entries if d.latency is not None]
        for exam in loaded.exams:
            verdict = self._verdict(exam)
            loaded.verdicts[verdict] = loaded.verdicts.get(verdict, 0) + 1

    def _at_rest(self, loaded: Loaded) -> bool:
        if not self._c.slack.dispatcher.idle:
            return False
        return all(self._verdict(exam) == "answered" for exam in loaded.exams)

    def _verdict(self, exam: Exam) -> str:
        return judge(exam, self._c.slack.bot_messages(exam.channel, exam.thread))


def _memory(replica: Replica) -> int:
    """Return a bot's resident bytes, 0 if the system does not tell."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{replica.pid}/statm").read_text().split()[1]) * PAGE
    return 0


def _cpu(replica: Replica) -> float:
    """Return the processor seconds that a bot has used, 0 if the system does not tell."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{replica.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


async def steady(
    folder: Path,
    *,
    rate: float,
    share: float,
    seconds: float,
    server: str | None = None,
    seed: int = 1,
    tell: Callable[[float], None] = lambda part: None,
) -> dict[str, Any]:
    """Hold one rate; `tell` hears which part is done."""
    async with cluster(folder, server=server, slack={"limits": LIMITS}) as around:
        load = await _begun(around, share, seed)
        return (await load.run(rate, share, seconds, tell)).as_json()


async def steps(
    folder: Path,
    *,
    share: float,
    seconds: float,
    first: float,
    bar: float,
    server: str | None = None,
    seed: int = 1,
    tell: Callable[[float], None] = lambda part: None,
) -> list[dict[str, Any]]:
    """Double the rate until something is lost, or acknowledgements take longer than `bar`."""
    found = []
    async with cluster(folder, server=server, slack={"limits": LIMITS}) as around:
        load, rate = await _begun(around, share, seed), first
        while True:
            loaded = await load.run(rate, share, seconds, tell)
            found.append(loaded.as_json())
            slowest = _ms(loaded.acks, QUANTILES["p99"])
            if not loaded.good or slowest is None or slowest > 1000 * bar:
                return found
            rate *= 1.5


async def _begun(around: Cluster, share: float, seed: int) -> Load:
    (replica,) = around.replicas
    await around.start(replica)
    await around.ready(replica)
    load = Load(around, replica, seed)
    await load.run(20.0, share, WARM_UP_SECONDS, lambda part: None)
    return load
