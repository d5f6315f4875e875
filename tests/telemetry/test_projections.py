"""Laws of the folds over any journal: replaying tells the same story, money adds up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.answer.events import (
    FeedbackGiven,
    FirstWords,
    Outcome,
    QuestionEnded,
    QuestionReceived,
    Wait,
)
from bot.answer.question import Surface
from bot.claude.events import Purpose, RequestEnded, RequestStarted
from bot.claude.usage import Ttl, Usage
from bot.telemetry.codec import decode, encode, kind_of
from bot.telemetry.events import ContextDropped, PrefixBuilt, RepositoryAt
from bot.telemetry.figures.daily_spend import DailySpend
from bot.telemetry.figures.daily_stats import DailyStats
from bot.telemetry.figures.money import day_of, nano
from bot.telemetry.metrics import Metrics
from bot.telemetry.projections import LiveProjections
from bot.telemetry.receipts import Receipts
from bot.telemetry.state import State
from bot.telemetry.state_diff import changes, patch
from bot.warm.events import SignalReceived, WarmthDecided

START = 1_800_000_000.0
names = st.sampled_from(["payments", "web", ""])
prefixes = st.sampled_from(["p1", "p2", "p3"])
questions = st.sampled_from(["q1", "q2", "q3", "q4"])
seconds = st.floats(0, 100, allow_nan=False)
money = st.floats(0, 5, allow_nan=False)
count = st.integers(0, 400_000)
ttls: st.SearchStrategy[Ttl] = st.sampled_from(["5m", "1h"])
text = st.text(max_size=8)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


usages = st.builds(
    Usage, input=count, cache_read=count, write_5m=count, write_1h=count, output=count
)
waits = st.builds(
    Wait,
    delivery=maybe(seconds),
    queue=seconds,
    join=seconds,
    prefill=seconds,
    thinking=seconds,
    paint=seconds,
)


def any_record() -> st.SearchStrategy[Any]:
    """Any record of the registry, at time 0; a request has started as long before as it says."""
    purposes: st.SearchStrategy[Purpose] = st.sampled_from(
        ["warm", "refresh", "question", "round", "draft", "classify"]
    )
    outcomes: st.SearchStrategy[Outcome] = st.sampled_from(["answered", "failed", "stopped"])
    surfaces: st.SearchStrategy[Surface] = st.sampled_from(["mention", "dm", "modal"])
    common: dict[str, Any] = {
        "request": st.sampled_from(["r1", "r2", "r3"]),
        "purpose": purposes,
        "prefix": prefixes,
        "fingerprint": text,
        "context": names,
        "model": st.just("claude-sonnet-5-5"),
        "tokens": count,
        "expected": count,
        "ttl": ttls,
        "question": maybe(questions),
    }
    when = st.just(0.0)
    return st.one_of(
        st.builds(RequestStarted, at=when, **common),
        st.builds(
            RequestEnded,
            at=when,
            usage=usages,
            usd=money,
            seconds=seconds,
            complete=st.booleans(),
            started_at=st.floats(0, 100),
            error=maybe(st.just("overloaded_error")),
            missed=maybe(st.sampled_from(["expired or evicted", "tools_changed"])),
            **common,
        ),
        st.builds(
            QuestionReceived,
            at=when,
            question=questions,
            workspace=st.just("T1"),
            channel=text,
            thread=maybe(text),
            user=text,
            surface=surfaces,
            asked_at=maybe(seconds),
            context=maybe(names),
        ),
        st.builds(
            FirstWords,
            at=when,
            question=questions,
            context=names,
            wait=waits,
            warm=st.booleans(),
            slack_wait=maybe(seconds),
        ),
        st.builds(
            QuestionEnded, at=when, question=questions, context=maybe(names), outcome=outcomes
        ),
        st.builds(
            FeedbackGiven,
            at=when,
            question=questions,
            context=maybe(names),
            user=st.sampled_from(["U1", "U2"]),
            value=st.sampled_from(["up", "down"]),
            fingerprint=maybe(text),
        ),
        st.builds(
            SignalReceived,
            at=when,
            kind=st.sampled_from(["dm_opened", "reaction"]),
            workspace=st.just("T1"),
            channel=maybe(text),
            thread=maybe(text),
            user=maybe(text),
            repository=maybe(text),
            context=maybe(names),
            prefix=maybe(prefixes),
        ),
        st.builds(
            WarmthDecided,
            at=when,
            prefix=prefixes,
            fingerprint=text,
            action=st.sampled_from(["nothing", "warm", "refresh", "lapse"]),
            ttl=ttls,
            reason=text,
            cost_usd=money,
            gain_usd=money,
            next_look_at=maybe(seconds),
        ),
        st.builds(
            PrefixBuilt,
            at=when,
            prefix=prefixes,
            fingerprint=text,
            context=names,
            model=st.just("claude-sonnet-5-5"),
            tokens=count,
            files=count,
            omitted=count,
            seconds=seconds,
            repositories=st.lists(
                st.builds(
                    RepositoryAt,
                    name=text,
                    ref=text,
                    commit=text,
                    committed_at=seconds,
                    stale_since=maybe(seconds),
                ),
                max_size=2,
            ).map(tuple),
        ),
        st.builds(ContextDropped, at=when, context=names),
    )


steps = st.sampled_from([0.0, 0.5, 40.0, 400.0, 4000.0, 40_000.0])


def in_time(pairs: Sequence[tuple[float, Any]]) -> list[Any]:
    """Return the records one after another, each so long after the one before."""
    at, records = START, []
    for step, record in pairs:
        at += step
        records.append(dataclasses.replace(record, at=at))
        if isinstance(record, RequestEnded):
            records[-1] = dataclasses.replace(records[-1], started_at=at - record.started_at)
    return records


journals = st.lists(st.tuples(steps, any_record()), max_size=30).map(in_time)
"""Records in the order of their times, over a few hours or days."""


def folded(kind: type[Any], records: Sequence[object]) -> Any:
    fold = kind()
    for one in records:
        fold.apply(one)
    return fold


def end_of(records: Sequence[Any]) -> float:
    return float(records[-1].at) + 1 if records else START


@given(journals)
def test_every_record_comes_back_from_its_line_unchanged(records: list[Any]) -> None:
    """A replay gives the same figures, down to the last bit of a float."""
    for one in records:
        assert decode(kind_of(one), encode(one)) == one


@given(journals, st.data())
def test_folding_on_from_anywhere_equals_folding_from_the_start(
    records: list[Any], data: st.DataObject
) -> None:
    """A bot that has run for weeks and one that replays the journal have to agree.

    The first part reaches the folds live, the rest through the stored lines; asking in between
    must change nothing.
    """
    cut = data.draw(st.integers(0, len(records)))
    live = LiveProjections()
    for one in records[:cut]:
        live.apply(one)
        live.state.view(one.at)
        live.figures.summary(one.at)
    for one in records[cut:]:
        live.apply(decode(kind_of(one), encode(one)))
    now = end_of(records)
    assert live.figures == folded(DailyStats, records)
    assert live.receipts == folded(Receipts, records)
    assert live.state.view(now) == folded(State, records).view(now)


@given(journals)
def test_money_everywhere_is_the_sum_of_the_requests(records: list[Any]) -> None:
    """Caps, figures, receipts, the page and Prometheus may not each have a sum of their own."""
    requests = [one for one in records if isinstance(one, RequestEnded)]
    total = sum(nano(one.usd) for one in requests)
    now = end_of(records)
    caps, figures = folded(DailySpend, records), folded(DailyStats, records)
    assert sum(caps.nanos.values()) == total
    summary = figures.summary(now)
    assert nano(summary.usd) == total
    parts = (summary.answers_usd, summary.warmth_usd, summary.drafts_usd, summary.sorting_usd)
    assert sum(map(nano, parts)) == total
    contexts = [figures.summary(now, contexts={c}) for c in (*figures.contexts(), "")]
    assert sum(nano(s.usd) for s in contexts) == total
    days = [figures.summary(now, since=d, until=d) for d in figures.days()]
    assert sum(nano(s.usd) for s in days) == total
    today = day_of(now)
    shown = folded(State, records).view(now)["money"]
    spent = sum(nano(one.usd) for one in requests if day_of(one.started_at) == today)
    assert nano(shown["usd"]) == spent
    receipts = folded(Receipts, records)
    for question in {one.question for one in requests if one.question}:
        mine = sum(nano(one.usd) for one in requests if one.question == question)
        assert receipts.of(question).nanos == mine


_WORDS = FirstWords(
    at=START + 1,
    question="q1",
    context="payments",
    wait=Wait(delivery=None, queue=0.0, join=0.0, prefill=1.0, thinking=0.0, paint=0.0),
    warm=False,
    slack_wait=None,
)
TAKEN_OVER = [
    QuestionReceived(
        at=START,
        question="q1",
        workspace="T1",
        channel="C1",
        thread=None,
        user="U1",
        surface="mention",
        asked_at=None,
        context="payments",
    ),
    _WORDS,
    _WORDS,
]


def counted_words(records: list[Any]) -> int:
    """Return how many first words count: those of an open question once, though taken over."""
    count, is_shown = 0, dict[str, bool]()
    for one in records:
        if isinstance(one, QuestionReceived):
            is_shown.setdefault(one.question, False)
        elif isinstance(one, QuestionEnded):
            is_shown.pop(one.question, None)
        elif isinstance(one, FirstWords):
            count += not is_shown.get(one.question, False)
            if one.question in is_shown:
                is_shown[one.question] = True
    return count


@given(journals)
@example(TAKEN_OVER)
def test_every_wait_shown_is_the_one_that_was_measured(records: list[Any]) -> None:
    """The one number that counts is computed once, by `Wait.total`."""
    now = end_of(records)
    painted = [one for one in records if isinstance(one, FirstWords)]
    summary = folded(DailyStats, records).summary(now)
    kinds = (summary.warm, summary.joined, summary.cold)
    assert sum(one.count for one in kinds) == counted_words(records)
    totals = {one.wait.total for one in painted}
    shown = [value for one in kinds for value in (one.p50, one.p95)]
    assert {value for value in shown if value is not None} <= totals
    for view in folded(State, records).view(now)["questions"].values():
        assert view["wait"] is None or view["wait"]["total"] in totals


@given(journals)
def test_every_complete_warm_up_is_used_wasted_or_still_open(records: list[Any]) -> None:
    """Money spent ahead must turn up on one side of the account, once."""
    now = end_of(records)
    warmed = [r for r in records if getattr(r, "usage", None) and r.purpose in ("warm", "refresh")]
    summary = folded(DailyStats, records).summary(now)
    assert summary.warm_ups_failed == sum(not r.complete for r in warmed)
    known = summary.warm_ups_used + summary.warm_ups_wasted + summary.warm_ups_open
    assert known == sum(r.complete for r in warmed)


@given(journals, st.data())
def test_changes_lead_from_any_state_to_any_later_one(
    records: list[Any], data: st.DataObject
) -> None:
    """A page that has seen the snapshot and every change shows exactly the state."""
    state, told = State(), State().view(START)
    for one in records:
        state.apply(one)
        if data.draw(st.booleans()):
            new = state.view(one.at)
            told = patch(told, changes(told, new))
            assert told == new


@settings(max_examples=25)
@given(journals)
def test_prometheus_counts_the_same_money_and_questions(records: list[Any]) -> None:
    """An alert on spending must see what the report sees."""
    metrics = folded(Metrics, records)
    read = metrics.registry.get_sample_value
    total = 0.0
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == "forewarm_spent_usd_total":
                total += sample.value
    requests = [one for one in records if isinstance(one, RequestEnded)]
    assert abs(total - sum(one.usd for one in requests)) < 1e-6
    received = {r.question for r in records if isinstance(r, QuestionReceived)}
    assert (read("forewarm_questions_open") or 0) <= len(received)
    assert metrics.text(end_of(records)).startswith(b"# HELP")
