"""A bounded number of answers at once, first come first served, no place ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.answer.queue import AnswerQueue


async def test_positions_are_told_on_arrival_and_as_the_queue_moves() -> None:
    """A wait that one can see the end of is shorter."""
    queue = AnswerQueue(1)
    told: list[list[int]] = [[], [], []]
    gates = [asyncio.Event() for _ in told]

    async def answer(n: int) -> None:
        async with queue.place(told[n].append):
            await gates[n].wait()

    tasks = [asyncio.create_task(answer(n)) for n in range(3)]
    await asyncio.sleep(0.01)
    assert told == [[], [1], [2]]
    assert repr(queue) == "<AnswerQueue: 1 of 1 running, 2 waiting>"
    gates[0].set()
    await asyncio.sleep(0.01)
    assert told == [[], [1], [2, 1]]
    for gate in gates:
        gate.set()
    await asyncio.gather(*tasks)
    assert repr(queue) == "<AnswerQueue: 0 of 1 running, 0 waiting>"


async def test_one_who_gives_up_lets_the_others_move_up() -> None:
    """A stopped answer must not hold a place that it never took."""
    queue = AnswerQueue(1)
    told: list[int] = []
    gate = asyncio.Event()

    async def answer() -> None:
        async with queue.place(told.append):
            await gate.wait()

    first, second, third = (asyncio.create_task(answer()) for _ in range(3))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.sleep(0.01)
    assert told == [1, 2, 1]
    gate.set()
    await asyncio.gather(first, third)
    with pytest.raises(asyncio.CancelledError):
        await second


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(0, 3), min_size=1, max_size=20), st.randoms())
def test_after_any_cancellation_no_place_is_lost_or_made(
    places: int, steps: list[int], chance: random.Random
) -> None:
    """A leaked place makes the bot slower for ever; one too many breaks the bound."""

    async def scene() -> None:
        queue, running, most = AnswerQueue(places), 0, 0

        async def answer(turns: int) -> None:
            nonlocal running, most
            async with queue.place(lambda position: None):
                running += 1
                most = max(most, running)
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    running -= 1

        tasks = []
        for turns in steps:
            tasks.append(asyncio.create_task(answer(turns)))
            await asyncio.sleep(0)
            if chance.random() < 0.4:
                chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= places
        assert repr(queue) == f"<AnswerQueue: 0 of {places} running, 0 waiting>"

    asyncio.run(scene())


async def test_a_flood_by_one_user_leaves_places_for_others() -> None:
    """Another user is answered at once, however much one user asks."""
    queue, gate = AnswerQueue(8), asyncio.Event()
    running: list[str] = []
    told: list[int] = []

    async def answer(user: str) -> None:
        async with queue.place(told.append, user):
            running.append(user)
            await gate.wait()

    flood = [asyncio.create_task(answer("U1")) for _ in range(50)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(answer(f"U{n}")) for n in range(2, 8)]
    await asyncio.sleep(0.01)
    assert running == ["U1", "U1", "U2", "U3", "U4", "U5", "U6", "U7"]
    late = asyncio.create_task(answer("U9"))
    await asyncio.sleep(0)
    assert queue.waiting == 49
    gate.set()
    await asyncio.gather(*flood, *others, late)
    assert sorted(running).count("U1") == 50
    assert repr(queue) == "<AnswerQueue: 0 of 8 running, 0 waiting>"
