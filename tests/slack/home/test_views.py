"""The Home tab's blocks: what stands in them for whom, and that Slack takes them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from forewarm_playground.slack.messages.blocks import check_message_blocks, check_view

from bot.slack.home.views import (
    CATEGORIES,
    CHARTS,
    REFRESH,
    BadAnswer,
    ContextShown,
    DayShown,
    MoneyShown,
    OperatorShown,
    charts_message,
    home_view,
)
from tests.safety import judge

HOSTILE = "<!channel> <@U0VICTIM> <https://evil.example|x> & `*_~"
PAY = ContextShown(name="pay", standing="pay@1234567; 1,000 tokens", waits="no one has asked")


def operator(**more: Any) -> OperatorShown:
    values: dict[str, Any] = {
        "money": [
            MoneyShown(
                name="pay",
                today_answers=1.5,
                today_warmth=0.25,
                month_answers=30,
                month_warmth=4,
            )
        ],
        "days": [DayShown(day="2026-11-22", answers=1.5, warmth=0.25, warm_p50=1.2, cold_p50=None)],
        "warm_p50": 1.24,
        "warm_p95": 2.0,
        "cold_p50": 12.5,
        "cold_p95": None,
        "hit_rate": 0.925,
        "used": 8,
        "wasted": 2,
        "unanswered": 1,
        "misses": [("evicted", 3)],
    }
    return OperatorShown(**{**values, **more})


def words(view: dict[str, Any]) -> str:
    return str(view["blocks"])


@pytest.mark.parametrize("shown", [None, operator(), operator(days=[], misses=[], money=[])])
def test_slack_takes_every_form_of_the_tab(shown: OperatorShown | None) -> None:
    """A tab with one block that Slack refuses is not published at all."""
    check_view(home_view([PAY], shown, charts=False))
    check_view(home_view([], shown, charts=False))


def test_slack_takes_the_charts_as_a_message() -> None:
    """Where the tab may hold no charts, a message may."""
    text, blocks = charts_message(operator().days)
    check_message_blocks(blocks)
    assert "2026-11-22" in text


def test_everyone_sees_contexts_and_only_operators_see_money() -> None:
    """Only operators see costs (the access table's `see_cost`)."""
    mine = words(home_view([PAY], None))
    assert "pay@1234567" in mine
    assert "$" not in mine
    assert "Money" not in mine
    theirs = words(home_view([PAY], operator()))
    figures = ("$1.50", "$0.25", "$30.00", "median 1.2 s", "this month", "p95 2.0 s")
    for figure in (*figures, "92%", "8 used", "2 wast"):
        assert figure in theirs
    assert "Questions without an answer*: 1" in theirs
    assert "evicted: 3" in theirs


def test_who_may_ask_nothing_is_told_where_to_ask() -> None:
    """An empty page would look broken."""
    assert "Nothing yet" in words(home_view([], None))


def test_unknown_figures_are_shown_as_unknown_not_as_zero() -> None:
    """A p95 of 0.0 s on the first day would be a lie."""
    shown = words(home_view([PAY], operator(hit_rate=None, warm_p50=None)))
    assert "unknown" in shown
    assert "median -" in shown


def test_where_charts_are_refused_a_table_holds_the_same_figures() -> None:
    """Slack refuses the block in some places: then the same days stand in a table."""
    with_charts = home_view([PAY], operator(), charts=True)
    without = home_view([PAY], operator(), charts=False)
    assert [b for b in with_charts["blocks"] if b["type"] == "data_visualization"]
    assert not [b for b in without["blocks"] if b["type"] == "data_visualization"]
    assert "2026-11-22    $1.50    $0.25     1.2 s         -" in words(without)
    assert CHARTS in words(without)
    assert CHARTS not in words(with_charts)
    assert REFRESH in words(with_charts)


def test_the_tables_heads_stand_over_their_figures() -> None:
    """Each head stands over its own column."""
    day = DayShown(day="2026-11-22", answers=1234.5, warmth=0.25, warm_p50=101.2, cold_p50=12.5)
    text, _ = charts_message([day])
    opening, head, row, closing = text.split("\n")
    assert (opening, closing) == ("```", "```")
    ends = [[m.end() for m in re.finditer(r"\S+(?: s\b| wait)?", line)] for line in (head, row)]
    assert ends[0][1:] == ends[1][1:], text


def test_a_chart_never_has_more_days_than_slack_takes() -> None:
    """The block takes 20 categories; a month has more days.

    Source: docs/platform/slack.md#message-limits.
    """
    days = [
        DayShown(day=f"2026-10-{n:02}", answers=n, warmth=0, warm_p50=None, cold_p50=None)
        for n in range(1, 32)
    ]
    _, blocks = charts_message(days)
    for block in blocks:
        categories = block["chart"]["axis_config"]["categories"]
        assert len(categories) == CATEGORIES
        assert categories[-1] == "10-31"
        assert all(len(one["data"]) == CATEGORIES for one in block["chart"]["series"])


@pytest.mark.parametrize("place", ["name", "standing", "waits", "money", "miss"])
def test_hostile_names_neither_ping_nor_link(place: str) -> None:
    """Names of contexts, repositories and reasons come from files and from people."""
    one = {"name": "a", "standing": "b", "waits": "c"}
    if place in one:
        one[place] = HOSTILE
    money = [
        MoneyShown(name=HOSTILE, today_answers=0, today_warmth=0, month_answers=0, month_warmth=0)
    ]
    shown = operator(
        money=money if place == "money" else [],
        misses=[(HOSTILE, 1)] if place == "miss" else [],
    )
    view = home_view([ContextShown(**one)], shown)
    assert "&lt;!channel&gt;" in words(view)
    assert judge.tokens_in(view["blocks"]) == []


def test_very_many_and_very_long_contexts_still_fit() -> None:
    """100 blocks and 3,000 characters a section are Slack's limits."""
    many = [ContextShown(name=f"n{n}", standing="s" * 5_000, waits="w" * 5_000) for n in range(300)]
    check_view(home_view(many, operator(), charts=False))


def test_operators_alone_are_told_of_permissions_that_are_missing() -> None:
    missing = [("files:read", "to read logs & <code>")]
    shown = str(home_view([PAY], operator(), missing=missing))
    assert "files:read" in shown
    assert "to read logs &amp; &lt;code&gt;" in shown
    assert "forewarm manifest" in shown
    assert "files:read" not in str(home_view([PAY], None, missing=missing))
    assert "Permissions" not in str(home_view([PAY], operator()))


def test_the_tab_teaches_everyone_how_to_ask() -> None:
    shown = words(home_view([], None))
    assert "How to ask" in shown
    assert "/ask" in shown


def test_operators_see_the_newest_bad_answers_and_why_a_cache_is_cold() -> None:
    bad = BadAnswer(
        context="pay",
        age="2 hours",
        user="U0ASKER",
        comment="wrong <!channel> file",
        link="https://slack.com/archives/C0PAY/p1800000000000100",
    )
    why = [("pay", "cold: a question soon has a chance of 0%, not worth $0.35")]
    view = home_view([PAY], operator(whys=why), charts=False, bad=[bad])
    check_view(view)
    shown = words(view)
    assert "<https://slack.com/archives/C0PAY/p1800000000000100|question>" in shown
    assert "not worth $0.35" in shown
    assert "<!channel>" not in shown
    assert "bad answers" not in words(home_view([PAY], None))
