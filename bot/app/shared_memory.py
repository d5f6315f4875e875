"""Memory that all replicas share through the store: quotas, and the channels people look at."""

from __future__ import annotations

import json
from typing import Any

import structlog

from bot.slack.people.quotas import counted
from bot.store.errors import StoreError
from bot.store.key_value import State

log = structlog.get_logger(__name__)

QUOTAS = "quota"
"""The kind of state under which the hour's questions are counted."""
_TRIES = 8


class SharedQuotas:
    """`bot.slack.people.quotas.Quotas` of all replicas together."""

    def __init__(self, state: State, prefix: str = "") -> None:
        """`prefix` begins every key: a workspace's, if the app is installed with OAuth."""
        self._state = state
        self._prefix = prefix

    def __repr__(self) -> str:
        return "<SharedQuotas>"

    async def take(self, key: str, limit: int | None, now: float) -> bool:
        """Count one question. If the store fails, the question is not held up by its quota."""
        if limit is None:
            return True
        try:
            return await self._take(self._prefix + key, limit, now)
        except StoreError as error:
            log.warning("quota_unknown", why=str(error))
            return True

    async def _take(self, key: str, limit: int, now: float) -> bool:
        for _ in range(_TRIES):
            known = await self._state.look(QUOTAS, key)
            asked = json.loads(known.value) if known is not None else []
            times = counted(asked, limit, now)
            if times is None:
                return False
            value = json.dumps(times).encode()
            if await self._state.swap(QUOTAS, key, value, known.version if known else None):
                return True
        # So many replicas count at once that one question more makes no difference.
        return True


class SharedMemory:
    """`bot.slack.people.context_choice.Memory` over the store."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __repr__(self) -> str:
        return "<SharedMemory>"

    async def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a value, None if there is none or the store fails."""
        try:
            value = await self._state.get(kind, key)
        except StoreError as error:
            log.warning("memory_unread", kind=kind, why=str(error))
            return None
        return dict(json.loads(value)) if value is not None else None

    async def put(self, kind: str, key: str, value: dict[str, Any]) -> None:
        try:
            await self._state.put(kind, key, json.dumps(value).encode())
        except StoreError as error:
            log.warning("memory_unwritten", kind=kind, why=str(error))
