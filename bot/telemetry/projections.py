"""The folds that a running bot keeps, and the tap from which pages are told of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from bot.telemetry.figures.daily_spend import DailySpend
from bot.telemetry.figures.daily_stats import DailyStats
from bot.telemetry.receipts import Receipts
from bot.telemetry.state import State

FIGURES_DAYS = 62
"""Days of figures kept in memory: this month, and the last one to compare it with."""


class LiveProjections:
    """State, receipts, money and figures of the whole installation, folded as records come."""

    def __init__(self) -> None:
        self.caps = DailySpend()
        self.state = State(self.caps)
        self.receipts = Receipts()
        self.figures = DailyStats(days=FIGURES_DAYS)
        self._held: list[object] | None = None
        self._taps: set[asyncio.Event] = set()

    def apply(self, record: object) -> None:
        self.caps.apply(record)
        self.state.apply(record)
        self.receipts.apply(record)
        if self._held is None:
            self.figures.apply(record)
        else:
            self._held.append(record)
        self.wake()

    def hold_figures(self) -> None:
        """Keep new records away from the figures, whose past is still being read."""
        self._held = []

    def set_figures(self, figures: DailyStats) -> None:
        """Go on with figures that hold the past; what came meanwhile is folded onto them.

        `self.figures` stays the same object, since pages that look at it may be older than this.
        """
        for record in self._held or ():
            figures.apply(record)
        self.figures.become(figures)
        self._held = None

    def wake(self) -> None:
        """Let every reader look again."""
        for tap in self._taps:
            tap.set()

    @contextmanager
    def tap(self) -> Iterator[asyncio.Event]:
        """Yield an event that is set at every record, for as long as a reader looks."""
        event = asyncio.Event()
        self._taps.add(event)
        try:
            yield event
        finally:
            self._taps.discard(event)

    def __repr__(self) -> str:
        return f"<LiveProjections: {len(self._taps)} readers>"
