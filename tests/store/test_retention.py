"""Old records go, newer ones stay, and deleted text is gone from the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from bot.answer.feedback import Opinion
from bot.answer.interfaces import SavedAnswer
from bot.store.ledger import Cap
from bot.store.retention import BATCH, DAY, Retention
from bot.store.store import Store
from bot.telemetry.interfaces import Line

SECRET = "the-very-words-of-a-thread"


async def fill(store: Store, at: float, name: str) -> None:
    """Leave one row of every kind."""
    await store.inbox.record(
        {"text": SECRET},
        id=name,
        workspace="T1",
        channel="C1",
        ts=name,
        at=at,
        owner="a",
        lease_seconds=1,
    )
    await store.inbox.note_message(name, "a", "1.1")
    answer = SavedAnswer(SECRET, "", (), (), "answered")
    await store.inbox.save_answer(name, "a", answer)
    await store.inbox.finish(name, "a", "answered")
    await store.turns.append("T1", "C1", "1.1", name, [{"content": SECRET}], "payments")
    kinds = ("SignalReceived", "RequestEnded")
    await store.journal.append(name, [Line(i, at, k, "{}") for i, k in enumerate(kinds)])
    await store.events.first_sight(name)
    lease = await store.leases.acquire(name, "a", 1)
    assert lease is not None
    await store.leases.release(lease)
    await store.ledger.reserve(name, 0.1, [Cap("s", 1.0)])
    await store.ledger.settle(name, 0.1)
    await store.feedback.give(Opinion(question=name, user="U1", workspace="T1", value="up"))
    await store.audit.write("T1", "U1", "attach", name)
    await store.state.put("entry", name, b"x")
    await store.state.put("base", name, b"x")


KEPT = Retention(
    text=30, journal=400, signals=60, events=1, leases=1, money=400, state={"entry": 7}
)
AGES = {  # days after which each kind is gone
    "questions": 30,
    "messages": 30,
    "turns": 30,
    "signals": 60,
    "journal": 400,
    "events": 1,
    "leases": 1,
    "reservations": 1,
    "money": 400,
    "feedback": 400,
    "audit": 400,
    "state entry": 7,
}


async def test_each_kind_goes_when_its_time_is_over_and_no_sooner(store: Store, clock: Any) -> None:
    """Kept too long is a breach of a promise, gone too soon is a loss."""
    clock.at = born = (clock.at // DAY) * DAY + DAY / 2
    await fill(store, clock.at, "old")
    seen: set[str] = set()
    for age in sorted(set(AGES.values())):
        clock.at = born + age * DAY - 1
        assert set((await store.retention.run(KEPT)).values()) == {0}
        clock.at = born + age * DAY + DAY / 2 + 1  # Days of money end at midnight.
        gone = {kind for kind, count in (await store.retention.run(KEPT)).items() if count}
        assert gone == {kind for kind, days in AGES.items() if days == age}
        seen |= gone
    assert seen == set(AGES)
    assert await store.state.get("base", "old") == b"x"


async def test_a_purge_larger_than_a_batch_takes_everything(store: Store, clock: Any) -> None:
    """Deleting in small steps must not mean stopping after the first."""
    lines = [Line(i, clock.at, "RequestEnded", "{}") for i in range(2 * BATCH + 1)]
    await store.journal.append("s", lines)
    clock.at += 401 * DAY
    assert (await store.retention.run())["journal"] == 2 * BATCH + 1
    assert await store.journal.read() == []


async def test_purged_text_is_on_the_disk_no_more(tmp_path: Path, clock: Any) -> None:
    """Deleted after 30 days: that has to hold for the file's bytes."""
    path = tmp_path / "forewarm.db"
    store = await Store.open(str(path), now=clock)
    for number in range(12):
        await fill(store, clock.at, f"q{number}")
    clock.at += 31 * DAY
    await store.retention.run()
    await store.close()
    assert SECRET.encode() not in path.read_bytes()
    with sqlite3.connect(path) as look:
        assert look.execute("PRAGMA freelist_count").fetchone() == (0,)
    look.close()
    assert not path.with_name("forewarm.db-wal").exists()
