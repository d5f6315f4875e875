"""A bounded number of answers at once; each asker who waits is told how many come before.

One user takes at most a quarter of the places, so that a flood of questions by one user delays no
answer to another.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class _Waiting:
    user: str
    turn: asyncio.Future[None]
    on_position: Callable[[int], None]


class AnswerQueue:
    """First come, first served, `at_once` at a time, among the users who may have one more."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._at_once = at_once
        self._waiting: deque[_Waiting] = deque()
        self._per_user = max(1, at_once // 4)
        self._running: Counter[str] = Counter()

    def __repr__(self) -> str:
        running = self._at_once - self._free
        return f"<AnswerQueue: {running} of {self._at_once} running, {len(self._waiting)} waiting>"

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def place(
        self, on_position: Callable[[int], None], user: str = ""
    ) -> AsyncIterator[None]:
        """Hold one of the places, after waiting for it. Without a `user` no share is counted.

        `on_position` is called with the position, from 1, on arrival and whenever it changes;
        never if a place is free.
        """
        await self._enter(on_position, user)
        try:
            yield
        finally:
            self._leave(user)

    def _may_run(self, user: str) -> bool:
        return not user or self._running[user] < self._per_user

    def _take(self, user: str) -> None:
        self._free -= 1
        self._running[user] += 1

    async def _enter(self, on_position: Callable[[int], None], user: str) -> None:
        # With a place free, those who wait may not have one more.
        if self._free and self._may_run(user):
            self._take(user)
            return
        mine = _Waiting(user, asyncio.get_running_loop().create_future(), on_position)
        self._waiting.append(mine)
        on_position(len(self._waiting))
        try:
            await mine.turn
        except asyncio.CancelledError:
            if not mine.turn.cancelled():
                # The place was handed over in the very moment of giving up.
                self._leave(user)
            elif mine in self._waiting:
                self._waiting.remove(mine)
                self._tell()
            raise

    def _leave(self, user: str) -> None:
        self._free += 1
        self._running[user] -= 1
        self._running += Counter()
        moved = False
        for one in tuple(self._waiting):
            if not self._free:
                break
            if one.turn.cancelled() or not self._may_run(one.user):
                continue
            self._waiting.remove(one)
            self._take(one.user)
            one.turn.set_result(None)
            moved = True
        if moved:
            self._tell()

    def _tell(self) -> None:
        for position, one in enumerate(self._waiting, 1):
            one.on_position(position)
