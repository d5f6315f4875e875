"""Threads are read once, and follow events from then on, in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from bot.answer.thread.cache import Threads
from bot.answer.thread.message import BotIdentity, ThreadMessage
from bot.delivery.slack_api import SlackCallError, SlackCalls

OWN = BotIdentity("UBOT", "B1", "T1")
ROOT = "1790000000.000001"


class Replies:
    """A thread in Slack; `gate` holds its reading back."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.fails: SlackCallError | None = None

    async def replies(
        self, channel: str, thread: str, oldest: str | None = None
    ) -> Sequence[dict[str, Any]]:
        self.reads += 1
        found = list(self.messages)
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return found


def message(n: int, text: str, **fields: Any) -> dict[str, Any]:
    stamp = f"1790000000.{n:06d}"
    return {"ts": stamp, "thread_ts": ROOT, "user": "U1", "text": text, "channel": "C1", **fields}


def edit(n: int, text: str) -> dict[str, Any]:
    return {"channel": "C1", "subtype": "message_changed", "message": message(n, text)}


def deletion(n: int) -> dict[str, Any]:
    gone = message(n, "gone")
    return {
        "channel": "C1",
        "subtype": "message_deleted",
        "deleted_ts": gone["ts"],
        "previous_message": gone,
    }


class Kept:
    """What was heard, in a store that outlives `Threads`."""

    def __init__(self) -> None:
        self.messages: dict[str, ThreadMessage | None] = {}

    async def load(
        self, workspace: str, channel: str, root: str
    ) -> dict[str, ThreadMessage | None]:
        assert (workspace, channel, root) == ("T1", "C1", ROOT)
        return dict(self.messages)

    async def keep(
        self, workspace: str, channel: str, root: str, message: ThreadMessage, *, edited: bool
    ) -> None:
        if edited or message.ts not in self.messages:
            self.messages[message.ts] = message

    async def remove(self, workspace: str, channel: str, root: str, ts: str) -> None:
        self.messages[ts] = None


def threads(replies: Replies, capacity: int = 10) -> Threads:
    return Threads(cast(SlackCalls, replies), OWN, capacity)


async def texts(of: Threads) -> list[str]:
    return [one.text for one in await of.read("T1", "C1", ROOT)]


async def test_a_thread_is_fetched_once_and_then_follows_events() -> None:
    """`conversations.replies` is dear; the events come anyway."""
    replies = Replies(message(1, "root"), message(2, "old"))
    held = threads(replies)
    assert await texts(held) == ["root", "old"]
    await held.take_event("T1", message(3, "new"))
    await held.take_event("T1", edit(2, "old, mended"))
    await held.take_event("T1", deletion(1))
    assert await texts(held) == ["old, mended", "new"]
    assert replies.reads == 1


async def test_questions_that_come_together_share_one_fetch() -> None:
    """Ten people asking in one thread must not read it ten times."""
    replies = Replies(message(1, "root"))
    replies.gate.clear()
    held = threads(replies)
    reading = [asyncio.create_task(texts(held)) for _ in range(5)]
    await asyncio.sleep(0.01)
    reading[0].cancel()
    replies.gate.set()
    done = await asyncio.gather(*reading, return_exceptions=True)
    assert done[1:] == [["root"]] * 4
    assert replies.reads == 1


async def test_what_events_tell_during_the_fetch_is_newer_than_what_it_finds() -> None:
    """An edit or a deletion must not be undone by a read that began before it."""
    replies = Replies(message(1, "root"), message(2, "old"), message(3, "gone"))
    replies.gate.clear()
    held = threads(replies)
    reading = asyncio.create_task(texts(held))
    await asyncio.sleep(0.01)
    await held.take_event("T1", edit(2, "mended"))
    await held.take_event("T1", deletion(3))
    await held.take_event("T1", message(4, "late"))
    replies.gate.set()
    assert await reading == ["root", "mended", "late"]


async def test_an_original_that_comes_after_its_edit_does_not_undo_it() -> None:
    """Slack promises no order."""
    held = threads(Replies())
    held.opened("T1", "C1", ThreadMessage(ROOT, "U1", "person", "root"))
    await held.take_event("T1", edit(2, "mended"))
    await held.take_event("T1", message(2, "first"))
    assert await texts(held) == ["root", "mended"]


async def test_a_thread_that_opens_with_a_question_is_never_fetched() -> None:
    """Nothing can stand in it yet: the first words come that much sooner."""
    replies = Replies()
    held = threads(replies)
    held.opened("T1", "C1", ThreadMessage(ROOT, "U1", "person", "root"))
    await held.take_event("T1", message(2, "more"))
    assert await texts(held) == ["root", "more"]
    assert replies.reads == 0


async def test_a_failed_fetch_is_tried_again_by_the_next_question() -> None:
    """One 429 must not make a thread unreadable for ever."""
    replies = Replies(message(1, "root"))
    replies.fails = SlackCallError("rate_limited", "ratelimited", 1)
    held = threads(replies)
    with pytest.raises(SlackCallError):
        await texts(held)
    replies.fails = None
    assert await texts(held) == ["root"]


async def test_threads_without_a_question_are_not_held_and_old_ones_are_forgotten() -> None:
    """A busy workspace has more threads than memory."""
    held = threads(Replies(), capacity=2)
    await held.take_event("T1", message(2, "overheard"))
    assert repr(held) == "<Threads: 0 held, 0 whole>"
    for n in range(5):
        held.opened("T1", "C1", ThreadMessage(f"1790000000.00000{n}", "U1", "person", "root"))
    assert repr(held) == "<Threads: 2 held, 2 whole>"


async def test_events_without_what_they_should_hold_do_nothing() -> None:
    """The listener must survive any event of Slack."""
    held = threads(Replies())
    held.opened("T1", "C1", ThreadMessage(ROOT, "U1", "person", "root"))
    crooked: list[dict[str, Any]] = [
        {},
        {"channel": "C1", "subtype": "message_changed"},
        {"channel": "C1", "subtype": "message_deleted"},
        {"channel": "C1", "ts": 5},
        {"channel": "C1", "subtype": "message_changed", "message": "x"},
    ]
    for event in crooked:
        await held.take_event("T1", event)
    assert await texts(held) == ["root"]


async def test_the_text_that_is_held_has_a_bound_however_long_the_threads_are() -> None:
    """Two thousand threads of pasted logs would be a gigabyte."""
    held = Threads(cast(SlackCalls, Replies()), OWN, characters=1_000)
    for n in range(5):
        held.opened("T1", "C1", ThreadMessage(f"1790000000.00000{n}", "U1", "person", "x" * 400))
    assert repr(held) == "<Threads: 2 held, 2 whole>"
    await held.take_event("T1", {**message(9, "y" * 5_000), "thread_ts": "1790000000.000004"})
    assert repr(held) == "<Threads: 1 held, 1 whole>"


async def test_messages_that_were_not_noted_are_found_by_author_and_time() -> None:
    """A process can die between Slack's acceptance of a message and its own note of it."""
    replies = Replies(
        message(1, "root", user="UBOT"),
        message(2, "the question"),
        message(3, "another answer", user="UBOT"),
        message(4, "hm", user="U2"),
        message(5, "", user=None, bot_id="B1"),
        message(6, "half of", user="UBOT"),
    )
    other = frozenset({str(message(3, "")["ts"])})
    found = await threads(replies).own_since("C1", ROOT, str(message(2, "")["ts"]), other)
    assert found == (message(5, "")["ts"], message(6, "")["ts"])


async def test_a_limited_thread_is_put_together_from_what_is_stored() -> None:
    """Slack shows the first messages only, and a new process has heard nothing."""
    kept, replies = Kept(), Replies(message(1, "root", reply_count=3), message(2, "two"))
    before = Threads(cast(SlackCalls, replies), OWN, stored=kept)
    for event in (message(3, "three"), message(4, "four"), edit(4, "four, mended")):
        await before.take_event("T1", event)
    after = Threads(cast(SlackCalls, replies), OWN, stored=kept)
    assert await texts(after) == ["root", "two", "three", "four, mended"]
    assert not after.is_partial("T1", "C1", ROOT)


async def test_a_limited_thread_is_partial_if_a_message_was_never_heard() -> None:
    """A deleted message counts neither as one that is here nor as one that is missing."""
    kept, replies = Kept(), Replies(message(1, "root", reply_count=2), message(2, "two"))
    held = Threads(cast(SlackCalls, replies), OWN, stored=kept)
    await held.take_event("T1", deletion(3))
    assert await texts(held) == ["root", "two"]
    assert held.is_partial("T1", "C1", ROOT)
    assert kept.messages == {message(3, "")["ts"]: None}


async def test_a_limited_thread_without_an_answer_of_slack_is_what_is_stored() -> None:
    kept, replies = Kept(), Replies()
    await Threads(cast(SlackCalls, replies), OWN, stored=kept).take_event("T1", message(2, "two"))
    replies.fails = SlackCallError("rate_limited", "ratelimited", 30)
    held = Threads(cast(SlackCalls, replies), OWN, stored=kept)
    assert await texts(held) == ["two"]
    assert held.is_partial("T1", "C1", ROOT)


async def test_another_replicas_deletion_is_heeded() -> None:
    kept, replies = Kept(), Replies(message(1, "root"))
    one, other = (
        Threads(cast(SlackCalls, replies), OWN, shared=True, stored=kept) for _ in range(2)
    )
    await one.take_event("T1", message(2, "secret"))
    assert await texts(one) == ["root", "secret"]
    await other.take_event("T1", deletion(2))
    assert await texts(one) == ["root"]


async def test_the_store_keeps_the_first_words_of_our_own_growing_answer() -> None:
    """Its turn holds all of them, and each edit would be a write."""
    kept = Kept()
    held = Threads(cast(SlackCalls, Replies()), OWN, stored=kept)
    for event in (
        message(2, "It", user="UBOT"),
        {
            "channel": "C1",
            "subtype": "message_changed",
            "message": message(2, "It is", user="UBOT"),
        },
    ):
        await held.take_event("T1", event)
    [one] = kept.messages.values()
    assert one is not None
    assert (one.text, one.speaker) == ("It", "own")
