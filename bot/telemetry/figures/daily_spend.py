"""A fold: what each UTC day cost, by context and by what it was spent on."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from bot.claude.events import Purpose, RequestEnded
from bot.telemetry.figures.money import day_of, nano, usd

Spent = Literal["answers", "warmth", "drafts", "sorting"]
"""Answers; warm-ups and refreshes; drafts begun before they were sent; telling questions from
talk. They never overlap and together are everything."""

SPENT_ON: dict[Purpose, Spent] = {
    "question": "answers",
    "round": "answers",
    "warm": "warmth",
    "refresh": "warmth",
    "draft": "drafts",
    "classify": "sorting",
}


class DailySpend:
    """Money by (day, context, what for), in nano-dollars. A request counts on its first day.

    That is the day on which the ledger reserves it, so the two agree.
    """

    def __init__(self) -> None:
        self.nanos: Counter[tuple[str, str, Spent]] = Counter()

    def apply(self, record: object) -> None:
        if isinstance(record, RequestEnded) and record.usd:
            key = (day_of(record.started_at), record.context, SPENT_ON[record.purpose])
            self.nanos[key] += nano(record.usd)

    def spent(self, day: str, *, context: str | None = None, on: Spent | None = None) -> float:
        """Return USD; of every context and purpose if none is named."""
        return usd(
            sum(
                nanos
                for (d, c, o), nanos in self.nanos.items()
                if d == day and context in (None, c) and on in (None, o)
            )
        )

    def by_context(self, day: str) -> dict[str, dict[Spent, float]]:
        """Return the day's USD by context and what for."""
        found: dict[str, dict[Spent, float]] = {}
        for (d, context, on), nanos in sorted(self.nanos.items()):
            if d == day:
                found.setdefault(context, {})[on] = usd(nanos)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DailySpend) and self.nanos == other.nanos
