"""Which request writes a cache entry at the moment, within one process."""

from __future__ import annotations

import asyncio


class LocalWriteLock:
    """Locks by name. A lock that outlives its time is free. Implements `WriteLock`."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Event, float]] = {}

    async def acquire(self, name: str, seconds: float) -> bool:
        now = asyncio.get_running_loop().time()
        lock = self._locks.get(name)
        if lock is not None and lock[1] > now:
            return False
        if lock is not None:
            # Those who wait for the lock that has run out may go on.
            lock[0].set()
        self._locks[name] = (asyncio.Event(), now + seconds)
        return True

    async def release(self, name: str) -> None:
        lock = self._locks.pop(name, None)
        if lock is not None:
            lock[0].set()

    async def wait(self, name: str, seconds: float) -> bool:
        lock = self._locks.get(name)
        if lock is None:
            return True
        left = lock[1] - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(seconds, max(0.0, left))):
                await lock[0].wait()
        except TimeoutError:
            return left <= seconds
        return True
