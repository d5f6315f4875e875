"""A start is quick however long the journal is, and ends where the last process stood."""

from __future__ import annotations

from typing import Any

from bot.telemetry.journal import Journal
from bot.telemetry.projections import LiveProjections
from bot.telemetry.restore import restore_figures, restore_recent

DAY = 86_400.0


async def test_after_a_start_every_fold_stands_where_it_stood(
    table: Any, make: Any, clock: Any
) -> None:
    """A record written while the past is still being read counts once, in its place."""
    end = clock.at
    before = LiveProjections()
    first = Journal(table, source="a", live=before, flush_seconds=0)
    first.start()
    for age in (40 * DAY, DAY, 5 * 3600.0, 600.0):
        at = end - age
        ids = {"request": f"r{age}", "question": f"q{age}"}
        first.write(make.received(at=at, question=ids["question"]))
        first.write(make.ended(at=at, started_at=at, purpose="question", usd=0.25, **ids))
        first.write(make.words(at=at, question=ids["question"], total=1.5))
        first.write(make.answered(at=at, question=ids["question"]))
    first.write(make.built(at=end - 300))
    first.write(make.ended(at=end - 60, started_at=end - 60))
    await first.close()

    after = LiveProjections()
    second = Journal(table, source="b", live=after, flush_seconds=0)
    looked_at = after.figures
    await restore_recent(second, after, clock)
    shown = after.state.view(end)
    assert shown["prefixes"] == before.state.view(end)["prefixes"]
    assert shown["money"] == before.state.view(end)["money"]
    assert set(shown["questions"]) == {"q600.0"}
    assert after.figures.days() == []

    second.start()
    record = make.ended(at=end, started_at=end, purpose="question", usd=1.0, question="new")
    second.write(record)
    before.apply(record)
    await second.flush()
    await restore_figures(second, after, clock)
    assert after.figures == before.figures
    assert after.figures is looked_at, "pages that were built before would go on showing nothing"
    assert await second.follow() == 0
    assert after.caps.spent("2027-01-15") == before.caps.spent("2027-01-15") == 1.75
    await second.close()
