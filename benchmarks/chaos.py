"""A seeded run: bots are killed at random moments while everything around them breaks.

A seed chooses which bot is killed when, which questions are asked, and which other faults happen.
The operating system schedules the processes, so two runs of one seed are alike, not the same.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forewarm_playground.claude.responses.faults import Kind

from benchmarks.cluster import CHANNELS, PEOPLE, Cluster, NotReady, Replica, cluster
from benchmarks.fork_server import ForkServer
from benchmarks.oracle import Exam, judge, number_of, unexpected_messages, wording

LOCK_SECONDS = 1.0
READY_SECONDS = 30.0
READY_SHARE = 0.8
"""The part of the kills that wait for a bot that is ready: the others may fall into its start."""
TICK = 0.2

SLACK_FAULTS = ("drop_before", "drop_after", "slow_after", "ratelimited", "http_error")
SLACK_METHODS = (
    "chat.startStream",
    "chat.appendStream",
    "chat.stopStream",
    "chat.postMessage",
    "chat.update",
    "conversations.replies",
    "assistant.threads.setStatus",
)
DELIVERY_FAULTS = ("duplicate", "lose_ack", "delay", "reorder")
MODEL_FAULTS: tuple[Kind, ...] = (
    "cut",
    "drop_reply",
    "drop_request",
    "no_stop",
    "overloaded",
    "bad_event",
    "slow",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings of a run. `every`, `down`: mean seconds between kills and until a restart.

    `asks` are questions a second, `troubles` other mishaps a second. `settle` is the longest that
    the end is waited for: the bot keeps to Slack's budgets, 50 edits a minute, also in a backlog.
    `http` has Slack post its events to a load balancer; else the bots open sockets. `retries`
    shortens the pauses after which Slack sends again: at once, after a minute, after five. `most`
    is the number of questions, and more follow if half of them reached no bot; without it they go
    on for as long as the kills, which take longer on a slow machine.
    """

    seed: int = 1
    kills: int = 20
    replicas: int = 1
    server: str | None = None
    every: float = 1.5
    down: float = 0.5
    asks: float = 1.0
    troubles: float = 0.5
    settle: float = 900.0
    http: bool = False
    retries: float = 0.1
    most: int | None = None


@dataclass(slots=True)
class Report:
    """Result of a run: questions by verdict, with those that are not right named."""

    plan: Plan
    kills: int = 0
    questions: int = 0
    unseen: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    unfinished: int = 0
    takeovers: list[float] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    settling: float = 0.0

    @property
    def good(self) -> bool:
        """Nothing is wrong, and enough questions did reach a bot: else nothing was tried."""
        tried = 2 * self.verdicts["answered"] > (self.plan.most or self.questions)
        return tried and not (self.wrong or self.strays or self.unfinished)

    def as_json(self) -> dict[str, Any]:
        taken = sorted(self.takeovers)
        return {
            "good": self.good,
            "engine": "postgresql" if self.plan.server else "sqlite",
            "replicas": self.plan.replicas,
            "transport": "http" if self.plan.http else "sockets",
            "seed": self.plan.seed,
            "kills": self.kills,
            "questions": self.questions,
            "never_reached_a_bot": self.unseen,
            "verdicts": dict(self.verdicts),
            "wrong": self.wrong,
            "strays": self.strays,
            "unfinished": self.unfinished,
            "takeovers": len(taken),
            "takeover_s": {
                "p50": round(taken[len(taken) // 2], 2) if taken else None,
                "max": round(taken[-1], 2) if taken else None,
            },
            "troubles": dict(self.troubles),
            "seconds": round(self.seconds, 1),
            "of_them_settling": round(self.settling, 1),
        }


class Run:
    """One run against one cluster."""

    def __init__(self, plan: Plan, around: Cluster, tell: Callable[[int], None]) -> None:
        self.plan = plan
        self.report = Report(plan)
        self._c = around
        self._tell = tell
        self._chance = random.Random(plan.seed)  # noqa: S311 - reproducible, not secret
        self._exams: list[Exam] = []
        self._hit: set[int] = set()
        self._waiting: dict[str, float] = {}
        self._ready = {replica.number for replica in around.replicas}
        self._restarts: set[asyncio.Task[None]] = set()

    async def run(self) -> Report:
        """Do it all; the bots are running before and after."""
        began = time.monotonic()
        beside = [asyncio.ensure_future(w) for w in (self._ask(), self._trouble(), self._watch())]
        try:
            await self._kill()
            if self.plan.most is not None:
                await beside[0]
            for task in beside[:2]:
                task.cancel()
            await asyncio.gather(*self._restarts)
            await self._settle()
        finally:
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
        await self._judge()
        self.report.seconds = time.monotonic() - began
        return self.report

    # --- what happens ---------------------------------------------------------------------------

    async def _ask(self) -> None:
        while self._has_more():
            await asyncio.sleep(self._chance.expovariate(self.plan.asks))
            self._post(len(self._exams) + 1)

    def _has_more(self) -> bool:
        """Tell if another question is to be asked.

        A fast machine is killed before most of a small number of questions reach a bot.
        """
        most = self.plan.most
        return most is None or len(self._exams) < most or 2 * len(list(self._seen())) <= most

    def _post(self, number: int) -> None:
        """Ask something: in a channel, in a direct message, or on in a thread.

        Nothing is asked beside a question that waits: its asker's next message would join it.
        """
        chance = self._chance
        words, looks = chance.choice((5, 60, 200, 700)), chance.random() < 0.25
        text, person = wording(number, words, looks), self._c.slack.user(chance.choice(PEOPLE))
        answered = [
            e
            for e in self._exams[-40:]
            if not e.channel.startswith("D") and self._is_quiet(e.channel, e.thread)
        ]
        thread = None
        if answered and chance.random() < 0.2:
            before = chance.choice(answered)
            channel, thread = before.channel, before.thread
            ts = person.mention(channel, text, thread)
        elif chance.random() < 0.2 and self._is_quiet(person.dm_channel):
            channel, ts = person.dm_channel, person.dm(text)
        else:
            channel = chance.choice(CHANNELS)
            ts = person.mention(channel, text)
        self._exams.append(Exam(number, words, looks, channel, thread or ts, ts, time.time()))
        self.report.questions += 1

    def _is_quiet(self, channel: str, thread: str | None = None) -> bool:
        """Tell whether every question there, in one thread or in all, has its answer."""
        return all(
            self._verdict(exam) == "answered"
            for exam in self._exams
            if exam.channel == channel and thread in (None, exam.thread)
        )

    async def _kill(self) -> None:
        plan = self.plan
        for number in range(plan.kills):
            if self._chance.random() < READY_SHARE:
                await self._some_ready()
            await asyncio.sleep(self._chance.uniform(0.1, 2 * plan.every))
            victim = self._chance.choice(await self._some_alive())
            held = [o for o in await self._c.unfinished() if o.owner is not None]
            self._ready.discard(victim.number)
            await self._c.kill(victim)
            self._note_orphans({o.id: str(o.owner) for o in held})
            self.report.kills += 1
            self._tell(number + 1)
            restart = asyncio.ensure_future(self._restart(victim))
            self._restarts.add(restart)
            restart.add_done_callback(self._restarts.discard)

    async def _some_alive(self) -> list[Replica]:
        while not (alive := self._c.alive):  # noqa: ASYNC110 - a restart is seconds away
            await asyncio.sleep(TICK)
        return alive

    async def _some_ready(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while not self._ready:  # noqa: ASYNC110 - a start is seconds away
                    await asyncio.sleep(TICK)

    async def _restart(self, replica: Replica) -> None:
        await asyncio.sleep(self._chance.uniform(0, 2 * self.plan.down))
        while not await self._started(replica):  # noqa: ASYNC110 - a supervisor waits as well
            # It could not start, as any supervisor would see: the database was cut, perhaps.
            await asyncio.sleep(TICK)

    async def _started(self, replica: Replica) -> bool:
        """Start a bot and wait until it is ready or killed; return False if it ended by itself."""
        await self._c.start(replica)
        pid = replica.pid
        assert pid is not None
        with suppress(NotReady):
            await self._c.ready(replica)
            if replica.pid == pid:
                self._ready.add(replica.number)
        return replica.pid != pid or await self._c.fork_server.exit_code(pid) is None

    async def _trouble(self) -> None:
        """Break something small, over and over."""
        kinds = [self._slack_call, self._delivery, self._model, self._database]
        if not self.plan.http:
            kinds.append(self._sockets)
        while True:
            await asyncio.sleep(self._chance.expovariate(self.plan.troubles))
            name = await self._chance.choice(kinds)()
            self.report.troubles[name] += 1

    async def _slack_call(self) -> str:
        method, kind = self._chance.choice(SLACK_METHODS), self._chance.choice(SLACK_FAULTS)
        self._c.slack.fail_call(method, kind)
        return f"{method} {kind}"

    async def _delivery(self) -> str:
        name, kind = (
            self._chance.choice(("message", "app_mention")),
            self._chance.choice(DELIVERY_FAULTS),
        )
        self._c.slack.fail_delivery(name, kind)
        return f"{name} {kind}"

    async def _model(self) -> str:
        """Break one request: at most one for each question, which is then asked for again."""
        kind = self._chance.choice(MODEL_FAULTS)
        hit = self._hit

        def fresh(asked: Any) -> bool:
            number = number_of(asked.body)
            if number is None or number in hit:
                return False
            hit.add(number)
            return True

        self._c.claude.fault(kind, match=fresh, seconds=1.0 if kind == "slow" else None)
        return f"model {kind}"

    async def _sockets(self) -> str:
        reason = self._chance.choice(("cut", "refresh_requested", "warning"))
        await self._c.slack.drop_sockets(reason)
        return f"sockets {reason}"

    async def _database(self) -> str:
        if self._c.wire is not None:
            self._c.wire.cut()
            return "database cut"
        with suppress(sqlite3.OperationalError):
            await asyncio.to_thread(_lock, Path(self._c.database))
        return "database locked"

    # --- takeovers ------------------------------------------------------------------------------

    def _note_orphans(self, held: dict[str, str]) -> None:
        """Begin to count the seconds that dead bots' questions wait."""
        now = time.time()
        for id, owner in held.items():
            if owner in self._c.deaths:
                self._waiting.setdefault(f"{id} {owner}", now)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            if not self._ready:
                # No bot is there to take over: the seconds count from the next start.
                self._waiting = dict.fromkeys(self._waiting, time.time())
            with suppress(sqlite3.OperationalError):
                held = {f"{o.id} {o.owner}" for o in await self._c.unfinished()}
                for one in [key for key in self._waiting if key not in held]:
                    self.report.takeovers.append(time.time() - self._waiting.pop(one))

    # --- the end --------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Wait until every question has its answer, or time is up."""
        began = time.monotonic()
        self._c.slack.faults.clear()
        self._c.claude.faults.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.settle):
                while not await self._at_rest():  # noqa: ASYNC110 - the database has no notification
                    await asyncio.sleep(1.0)
        self.report.settling = time.monotonic() - began

    async def _at_rest(self) -> bool:
        done = all(self._verdict(exam) == "answered" for exam in self._seen())
        return done and self._c.slack.dispatcher.idle and not await self._c.unfinished()

    def _seen(self) -> Iterator[Exam]:
        """The questions that a bot has acknowledged: what never reached one cannot be answered."""
        acked = {
            str(d.payload.get("event", {}).get("ts"))
            for d in self._c.slack.log.deliveries
            if d.outcome == "acked"
        }
        return (exam for exam in self._exams if exam.ts in acked)

    def _verdict(self, exam: Exam) -> str:
        return judge(exam, self._c.slack.bot_messages(exam.channel, exam.thread))

    async def _judge(self) -> None:
        report, seen = self.report, list(self._seen())
        report.unseen = len(self._exams) - len(seen)
        for exam in seen:
            verdict = self._verdict(exam)
            report.verdicts[verdict] += 1
            if verdict != "answered":
                report.wrong.append(f"{exam.number} in {exam.channel} {exam.thread}: {verdict}")
        for exam in set(self._exams) - set(seen):
            # Recorded, perhaps, and its acknowledgement lost: one answer or none.
            if (verdict := self._verdict(exam)) not in ("answered", "missing"):
                report.wrong.append(f"{exam.number}, never acknowledged: {verdict}")
        threads = {(exam.channel, exam.thread) for exam in self._exams}
        for place in sorted(threads):
            report.strays += unexpected_messages(self._c.slack.bot_messages(*place))
        report.unfinished = len(await self._c.unfinished())


def _lock(path: Path) -> None:
    """Hold SQLite's lock for a while, as a backup may."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=1.0)) as file:
        file.execute("BEGIN IMMEDIATE")
        time.sleep(LOCK_SECONDS)
        file.execute("ROLLBACK")


async def chaos(
    plan: Plan,
    folder: Path,
    tell: Callable[[int], None] = lambda kills: None,
    fork_server: ForkServer | None = None,
) -> Report:
    """Run a plan from nothing, in `folder`; `tell` hears how many kills there were."""
    async with cluster(
        folder,
        replicas=plan.replicas,
        server=plan.server,
        fork_server=fork_server,
        slack={"delivery": {"retry_scale": plan.retries}},
        http=plan.http,
    ) as around:
        for replica in around.replicas:
            await around.start(replica)
        await asyncio.gather(*(around.ready(replica) for replica in around.replicas))
        return await Run(plan, around, tell).run()
