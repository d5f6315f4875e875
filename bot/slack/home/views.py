"""The Home tab as Slack takes it. Pure: figures in, blocks out; every name is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.escape import escape_mrkdwn
from bot.slack.texts import HOW_TO_ASK

Block = dict[str, Any]
REFRESH = "forewarm_refresh"
CHARTS = "forewarm_charts"
CONTEXTS_SHOWN = 30
CATEGORIES = 20  # the most that a chart takes (docs/platform/slack.md#message-limits)
MISSES_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextShown:
    """A context as people who may ask it see it."""

    name: str
    standing: str
    waits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyShown:
    """Cost of one context, today and this month, in USD."""

    name: str
    today_answers: float
    today_warmth: float
    month_answers: float
    month_warmth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DayShown:
    """One day: USD by purpose, median perceived wait in seconds warm and cold."""

    day: str
    answers: float
    warmth: float
    warm_p50: float | None
    cold_p50: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorShown:
    """Figures for operators: of this month, by days of UTC. Rates run from 0 to 1; None is unknown.

    "Joined" is an answer that waited for a warm-up that was under way.
    """

    money: Sequence[MoneyShown]
    days: Sequence[DayShown]
    warm_p50: float | None
    warm_p95: float | None
    cold_p50: float | None
    cold_p95: float | None
    hit_rate: float | None
    used: int
    wasted: int
    unanswered: int
    misses: Sequence[tuple[str, int]]
    joined_p50: float | None = None
    joined_p95: float | None = None
    problems: Sequence[str] = ()
    """Sentences about context files that cannot be used."""
    whys: Sequence[tuple[str, str]] = ()
    """Contexts, each with the state of its cache and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadAnswer:
    """An answer that a person judged bad. `age` is in words, `link` leads to the question."""

    context: str
    age: str
    user: str
    comment: str
    link: str | None


def home_view(
    contexts: Sequence[ContextShown],
    operator: OperatorShown | None,
    *,
    charts: bool = True,
    missing: Sequence[tuple[str, str]] = (),
    bad: Sequence[BadAnswer] = (),
) -> dict[str, Any]:
    """Return the tab.

    `charts` False gives tables in their place, for a Slack that refuses the block. `missing` are
    scopes that the installation lacks and what each is for, `bad` the newest bad answers; operators
    see them.
    """
    blocks = [_header("How to ask"), _section(HOW_TO_ASK)]
    blocks += [_header("What you can ask about"), *map(_context, contexts[:CONTEXTS_SHOWN])]
    if not contexts:
        blocks.append(_section("Nothing yet: ask in a channel that has a codebase."))
    if operator is not None:
        blocks += _missing(missing)
        blocks += _operator(operator, charts)
        blocks += _bad(bad)
    blocks.append(
        _buttons(charts_in_dm=operator is not None and bool(operator.days) and not charts)
    )
    return {"type": "home", "blocks": blocks}


def charts_message(days: Sequence[DayShown]) -> tuple[str, list[Block]]:
    """Return the figures as a message: charts, and a text for clients without charts."""
    return _table(days), _charts(days)


def _context(one: ContextShown) -> Block:
    lines = [f"*{escape_mrkdwn(one.name)}*", escape_mrkdwn(one.standing), escape_mrkdwn(one.waits)]
    return _section("\n".join(line for line in lines if line))


def _missing(missing: Sequence[tuple[str, str]]) -> list[Block]:
    if not missing:
        return []
    listed = [f"• `{escape_mrkdwn(name)}` {escape_mrkdwn(why)}" for name, why in missing]
    remedy = "Paste the output of `forewarm manifest` into the app's manifest and install it again."
    text = "*Permissions that this installation lacks*\n" + "\n".join(listed) + f"\n{remedy}"
    return [{"type": "divider"}, _section(text)]


def _operator(shown: OperatorShown, charts: bool) -> list[Block]:
    blocks = []
    if shown.problems:
        lines = "\n".join(f"• {escape_mrkdwn(one)}" for one in shown.problems[:MISSES_SHOWN])
        text = f"*Context files that cannot be used*\n{lines}\nThe last good version is in force."
        blocks += [{"type": "divider"}, _section(text[:3_000])]
    blocks += [
        {"type": "divider"},
        _header("Money today and this month"),
        _section(_money(shown.money)),
        _header("Waits and warmth this month"),
        _section(_waits(shown)),
    ]
    if shown.whys:
        listed = [
            f"• *{escape_mrkdwn(name)}* is {escape_mrkdwn(why)}"
            for name, why in shown.whys[:CONTEXTS_SHOWN]
        ]
        blocks.append(_section("*Why warm or cold now*\n" + "\n".join(listed)))
    if shown.days:
        blocks += _charts(shown.days) if charts else [_section(_table(shown.days))]
    if shown.misses:
        listed = [f"• {escape_mrkdwn(why)}: {count}" for why, count in shown.misses[:MISSES_SHOWN]]
        blocks.append(_section("*Warmed but missed this month*\n" + "\n".join(listed)))
    return blocks


def _bad(bad: Sequence[BadAnswer]) -> list[Block]:
    if not bad:
        return []
    lines = [
        f"• {escape_mrkdwn(one.context)}, {escape_mrkdwn(one.age)} ago,"
        f" <@{escape_mrkdwn(one.user)}>"
        + (f": {escape_mrkdwn(one.comment[:200])}" if one.comment else "")
        + (f" <{one.link}|question>" if one.link else "")
        for one in bad
    ]
    hint = "`forewarm feedback --eval FILE` makes test questions of them."
    return [_header("Newest bad answers of 30 days"), _section("\n".join([*lines, hint]))]


def _money(money: Sequence[MoneyShown]) -> str:
    if not money:
        return "Nothing was spent this month."
    return "\n".join(
        f"*{escape_mrkdwn(one.name)}*: today ${one.today_answers:.2f} answers,"
        f" ${one.today_warmth:.2f} warmth; this month ${one.month_answers:.2f} answers,"
        f" ${one.month_warmth:.2f} warmth"
        for one in money[:CONTEXTS_SHOWN]
    )


def _waits(shown: OperatorShown) -> str:
    hits = "unknown" if shown.hit_rate is None else f"{shown.hit_rate:.0%}"
    return "\n".join(
        [
            f"*Warm*: median {_seconds(shown.warm_p50)}, p95 {_seconds(shown.warm_p95)}",
            f"*Joined*: median {_seconds(shown.joined_p50)}, p95 {_seconds(shown.joined_p95)}",
            f"*Cold*: median {_seconds(shown.cold_p50)}, p95 {_seconds(shown.cold_p95)}",
            f"*Answered warm*: {hits}",
            f"*Warm-ups*: {shown.used} used, {shown.wasted} wasted",
            f"*Questions without an answer*: {shown.unanswered}",
            "_Days are of UTC. Joined: the question waited for a warm-up that was under way._",
        ]
    )


def _charts(days: Sequence[DayShown]) -> list[Block]:
    last = days[-CATEGORIES:]
    money = [("answers", [d.answers for d in last]), ("warmth", [d.warmth for d in last])]
    waits = [
        ("warm", [d.warm_p50 or 0.0 for d in last]),
        ("cold", [d.cold_p50 or 0.0 for d in last]),
    ]
    labels = [day.day[5:] for day in last]
    return [
        _chart("Money by day, this month", "bar", labels, money, "USD"),
        # Bars, since a day without questions is no day without waits.
        _chart("Median wait by day, this month", "bar", labels, waits, "seconds"),
    ]


def _chart(
    title: str,
    kind: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    unit: str,
) -> Block:
    return {
        "type": "data_visualization",
        "title": title[:50],
        "chart": {
            "type": kind,
            "series": [
                {
                    "name": name,
                    "data": [
                        {"label": label, "value": round(value, 4)}
                        for label, value in zip(labels, values, strict=True)
                    ],
                }
                for name, values in series
            ],
            "axis_config": {"categories": list(labels), "x_label": "day", "y_label": unit},
        },
    }


def _table(days: Sequence[DayShown]) -> str:
    rows = ["day         answers   warmth warm wait cold wait"]
    rows += [
        f"{d.day} {_dollars(d.answers)} {_dollars(d.warmth)}"
        f" {_seconds(d.warm_p50):>9} {_seconds(d.cold_p50):>9}"
        for d in days[-CATEGORIES:]
    ]
    return "```\n" + "\n".join(rows) + "\n```"


def _dollars(usd: float) -> str:
    return f"{f'${usd:.2f}':>8}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _buttons(*, charts_in_dm: bool) -> Block:
    buttons = [_button("Refresh", REFRESH)]
    if charts_in_dm:
        buttons.append(_button("Send me the charts", CHARTS))
    return {"type": "actions", "block_id": REFRESH, "elements": buttons}


def _button(text: str, action: str) -> Block:
    return {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": text},
    }


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _section(text: str) -> Block:
    # Verbatim: an address that was given as a name becomes no link.
    shown = {"type": "mrkdwn", "text": text[:2900], "verbatim": True}
    return {"type": "section", "text": shown}
