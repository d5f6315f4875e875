"""A fold: the figures that operators look at, by UTC day and context.

The Home tab, `forewarm report` and its JSON show these and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.answer.events import FeedbackGiven, FirstWords, QuestionEnded, QuestionReceived
from bot.claude.events import RequestEnded
from bot.telemetry.figures.daily_spend import SPENT_ON, Spent
from bot.telemetry.figures.money import day_of, nano, usd
from bot.telemetry.figures.quantiles import percentile
from bot.telemetry.figures.warmup_usage import WarmupUsage

UNANSWERED = frozenset({"failed", "overloaded", "expired", "no_context", "refused"})
"""Outcomes that left a user without an answer; stopping or being denied does not count."""

REASONS_KEPT = 100
NO_CONTEXT = ""
"""The context of what could not be assigned to one."""

Key = tuple[str, str]
Value = Literal["up", "down"]

KINDS = (
    "QuestionReceived",
    "FirstWords",
    "QuestionEnded",
    "FeedbackGiven",
    "RequestEnded",
)
"""The kinds of records that this fold needs, for reading no others."""


@dataclass(slots=True)
class Cell:
    """One day of one context."""

    nanos: Counter[Spent] = field(default_factory=Counter)
    asked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    warm_waits: list[float] = field(default_factory=list)
    joined_waits: list[float] = field(default_factory=list)
    cold_waits: list[float] = field(default_factory=list)
    warm_ups: Counter[str] = field(default_factory=Counter)
    misses: Counter[str] = field(default_factory=Counter)
    read: int = 0
    sent: int = 0
    up: int = 0
    down: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Perceived waits in seconds; None if there was none."""

    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures over some days and contexts. Money in USD, waits in seconds, rates from 0 to 1.

    `warm` answers began on a warm prefix at once. `joined` ones waited for a warm-up or for another
    question's write. `hit_rate` is the share of the first, `read_share` the share of input
    tokens of questions that came from the cache. A warm-up is used when a question read its prefix
    while it lived, wasted when its life ran out unread; one that kept such a life alive goes with
    it. `open` ones still live.
    """

    usd: float
    answers_usd: float
    warmth_usd: float
    drafts_usd: float
    sorting_usd: float
    questions: int
    unanswered: int
    outcomes: dict[str, int]
    warm: Waits
    joined: Waits
    cold: Waits
    hit_rate: float | None
    read_share: float | None
    warm_ups_used: int
    warm_ups_wasted: int
    warm_ups_failed: int
    warm_ups_open: int
    misses: tuple[tuple[str, int], ...]
    up: int
    down: int


class DailyStats:
    """Cells by (day, context); the oldest days are forgotten beyond `days`."""

    def __init__(self, days: int = 400) -> None:
        self._days = days
        self._cells: dict[Key, Cell] = {}
        self._chains: WarmupUsage[Key] = WarmupUsage()
        self._opinions: dict[tuple[str, str], tuple[Key, Value]] = {}
        self._open: dict[str, Key] = {}
        self._shown: set[str] = set()

    def apply(self, record: object) -> None:
        match record:
            case QuestionReceived():
                self._received(record)
            case FirstWords():
                self._waited(record)
            case QuestionEnded():
                self._ended(record)
            case FeedbackGiven():
                self._judged(record)
            case RequestEnded():
                self._requested(record)

    def contexts(self) -> Sequence[str]:
        """Return the contexts there are figures for, in the order of their names."""
        return sorted({context for _, context in self._cells if context != NO_CONTEXT})

    def days(self) -> Sequence[str]:
        """Return the days there are figures for, oldest first."""
        return sorted({day for day, _ in self._cells})

    def summary(
        self,
        now: float,
        *,
        since: str = "",
        until: str = "9999-12-31",
        contexts: Collection[str] | None = None,
    ) -> Summary:
        """Return the figures of the days from `since` to `until`, both included.

        `contexts` None means every context, and what belongs to none.
        """
        keys = [
            key
            for key in self._cells
            if since <= key[0] <= until and (contexts is None or key[1] in contexts)
        ]
        lapsed, alive = self._chains.unread(now)
        return _summary(
            [self._cells[key] for key in keys], _among(lapsed, keys), _among(alive, keys)
        )

    def become(self, other: DailyStats) -> None:
        """Take over the content of another projection, which is given up."""
        self._days, self._cells, self._chains = other._days, other._cells, other._chains
        self._opinions, self._open, self._shown = other._opinions, other._open, other._shown

    def _cell(self, at: float, context: str | None) -> Cell:
        key = _key(at, context)
        if key not in self._cells:
            self._cells[key] = Cell()
            self._forget_old()
        return self._cells.setdefault(key, Cell())

    def _received(self, record: QuestionReceived) -> None:
        if record.question in self._open:
            # Another replica took the question over and received it again.
            return
        self._cell(record.at, record.context).asked += 1
        self._open[record.question] = _key(record.at, record.context)

    def _ended(self, record: QuestionEnded) -> None:
        self._cell(record.at, record.context).outcomes[record.outcome] += 1
        asked = self._open.pop(record.question, None)
        self._shown.discard(record.question)
        if asked and record.context and asked[1] != record.context:
            # Which context a direct message means may be found out only after it is recorded.
            self._cells[asked].asked -= 1
            self._cells.setdefault((asked[0], record.context), Cell()).asked += 1

    def _waited(self, record: FirstWords) -> None:
        if record.question in self._shown:
            # Another replica took the question over and showed its first words again.
            return
        if record.question in self._open:
            self._shown.add(record.question)
        cell = self._cell(record.at, record.context)
        waits = cell.joined_waits if record.wait.is_joined else cell.warm_waits
        (waits if record.warm else cell.cold_waits).append(record.wait.total)

    def _judged(self, record: FeedbackGiven) -> None:
        """Count the last word of each person on each answer."""
        who = (record.question, record.user)
        before = self._opinions.get(who)
        if before:
            self._count_opinion(*before, -1)
        key = before[0] if before else _key(record.at, record.context)
        self._opinions[who] = (key, record.value)
        self._count_opinion(key, record.value, 1)

    def _count_opinion(self, key: Key, value: Value, by: int) -> None:
        cell = self._cells.setdefault(key, Cell())
        if value == "up":
            cell.up += by
        else:
            cell.down += by

    def _requested(self, record: RequestEnded) -> None:
        cell = self._cell(record.started_at, record.context)
        cell.nanos[SPENT_ON[record.purpose]] += nano(record.usd)
        if record.missed:
            known = record.missed in cell.misses or len(cell.misses) < REASONS_KEPT
            cell.misses[record.missed if known else "other"] += 1
        if record.purpose in ("question", "round"):
            cell.read += record.usage.cache_read
            cell.sent += record.usage.total_input
        for key, end in self._chains.apply(record, _key(record.started_at, record.context)):
            self._cells.setdefault(key, Cell()).warm_ups[end] += 1

    def _forget_old(self) -> None:
        days = self.days()
        if len(days) > self._days:
            oldest = days[-self._days]
            self._cells = {key: cell for key, cell in self._cells.items() if key[0] >= oldest}
            self._opinions = {w: o for w, o in self._opinions.items() if o[0][0] >= oldest}
            self._open = {q: key for q, key in self._open.items() if key[0] >= oldest}
            self._shown &= self._open.keys()
            self._chains.forget(lambda key: key[0] < oldest)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DailyStats)
            and self._cells == other._cells
            and self._chains == other._chains
            and self._opinions == other._opinions
            and self._open == other._open
            and self._shown == other._shown
        )


def _key(at: float, context: str | None) -> Key:
    return day_of(at), context or NO_CONTEXT


def _among(counts: Counter[Key], keys: Iterable[Key]) -> int:
    return sum(counts[key] for key in keys)


def _waits(values: Sequence[float]) -> Waits:
    return Waits(count=len(values), p50=percentile(values, 50), p95=percentile(values, 95))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _summary(cells: Sequence[Cell], lapsed: int, alive: int) -> Summary:
    nanos: Counter[Spent] = sum((cell.nanos for cell in cells), Counter())
    outcomes: Counter[str] = sum((cell.outcomes for cell in cells), Counter())
    warm_ups: Counter[str] = sum((cell.warm_ups for cell in cells), Counter())
    misses: Counter[str] = sum((cell.misses for cell in cells), Counter())
    warm = [wait for cell in cells for wait in cell.warm_waits]
    joined = [wait for cell in cells for wait in cell.joined_waits]
    cold = [wait for cell in cells for wait in cell.cold_waits]
    return Summary(
        usd=usd(nanos.total()),
        answers_usd=usd(nanos["answers"]),
        warmth_usd=usd(nanos["warmth"]),
        drafts_usd=usd(nanos["drafts"]),
        sorting_usd=usd(nanos["sorting"]),
        questions=sum(cell.asked for cell in cells),
        unanswered=sum(count for name, count in outcomes.items() if name in UNANSWERED),
        outcomes=dict(sorted(outcomes.items())),
        warm=_waits(warm),
        joined=_waits(joined),
        cold=_waits(cold),
        hit_rate=_ratio(len(warm), len(warm) + len(joined) + len(cold)),
        read_share=_ratio(sum(c.read for c in cells), sum(c.sent for c in cells)),
        warm_ups_used=warm_ups["used"],
        warm_ups_wasted=warm_ups["wasted"] + lapsed,
        warm_ups_failed=warm_ups["failed"],
        warm_ups_open=alive,
        misses=tuple(sorted(misses.items(), key=lambda item: (-item[1], item[0]))),
        up=sum(cell.up for cell in cells),
        down=sum(cell.down for cell in cells),
    )
