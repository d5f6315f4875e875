"""Waiting, as an argument: through the running loop, or along a clock that can be moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from typing import Protocol, TypeVar

from forewarm_playground.clock import Now, system_now

T = TypeVar("T")


class Timer(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """Wall time (Unix seconds) and things that happen after some of it."""

    def now(self) -> float: ...

    def call_later(self, seconds: float, act: Callable[[], None]) -> Timer: ...


class LoopTimers:
    """Waits through the running loop, whose time may be virtual. `now` is its wall time."""

    def __init__(self, now: Now) -> None:
        self._now = now

    def now(self) -> float:
        return self._now()

    def call_later(self, seconds: float, act: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(seconds, 0.0), act)


class _Waiting:
    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act

    def cancel(self) -> None:
        self.act = None


class MovableClock:
    """Real time that can be put forward: what falls due in between happens, in order.

    For an emulator that runs alone, whose clients live in other processes.
    """

    def __init__(self, real: Now = system_now) -> None:
        self._real = real
        self._ahead = 0.0
        self._waiting: list[tuple[float, int, _Waiting]] = []
        self._count = 0
        self._armed: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<MovableClock [{self._ahead:g} s ahead | {len(self._waiting)} waiting]>"

    def now(self) -> float:
        return self._real() + self._ahead

    def call_later(self, seconds: float, act: Callable[[], None]) -> Timer:
        waiting = _Waiting(act)
        self._count += 1
        heappush(self._waiting, (self.now() + max(seconds, 0.0), self._count, waiting))
        self._arm()
        return waiting

    async def advance(self, seconds: float) -> None:
        """Put the clock forward; gives the loop a turn after each timer that falls due."""
        target = self.now() + max(seconds, 0.0)
        while self._waiting and self._waiting[0][0] <= target:
            self._ahead += max(self._waiting[0][0] - self.now(), 0.0)
            self._fire()
            await asyncio.sleep(0)
        self._ahead += max(target - self.now(), 0.0)
        self._arm()

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        if self._waiting:
            delay = max(self._waiting[0][0] - self.now(), 0.0)
            self._armed = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        self._armed = None
        while self._waiting and self._waiting[0][0] <= self.now() + 1e-6:
            self._fire()
        self._arm()

    def _fire(self) -> None:
        _, _, waiting = heappop(self._waiting)
        if waiting.act is not None:
            waiting.act()


async def sleep(timers: Timers, seconds: float) -> None:
    """Wait for `seconds` of the emulator's time."""
    if seconds <= 0:
        return
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = timers.call_later(seconds, lambda: _fulfil(done))
    try:
        await done
    finally:
        timer.cancel()


def _fulfil(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def within(timers: Timers, seconds: float, awaited: Awaitable[T]) -> T:
    """Return what `awaited` returns, or cancel it and raise `TimeoutError` after `seconds`."""
    task = asyncio.ensure_future(awaited)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = timers.call_later(seconds, expire)
    try:
        return await task
    except asyncio.CancelledError:
        if expired:
            raise TimeoutError from None
        task.cancel()
        raise
    finally:
        timer.cancel()
