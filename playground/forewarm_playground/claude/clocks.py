"""The clocks that a local Claude can live by."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Protocol

from forewarm_playground import virtual_time


class Clock(Protocol):
    """Tells Unix time in seconds, and waits."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class LoopClock:
    """The running loop's own time: real, or virtual in a `VirtualTimeLoop`."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self.now = now or virtual_time.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to, for a server that runs alone.

    `advance` moves it and wakes sleepers whose time has come, in order. With `jump`, the clock also
    moves to the earliest wait of the server itself once nothing has happened for `grace` real
    seconds, so that a latency of 20 seconds passes at once.
    """

    def __init__(self, start: float = virtual_time.EPOCH, *, jump: bool = True) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._jump = jump
        self._jumper: asyncio.TimerHandle | None = None
        self.grace = 0.005

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:.3f} [{len(self._sleepers)} sleepers]>"

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, future))
        self._expect_jump()
        return await future

    async def advance(self, seconds: float) -> None:
        """Move the clock by `seconds`, waking on the way who sleeps no longer than that."""
        target = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._wake_first()
            for _ in range(20):
                await asyncio.sleep(0)
        self._now = max(self._now, target)

    def _wake_first(self) -> None:
        when, _, future = heapq.heappop(self._sleepers)
        if not future.done():
            self._now = max(self._now, when)
            future.set_result(None)

    def _expect_jump(self) -> None:
        if not self._jump:
            return
        if self._jumper is not None:
            self._jumper.cancel()
        loop = asyncio.get_running_loop()
        self._jumper = loop.call_later(self.grace, self._go_on)

    def _go_on(self) -> None:
        self._jumper = None
        if self._sleepers:
            self._wake_first()
            self._expect_jump()
