"""Log lines for operators, from the journal's records."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from bot.telemetry.log_lines import LogLines
from bot.warm.events import WarmthDecided
from tests.telemetry.conftest import NOON, Make


def decided(**changes: Any) -> WarmthDecided:
    values: dict[str, Any] = {
        "at": NOON,
        "prefix": "p",
        "action": "nothing",
        "ttl": "5m",
        "reason": "stay cold",
        "cost_usd": 0.0,
        "gain_usd": 0.0,
        "fingerprint": "f",
    }
    return WarmthDecided(**{**values, **changes})


@pytest.mark.parametrize(
    ("outcome", "level"),
    [("answered", "info"), ("denied", "info"), ("failed", "warning"), ("overloaded", "warning")],
)
def test_a_question_without_an_answer_is_a_warning(make: Make, outcome: str, level: str) -> None:
    with structlog.testing.capture_logs() as lines:
        LogLines().apply(make.answered(outcome=outcome))
    [line] = lines
    assert (line["event"], line["outcome"]) == ("question_ended", outcome)
    assert line["log_level"] == level


def test_a_decision_tells_its_money_only_if_it_spends_some(make: Make) -> None:
    lines = LogLines()
    with structlog.testing.capture_logs() as told:
        lines.apply(make.built())
        lines.apply(decided())
        lines.apply(decided())
        lines.apply(decided(action="warm", reason="warm for 5m", cost_usd=0.2, gain_usd=0.3))
    nothing, warm = told[1:]
    assert {"ttl", "cost_usd", "gain_usd"}.isdisjoint(nothing)
    assert (warm["ttl"], warm["cost_usd"], warm["gain_usd"]) == ("5m", 0.2, 0.3)
