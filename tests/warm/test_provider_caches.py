"""The governor at providers whose caches differ: it never pays for warmth that does not exist."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.claude.cache_check import WarmResult, not_sent
from bot.claude.usage import Ttl, Usage
from bot.warm.driver import Driver
from bot.warm.governor import Governor
from bot.warm.prefix_state import NO_WARMTH
from bot.warm.signals import Signal, SignalKind
from bot.warm.types import Decision, PrefixFacts, Result

if TYPE_CHECKING:
    from tests.warm.conftest import Claude, Leap, MakeTarget, Records

START = 1_800_000_000.0
PREFILL, WARM = 18.93, 1.94
KINDS: tuple[SignalKind, ...] = ("dm_opened", "modal_typing", "thread_message", "push")


def facts(lives: tuple[Ttl, ...], model: str = "claude-sonnet-5-5") -> PrefixFacts:
    return PrefixFacts(
        key="p",
        fingerprint="f",
        base_fingerprint="b",
        tokens=150_000,
        base_tokens=150_000,
        model=model,
        context="c",
        daily_limit_usd=1e6,
        prefill_seconds=PREFILL,
        lives=lives,
    )


def lived_through(lives: tuple[Ttl, ...], steps: list[tuple[str, float]]) -> list[Decision]:
    """Return all decisions of a governor about one prefix; its warm-ups succeed as asked."""
    governor, at, made = Governor(), START, list[Decision]()
    prefix = facts(lives)

    def take(decision: Decision | None) -> None:
        if decision is None:
            return
        made.append(decision)
        if decision.spends:
            request = governor.begin_warm_up(decision)
            wrote = {"write_5m" if decision.ttl == "5m" else "write_1h": prefix.tokens}
            result = Result(
                usage=Usage(**wrote),
                usd=0.5,
                started_at=at,
                seconds=PREFILL,
                kept=True,
                lives=lives,
            )
            take(governor.end_warm_up(request, result, at + PREFILL))

    for step, gap in steps:
        at += gap
        if step == "question":
            asked = governor.handle_question(prefix, "C1", None, "U1", at)
            made.append(asked)
            governor.record_request("p", asked.ttl, at)
            usage = Usage(write_5m=prefix.tokens) if lives else Usage(input=prefix.tokens)
            take(
                governor.apply_reply(
                    "p", asked.ttl, Result(usage=usage, started_at=at, seconds=1.0), at
                )
            )
        elif step == "look":
            take(governor.look("p", at))
        else:
            signal = Signal(kind=step, workspace="T", at=at, channel="C1", user="U1")  # type: ignore[arg-type]  # one of KINDS
            take(governor.handle_signal(prefix, signal))
    return made


STEPS = st.lists(
    st.tuples(st.sampled_from([*KINDS, "question", "look"]), st.floats(0.1, 20_000)), max_size=60
)


@given(STEPS)
@settings(deadline=None)
def test_nothing_is_paid_for_where_markers_are_ignored(steps: list[tuple[str, float]]) -> None:
    """Whatever happens: no warm-up, no belief in an entry, no hour for a question."""
    for decision in lived_through((), steps):
        assert decision.action == "nothing"
        assert decision.ttl == "5m"
        assert decision.expected == 0
        assert decision.cost_usd == 0.0


@given(STEPS)
@settings(deadline=None)
def test_no_hour_is_asked_for_where_there_is_none(steps: list[tuple[str, float]]) -> None:
    """Entries of 5 minutes are used as ever, and no decision asks for another life."""
    made = lived_through(("5m",), steps)
    assert {decision.ttl for decision in made} <= {"5m"}
    signalled = [step for step, _ in steps if step in ("modal_typing", "dm_opened")]
    assert len(made) >= len(signalled)


def test_a_busy_channel_prefers_an_hour_only_where_there_is_one() -> None:
    """The same fortnight of questions, every 20 minutes: the control for the law above."""
    steps = [("question", 1_200.0)] * 60
    assert "1h" in {decision.ttl for decision in lived_through(("5m", "1h"), steps)}
    assert {decision.ttl for decision in lived_through(("5m",), steps)} == {"5m"}


class Ignoring:
    """A warmer whose provider turns out to ignore markers."""

    def __init__(self) -> None:
        self.asked = 0

    async def warm(self, prefix: Any, ttl: Ttl = "5m", **more: Any) -> WarmResult:
        self.asked += 1
        return not_sent(virtual_time.now(), ttl, 0.01, "ignored")


def test_what_the_first_warm_up_finds_out_holds_from_then_on(
    records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Timers go on with the target that the driver holds, which must know it too."""

    async def main() -> None:
        warmer = Ignoring()
        driver = Driver(warmer, records, now=virtual_time.now)
        driver.update(make_target())
        typed = Signal(
            kind="modal_typing", workspace="T1", at=virtual_time.now(), channel="C1", user="U1"
        )
        driver.signal(typed, make_target())
        await asyncio.sleep(3 * 86_400)
        assert warmer.asked == 1
        decision = driver.governor.look(make_target().prefix.key, virtual_time.now())
        assert decision is not None
        assert decision.reason == NO_WARMTH
        await driver.stop()

    leap(main)


def test_questions_do_not_wait_for_each_other_where_nothing_is_written(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """One that leads writes for the others. Without a cache, that is a wait for nothing."""

    async def main() -> None:
        driver = Driver(claude, records, now=virtual_time.now)
        target = make_target(lives=())
        tickets = [
            await driver.join(target, channel="C1", thread=str(n), user=f"U{n}") for n in range(3)
        ]
        assert [ticket.waited for ticket in tickets] == pytest.approx([0.0] * 3)
        assert not any(ticket.leads for ticket in tickets)
        for ticket in tickets:
            ticket.report_start(Usage(input=150_000), seconds=PREFILL)
        await driver.stop()

    leap(main)
