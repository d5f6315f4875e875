"""A bounded number of answers at once; whoever waits is told how many are before them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Waiting:
    turn: asyncio.Future[None]
    on_position: Callable[[int], None]


class AnswerQueue:
    """First come, first served, `at_once` at a time."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._at_once = at_once
        self._waiting: deque[_Waiting] = deque()

    def __repr__(self) -> str:
        running = self._at_once - self._free
        return f"<AnswerQueue: {running} of {self._at_once} running, {len(self._waiting)} waiting>"

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, on_position: Callable[[int], None]) -> AsyncIterator[None]:
        """Hold one of the places, after waiting for it.

        `on_position` is called with the position, from 1, on arrival and whenever it changes;
        never where a place is free.
        """
        await self._enter(on_position)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, on_position: Callable[[int], None]) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        mine = _Waiting(asyncio.get_running_loop().create_future(), on_position)
        self._waiting.append(mine)
        on_position(len(self._waiting))
        try:
            await mine.turn
        except asyncio.CancelledError:
            if not mine.turn.cancelled():
                # The place was handed over in the very moment of giving up.
                self._leave()
            elif mine in self._waiting:
                self._waiting.remove(mine)
                self._tell()
            raise

    def _leave(self) -> None:
        self._free += 1
        while self._free and self._waiting:
            first = self._waiting.popleft()
            self._free -= 1
            if not first.turn.cancelled():
                first.turn.set_result(None)
                self._tell()
                return
            self._free += 1

    def _tell(self) -> None:
        for position, one in enumerate(self._waiting, 1):
            one.on_position(position)
