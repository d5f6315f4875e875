"""Sixty answers in one workspace, on a clock that leaps: who is heard when, and at what price."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from forewarm_playground import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.delivery import Delivered, Delivery
from bot.delivery.engine.commands import Mode
from bot.delivery.rate_limit.budget import MINUTE, Budget, Rate, Rates
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.rate_limit.scheduler import FairScheduler
from bot.delivery.slack_api import Target
from tests.samples import IS_SOAK

if TYPE_CHECKING:
    from tests.delivery.conftest import Workspace

TOKENS_PER_SECOND = 50


@dataclass
class Watch:
    """The record of a crowd of answers: when each was heard, how they shared the budgets."""

    workspace: Workspace
    pacer: RateLimiter = field(default_factory=RateLimiter)
    ends: dict[str, Delivered] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    ways: list[tuple[float, Counter[str]]] = field(default_factory=list)

    async def answer(self, number: int, tokens: int, channels: int, delay: float) -> None:
        await asyncio.sleep(delay)
        loop, thread = asyncio.get_running_loop(), f"{number}.0"
        target = Target("T1", f"C{number % channels}", thread, "U1", "T1")
        calls = self.workspace.calls(target)
        self.begun[thread] = loop.time()
        delivery = Delivery(calls, target, self.pacer, loop.time)
        text = ""
        for word in range(tokens):
            token = f"word{word}" + ("\n\n" if word % 80 == 79 else " ")
            text += token
            await delivery.feed(token)
            await asyncio.sleep(1 / TOKENS_PER_SECOND)
        self.texts[thread], self.written[thread] = text, loop.time()
        self.ends[thread] = await delivery.finish([{"type": "context", "elements": []}])

    async def watch(self) -> None:
        while True:
            shares = self.pacer.scheduler("T1")
            lanes = shares.slots if shares is not None else []
            ways: Counter[str] = Counter(lane.way or "new" for lane in lanes)
            self.ways.append((asyncio.get_running_loop().time(), ways))
            await asyncio.sleep(0.5)

    async def crowd(self, tokens: Iterable[int], channels: int, spread: float) -> None:
        chance = random.Random(7)
        watcher = asyncio.ensure_future(self.watch())
        async with asyncio.timeout(600):
            await asyncio.gather(
                *(
                    self.answer(number, count, channels, chance.random() * spread)
                    for number, count in enumerate(tokens)
                )
            )
        watcher.cancel()

    def heard(self, thread: str) -> list[float]:
        return [at for at, where, _ in self.workspace.log if where == thread]

    def silences(self, thread: str) -> list[tuple[float, float]]:
        times = [self.begun[thread], *self.heard(thread)]
        return list(pairwise(times))

    def fair_share(self, begin: float, end: float) -> float:
        """Seconds in which, at the fullest moment, everybody's call fits into the budgets.

        Streams share the appends, edited answers the updates, and all together both.
        """
        minute = self.workspace.PER_MINUTE
        ways = [ways for at, ways in self.ways if begin - 1 <= at <= end + 1]
        everybody = max(way.total() for way in ways) / (minute["append"] + minute["update"])
        streams = max(way["stream"] for way in ways) / minute["append"]
        edits = max(way["edit"] for way in ways) / minute["update"]
        return 60.0 * max(everybody, streams, edits)


def check_crowd(watch: Watch, channels: int) -> None:
    workspace = watch.workspace
    for thread, end in watch.ends.items():
        channel = f"C{int(float(thread)) % channels}"
        shown = workspace.threads[f"{channel}/{thread}"].standing()
        assert "".join(one.text for one in shown).split() == watch.texts[thread].split()
        assert all(one.stream != "in_progress" for one in shown)
        assert end.failure is None
    calls = len(workspace.log) + len(workspace.refused)
    assert len(workspace.refused) < calls / 100
    for thread in watch.ends:
        for begin, end_ in watch.silences(thread):
            assert end_ - begin <= 2 * watch.fair_share(begin, end_)


CROWDS = [
    pytest.param([400] * 60, 10, 0.0, id="short, all at the same moment"),
    pytest.param([50 + 15 * n for n in range(60)], 20, 10.0, id="of all lengths"),
]
LONG_CROWDS = [
    pytest.param([1500] * 60, 10, 0.0, id="half a minute each"),
    pytest.param([150 + 40 * n for n in range(60)], 20, 10.0, id="of all lengths, longer"),
    pytest.param([200 + 6 * n for n in range(120)], 30, 90.0, id="120 over a minute and a half"),
]


@pytest.mark.parametrize(
    ("tokens", "channels", "spread"), CROWDS + (LONG_CROWDS if IS_SOAK else [])
)
def test_sixty_answers_at_once_all_complete_and_share_fairly(
    tokens: list[int], channels: int, spread: float, make_workspace: type[Workspace]
) -> None:
    """After an incident everyone asks at once: each is answered, and Slack's limits hold."""
    watch = Watch(make_workspace())
    virtual_time.run(watch.crowd(tokens, channels, spread))
    assert len(watch.ends) == len(tokens)
    check_crowd(watch, channels)


def test_one_answer_alone_is_heard_again_and_again_from_the_start(
    make_workspace: type[Workspace],
) -> None:
    """The usual case: the whole budget is there for one."""
    watch = Watch(make_workspace())
    virtual_time.run(watch.crowd([400], 1, 0.0))
    times = [at - watch.begun["0.0"] for at in watch.heard("0.0")]
    assert times[0] <= 0.2
    assert times[3] <= 2.0
    assert max(end - begin for begin, end in watch.silences("0.0")) <= 1.0


def test_modes_follow_the_budgets(make_workspace: type[Workspace]) -> None:
    """Streams while there are starts, then edits while there are updates, then whole posts."""
    watch = Watch(make_workspace())
    virtual_time.run(watch.crowd([400] * 60, 10, 0.0))
    modes: Counter[Mode] = Counter(end.mode for end in watch.ends.values())
    assert set(modes) == {"stream", "edit", "once"}


def test_a_refusal_teaches_the_pacer() -> None:
    """Another process may live on the same budget; Slack's 429 is the only sign of it."""
    budget = Budget(Rate(100, burst=0.2), 0.0)
    before = budget.most
    budget.refuse(10.0, 30.0)
    assert budget.ready_at(10.0) == 40.0
    assert budget.most < before
    budget.ready_at(10.0 + 60 * MINUTE)
    assert budget.most == before


@settings(max_examples=60, deadline=None)
@given(
    rate=st.builds(Rate, st.integers(1, 300), st.sampled_from([0.15, 0.4, 1.0])),
    gaps=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=200),
)
def test_no_sixty_seconds_hold_more_calls_than_the_tier(rate: Rate, gaps: list[float]) -> None:
    """Slack counts by the minute; the start of its minutes is unknown."""
    budget, now = Budget(rate, 0.0), 0.0
    taken: list[float] = []
    for gap in gaps:
        now = max(now + gap, budget.ready_at(now + gap))
        budget.take(now)
        taken.append(now)
    for at in taken:
        assert sum(at - MINUTE + 1e-6 < other <= at for other in taken) <= max(rate.per_minute, 1)


def test_first_words_go_before_what_follows_them() -> None:
    """Where one call is left, it belongs to the answer that has shown nothing yet."""
    shares = FairScheduler(Rates(start=Rate(1)), 0.0)
    old, young = shares.join("C1", 0.0), shares.join("C1", 30.0)
    shares.settle(old, ("start",), 60.0)
    shares.settle(young, ("start",), 60.0, urgent=True)
    assert shares.grant(60.0) == [young]


def test_a_grant_that_is_not_used_goes_to_another_answer() -> None:
    """An answer that ends while it waits must not take its call with it."""
    shares = FairScheduler(Rates(start=Rate(1)), 0.0)
    one, two = shares.join("C1", 0.0), shares.join("C1", 0.0)
    shares.settle(one, ("start",), 0.0)
    assert shares.grant(0.0) == [one]
    shares.settle(two, ("start",), 0.0)
    assert shares.grant(0.0) == []
    shares.leave(one, 0.0)
    assert shares.grant(0.0) == [two]


def test_channels_keep_their_own_pace_for_posts() -> None:
    """Slack takes about one message a second in a channel; another channel owes nothing to it."""
    shares = FairScheduler(Rates(), 0.0)
    lanes = [shares.join("C1", 0.0) for _ in range(6)]
    other = shares.join("C2", 0.0)
    for lane in (*lanes, other):
        shares.settle(lane, ("post",), 0.0)
    granted = shares.grant(0.0)
    assert other in granted
    assert 1 <= sum(lane in granted for lane in lanes) <= 3
    assert [lane.channel for lane in shares.grant(1.1)] == ["C1"]
