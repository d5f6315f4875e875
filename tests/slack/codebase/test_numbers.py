"""Numbers that people enter in the settings form."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.codebase.blocks import decimal_of, whole_of


def entered(value: str | None) -> dict[str, Any]:
    return {"state": {"values": {"cap": {"cap": {"value": value}}}}}


@pytest.mark.parametrize(
    "value",
    ["inf", "-inf", "nan", "1e999", "Infinity", "-1e999", "NaN", "", "x", "1,5", None, "0x10"],
)
def test_what_is_no_finite_number_is_no_cap(value: str | None) -> None:
    assert decimal_of(entered(value), "cap") is None
    assert whole_of(entered(value), "cap") is None


@pytest.mark.parametrize(("value", "number"), [("5", 5.0), (" 0.5 ", 0.5), ("1e3", 1000.0)])
def test_a_number_is_taken(value: str, number: float) -> None:
    assert decimal_of(entered(value), "cap") == number
