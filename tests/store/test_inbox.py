"""A question is held by one process at a time, and only its holder can change it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.answer.interfaces import SavedAnswer
from bot.store.errors import LeaseLost
from bot.store.inbox import TOO_OLD
from bot.store.store import Store

LEASE = 10.0


def saved(text: str = "whole") -> SavedAnswer:
    return SavedAnswer(
        text=text,
        last_line="—",
        blocks=({"type": "context"},),
        messages=({"role": "user", "content": "why"}, {"role": "assistant", "content": text}),
        outcome="answered",
    )


async def record(store: Store, id: str = "q1", owner: str = "a", **changes: Any) -> bool:
    values: dict[str, Any] = {
        "id": id,
        "workspace": "T1",
        "channel": "C1",
        "ts": f"17.{id}",
        "event": f"Ev{id}",
        "at": 1_800_000_000.0,
        "owner": owner,
        "lease_seconds": LEASE,
    }
    return await store.inbox.record({"text": "why?"}, **(values | changes))


@pytest.mark.parametrize(
    "again",
    [{"id": "q1"}, {"event": "Evq1"}, {"ts": "17.q1"}],
    ids=["same id", "same event", "same message"],
)
async def test_a_question_known_by_any_of_its_names_is_not_recorded_again(
    store: Store, again: dict[str, str]
) -> None:
    """Slack sends a mention as two events and repeats each; one answer is owed."""
    assert await record(store)
    assert not await record(store, **({"id": "q2"} | again))
    assert [w.id for w in await store.inbox.waiting()] == ["q1"]


async def test_questions_without_an_event_id_do_not_collide(store: Store) -> None:
    """A modal's submission has no event id: NULL must not be unique."""
    assert await record(store, "q1", event=None)
    assert await record(store, "q2", event=None)


async def test_of_many_replicas_recording_at_once_exactly_one_holds_the_question(
    store: Store, other: Store
) -> None:
    """Two sockets may deliver the same message at the same moment."""
    tries = [record(s, f"q{i}", ts="17.1") for i, s in enumerate([store, other] * 5)]
    assert sum(await asyncio.gather(*tries)) == 1


async def test_a_held_question_is_not_taken_over_until_its_lease_ends(
    store: Store, other: Store, clock: Any
) -> None:
    """Two answers to one question must not run side by side."""
    await record(store)
    clock.at += LEASE - 1
    assert await other.inbox.claim_expired("b", LEASE) == []
    clock.at += 1
    (claimed,) = await other.inbox.claim_expired("b", LEASE)
    assert (claimed.id, claimed.claims, claimed.question) == ("q1", 2, {"text": "why?"})


async def test_renewing_keeps_a_question_and_names_those_that_were_lost(
    store: Store, other: Store, clock: Any
) -> None:
    """A process that slept too long has to learn it before it writes another word."""
    await record(store, "q1")
    await record(store, "q2")
    clock.at += LEASE - 1
    assert await store.inbox.renew(["q1"], "a", LEASE) == frozenset()
    clock.at += 2
    assert [c.id for c in await other.inbox.claim_expired("b", LEASE)] == ["q2"]
    assert await store.inbox.renew(["q1", "q2"], "a", LEASE) == {"q2"}


async def test_a_stale_holder_can_change_nothing(store: Store, other: Store, clock: Any) -> None:
    """The old process may wake up after the new one has taken over: fencing by owner."""
    await record(store)
    clock.at += LEASE
    await other.inbox.claim_expired("b", LEASE)
    stale = store.inbox
    for change in (
        stale.note_message("q1", "a", "18.1"),
        stale.save_answer("q1", "a", saved("stale")),
        stale.finish("q1", "a", "answered"),
    ):
        with pytest.raises(LeaseLost):
            await change
    await store.inbox.release("q1", "a")
    clock.at += LEASE
    (claimed,) = await other.inbox.claim_expired("c", LEASE)
    assert (claimed.messages, claimed.saved, claimed.question) == ((), None, {"text": "why?"})


async def test_after_a_takeover_messages_and_the_whole_answer_are_found(
    store: Store, other: Store, clock: Any
) -> None:
    """Text that already stands in Slack is replaced or completed, never repeated."""
    await record(store)
    held = store.inbox
    await held.note_message("q1", "a", "18.000002")
    await held.note_message("q1", "a", "18.000001")
    await held.note_message("q1", "a", "18.000001")
    await held.save_answer("q1", "a", saved("half a surrogate \ud83d and a NUL \0"))
    clock.at += LEASE
    (claimed,) = await other.inbox.claim_expired("b", LEASE)
    assert claimed.messages == ("18.000001", "18.000002")
    assert claimed.saved == saved("half a surrogate \ud83d and a NUL \0")


async def test_a_finished_question_is_never_claimed_again(store: Store, clock: Any) -> None:
    """Nothing twice."""
    await record(store)
    await store.inbox.finish("q1", "a", "answered")
    await store.inbox.finish("q1", "a", "failed")
    clock.at += 10 * LEASE
    assert await store.inbox.claim_expired("b", LEASE) == []
    assert await store.inbox.waiting() == []


async def test_an_ended_question_is_opened_anew_by_one_only(
    store: Store, other: Store, clock: Any
) -> None:
    """ "Answer again" and an edit reopen a question; two replicas must not both answer it."""
    await record(store)
    assert not await other.inbox.reopen("q1", "b", {"text": "edited"}, LEASE)
    await store.inbox.save_answer("q1", "a", saved("first"))
    await store.inbox.finish("q1", "a", "answered")
    assert await other.inbox.reopen("q1", "b", {"text": "edited"}, LEASE)
    assert not await store.inbox.reopen("q1", "a", {"text": "late"}, LEASE)
    clock.at += LEASE
    (claimed,) = await store.inbox.claim_expired("c", LEASE)
    assert (claimed.question, claimed.saved) == ({"text": "edited"}, None)
    assert not await store.inbox.reopen("unknown", "a", {}, LEASE)


async def test_a_released_question_is_claimed_at_once(store: Store, other: Store) -> None:
    """A process that is told to stop hands over without anybody waiting for its lease."""
    await record(store)
    await store.inbox.release("q1", "a")
    assert [w.owner for w in await store.inbox.waiting()] == [None]
    assert [c.id for c in await other.inbox.claim_expired("b", LEASE)] == ["q1"]


async def test_a_question_older_than_fifteen_minutes_asks_for_an_apology(
    store: Store, clock: Any
) -> None:
    """An answer out of the blue is worse than a word of regret."""
    await record(store, "young", at=clock.at)
    await record(store, "old", at=clock.at - LEASE - 1)
    clock.at += TOO_OLD - LEASE
    claimed = await store.inbox.claim_expired("b", LEASE)
    assert [(c.id, c.too_old) for c in claimed] == [("old", True), ("young", False)]


async def test_a_process_does_not_take_over_what_it_is_answering_itself(
    store: Store, clock: Any
) -> None:
    """A stalled loop may find its own leases expired: it still answers, once."""
    await record(store)
    clock.at += LEASE
    assert await store.inbox.claim_expired("a", LEASE, busy=["q1"]) == []
    assert len(await store.inbox.claim_expired("a", LEASE)) == 1


async def test_replicas_that_claim_at_once_share_out_without_overlap(
    store: Store, other: Store, clock: Any
) -> None:
    """After a crash all survivors look at the same moment."""
    for i in range(20):
        await record(store, f"q{i:02}")
    clock.at += LEASE
    claims = [s.inbox.claim_expired(o, LEASE, 5) for s, o in [(store, "b"), (other, "c")] * 3]
    taken = [c.id for claimed in await asyncio.gather(*claims) for c in claimed]
    assert len(taken) == len(set(taken))
    assert set(taken) | {w.id for w in await store.inbox.waiting()} == {
        f"q{i:02}" for i in range(20)
    }


async def test_a_question_is_opened_anew_only_by_its_holder_or_without_one(
    store: Store, other: Store, clock: Any
) -> None:
    """Answering again must not run beside an answer that is still being written."""
    await record(store)
    assert not await other.inbox.reopen("q1", "b", {"text": "again"}, LEASE)
    await store.inbox.save_answer("q1", "a", saved())
    await store.inbox.note_message("q1", "a", "18.1")
    await store.inbox.finish("q1", "a", "answered")
    assert await other.inbox.reopen("q1", "b", {"text": "again"}, LEASE)
    assert [w.owner for w in await store.inbox.waiting()] == ["b"]
    clock.at += LEASE
    (claimed,) = await store.inbox.claim_expired("a", LEASE)
    assert (claimed.saved, claimed.question) == (None, {"text": "again"})
    assert claimed.messages == ("18.1",), "what stands is replaced, not repeated"
    assert not await store.inbox.reopen("unknown", "a", {}, LEASE)


async def test_a_message_is_with_others_while_another_replica_may_have_to_hear_of_it(
    store: Store, clock: Any
) -> None:
    """Most edited messages are no questions: of those nothing is written down."""

    async def with_others(owner: str, ts: str = "17.q1") -> bool:
        since = clock.at - 60
        return await store.inbox.is_with_others("T1", "C1", ts, owner, since=since)

    assert not await with_others("b")
    assert await record(store, owner="a")
    assert await with_others("b")
    assert not await with_others("a"), "it is held here"
    assert not await with_others("b", "17.q2")
    await store.inbox.finish("q1", "a", "answered")
    assert await with_others("b"), "it may still be answered anew"
    clock.at += 61
    assert not await with_others("b")
    assert await record(store, id="q2", owner="a")
    await store.inbox.release("q2", "a")
    assert await with_others("a", "17.q2"), "the next holder has to hear of it"
