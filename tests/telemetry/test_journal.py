"""Folded at once, stored in order; nothing accepted is lost while the process lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.telemetry.codec import UnknownRecord, decode
from bot.telemetry.figures.daily_stats import DailyStats
from bot.telemetry.interfaces import Line
from bot.telemetry.journal import Journal
from bot.telemetry.metrics import Metrics
from bot.telemetry.projections import LiveProjections
from bot.telemetry.receipts import Receipts
from bot.warm.events import SignalReceived


@pytest.fixture
async def journal(table: Any) -> AsyncIterator[Journal]:
    journal = Journal(table, source="a", live=LiveProjections(), flush_seconds=0.001)
    journal.start()
    yield journal
    table.away = False
    table.gate.set()
    await journal.close()


def signal(at: float = 1.0) -> SignalReceived:
    return SignalReceived(
        at=at,
        kind="reaction",
        workspace="T1",
        channel="C1",
        thread=None,
        user="U1",
        repository=None,
        context=None,
        prefix=None,
    )


async def test_records_are_stored_in_the_order_of_writing(
    journal: Journal, table: Any, make: Any
) -> None:
    """Replaying must see causes before effects."""
    for number in range(1200):
        journal.write(make.ended(request=f"r{number}"))
        if number % 400 == 0:
            await asyncio.sleep(0.003)
    await journal.flush()
    stored = [decode(e.kind, e.body) for e in table.entries]
    assert [getattr(record, "request", None) for record in stored] == [
        f"r{number}" for number in range(1200)
    ]
    assert [e.number for e in table.entries] == list(range(1, 1201))


async def test_writing_never_waits_for_the_store(journal: Journal, table: Any, make: Any) -> None:
    """A record is folded before `write` returns, even if the database is away."""
    table.gate.clear()
    figures = DailyStats()
    journal._live = figures
    journal.write(make.ended(usd=1.5))
    assert figures.summary(0).usd == 1.5
    assert table.entries == []


async def test_nothing_is_lost_while_the_store_is_away(
    journal: Journal, table: Any, make: Any
) -> None:
    """The database may restart under a running bot."""
    table.away = True
    for number in range(5):
        journal.write(make.ended(request=f"r{number}"))
    await asyncio.sleep(0.05)
    assert journal.failing
    assert journal.pending == 5
    table.away = False
    await journal.flush()
    assert not journal.failing
    assert len(table.entries) == 5


async def test_a_lost_reply_stores_nothing_twice(journal: Journal, table: Any, make: Any) -> None:
    """Otherwise money would count twice."""
    table.lose_reply = True
    journal.write(make.ended())
    await journal.flush()
    assert len(table.entries) == 1


async def test_memory_is_bounded_and_money_has_the_last_places(table: Any, make: Any) -> None:
    """Signals come by the thousand: they must not push out what answers cost."""
    receipts = Receipts()
    journal = Journal(table, source="a", live=receipts, room=10)
    for _ in range(50):
        journal.write(signal())
    assert (journal.pending, journal.refused) == (8, 42)
    journal.write(make.ended(question="q", usd=0.5))
    journal.write(make.answered())
    assert (journal.pending, journal.refused) == (10, 42)
    journal.write(make.ended(question="q", usd=0.5))
    assert (journal.pending, journal.refused) == (10, 43)
    assert receipts.of("q").usd == 1.0, "what is shown stays right even so"


async def test_closing_stores_what_is_left(table: Any, make: Any) -> None:
    """SIGTERM loses nothing."""
    journal = Journal(table, source="a", live=LiveProjections(), flush_seconds=10)
    journal.start()
    journal.write(make.ended())
    assert await journal.close(0.2) == 1
    again = Journal(table, source="b", live=LiveProjections(), flush_seconds=0.01)
    again.start()
    again.write(make.ended())
    assert await again.close(5) == 0
    assert [e.source for e in table.entries] == ["b"]


async def test_two_replicas_come_to_the_same_figures(table: Any, make: Any) -> None:
    """Each replica's Home tab shows the whole installation."""
    lives = {name: LiveProjections() for name in "ab"}
    journals = {n: Journal(table, source=n, live=lives[n], flush_seconds=0) for n in "ab"}
    for journal in journals.values():
        journal.start()
    for number in range(50):
        name = "ab"[number % 2]
        journals[name].write(make.received(question=f"q{number}"))
        journals[name].write(make.ended(question=f"q{number}", purpose="question", usd=0.1))
        journals[name].write(make.words(question=f"q{number}", total=number))
        if number % 7 == 0:
            await asyncio.sleep(0.002)
            await journals["a"].follow()
    for journal in journals.values():
        await journal.flush()
    for journal in journals.values():
        await journal.follow()
        assert await journal.follow() == 0, "nothing is folded twice"
    now = 2_000_000_000.0
    assert lives["a"].figures.summary(now) == lives["b"].figures.summary(now)
    assert lives["a"].figures.summary(now).questions == 50
    for journal in journals.values():
        await journal.close()


async def test_own_folds_see_only_this_process(table: Any, make: Any) -> None:
    """Prometheus scrapes every replica and adds them up."""
    live, own = DailyStats(), DailyStats()
    other = Journal(table, source="b", live=LiveProjections(), flush_seconds=0)
    other.start()
    other.write(make.ended(usd=1.0))
    await other.close()
    others = DailyStats()
    journal = Journal(table, source="a", live=live, own=own)
    journal.start(on_other=others.apply)
    await journal.follow()
    journal.write(make.ended(usd=2.0))
    assert (live.summary(0).usd, own.summary(0).usd) == (3.0, 2.0)
    assert others.summary(0).usd == 1.0
    await journal.close()


async def test_after_a_restart_the_folds_stand_where_they_stood(table: Any, make: Any) -> None:
    """A deploy must not make the Home tab forget the month."""
    before = LiveProjections()
    first = Journal(table, source="a", live=before, flush_seconds=0)
    first.start()
    for number in range(10):
        first.write(make.ended(question=f"q{number}", usd=0.1))
    await first.close()
    after = LiveProjections()
    second = Journal(table, source="a2", live=after, flush_seconds=0)
    assert await second.replay(after, 0.0) == 10
    assert await second.follow() == 0
    assert after.figures == before.figures
    assert after.receipts == before.receipts


async def test_a_fold_that_fails_costs_no_record(table: Any, make: Any) -> None:
    """A bug in a figure must not cost anybody an answer."""

    class Broken:
        def apply(self, record: object) -> None:
            raise RuntimeError("a bug")

    journal = Journal(table, source="a", live=Broken(), flush_seconds=0)
    journal.start()
    journal.write(make.ended())
    await journal.close()
    assert len(table.entries) == 1


async def test_what_is_no_record_is_refused_where_it_is_written(journal: Journal) -> None:
    """A bug is found at its place, not in the background."""
    with pytest.raises(UnknownRecord):
        journal.write({"at": 1.0})
    with pytest.raises(ValueError, match="no time"):
        journal.write(signal(at=float("nan")))


async def test_the_repr_tells_what_is_pending(table: Any, make: Any) -> None:
    """It is what an operator sees in a log."""
    journal = Journal(table, source="a", live=LiveProjections())
    journal.write(make.ended())
    assert repr(journal) == "<Journal of a: 1 written, 1 pending, 0 refused>"


async def test_records_of_a_newer_version_are_counted_and_told_once(table: Any, make: Any) -> None:
    """They were lost without a word before: figures that lack them look right."""
    at = make.ended().at
    await table.append(
        "newer", [Line(1, at, "FromTheFuture", "{}"), Line(2, at, "FirstWords", "{")]
    )
    live = LiveProjections()
    journal = Journal(table, source="s", live=live)
    metrics = Metrics()
    metrics.watch_journal(journal)
    with capture_logs() as logs:
        assert await journal.replay(live.state, 0.0) == 2
        await journal.replay(live.state, 0.0)
        await table.append("newer", [Line(3, at, "FromTheFuture", "{}")])
        assert await journal.follow() == 1
    assert journal.unread == 5
    assert "forewarm_journal_unread 5.0" in metrics.text(at).decode()
    told = [(line["kind"], line["why"]) for line in logs]
    assert told == [("FromTheFuture", "no such kind"), ("FirstWords", "no JSON")]
