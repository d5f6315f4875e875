"""The cost table is made by the bot's own governor and adds up."""

from __future__ import annotations

from benchmarks.bench_costs import OUTPUT_TOKENS, OWN_TOKENS, WEEKS, _office, _row
from bot.claude.prices import price_of


def test_a_month_costs_at_least_its_answers_and_more_questions_cost_more() -> None:
    price = price_of("claude-sonnet-5-5", 10_000)
    rows = [_row("claude-sonnet-5-5", 400_000, 10_000, 11_400, a_day, 1) for a_day in (2, 8)]
    for row in rows:
        asked = row.a_day * 5 * WEEKS
        answers = (11_400 + OWN_TOKENS) * price.input + OUTPUT_TOKENS * price.output
        assert row.usd_a_month > asked * answers / 1e6 / (WEEKS * 7) * 30
        assert 0 < row.warm <= 1
        assert row.wait_p50 <= row.wait_p95
    assert rows[0].usd_a_month < rows[1].usd_a_month


def test_an_office_asks_on_weekdays_in_office_hours() -> None:
    times = list(_office(3, 1))
    assert len(times) == 3 * 5 * WEEKS
    assert times == sorted(times)
