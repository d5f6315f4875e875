"""Messages of threads as they were heard, kept in the store while Slack limits how they are read.

The messages of one thread have a kind of `state` of their own, so that they are read by the primary
key. A deleted message leaves an empty value: an event that comes late must not bring it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import structlog

from bot.answer.thread.message import ThreadMessage
from bot.store.key_value import State
from bot.stored import UnreadableValue, dump, load

log = structlog.get_logger(__name__)

KIND = "heard_message"
"""The first word of each thread's kind."""
EDIT_TRIES = 3


class HeardMessages:
    """`bot.answer.interfaces.HeardMessages` over the store. Every method raises `StoreError`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(
        self, workspace: str, channel: str, root: str
    ) -> Mapping[str, ThreadMessage | None]:
        """Return the messages of a thread by time stamp. A deleted one is None."""
        found: dict[str, ThreadMessage | None] = {}
        for key, kept in (await self._state.all(_kind(workspace, channel, root))).items():
            ts = key.rpartition(":")[2]
            try:
                found[ts] = load(ThreadMessage, json.loads(kept.value)) if kept.value else None
            except UnreadableValue as error:
                log.warning("heard_message_unreadable", why=error.problem)
        return found

    async def keep(
        self, workspace: str, channel: str, root: str, message: ThreadMessage, *, edited: bool
    ) -> None:
        """Keep a message. An edited one replaces what is kept, unless it was deleted."""
        kind, key = _kind(workspace, channel, root), f"{workspace}:{channel}:{message.ts}"
        value = json.dumps(dump(message, defaults=False)).encode()
        for _ in range(EDIT_TRIES):
            kept = await self._state.look(kind, key)
            if kept is not None and not (edited and kept.value):
                return
            if await self._state.swap(kind, key, value, kept.version if kept else None):
                return

    async def remove(self, workspace: str, channel: str, root: str, ts: str) -> None:
        """Drop the words of a message that was deleted in Slack."""
        await self._state.put(_kind(workspace, channel, root), f"{workspace}:{channel}:{ts}", b"")


def _kind(workspace: str, channel: str, root: str) -> str:
    return f"{KIND} {workspace}:{channel}:{root}"
