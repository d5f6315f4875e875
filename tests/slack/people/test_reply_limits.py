"""How often the bot explains itself, and how long it talks with other bots."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import ForewarmError
from bot.slack.people.reply_limits import (
    ANSWERS_PER_BOT,
    EXPLANATIONS_PER_PERSON,
    HOUR,
    ReplyLimits,
    Speaker,
)

PERSON = Speaker("T1", "C1", "1.0", "U1")
ROBOT = replace(PERSON, user="U9", bot="B9")


class Memory:
    """The store's memory, shared by replicas. `broken` makes it fail."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.broken = False

    async def first(self, event: str) -> bool:
        if self.broken:
            raise ForewarmError("the store is away")
        new = event not in self.seen
        self.seen.add(event)
        return new


class Clock:
    at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


async def test_a_refusal_is_given_once_per_thread_and_hour() -> None:
    clock = Clock()
    limits = ReplyLimits(Memory(), clock)
    assert await limits.may_explain(PERSON, "guest")
    assert not await limits.may_explain(PERSON, "guest")
    assert not await limits.may_explain(replace(PERSON, user="U2"), "guest")
    assert await limits.may_explain(PERSON, "money")
    assert await limits.may_explain(replace(PERSON, thread="2.0"), "guest")
    clock.at += HOUR
    assert await limits.may_explain(PERSON, "guest")


async def test_replicas_share_what_was_said() -> None:
    memory, clock = Memory(), Clock()
    one, two = ReplyLimits(memory, clock), ReplyLimits(memory, clock)
    assert await one.may_explain(PERSON, "guest")
    assert not await two.may_explain(PERSON, "guest")


async def test_a_person_who_asks_in_ever_new_threads_is_refused_a_few_times() -> None:
    limits = ReplyLimits(Memory(), Clock())
    threads = [replace(PERSON, thread=f"{n}.0") for n in range(40)]
    given = [await limits.may_explain(one, "guest") for one in threads]
    assert sum(given) == EXPLANATIONS_PER_PERSON
    assert await limits.may_explain(replace(PERSON, user="U2", thread="99.0"), "guest")


async def test_a_bot_hears_nothing_a_second_time_wherever_it_asks() -> None:
    clock = Clock()
    limits = ReplyLimits(Memory(), clock)
    threads = [replace(ROBOT, thread=f"{n}.0") for n in range(40)]
    given = [await limits.may_explain(one, f"rule {n}") for n, one in enumerate(threads)]
    assert given == [True, *[False] * 39]
    clock.at += HOUR
    assert not await limits.may_explain(ROBOT, "bot")


async def test_a_listed_bot_is_answered_a_few_times_in_one_thread() -> None:
    limits = ReplyLimits(Memory(), Clock())
    given = [await limits.may_answer(ROBOT) for _ in range(10)]
    assert given == [*[True] * ANSWERS_PER_BOT, *[False] * (10 - ANSWERS_PER_BOT)]
    assert await limits.may_answer(replace(ROBOT, thread="2.0"))
    assert all([await limits.may_answer(PERSON) for _ in range(100)])


async def test_without_the_store_the_bot_is_silent() -> None:
    """A loop begins with words."""
    memory = Memory()
    memory.broken = True
    limits = ReplyLimits(memory, Clock())
    assert not await limits.may_explain(PERSON, "guest")
    assert not await limits.may_answer(ROBOT)
    assert await limits.may_answer(PERSON)
