"""One warm-up in flight for a prefix across all replicas: claims as leases in the store."""

from __future__ import annotations

import uuid

from bot.store.leases import Lease
from bot.store.store import Store

PREFIX = "writing:"


class SharedWritings:
    """`bot.warm.interfaces.WriteLock` over the store."""

    def __init__(self, store: Store) -> None:
        self._leases = store.leases
        self._owner = uuid.uuid4().hex
        self._held: dict[str, Lease] = {}

    def __repr__(self) -> str:
        return f"<SharedWritings: {len(self._held)} held>"

    async def acquire(self, name: str, seconds: float) -> bool:
        lease = await self._leases.acquire(PREFIX + name, self._owner, seconds)
        if lease is None:
            return False
        self._held[name] = lease
        return True

    async def release(self, name: str) -> None:
        lease = self._held.pop(name, None)
        if lease is not None:
            await self._leases.release(lease)

    async def wait(self, name: str, seconds: float) -> bool:
        seen = await self._leases.look(PREFIX + name)
        if seen is None:
            return True
        return await self._leases.wait(seen, seconds) is not None
