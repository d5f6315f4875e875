"""Restoring the folds after a start: those that answers need at once, the rest in the background.

Readiness waits for the last two hours, in which everything cached was written, and for today's
money. The figures of two months are read in the background; until then they are empty.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.clock import Now
from bot.telemetry.figures.daily_stats import KINDS, DailyStats
from bot.telemetry.journal import Journal
from bot.telemetry.projection import Projections
from bot.telemetry.projections import FIGURES_DAYS, LiveProjections

RECENT_SECONDS = 2 * 3600.0
"""Longer than any life of a cache entry."""


async def restore_recent(journal: Journal, live: LiveProjections, now: Now) -> None:
    """Bring state, receipts and today's money up to date; hold the figures.

    To be called before the first record is written; `restore_figures` has to follow.
    """
    live.hold_figures()
    await journal.replay(Projections(live.state, live.receipts), now() - RECENT_SECONDS)
    await journal.replay(live.caps, _midnight(now()), kinds=["RequestEnded"])


async def restore_figures(journal: Journal, live: LiveProjections, now: Now) -> None:
    """Read the figures' past; what happens meanwhile is folded onto it at the end."""
    figures = DailyStats(days=FIGURES_DAYS)
    since = _midnight(now()) - timedelta(days=FIGURES_DAYS).total_seconds()
    await journal.replay(figures, since, kinds=KINDS)
    live.set_figures(figures)


def _midnight(now: float) -> float:
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.timestamp()
