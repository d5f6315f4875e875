"""Threads whose events reach any replica: each question is answered once and knows its thread.

People talk in several threads at the same time: they remark, edit, delete and ask. A load balancer
gives each event to a replica at random. Each remark holds a word of its own, so the request for a
question shows which remarks the replica knew.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cluster import CHANNELS, PEOPLE, Cluster, cluster
from benchmarks.fork_server import ForkServer
from benchmarks.oracle import Exam, judge, number_of, unexpected_messages, wording

ANSWER_SECONDS = 120.0
LOOK_SECONDS = 0.3
WORDS = (5, 30, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Settings of a run. `events` are messages, edits and deletions of people, about.

    `together` is the number of threads at the same time, `doubled` the share of events that Slack
    delivers twice, `pause` the mean seconds between two events of a thread.
    """

    server: str
    events: int = 2_000
    replicas: int = 2
    seed: int = 1
    together: int = 12
    doubled: float = 0.05
    pause: float = 0.15


@dataclass(slots=True)
class Remark:
    """A message that is no question. `versions` are its words; None as the last: it is deleted.

    The times are steps of the thread.
    """

    ts: str
    by: str
    versions: list[tuple[int, str | None]]

    def at(self, step: int) -> str | None:
        """Return the word that stands at a step, None if none does."""
        return next((word for since, word in reversed(self.versions) if since <= step), None)


@dataclass(slots=True)
class Asked:
    """A question, and the step of its thread at which it was asked and at which it was answered.

    `requests` are what was sent to the model for it, as text.
    """

    exam: Exam
    step: int
    unmentioned: bool
    until: int | None = None
    requests: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Talk:
    """One thread: its remarks and questions in their order."""

    channel: str
    root: str
    remarks: list[Remark]
    asked: list[Asked] = field(default_factory=list)
    askers: list[str] = field(default_factory=list)
    step: int = 0


@dataclass(slots=True)
class Report:
    """Result of a run. `wrong` names each question that is not answered once."""

    plan: Plan
    events: int = 0
    threads: int = 0
    questions: int = 0
    unmentioned: int = 0
    remarks_known: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    by_replica: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not (self.wrong or self.unknown or self.stale or self.strays)

    def as_json(self) -> dict[str, Any]:
        return {
            "good": self.good,
            "events": self.events,
            "threads": self.threads,
            "questions": self.questions,
            "unmentioned": self.unmentioned,
            "verdicts": dict(self.verdicts),
            "remarks_known": self.remarks_known,
            "not_answered_once": self.wrong,
            "remark_unknown": self.unknown,
            "deleted_or_old_words": self.stale,
            "strays": self.strays,
            "requests_by_replica": self.by_replica,
            "seconds": round(self.seconds, 1),
        }


class Run:
    """One run against one cluster, whose bots are running."""

    def __init__(self, plan: Plan, around: Cluster, tell: Callable[[int], None]) -> None:
        self.report = Report(plan)
        self._plan = plan
        self._c = around
        self._tell = tell
        self._chance = random.Random(plan.seed)  # noqa: S311 - reproducible, not secret
        self._talks: list[Talk] = []
        self._waiting: set[asyncio.Task[None]] = set()
        self._unfinished: frozenset[str] | None = None
        self._numbers = 0

    async def run(self) -> Report:
        began = time.monotonic()
        looking = asyncio.ensure_future(self._look())
        await asyncio.gather(*(self._talk_on() for _ in range(self._plan.together)))
        await self._settle()
        looking.cancel()
        self._judge()
        self.report.seconds = time.monotonic() - began
        return self.report

    # --- what people do -------------------------------------------------------------------------

    async def _talk_on(self) -> None:
        """Hold one thread after another until there were enough events."""
        while self.report.events < self._plan.events:
            talk = await self._begin()
            for _ in range(self._chance.randint(5, 18)):
                await asyncio.sleep(self._chance.expovariate(1 / self._plan.pause))
                talk.step += 1
                await self._do_something(talk)

    async def _begin(self) -> Talk:
        """Open a thread; the bot is often called into it later."""
        channel, by = self._chance.choice(CHANNELS), self._chance.choice(PEOPLE)
        word = self._word()
        root = self._c.slack.user(by).post(channel, f"It broke with {word} today.")
        self._count("message")
        talk = Talk(channel, root, [Remark(root, by, [(0, word)])])
        self._talks.append(talk)
        self.report.threads += 1
        return talk

    def _word(self) -> str:
        self._numbers += 1
        return f"fact{self._numbers}x{self._chance.randrange(10**6)}"

    def _count(self, kind: str) -> None:
        self.report.events += 1
        self._tell(self.report.events)
        if self._chance.random() < self._plan.doubled:
            self._c.slack.fail_delivery(kind, "duplicate")

    async def _do_something(self, talk: Talk) -> None:
        standing = [r for r in talk.remarks[1:] if r.at(talk.step) is not None]
        choice = self._chance.random()
        if choice < 0.40 or not talk.askers:
            if talk.askers or self._chance.random() < 0.6:
                self._remark(talk)
            else:
                await self._ask(talk)
        elif choice < 0.50 and standing:
            self._edit(talk, self._chance.choice(standing))
        elif choice < 0.57 and standing:
            self._delete(talk, self._chance.choice(standing))
        else:
            await self._ask(talk)

    def _remark(self, talk: Talk) -> None:
        by, word = self._chance.choice(PEOPLE), self._word()
        ts = self._c.slack.user(by).post(talk.channel, f"I saw {word} there.", talk.root)
        talk.remarks.append(Remark(ts, by, [(talk.step, word)]))
        self._count("message")

    def _edit(self, talk: Talk, remark: Remark) -> None:
        word = self._word()
        self._c.slack.user(remark.by).edit(talk.channel, remark.ts, f"I saw {word} there.")
        remark.versions.append((talk.step, word))
        self._count("message")

    def _delete(self, talk: Talk, remark: Remark) -> None:
        self._c.slack.user(remark.by).delete(talk.channel, remark.ts)
        remark.versions.append((talk.step, None))
        self._count("message")

    async def _ask(self, talk: Talk) -> None:
        """Ask: an asker goes on without a mention, another person mentions the bot."""
        busy = {asked.exam.number for asked in talk.asked if asked.until is None}
        strangers = [one for one in PEOPLE if one not in talk.askers]
        if len(busy) > 1 or (busy and not strangers):
            return
        unmentioned = bool(talk.askers) and not busy and self._chance.random() < 0.75
        others = strangers if busy else PEOPLE
        by = self._chance.choice(talk.askers if unmentioned else others)
        number = len(self._asked()) + 1
        words, looks = self._chance.choice(WORDS), self._chance.random() < 0.15
        text = f"why does the retry in step {number} fail? {wording(number, words, looks)}"
        person = self._c.slack.user(by)
        if unmentioned:
            ts = person.post(talk.channel, text, talk.root)
        else:
            ts = person.mention(talk.channel, text, talk.root)
        exam = Exam(number, words, looks, talk.channel, talk.root, ts, time.time())
        asked = Asked(exam, talk.step, unmentioned)
        talk.asked.append(asked)
        talk.askers += [by] if by not in talk.askers else []
        self._count("message" if unmentioned else "app_mention")
        waiting: asyncio.Task[None] = asyncio.ensure_future(self._answered(talk, asked))
        if self._chance.random() < 0.7:
            await waiting
        else:
            # The thread goes on while the answer is prepared and streams.
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)

    async def _answered(self, talk: Talk, asked: Asked) -> None:
        """Wait until an answer has ended: what its asker says before belongs to that question."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                while not await self._has_ended(asked.exam):  # noqa: ASYNC110 - no notification
                    await asyncio.sleep(0.1)
        asked.until = talk.step
        asked.requests = self._requests(asked.exam.number)

    async def _look(self) -> None:
        """Keep in mind which questions have no end: one look for all who wait."""
        while True:
            found = frozenset(one.id.rpartition("-")[2] for one in await self._c.unfinished())
            self._unfinished = found
            await asyncio.sleep(LOOK_SECONDS)

    async def _has_ended(self, exam: Exam) -> bool:
        if self._verdict(exam) != "answered":
            return False
        self._unfinished = None
        while self._unfinished is None:  # noqa: ASYNC110 - the next look
            await asyncio.sleep(0.05)
        return exam.ts not in self._unfinished

    # --- the end --------------------------------------------------------------------------------

    async def _settle(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.gather(*self._waiting)
                while await self._c.unfinished():  # noqa: ASYNC110 - no notification
                    await asyncio.sleep(0.5)

    def _asked(self) -> list[Asked]:
        return [asked for talk in self._talks for asked in talk.asked]

    def _verdict(self, exam: Exam) -> str:
        return judge(exam, self._c.slack.bot_messages(exam.channel, exam.thread))

    def _judge(self) -> None:
        for talk in self._talks:
            for asked in talk.asked:
                self._judge_one(talk, asked)
            messages = self._c.slack.bot_messages(talk.channel, talk.root)
            self.report.strays += unexpected_messages(messages)
        assert self._c.balancer is not None
        self.report.by_replica = dict(self._c.balancer.passed)

    def _requests(self, number: int) -> list[str]:
        """Return what was sent to the model for a question; the local Claude forgets old bodies."""
        sent = (r.body for r in self._c.claude.requests if r.path == "/v1/messages" and r.body)
        return [
            str(body["messages"])
            for body in sent
            if body.get("stream") and number_of(body) == number
        ]

    def _judge_one(self, talk: Talk, asked: Asked) -> None:
        report, exam, requests = self.report, asked.exam, asked.requests
        report.questions += 1
        report.unmentioned += asked.unmentioned
        verdict = self._verdict(exam)
        rounds = 2 if exam.looks else 1
        report.verdicts[verdict] += 1
        if verdict != "answered" or len(requests) != rounds:
            report.wrong.append(f"{exam.number}: {verdict}, {len(requests)} requests")
        until = asked.until if asked.until is not None else talk.step
        for text in requests:
            for remark in talk.remarks:
                self._judge_remark(asked, until, remark, text)

    def _judge_remark(self, asked: Asked, until: int, remark: Remark, text: str) -> None:
        """Compare one remark with a request; a change while the answer was prepared may show."""
        if remark.versions[0][0] >= asked.step:
            return
        allowed = {remark.at(step) for step in range(asked.step, until + 1)}
        known = {word for _, word in remark.versions if word is not None and word in text}
        if None not in allowed and not known & allowed:
            self.report.unknown.append(f"{asked.exam.number}: {remark}")
        elif None in allowed and allowed == {None} and known:
            self.report.stale.append(f"{asked.exam.number}: {remark}")
        self.report.remarks_known += bool(known & allowed)


async def scatter(
    plan: Plan,
    folder: Path,
    tell: Callable[[int], None] = lambda events: None,
    fork_server: ForkServer | None = None,
) -> Report:
    """Run a plan from nothing, in `folder`; `tell` hears how many events there were."""
    async with cluster(
        folder, replicas=plan.replicas, server=plan.server, fork_server=fork_server, http=True
    ) as around:
        assert around.balancer is not None
        around.balancer.chance = random.Random(plan.seed)  # noqa: S311 - reproducible, not secret
        for replica in around.replicas:
            await around.start(replica)
        await asyncio.gather(*(around.ready(replica) for replica in around.replicas))
        return await Run(plan, around, tell).run()
