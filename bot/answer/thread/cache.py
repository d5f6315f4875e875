"""Threads as they stand in Slack: each fetched at most once, then kept up to date from events."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.answer.thread.message import BotIdentity, ThreadMessage, is_own, thread_message
from bot.delivery.slack_api import JsonObject, SlackCalls

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Thread:
    """`said` holds None for what was deleted, so that a fetch in flight cannot bring it back."""

    said: dict[str, ThreadMessage | None] = field(default_factory=dict)
    fetch: asyncio.Task[None] | None = None
    whole: bool = False
    held: bool = True


class Threads:
    """The threads that questions were asked in, by workspace, channel and root.

    `capacity` bounds how many are held and `characters` how much text; the one unused longest is
    forgotten first, and fetched again when it is asked in. Threads that nobody asked in are never
    held.
    """

    def __init__(
        self,
        calls: SlackCalls,
        own: BotIdentity,
        capacity: int = 2_000,
        characters: int = 16_000_000,
        shared: bool = False,
    ) -> None:
        """`shared`: other replicas take events of the same threads, so each is read anew."""
        self._shared = shared
        self._calls = calls
        self._own = own
        self._capacity = capacity
        self._most_characters = characters
        self._characters = 0
        self._threads: OrderedDict[Key, _Thread] = OrderedDict()

    def __repr__(self) -> str:
        whole = sum(thread.whole for thread in self._threads.values())
        return f"<Threads: {len(self._threads)} held, {whole} whole>"

    def opened(self, workspace: str, channel: str, root: ThreadMessage) -> None:
        """Take a message that opens a thread: nothing stands in it yet, so nothing is fetched."""
        thread = self._hold((workspace, channel, root.ts))
        thread.whole = True
        if root.ts not in thread.said:
            self._replace(thread, root.ts, root)
        self._trim()

    async def read(self, workspace: str, channel: str, root: str) -> Sequence[ThreadMessage]:
        """Return what was said in a thread, oldest first. Raises `SlackCallError`.

        Questions that come at the same time share one fetch.
        """
        if self._shared:
            # Another replica may have heard what this one has not.
            return _in_order(await self._read(channel, root))
        thread = self._hold((workspace, channel, root))
        if not thread.whole:
            if thread.fetch is None:
                thread.fetch = asyncio.ensure_future(self._fetch(thread, channel, root))
                thread.fetch.add_done_callback(_retrieved)
            # One asker who gives up must not take the fetch from the others.
            await asyncio.shield(thread.fetch)
        return _in_order(thread.said.values())

    async def _read(self, channel: str, root: str) -> Sequence[ThreadMessage | None]:
        messages = await self._calls.replies(channel, root)
        return [thread_message(message, self._own) for message in messages]

    async def own_since(
        self, channel: str, root: str, oldest: str, others: frozenset[str]
    ) -> tuple[str, ...]:
        """Return our own messages in a thread after `oldest`, but for `others`, oldest first.

        Always read from Slack: what a process that died has posted may have reached no event.
        Raises `SlackCallError`.
        """
        messages = await self._calls.replies(channel, root, oldest)
        stamps = (str(m.get("ts")) for m in messages if is_own(m, self._own))
        return tuple(sorted(ts for ts in stamps if ts > oldest and ts != root and ts not in others))

    def heard(self, workspace: str, event: Mapping[str, Any]) -> None:
        """Take any `message` event: new words, an edit or a deletion, in whatever order."""
        channel = str(event.get("channel") or "")
        if event.get("subtype") == "message_deleted":
            before = event.get("previous_message") or {}
            self._forget(workspace, channel, str(event.get("deleted_ts") or ""), before)
            return
        edited = event.get("subtype") == "message_changed"
        message = event.get("message") if edited else event
        if not isinstance(message, Mapping):
            return
        thread = self._known(workspace, channel, message)
        if thread is not None:
            self._put(thread, message, newer=edited)
            self._trim()

    def _known(self, workspace: str, channel: str, message: Mapping[str, Any]) -> _Thread | None:
        root = str(message.get("thread_ts") or message.get("ts") or "")
        return self._threads.get((workspace, channel, root))

    def _forget(self, workspace: str, channel: str, ts: str, before: Mapping[str, Any]) -> None:
        thread = self._known(workspace, channel, {**before, "ts": ts})
        if thread is not None:
            self._replace(thread, ts, None)

    def _put(self, thread: _Thread, message: Mapping[str, Any], *, newer: bool) -> None:
        one = thread_message(message, self._own)
        if one is not None and (newer or one.ts not in thread.said):
            self._replace(thread, one.ts, one)

    def _replace(self, thread: _Thread, ts: str, one: ThreadMessage | None) -> None:
        if thread.held:
            self._characters += _size(one) - _size(thread.said.get(ts))
        thread.said[ts] = one

    def _hold(self, key: Key) -> _Thread:
        thread = self._threads.setdefault(key, _Thread())
        self._threads.move_to_end(key)
        self._trim()
        return thread

    def _trim(self) -> None:
        while len(self._threads) > 1 and (
            len(self._threads) > self._capacity or self._characters > self._most_characters
        ):
            _, forgotten = self._threads.popitem(last=False)
            forgotten.held = False
            self._characters -= sum(map(_size, forgotten.said.values()))

    async def _fetch(self, thread: _Thread, channel: str, root: str) -> None:
        try:
            messages: Sequence[JsonObject] = await self._calls.replies(channel, root)
        finally:
            thread.fetch = None
        for message in messages:
            # What an event has told meanwhile is newer than what this read found.
            self._put(thread, message, newer=False)
        thread.whole = True
        self._trim()


def _in_order(messages: Iterable[ThreadMessage | None]) -> Sequence[ThreadMessage]:
    return sorted((one for one in messages if one is not None), key=lambda one: one.ts)


def _size(one: ThreadMessage | None) -> int:
    return 0 if one is None else len(one.text) + sum(len(f.preview or "") for f in one.files)


def _retrieved(task: asyncio.Task[None]) -> None:
    """Whoever awaits the fetch gets its error; where nobody does any more, it is let go."""
    if not task.cancelled():
        task.exception()
