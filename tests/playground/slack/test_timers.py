"""Time that is moved by hand, for an emulator whose clients live in other processes."""

from __future__ import annotations

import asyncio

import pytest
from forewarm_playground import virtual_time
from forewarm_playground.slack.timers import LoopTimers, MovableClock, sleep, within


async def test_what_falls_due_on_the_way_happens_in_order_at_its_own_time() -> None:
    """A minute put forward is a minute lived through, not jumped over."""
    clock = MovableClock(lambda: 1000.0)
    seen: list[tuple[str, float]] = []
    for name, seconds in (("late", 60.0), ("soon", 3.0), ("never", 100.0)):
        clock.call_later(seconds, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]

    def chain() -> None:
        clock.call_later(2.0, lambda: seen.append(("new", clock.now())))

    clock.call_later(3.0, chain)
    await clock.advance(61)
    assert seen == [("soon", 1003.0), ("new", 1005.0), ("late", 1060.0)]
    assert clock.now() == 1061.0


async def test_a_cancelled_timer_does_not_happen() -> None:
    """Acknowledged in time means no retry."""
    clock = MovableClock(lambda: 0.0)
    seen: list[int] = []
    clock.call_later(1.0, lambda: seen.append(1)).cancel()
    await clock.advance(2)
    assert seen == []


async def test_without_a_push_real_time_runs_on() -> None:
    """A movable clock still ticks."""
    clock = MovableClock(virtual_time.now)
    start = clock.now()
    await sleep(clock, 5)
    assert clock.now() - start == pytest.approx(5)
    assert repr(clock) == "<MovableClock [0 s ahead | 0 waiting]>"


async def test_a_wait_that_takes_too_long_is_cut_short() -> None:
    """And what was waited for is cancelled; a result in time is returned."""
    timers = LoopTimers(virtual_time.now)
    waiting = asyncio.get_running_loop().create_task(asyncio.sleep(10))
    with pytest.raises(TimeoutError):
        await within(timers, 1, waiting)
    assert waiting.cancelled()
    assert await within(timers, 1, asyncio.sleep(0.5, "done")) == "done"


async def test_a_cancelled_wait_is_not_a_timeout() -> None:
    """A cancelled caller must learn that, not that time ran out."""
    timers = LoopTimers(virtual_time.now)
    task = asyncio.get_running_loop().create_task(within(timers, 10, asyncio.sleep(5)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
