"""Why a question is cold: the few words that stand under its answer."""

from __future__ import annotations

from dataclasses import replace

from bot.claude.usage import Usage
from bot.warm.governor import Governor
from bot.warm.limits import DAY, Limits
from bot.warm.signals import Signal
from bot.warm.types import PrefixFacts, Result

NOON = 1_800_014_400.0
FACTS = PrefixFacts(
    key="p",
    fingerprint="f",
    base_fingerprint="b",
    tokens=100_000,
    base_tokens=90_000,
    model="claude-sonnet-5-5",
    context="payments",
)
PUSHED = replace(FACTS, fingerprint="g", tokens=101_000)


def ask(governor: Governor, at: float) -> None:
    governor.handle_question(FACTS, "C1", None, "U1", at)
    governor.record_request("p", "5m", at)
    usage = Usage(write_5m=FACTS.tokens)
    governor.apply_reply("p", "5m", Result(usage=usage, started_at=at, seconds=1.0), at + 1)


def test_the_first_question_of_all_is_called_so() -> None:
    assert Governor().cold_reason(FACTS, NOON) == "first question"


def test_a_later_one_tells_for_how_long_none_was_asked() -> None:
    governor = Governor()
    ask(governor, NOON)
    assert governor.cold_reason(FACTS, NOON + 60) == ""
    assert governor.cold_reason(FACTS, NOON + 9.5 * DAY) == "first question in 9 days"
    # A restart forgets neither the question nor its time.
    again = Governor()
    again.restore(governor.snapshot())
    assert again.cold_reason(FACTS, NOON + 9.5 * DAY) == "first question in 9 days"


def test_a_push_is_named() -> None:
    governor = Governor()
    ask(governor, NOON)
    assert governor.cold_reason(PUSHED, NOON + 60) == "the code has changed since"


def test_a_limit_that_keeps_it_cold_is_named() -> None:
    """Else readers take what money did for what the forecast did."""
    governor = Governor(Limits(daily_usd=0.0))
    dear = PrefixFacts(
        key="p",
        fingerprint="f",
        base_fingerprint="b",
        tokens=100_000,
        base_tokens=90_000,
        model="claude-sonnet-5-5",
        context="payments",
        wait_cost_per_hour=1_000_000.0,
    )
    at = NOON
    for _ in range(3):
        at += 1
        signal = Signal(kind="modal_opened", workspace="T1", at=at, channel="C1", user="U1")
        governor.handle_signal(dear, signal)
    assert governor.cold_reason(dear, at) == "today's limit for warm-ups is reached"
