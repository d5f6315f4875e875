"""Laws of the governor for events in any order: money, warm-ups in flight, restarts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.claude.usage import Ttl, Usage
from bot.warm.economics.costs import costs_for
from bot.warm.governor import IN_FLIGHT, Governor
from bot.warm.limits import DAY, Limits
from bot.warm.prefix_state import TAIL_TOKENS
from bot.warm.signals import Signal, SignalKind
from bot.warm.types import Decision, PrefixFacts, Result

START = 1_800_000_000.0
KINDS: tuple[SignalKind, ...] = (
    "dm_opened",
    "modal_typing",
    "modal_closed",
    "channel_message",
    "thread_message",
    "bare_mention",
    "push",
)
PREFIXES = tuple(
    PrefixFacts(
        key=f"p{n}",
        fingerprint=f"f{n}",
        base_fingerprint=f"b{n}",
        tokens=150_000,
        base_tokens=150_000,
        model="claude-sonnet-5-5",
        context=f"c{n}",
        daily_limit_usd=1.5,
        prefill_seconds=18.93,
    )
    for n in range(2)
)
LIMITS = Limits(daily_usd=2.2, per_user_hour=3)
MOST_USD = 0.6 * (150_000 + TAIL_TOKENS) / 150_000
"""USD of writing one of them for an hour, at most. The caps above allow two or three."""


@dataclass
class World:
    """A governor whose requests are served, fail or wait, with a bookkeeping of its own."""

    governor: Governor = field(default_factory=lambda: Governor(LIMITS))
    at: float = START
    in_flight: dict[str, tuple[str, Ttl, float]] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)
    spent: dict[tuple[int, str], float] = field(default_factory=dict)
    caused: dict[str, list[float]] = field(default_factory=dict)

    def carry_out(self, decision: Decision | None, user: str | None = None) -> None:
        if decision is None:
            return
        if decision.next_look_at is not None:
            assert decision.next_look_at >= self.at
            self.looks[decision.prefix] = decision.next_look_at
        if not decision.spends:
            return
        assert decision.prefix not in {prefix for prefix, _, _ in self.in_flight.values()}
        request = self.governor.begin_warm_up(decision, user)
        self.in_flight[request] = (decision.prefix, decision.ttl, self.at)
        if decision.action == "warm" and user is not None:
            times = [t for t in self.caused.get(user, []) if t > self.at - 3600]
            assert len(times) < LIMITS.per_user_hour
            self.caused[user] = [*times, self.at]

    def land(self, request: str, fate: str) -> None:
        prefix, ttl, began = self.in_flight.pop(request)
        usd, usage, error = 0.0, Usage(), None
        if fate == "written":
            usd = 0.375 if ttl == "5m" else 0.6
            five = ttl == "5m"
            usage = Usage(write_5m=150_000 if five else 0, write_1h=0 if five else 150_000)
        elif fate == "read":
            usd, usage = 0.015, Usage(cache_read=150_000)
        else:
            error = fate
        context = f"c{prefix[1:]}"
        # Money counts on the day on which it is known. Reservations move into the new day.
        key = (int(self.at // DAY), context)
        self.spent[key] = self.spent.get(key, 0.0) + usd
        result = Result(usage=usage, usd=usd, started_at=began, seconds=20.0, error=error)
        self.carry_out(self.governor.end_warm_up(request, result, self.at))

    def check_money(self) -> None:
        day = int(self.at // DAY)
        self.governor.spending.turn_day(self.at)
        today = 0.0
        for facts in PREFIXES:
            spent = self.spent.get((day, facts.context), 0.0)
            held = self.governor.spending.used(facts.context) - spent
            under_way = sum(1 for prefix, _, _ in self.in_flight.values() if prefix == facts.key)
            assert -1e-9 <= held <= MOST_USD * under_way + 1e-9
            assert spent + held <= facts.daily_limit_usd + 1e-9
            today += spent + held
        assert today == pytest.approx(self.governor.spending.used())
        assert today <= LIMITS.daily_usd + 1e-9


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["signal", "signal", "question", "look", "land", "wait"]),
        st.integers(0, 1),
        st.sampled_from(KINDS),
        st.sampled_from(["U1", "U2", "U3"]),
        st.sampled_from(["written", "written", "read", "overloaded", "cancelled"]),
        st.sampled_from([0.0, 1.0, 20.0, 290.0, 3600.0, 9 * 3600.0]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_cap_is_passed_and_no_prefix_has_two_warm_ups_in_flight(
    steps: list[tuple[str, int, SignalKind, str, str, float]],
) -> None:
    """For any signals, questions, late answers and refusals. Every cent is accounted for."""
    world = World()
    for action, number, kind, user, fate, pause in steps:
        step(world, action, PREFIXES[number], kind, user, fate)
        world.check_money()
        world.at += pause
    for request in list(world.in_flight):
        world.land(request, "written")
        world.check_money()


def step(
    world: World, action: str, facts: PrefixFacts, kind: SignalKind, user: str, fate: str
) -> None:
    if action == "signal":
        signal = Signal(kind=kind, workspace="T", at=world.at, channel="C1", user=user)
        world.carry_out(world.governor.handle_signal(facts, signal), user)
    elif action == "question":
        decision = world.governor.handle_question(facts, "C1", f"{world.at}", user, world.at)
        assert not decision.spends
        answer(world, facts, decision)
    elif action == "look":
        at = world.looks.pop(facts.key, None)
        if at is not None:
            world.at = max(world.at, at)
            world.carry_out(world.governor.look(facts.key, world.at))
    elif action == "land" and world.in_flight:
        world.land(next(iter(world.in_flight)), fate)


def answer(world: World, facts: PrefixFacts, decision: Decision) -> None:
    """Send the question's own request. Its reply begins at once, with its usage."""
    world.governor.record_request(facts.key, decision.ttl, world.at)
    usage = Usage(write_5m=facts.tokens)
    if decision.expected:
        usage = Usage(cache_read=facts.tokens)
    elif decision.ttl == "1h":
        usage = Usage(write_1h=facts.tokens)
    reply = Result(usage=usage, usd=0.1, started_at=world.at, seconds=2.0)
    world.carry_out(world.governor.apply_reply(facts.key, decision.ttl, reply, world.at))


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 59))
def test_a_restart_changes_no_decision(
    steps: list[tuple[str, int, SignalKind, str, str, float]], cut: int
) -> None:
    """Beliefs and live entries survive the process. Requests in flight have ended."""
    before, after = World(), World()
    for number, (action, prefix, kind, user, fate, pause) in enumerate(steps):
        for world in (before, after):
            if number == cut:
                for request in list(world.in_flight):
                    world.land(request, "written")
        if number == cut:
            saved = json.loads(json.dumps(after.governor.snapshot()))
            after.governor = Governor(LIMITS)
            after.governor.restore(saved)
            # Signals that were open are forgotten by a restart, and user caps begin anew.
            return_to = after.governor.snapshot()
            assert return_to == saved
            for key in PREFIXES:
                now = max(before.at, after.at)
                assert after.governor.expected_tokens(key, now) == before.governor.expected_tokens(
                    key, now
                )
            return
        for world in (before, after):
            step(world, action, PREFIXES[prefix], kind, user, fate)
            world.at += pause


def test_a_signal_during_a_flight_starts_no_other() -> None:
    """The same prefix, from two people at once."""
    world = World()
    ask = Signal(kind="bare_mention", workspace="T", at=START, channel="C1", user="U1")
    first = world.governor.handle_signal(PREFIXES[0], ask)
    assert first.action == "warm"
    world.governor.begin_warm_up(first, "U1")
    second = world.governor.handle_signal(PREFIXES[0], replace(ask, user="U2", at=START + 1))
    assert (second.action, second.reason) == ("nothing", IN_FLIGHT)


def test_one_user_in_a_loop_causes_no_more_warm_ups_than_the_cap() -> None:
    """A user who opens the bot's DM again and again causes `per_user_hour` warm-ups at most."""
    governor = Governor(Limits(daily_usd=1e6, per_user_hour=1))
    facts = replace(PREFIXES[0], daily_limit_usd=1e6)
    said = []
    for at in (START, START + 700):
        signal = Signal(kind="bare_mention", workspace="T", at=at, channel="D1", user="U1")
        decision = governor.handle_signal(facts, signal)
        said.append(decision.reason if decision.action == "nothing" else decision.action)
        if decision.spends:
            # Nothing is kept: each signal finds the prefix cold again.
            failed = Result(started_at=at, seconds=1.0, error="cancelled")
            governor.end_warm_up(governor.begin_warm_up(decision, "U1"), failed, at + 1)
    assert said == ["warm", "this user's warm-ups for the hour are used up"]


def test_a_cap_notifies_once_and_waits_for_the_next_day() -> None:
    """An operator is notified once a day. The next look is at the start of the next day."""
    governor = Governor(Limits(daily_usd=0.3))
    notices, looks = [], []
    for minute in range(5):
        at = START + minute * 700
        signal = Signal(kind="bare_mention", workspace="T", at=at, channel="C1", user="U1")
        decision = governor.handle_signal(PREFIXES[0], signal)
        assert not decision.spends
        if "used" in decision.reason:
            notices.append(decision.notice)
            looks.append(decision.next_look_at)
    assert notices[0] is True
    assert not any(notices[1:])
    assert looks[0] == (int(START // DAY) + 1) * DAY


@pytest.mark.parametrize(("error", "least"), [("rate_limited", 15.0), ("overloaded", 15.0)])
def test_a_model_that_refuses_is_left_alone_longer_each_time(error: str, least: float) -> None:
    """429 and 529 also stop the warm-ups of other prefixes on the same model."""
    governor = Governor(Limits(daily_usd=1e6, per_user_hour=1000))
    at, waits = START, []
    for n in range(3):
        signal = Signal(kind="bare_mention", workspace="T", at=at, channel="C1", user=f"U{n}")
        decision = governor.handle_signal(replace(PREFIXES[0], daily_limit_usd=1e6), signal)
        assert decision.action == "warm"
        request = governor.begin_warm_up(decision, f"U{n}")
        failed = Result(started_at=at, seconds=1.0, error=error)
        after = governor.end_warm_up(request, failed, at)
        assert after is not None
        other = Signal(kind="bare_mention", workspace="T", at=at + 1, channel="C2", user="V")
        held = governor.handle_signal(replace(PREFIXES[1], daily_limit_usd=1e6), other)
        assert held.action == "nothing"
        assert held.next_look_at is not None
        waits.append(held.next_look_at - at)
        if n == 1:
            break
        at = held.next_look_at + 1
    assert waits[0] == least
    assert waits[1] == 2 * least


def test_retry_after_is_kept_to() -> None:
    """If Claude names a time, warm-ups wait for it, however long it is."""
    governor = Governor(Limits(daily_usd=1e6))
    signal = Signal(kind="bare_mention", workspace="T", at=START, channel="C1", user="U1")
    decision = governor.handle_signal(PREFIXES[0], signal)
    request = governor.begin_warm_up(decision, "U1")
    failed = Result(started_at=START, seconds=1.0, error="rate_limited", retry_after=777.0)
    after = governor.end_warm_up(request, failed, START)
    assert after is not None
    assert after.next_look_at is not None
    later = governor.handle_signal(PREFIXES[0], replace(signal, at=START + 700, user="U2"))
    assert later.next_look_at == START + 777.0


def test_every_decision_that_spends_says_why_in_words_and_numbers() -> None:
    """So that an operator can judge it."""
    governor = Governor(Limits(daily_usd=1e6))
    signal = Signal(kind="bare_mention", workspace="T", at=START, channel="C1", user="U1")
    decision = governor.handle_signal(PREFIXES[0], signal)
    assert decision.action == "warm"
    assert any(sign.isdigit() for sign in decision.reason)
    assert decision.cost_usd == costs_for("claude-sonnet-5-5", 150_000, 18.93, 100.0).write(
        decision.ttl
    )
    assert decision.gain_usd > 0
