"""A message that was deleted in Slack leaves the store."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.answer.interfaces import SavedAnswer
from bot.clock import system_now
from bot.store.deleted_messages import without_deleted
from bot.store.store import Store

PLACE = ("T1", "C1")
THREAD = (*PLACE, "1.0")


def turn(*stamps: str) -> list[dict[str, Any]]:
    tags = [f'<slack_message ts="{ts}" from="U2">\nHUNTER{ts}\n</slack_message>' for ts in stamps]
    own = '<slack_question ts="9.0" from="U1">\nwhy HUNTER9?\n</slack_question>'
    content = [{"type": "text", "text": text} for text in (*tags, own)]
    said = {"role": "assistant", "content": [{"type": "text", "text": "So."}]}
    return [{"role": "user", "content": content}, said]


def answer(*stamps: str) -> SavedAnswer:
    return SavedAnswer("So.", "", (), tuple(turn(*stamps)), "answered")


async def ask(store: Store, id: str = "q1", ts: str = "9.0") -> None:
    await store.inbox.record(
        {"user": "U1", "text": "why HUNTER9?", "thread": "1.0", "files": [{"id": "F1"}]},
        id=id,
        workspace="T1",
        channel="C1",
        ts=ts,
        at=100.0,
        owner="a",
        lease_seconds=9.0,
    )


async def kept(store: Store) -> str:
    """Return everything that the store still knows of the thread."""
    turns = [one.messages for one in await store.turns.load(*THREAD)]
    past = await store.history.past("q1")
    claimed = await store.inbox.claim_expired("b", 9.0)
    saved = [one.saved.messages for one in claimed if one.saved is not None]
    return json.dumps([turns, past.question if past else None, saved])


async def test_a_deleted_message_leaves_turns_and_saved_answers(store: Store) -> None:
    await ask(store)
    await store.inbox.save_answer("q1", "a", answer("2.0", "3.0"))
    await store.turns.append(*THREAD, "q1", turn("2.0", "3.0"), "pay")
    await store.turns.forget_message(*THREAD, "2.0")
    await store.inbox.release("q1", "a")
    text = await kept(store)
    assert "HUNTER2.0" not in text
    assert "HUNTER3.0" in text
    assert text.count("(deleted)") == 2


async def test_a_message_that_is_deleted_while_it_is_answered_is_not_kept(store: Store) -> None:
    await ask(store)
    await store.turns.forget_message(*THREAD, "2.0")
    await store.inbox.save_answer("q1", "a", answer("2.0"))
    await store.turns.append(*THREAD, "q1", turn("2.0"), "pay")
    await store.inbox.release("q1", "a")
    text = await kept(store)
    assert "HUNTER2.0" not in text
    assert text.count("(deleted)") == 2


@pytest.mark.parametrize("module", ["turns", "inbox"])
async def test_a_deletion_between_the_look_and_the_write_is_seen(
    postgres_url: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another replica deletes when the answer's holder has looked, and has written nothing yet."""
    store, other = [await Store.open(postgres_url, now=system_now) for _ in range(2)]
    looked = 0

    wait = store.database.waiter()

    def look_then_delete(*arguments: Any) -> list[Any]:
        nonlocal looked
        found: list[Any] = without_deleted(*arguments)
        looked += 1
        if looked == 1:
            wait(other.turns.forget_message(*THREAD, "2.0"))
        return found

    monkeypatch.setattr(f"bot.store.{module}.without_deleted", look_then_delete)
    await ask(store)
    if module == "turns":
        await store.turns.append(*THREAD, "q1", turn("2.0"), "pay")
    else:
        await store.inbox.save_answer("q1", "a", answer("2.0"))
    await store.inbox.release("q1", "a")
    text = await kept(store)
    await store.close()
    await other.close()
    assert "HUNTER2.0" not in text
    assert text.count("(deleted)") == 1
    assert looked == 3


async def test_two_deletions_at_the_same_time_do_not_undo_each_other(postgres_url: str) -> None:
    stores = [await Store.open(postgres_url, now=system_now) for _ in range(2)]
    stamps = [f"{number}.5" for number in range(20)]
    await ask(stores[0])
    await stores[0].turns.append(*THREAD, "q1", turn(*stamps), "pay")
    await asyncio.gather(
        *(stores[at % 2].turns.forget_message(*THREAD, ts) for at, ts in enumerate(stamps))
    )
    text = await kept(stores[0])
    for store in stores:
        await store.close()
    assert [ts for ts in stamps if f"HUNTER{ts}" in text] == []


async def test_a_deleted_question_loses_its_words_and_files(store: Store) -> None:
    await ask(store)
    await store.turns.append(*THREAD, "q1", turn(), "pay")
    await store.turns.forget_message(*THREAD, "9.0")
    text = await kept(store)
    assert "HUNTER9" not in text
    assert "F1" not in text
    assert await store.history.askers(*THREAD) == {"U1"}


async def test_other_threads_and_channels_are_left_alone(store: Store) -> None:
    await ask(store)
    await store.turns.append(*THREAD, "q1", turn("2.0"), "pay")
    await store.turns.forget_message("T1", "C2", "1.0", "2.0")
    await store.turns.forget_message("T2", "C1", "1.0", "2.0")
    assert "HUNTER2.0" in await kept(store)


async def test_an_answer_that_was_deleted_leaves_the_replay(store: Store) -> None:
    """Its last message decides: an answer deletes messages of its own when it was resumed."""
    await ask(store)
    for ts in ("9.1", "9.2"):
        await store.inbox.note_message("q1", "a", ts)
    await store.inbox.save_answer("q1", "a", answer("2.0"))
    await store.turns.append(*THREAD, "q1", turn("2.0"), "pay")
    await store.inbox.finish("q1", "a", "answered")
    await store.turns.forget_message(*THREAD, "9.1")
    assert "So." in await kept(store)
    await store.turns.forget_message(*THREAD, "9.2")
    text = await kept(store)
    assert "So." not in text
    assert "HUNTER2.0" in text


async def test_a_message_that_an_answer_deletes_before_its_end_takes_nothing(store: Store) -> None:
    await ask(store)
    await store.inbox.note_message("q1", "a", "9.1")
    await store.turns.append(*THREAD, "q1", turn("2.0"), "pay")
    await store.turns.forget_message(*THREAD, "9.1")
    assert "So." in await kept(store)
