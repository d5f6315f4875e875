"""The operators' figures as a document, as tables and as a chart; all from one fold."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import ForewarmError, plain_reason
from bot.stored import dump
from bot.telemetry.figures.daily_stats import DailyStats, Summary
from bot.telemetry.figures.money import day_of

if TYPE_CHECKING:
    from rich.console import RenderableType

DAY = 86_400.0
MISSES_SHOWN = 10


class BadSince(ForewarmError):
    """`--since` is neither a day nor a number of days."""

    def __init__(self, given: str) -> None:
        super().__init__(
            f"--since {given!r} is no time: give a day such as 2026-11-01, or a number of days"
            " such as 7d."
        )
        self.given = given


class SinceAhead(ForewarmError):
    """`--since` is a day that has not come yet."""

    def __init__(self, given: str) -> None:
        super().__init__(f"--since {given} lies ahead, so there is nothing yet: give a past day.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures of the days from `since` to `until`: in all, by context, and by day."""

    since: str
    until: str
    context: str | None
    total: Summary
    contexts: dict[str, Summary]
    days: dict[str, Summary]


def since_day(given: str, now: float) -> str:
    """Return the day that `7d` or `2026-11-01` means; raise `BadSince`."""
    if match := re.fullmatch(r"(\d{1,5})d", given):
        return day_of(max(0.0, now - int(match[1]) * DAY))
    try:
        day = datetime.date.fromisoformat(given).isoformat()
    except ValueError:
        raise BadSince(given) from None
    if day > day_of(now):
        raise SinceAhead(given)
    return day


def build_report(
    figures: DailyStats,
    now: float,
    *,
    since: str,
    context: str | None = None,
    among: Collection[str] | None = None,
) -> Report:
    """Return the report of what was folded, up to `now`; of the contexts in `among` if given."""
    until = day_of(now)
    days = [day for day in figures.days() if since <= day <= until]
    if context is not None:
        among = (context,)
    names = figures.contexts() if among is None else sorted(among)
    return Report(
        since=since,
        until=until,
        context=context,
        total=figures.summary(now, since=since, until=until, contexts=among),
        contexts={
            name: figures.summary(now, since=since, until=until, contexts=(name,)) for name in names
        },
        days={day: figures.summary(now, since=day, until=day, contexts=among) for day in days},
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return plain JSON values; the fields are those of `Summary`."""
    return dump(report)


def as_tables(report: Report) -> Sequence[RenderableType]:
    """Return rich tables; each fits into the 80 columns that a pipe counts as."""
    tables = _money_and_waits("Context", report.contexts, report.total)
    if len(report.days) > 1:
        tables += _money_and_waits("Day", report.days, None)
    if report.total.misses:
        tables.append(_misses(report.total))
    return tables


def _money_and_waits(
    title: str, rows: dict[str, Summary], total: Summary | None
) -> list[RenderableType]:
    return [
        _table("Questions and money, USD", title, _MONEY, rows, total, _money),
        _table("Perceived waits, s, and warmth", title, _WAITS, rows, total, _waits),
    ]


def _table(
    what: str,
    title: str,
    heads: Sequence[str],
    rows: dict[str, Summary],
    total: Summary | None,
    cells: Callable[[Summary], Sequence[str]],
) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=f"{what}, by {title.lower()}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_footer=total is not None,
        padding=(0, 0, 0, 1),
        show_edge=False,
    )
    footer = cells(total) if total else [""] * len(heads)
    # A name that is too long goes on below: cut off, two contexts may look like one.
    table.add_column(title, footer="all", overflow="fold")
    for head, foot in zip(heads, footer, strict=True):
        table.add_column(head, footer=foot, justify="right", no_wrap=True)
    for name, summary in rows.items():
        # A context's name is not markup, even if it holds brackets.
        table.add_row(Text(name), *cells(summary))
    return table


_MONEY = ("Asked", "Unanswered", "Answers", "Warmth", "Other", "Total", "Good", "Bad")
_WAITS = ("Warm p50", "p95", "Joined p50", "p95", "Cold p50", "p95", "Hits", "Used", "Wasted")


def _money(s: Summary) -> Sequence[str]:
    """Return the cells of `_MONEY`; the other money went to drafts and to telling questions."""
    sums = (s.answers_usd, s.warmth_usd, s.drafts_usd + s.sorting_usd, s.usd)
    counts = (s.questions, s.unanswered)
    return [*map(str, counts), *(f"{usd:.2f}" for usd in sums), str(s.up), str(s.down)]


def _waits(s: Summary) -> Sequence[str]:
    """Return the cells of `_WAITS`; a warm-up that failed has been wasted, too."""
    return [
        *map(_seconds, (s.warm.p50, s.warm.p95, s.joined.p50, s.joined.p95)),
        *map(_seconds, (s.cold.p50, s.cold.p95)),
        "-" if s.hit_rate is None else f"{s.hit_rate:.0%}",
        *map(str, (s.warm_ups_used, s.warm_ups_wasted + s.warm_ups_failed)),
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _misses(total: Summary) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("Why the cache was missed")
    table.add_column("Times", justify="right")
    for reason, count in total.misses[:MISSES_SHOWN]:
        table.add_row(Text(reason), str(count))
    return table


def plot(report: Report, path: Path) -> None:
    """Write a chart of money and waits by day; the ending of `path` chooses the format.

    Raises `ForewarmError` if matplotlib is not installed or cannot write there.
    """
    try:
        import matplotlib
    except ImportError:
        raise ForewarmError(
            "--plot needs matplotlib, which is not installed: pip install 'forewarm-bot[plot]'."
        ) from None
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    money, waits = figure.subplots(2, 1, sharex=True)
    _plot_money(money, report)
    _plot_waits(waits, report)
    figure.autofmt_xdate()
    try:
        figure.savefig(path, dpi=144)
    except (OSError, ValueError) as error:
        raise ForewarmError(
            f"The chart cannot be written to {path}: {plain_reason(error)}; choose another --plot"
            " file."
        ) from None


def _plot_money(axes: Any, report: Report) -> None:
    days = list(report.days)
    answers = [s.answers_usd + s.drafts_usd + s.sorting_usd for s in report.days.values()]
    warmth = [s.warmth_usd for s in report.days.values()]
    axes.bar(days, answers, label="answers")
    axes.bar(days, warmth, bottom=answers, label="warmth")
    axes.set_ylabel("USD a day")
    axes.legend()


def _plot_waits(axes: Any, report: Report) -> None:
    for name in ("warm", "joined", "cold"):
        waits = {d: getattr(s, name) for d, s in report.days.items() if getattr(s, name).count}
        if waits:
            p50, p95 = [w.p50 for w in waits.values()], [w.p95 for w in waits.values()]
            (line,) = axes.plot(list(waits), p50, marker="o", label=f"{name}, p50")
            axes.plot(list(waits), p95, marker="^", ls="--", c=line.get_color(), label="p95")
    axes.set_ylabel("perceived wait, s")
    axes.set_ylim(bottom=0)
    if axes.lines:
        axes.legend()
