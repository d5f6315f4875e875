"""Turns, leases, state and what people left: what one replica writes, every replica reads."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.answer.feedback import Opinion
from bot.answer.interfaces import Turn
from bot.store.store import Store

THREAD = ("T1", "C1", "1.1")


async def test_turns_come_back_byte_for_byte_and_in_order(store: Store, other: Store) -> None:
    """One changed byte in the replayed transcript is a cache miss."""
    strange: list[dict[str, Any]] = [
        {"z": 1, "a": "tab\t NUL\0 half \ud83d emoji 🎉 </s>"},
        {"role": "user"},
    ]
    await store.turns.append(*THREAD, "q1", strange, "payments")
    await store.turns.append(*THREAD, "q2", [{"role": "assistant", "content": []}], "payments")
    await store.turns.append("T1", "C1", "other", "q3", [{}], "payments")
    loaded = await other.turns.load(*THREAD)
    assert loaded == [
        Turn("q1", tuple(strange)),
        Turn("q2", ({"role": "assistant", "content": []},)),
    ]
    assert [list(message) for message in loaded[0].messages] == [["z", "a"], ["role"]]


async def test_a_turn_kept_again_replaces_the_first_in_its_place(store: Store) -> None:
    """A takeover generates anew: the thread must not hold two answers to one question."""
    for question, text in [("q1", "old"), ("q2", "x"), ("q1", "new")]:
        await store.turns.append(*THREAD, question, [{"content": text}], "payments")
    loaded = await store.turns.load(*THREAD)
    assert [(t.question, t.messages[0]["content"]) for t in loaded] == [("q1", "new"), ("q2", "x")]


async def test_of_many_replicas_exactly_one_gets_a_lease(store: Store, other: Store) -> None:
    """One warm-up in flight per prefix across the installation."""
    asked = [s.leases.acquire("warm/p", f"o{i}", 30) for i, s in enumerate([store, other] * 4)]
    got = [lease for lease in await asyncio.gather(*asked) if lease]
    assert len(got) == 1
    found = await other.leases.look("warm/p")
    assert found == got[0]


async def test_a_lease_that_ran_out_is_taken_and_the_old_holder_is_fenced(
    store: Store, other: Store, clock: Any
) -> None:
    """The dead one's warm-up result must not pass for the new one's."""
    old = await store.leases.acquire("warm/p", "a", 30)
    assert old is not None
    clock.at += 30
    new = await other.leases.acquire("warm/p", "b", 30)
    assert new is not None
    assert new.term == old.term + 1
    assert not await store.leases.renew(old, 30)
    assert not await store.leases.release(old, b"stale")
    found = await store.leases.look("warm/p")
    assert found is not None
    assert (found.owner, found.result) == ("b", None)


async def test_a_renewed_lease_lives_on(store: Store, other: Store, clock: Any) -> None:
    """A warm-up of a large prefix takes longer than any sensible lease."""
    lease = await store.leases.acquire("warm/p", "a", 30)
    assert lease is not None
    clock.at += 29
    assert await store.leases.renew(lease, 30)
    clock.at += 29
    assert await other.leases.acquire("warm/p", "b", 30) is None


async def test_a_waiter_for_a_lease_gets_the_result_of_that_very_term(
    store: Store, other: Store
) -> None:
    """A question on one replica joins the warm-up of another."""
    first = await store.leases.acquire("warm/p", "a", 30)
    assert first is not None
    await store.leases.release(first, b"first")
    second = await store.leases.acquire("warm/p", "a", 30)
    assert second is not None
    seen = await other.leases.look("warm/p")
    assert seen is not None
    assert (seen.result, seen.result_term, seen.term) == (b"first", 1, 2)
    waiting = asyncio.create_task(other.leases.wait(seen, 30, poll=0.01))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await store.leases.release(second, b"second")
    found = await waiting
    assert found is not None
    assert (found.result, found.result_term) == (b"second", seen.term)


async def test_waiting_ends_when_the_holder_dies_or_the_deadline_comes(
    store: Store, clock: Any
) -> None:
    """A question must not wait for ever for a warm-up whose process is gone."""
    lease = await store.leases.acquire("warm/p", "a", 30)
    assert lease is not None
    assert await store.leases.wait(lease, 0.03, poll=0.01) is None
    clock.at += 30
    found = await store.leases.wait(lease, 30, poll=0.01)
    assert found is not None
    assert found.result_term is None


async def test_state_is_bytes_by_kind_and_key(store: Store, other: Store) -> None:
    """Packs' bases, entries' lives and learned rates outlive the process."""
    await store.state.put("base", "pay", b"\0\xff" * 100)
    await store.state.put("base", "pay", b"two")
    await store.state.put("entry", "pay", b"x")
    assert await other.state.get("base", "pay") == b"two"
    assert {k: (v.value, v.version) for k, v in (await other.state.all("base")).items()} == {
        "pay": (b"two", 2)
    }
    await other.state.remove("base", "pay")
    assert await store.state.get("base", "pay") is None
    assert await store.state.get("entry", "pay") == b"x"


async def test_a_swap_succeeds_only_on_the_version_that_was_read(
    store: Store, other: Store
) -> None:
    """Two replicas that learn at once must not overwrite each other unseen."""
    assert await store.state.swap("learned", "p", b"1", None)
    assert not await other.state.swap("learned", "p", b"2", None)
    tries = [s.state.swap("learned", "p", b"n", 1) for s in (store, other, store)]
    assert sorted(await asyncio.gather(*tries)) == [False, False, True]
    found = await store.state.look("learned", "p")
    assert found is not None
    assert (found.value, found.version) == (b"n", 2)


async def test_who_asked_in_a_thread_and_where_the_answer_stands_is_known_later(
    store: Store,
) -> None:
    """A reply in a thread concerns the bot only where it has answered; again needs the place."""
    await store.inbox.record(
        {"user": "U1", "text": "why?"},
        id="q1",
        workspace="T1",
        channel="C1",
        ts="1.1",
        at=0.0,
        owner="a",
        lease_seconds=9.0,
    )
    assert await store.history.askers(*THREAD) == frozenset()
    await store.turns.append(*THREAD, "q1", [{}], "payments")
    await store.inbox.note_message("q1", "a", "1.2")
    assert await store.history.askers(*THREAD) == {"U1"}
    assert await store.history.askers("T1", "C1", "other") == frozenset()
    past = await store.history.past("q1")
    assert past is not None
    assert (past.question["text"], past.messages) == ("why?", ("1.2",))
    assert await store.history.past("q2") is None


async def test_an_event_is_seen_for_the_first_time_once(store: Store, other: Store) -> None:
    """Slack repeats an event whose acknowledgement it missed."""
    seen = await asyncio.gather(*(s.events.first_sight("Ev1") for s in (store, other, store)))
    assert sorted(seen) == [False, False, True]


async def test_the_last_word_of_each_person_counts_and_comments_stay(
    store: Store, clock: Any
) -> None:
    """A user who changes their mind has one opinion, not two."""

    def say(value: Any, **more: Any) -> Opinion:
        return Opinion(question="q", user="U1", workspace="T1", value=value, **more)

    await store.feedback.give(say("down", comment="wrong file\0", fingerprint="f"))
    clock.at += 1
    await store.feedback.give(say("up"))
    (opinion,) = await store.feedback.since(0)
    assert (opinion.value, opinion.comment, opinion.fingerprint, opinion.at) == (
        "up",
        "wrong file\0",
        "f",
        clock.at,
    )


async def test_two_people_who_edit_a_context_at_once_cannot_overwrite_each_other(
    store: Store,
) -> None:
    """The second one is told, and looks again."""
    body = {"repositories": [{"url": "https://github.com/acme/pay"}]}
    assert await store.contexts.save("T1", "pay", body, "U1")
    assert not await store.contexts.save("T1", "pay", {}, "U2")
    assert await store.contexts.save("T1", "pay", body | {"ref": "v2"}, "U1", expected=1)
    assert not await store.contexts.save("T1", "pay", {}, "U2", expected=1)
    (context,) = await store.contexts.all()
    assert (context.body, context.changed_by, context.version) == (body | {"ref": "v2"}, "U1", 2)
    assert not await store.contexts.remove("T1", "pay", expected=1)
    assert len(await store.contexts.all()) == 1
    assert await store.contexts.remove("T1", "pay", expected=2)
    assert not await store.contexts.remove("T1", "pay", expected=2)
    assert await store.contexts.all() == []


async def test_the_audit_log_tells_the_newest_deeds_first(store: Store, clock: Any) -> None:
    """Who attached which repository to which channel must be answerable."""
    await store.audit.write("T1", "U1", "attach", "C1", {"url": "x"})
    clock.at += 1
    await store.audit.write("T2", "U2", "detach", "C2")
    assert [(d.actor, d.action) for d in await store.audit.last()] == [
        ("U2", "detach"),
        ("U1", "attach"),
    ]
    (deed,) = await store.audit.last(workspace="T1")
    assert deed.detail == {"url": "x"}


async def test_bolts_installation_store_works_on_the_migrated_tables(store: Store) -> None:
    """OAuth keeps tokens longer than slack_sdk's own columns are wide."""
    from slack_sdk.oauth.installation_store import Installation

    installations = store.installations("client")
    token = "xoxe.xoxb-1-" + "a" * 400
    await installations.async_save(
        Installation(app_id="A1", team_id="T1", user_id="U1", bot_token=token, bot_id="B1")
    )
    bot = await installations.async_find_bot(enterprise_id=None, team_id="T1")
    assert bot.bot_token == token
    await installations.async_delete_installation(enterprise_id=None, team_id="T1")
    await installations.async_delete_bot(enterprise_id=None, team_id="T1")
    assert await installations.async_find_bot(enterprise_id=None, team_id="T1") is None
