"""Questions that are over."""

from __future__ import annotations

from bot.store.store import Store

LEASE = 9.0


async def ask(store: Store, id: str, user: str, **more: str) -> None:
    await store.inbox.record(
        {"user": user, "text": "why?", **more},
        id=id,
        workspace="T1",
        channel="C1",
        ts=id,
        at=100.0,
        owner="a",
        lease_seconds=LEASE,
    )


async def test_askers_are_those_whose_questions_were_answered_in_the_thread(store: Store) -> None:
    """They decide whether a reply without a mention is meant for the bot."""
    await ask(store, "q1", "U1")
    await ask(store, "q2", "U2")
    await store.turns.append(
        "T1", "C1", "1.0", "q1", [{"role": "user", "content": "why?"}], "payments"
    )
    assert await store.history.askers("T1", "C1", "1.0") == {"U1"}
    assert await store.history.askers("T1", "C2", "1.0") == frozenset()


async def test_an_asker_is_known_before_the_answer_ends(store: Store) -> None:
    """The follow-up may reach another replica while the answer streams."""
    await ask(store, "q1", "U1", thread="1.0", surface="mention")
    assert await store.history.askers("T1", "C1", "1.0") == {"U1"}
    assert await store.history.askers("T1", "C1", "2.0") == frozenset()


async def test_a_reply_that_was_only_judged_to_ask_makes_no_asker(store: Store) -> None:
    await ask(store, "q1", "U1", thread="1.0", surface="mention")
    await ask(store, "q2", "U2", thread="1.0", surface="thread")
    await store.turns.append(
        "T1", "C1", "1.0", "q2", [{"role": "user", "content": "why?"}], "payments"
    )
    assert await store.history.askers("T1", "C1", "1.0") == {"U1"}


async def test_an_answer_is_found_again_with_its_messages(store: Store) -> None:
    await ask(store, "q1", "U1")
    await store.inbox.note_message("q1", "a", "2.0")
    await store.inbox.finish("q1", "a", "answered")
    past = await store.history.past("q1")
    assert past is not None
    assert (past.question["user"], past.messages) == ("U1", ("2.0",))
    assert await store.history.past("q9") is None


async def test_answered_questions_are_those_of_the_context_and_the_time(store: Store) -> None:
    """They are what a team measures its own coverage with."""
    turn = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "a.py:1"}]
    for id, context in (("q1", "payments"), ("q2", "mail"), ("q3", "payments")):
        await ask(store, id, "U1", context=context)
        await store.turns.append("T1", "C1", id, id, turn, context)
        if id != "q3":
            await store.inbox.finish(id, "a", "answered")
    found = await store.history.answered(50.0, "payments")
    assert [(one.id, one.text, one.messages) for one in found] == [("q1", "why?", tuple(turn))]
    assert await store.history.answered(150.0, "payments") == []
