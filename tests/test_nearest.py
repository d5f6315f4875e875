"""The near miss of a mistyped word."""

from __future__ import annotations

import pytest

from bot.nearest import nearest

KEYS = ("channels", "model", "mode", "instructions", "budget_tokens", "thinking", "effort", "warm")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("modle", "model"),
        ("modell", "model"),
        ("moed", "mode"),
        ("mod", "mode"),
        ("chanels", "channels"),
        ("channel", "channels"),
        ("Channels", "channels"),
        ("instuctions", "instructions"),
        ("budget_token", "budget_tokens"),
        ("budgettokens", "budget_tokens"),
        ("thinkign", "thinking"),
        ("efort", "effort"),
        ("wram", "warm"),
        ("temperature", None),
        ("x", None),
        ("", None),
    ],
)
def test_a_slip_finds_the_key_that_was_meant(word: str, meant: str | None) -> None:
    """An exchange of two letters counts as one slip, and keeps the letters."""
    assert nearest(word, KEYS) == meant


def test_nothing_known_gives_nothing() -> None:
    assert nearest("model", ()) is None
