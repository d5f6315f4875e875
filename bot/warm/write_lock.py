"""Who writes a cache entry at the moment, within one process."""

from __future__ import annotations

import asyncio


class LocalWritings:
    """Claims by name. A claim that outlives its time is nobody's. Implements `Writings`."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[asyncio.Event, float]] = {}

    async def begin(self, name: str, seconds: float) -> bool:
        now = asyncio.get_running_loop().time()
        held = self._claims.get(name)
        if held is not None and held[1] > now:
            return False
        if held is not None:
            held[0].set()
        self._claims[name] = (asyncio.Event(), now + seconds)
        return True

    async def finish(self, name: str) -> None:
        held = self._claims.pop(name, None)
        if held is not None:
            held[0].set()

    async def wait(self, name: str, seconds: float) -> bool:
        held = self._claims.get(name)
        if held is None:
            return True
        over = held[1] - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(seconds, max(0.0, over))):
                await held[0].wait()
        except TimeoutError:
            return over <= seconds
        return True

    def __repr__(self) -> str:
        return f"<LocalWritings: {len(self._claims)} running>"
