"""Threads as they stand in Slack.

A process that takes all events fetches each thread once and keeps it up to date from events. With
other replicas on the same database, each thread is read from Slack for each question. If Slack
limits how threads are read, what was heard is kept in the store and completes what is read.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.answer.interfaces import HeardMessages
from bot.answer.thread.message import BotIdentity, ThreadMessage, is_own, thread_message
from bot.delivery.slack_api import JsonObject, SlackCallError, SlackCalls
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Thread:
    """The messages of a thread by time stamp.

    A deleted message is None, so that a fetch in flight cannot bring it back. `whole` says that all
    of the thread is here, `counted` that its characters count towards the limit.
    """

    messages: dict[str, ThreadMessage | None] = field(default_factory=dict)
    fetch: asyncio.Task[None] | None = None
    whole: bool = False
    counted: bool = True


class Threads:
    """The threads that questions were asked in, by workspace, channel and root.

    `capacity` limits their number and `characters` their text. The one that was used the longest
    ago is forgotten first, and fetched again for the next question. A thread without a question is
    never kept.
    """

    def __init__(
        self,
        calls: SlackCalls,
        own: BotIdentity,
        capacity: int = 2_000,
        characters: int = 16_000_000,
        shared: bool = False,
        stored: HeardMessages | None = None,
    ) -> None:
        """`shared`: other replicas take events of the same threads, so each is read anew.

        `stored` is given if Slack shows a few messages a minute only
        (docs/platform/slack.md#history-limit). Then every thread that is heard is kept there, and
        what is read is put to it.
        """
        self._shared = shared
        self._stored = stored
        self._limited = stored is not None
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
        thread = self._keep((workspace, channel, root.ts))
        thread.whole = True
        if root.ts not in thread.messages:
            self._replace(thread, root.ts, root)
        self._trim()

    async def read(self, workspace: str, channel: str, root: str) -> Sequence[ThreadMessage]:
        """Return the messages of a thread, oldest first. Raises `SlackCallError`.

        Unless the threads are shared, questions at the same time share one fetch.
        """
        if self._shared and not self._limited:
            # Another replica may have heard what this one has not.
            return _in_order(await self._read(channel, root))
        thread = self._keep((workspace, channel, root))
        if not thread.whole or self._shared:
            if thread.fetch is None:
                thread.fetch = asyncio.ensure_future(self._fetch(thread, workspace, channel, root))
                thread.fetch.add_done_callback(_retrieved)
            # One asker who gives up must not take the fetch from the others.
            await asyncio.shield(thread.fetch)
        return _in_order(thread.messages.values())

    def is_partial(self, workspace: str, channel: str, root: str) -> bool:
        """Tell whether Slack's limit has left out messages of a thread that was read."""
        thread = self._threads.get((workspace, channel, root))
        return self._limited and thread is not None and not thread.whole

    async def _read(self, channel: str, root: str) -> Sequence[ThreadMessage | None]:
        messages = await self._calls.replies(channel, root)
        return [thread_message(message, self._own) for message in messages]

    async def own_since(
        self, channel: str, root: str, oldest: str, others: frozenset[str]
    ) -> tuple[str, ...]:
        """Return our own messages in a thread after `oldest`, but for `others`, oldest first.

        Always read from Slack: a process that died may have posted without an event. Raises
        `SlackCallError`.
        """
        messages = await self._calls.replies(channel, root, oldest)
        stamps = (str(m.get("ts")) for m in messages if is_own(m, self._own))
        return tuple(sorted(ts for ts in stamps if ts > oldest and ts != root and ts not in others))

    async def take_event(self, workspace: str, event: Mapping[str, Any]) -> None:
        """Take any `message` event: a new message, an edit or a deletion, in any order.

        It is stored if Slack limits reading.
        """
        change = _read_event(event)
        if change is None:
            return
        self._note(workspace, change)
        if self._stored is None:
            return
        try:
            await self._store(self._stored, workspace, change)
        except ForewarmError as error:
            log.warning("heard_message_not_stored", why=str(error))

    async def note_own(self, workspace: str, channel: str, root: str, ts: str) -> None:
        """Note that an answer's message stands in a thread: Slack may send no event of a stream."""
        own = {"channel": channel, "thread_ts": root, "ts": ts, "user": self._own.user}
        await self.take_event(workspace, own)

    def _note(self, workspace: str, change: _Change) -> None:
        key = (workspace, change.channel, change.root)
        thread = self._threads.get(key)
        if change.message is None:
            if thread is not None:
                self._replace(thread, change.ts, None)
            return
        if thread is None and self._limited and not change.edited:
            thread = self._keep(key)
            # Nothing stands before the root, and what comes after it is heard.
            thread.whole = change.root == change.ts != "" and not self._shared
        if thread is not None:
            self._put(thread, change.message, newer=change.edited)
            self._trim()

    async def _store(self, stored: HeardMessages, workspace: str, change: _Change) -> None:
        place = (workspace, change.channel, change.root)
        one = None if change.message is None else thread_message(change.message, self._own)
        if one is None and change.message is not None and is_own(change.message, self._own):
            # An answer begins without words. It counts as a reply all the same.
            one = ThreadMessage(change.ts, self._own.user, "own", "")
        if one is not None:
            # An answer that grows is edited many times, and its turn holds its words.
            replaces = change.edited and one.speaker != "own"
            await stored.keep(*place, one, edited=replaces)
        elif change.message is None or change.edited:
            await stored.remove(*place, change.ts)

    async def _recall(self, thread: _Thread, key: Key) -> None:
        """Put what the store holds of a thread to it. Other replicas may have heard more."""
        if self._stored is None:
            return
        try:
            kept = await self._stored.load(*key)
        except ForewarmError as error:
            log.warning("heard_messages_not_read", why=str(error))
            return
        for ts, one in kept.items():
            if self._shared or ts not in thread.messages:
                self._replace(thread, ts, one)

    def clear(self) -> None:
        """Forget every thread: each is fetched again when it is asked in."""
        self._threads.clear()
        self._characters = 0

    async def forget(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        """Forget the threads of a channel, or all: a person may have written in any of them."""
        self.clear()

    def _put(self, thread: _Thread, message: Mapping[str, Any], *, newer: bool) -> None:
        one = thread_message(message, self._own)
        if one is not None and (newer or one.ts not in thread.messages):
            self._replace(thread, one.ts, one)
        elif one is None and newer:
            # A tombstone, which stands for a deleted message with replies, says nothing.
            self._replace(thread, str(message.get("ts") or ""), None)

    def _replace(self, thread: _Thread, ts: str, one: ThreadMessage | None) -> None:
        if thread.counted:
            self._characters += _size(one) - _size(thread.messages.get(ts))
        thread.messages[ts] = one

    def _keep(self, key: Key) -> _Thread:
        thread = self._threads.setdefault(key, _Thread())
        self._threads.move_to_end(key)
        self._trim()
        return thread

    def _trim(self) -> None:
        while len(self._threads) > 1 and (
            len(self._threads) > self._capacity or self._characters > self._most_characters
        ):
            _, forgotten = self._threads.popitem(last=False)
            forgotten.counted = False
            self._characters -= sum(map(_size, forgotten.messages.values()))

    async def _fetch(self, thread: _Thread, workspace: str, channel: str, root: str) -> None:
        try:
            await self._recall(thread, (workspace, channel, root))
            messages: Sequence[JsonObject] = await self._calls.replies(channel, root)
        except SlackCallError as error:
            if not (self._limited and error.failure == "rate_limited" and thread.messages):
                raise
            thread.whole = False
            return
        finally:
            thread.fetch = None
        for message in messages:
            # An event that came meanwhile is newer than this read.
            self._put(thread, message, newer=False)
        replies = sum(one is not None and ts != root for ts, one in thread.messages.items())
        thread.whole = not self._limited or replies >= _reply_count(messages)
        self._trim()


@dataclass(frozen=True, slots=True)
class _Change:
    """What an event says of one message of a thread. `message` is None if it was deleted."""

    channel: str
    root: str
    ts: str
    message: Mapping[str, Any] | None
    edited: bool = False


def _read_event(event: Mapping[str, Any]) -> _Change | None:
    """Return what a `message` event says; None if it carries no message."""
    channel = str(event.get("channel") or "")
    if event.get("subtype") == "message_deleted":
        ts = str(event.get("deleted_ts") or "")
        before = event.get("previous_message") or {}
        return _Change(channel, str(before.get("thread_ts") or ts), ts, None)
    edited = event.get("subtype") == "message_changed"
    message = event.get("message") if edited else event
    if not isinstance(message, Mapping):
        return None
    ts = str(message.get("ts") or "")
    return _Change(channel, str(message.get("thread_ts") or ts), ts, message, edited)


def _reply_count(messages: Sequence[JsonObject]) -> int:
    """Return how many replies a thread has, as its root says."""
    return max((int(message.get("reply_count") or 0) for message in messages[:1]), default=0)


def _in_order(messages: Iterable[ThreadMessage | None]) -> Sequence[ThreadMessage]:
    said = (one for one in messages if one is not None and (one.text or one.speaker != "own"))
    return sorted(said, key=lambda one: one.ts)


def _size(one: ThreadMessage | None) -> int:
    return 0 if one is None else len(one.text) + sum(len(f.preview or "") for f in one.files)


def _retrieved(task: asyncio.Task[None]) -> None:
    """Take the error of a fetch that no question awaits any more; those that do get it."""
    if not task.cancelled():
        task.exception()
