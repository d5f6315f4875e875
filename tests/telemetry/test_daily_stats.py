"""Figures for operators: warm-ups that paid, questions without an answer, waits."""

from __future__ import annotations

from typing import Any

from bot.answer.events import FeedbackGiven, Wait
from bot.claude.usage import Usage
from bot.telemetry.figures.daily_stats import DailyStats, Summary
from bot.telemetry.figures.quantiles import percentile

NOON = 1_800_014_400.0
READ = Usage(cache_read=1000, input=50)


def figures(*records: object) -> DailyStats:
    folded = DailyStats()
    for record in records:
        folded.apply(record)
    return folded


def warm_ups(*records: object, now: float = NOON + 9000) -> tuple[int, int, int, int]:
    s = figures(*records).summary(now)
    return s.warm_ups_used, s.warm_ups_wasted, s.warm_ups_failed, s.warm_ups_open


def test_a_warm_up_that_a_question_read_in_time_was_used(make: Any) -> None:
    """That is what it was for."""
    asked = make.ended(purpose="question", usage=READ, started_at=NOON + 300)
    assert warm_ups(make.ended(), asked) == (1, 0, 0, 0)


def test_a_warm_up_that_was_not_read_is_open_and_then_wasted(make: Any) -> None:
    """Until its life is over it may still be read."""
    assert warm_ups(make.ended(), now=NOON + 299) == (0, 0, 0, 1)
    assert warm_ups(make.ended(), now=NOON + 301) == (0, 1, 0, 0)


def test_refreshes_go_with_the_life_they_kept(make: Any) -> None:
    """A chain of refreshes was worth it when a question came at its end, and all waste if not."""
    chain = [make.ended(purpose="refresh", started_at=NOON + 240 * i) for i in range(1, 4)]
    late = make.ended(purpose="question", usage=READ, started_at=NOON + 1000)
    assert warm_ups(make.ended(), *chain, late) == (4, 0, 0, 0)
    assert warm_ups(make.ended(), *chain) == (0, 4, 0, 0)


def test_a_question_after_the_life_ended_does_not_save_the_warm_up(make: Any) -> None:
    """It had to write anew."""
    late = make.ended(purpose="question", usage=Usage(write_5m=1000), started_at=NOON + 301)
    assert warm_ups(make.ended(), late) == (0, 1, 0, 0)


def test_a_question_that_missed_a_living_entry_does_not_count_as_its_use(make: Any) -> None:
    """Evicted or bypassed: the money bought nothing."""
    missed = make.ended(
        purpose="question", usage=Usage(write_5m=1000), started_at=NOON + 9, missed="tools_changed"
    )
    summary = figures(make.ended(), missed).summary(NOON + 9000)
    assert (summary.warm_ups_used, summary.warm_ups_wasted) == (0, 1)
    assert summary.misses == (("tools_changed", 1),)


def test_a_failed_warm_up_is_neither_used_nor_wasted(make: Any) -> None:
    """Refused warmth costs nothing."""
    assert warm_ups(make.ended(complete=False, error="overloaded_error")) == (0, 0, 1, 0)


def test_a_question_counts_for_the_context_it_turned_out_to_mean(make: Any) -> None:
    """A direct message's context is found out after it is recorded."""
    folded = figures(make.received(context=None), make.answered(context="web"))
    assert folded.summary(NOON, contexts={"web"}).questions == 1
    assert folded.summary(NOON, contexts={""}).questions == 0
    assert folded.summary(NOON).questions == 1


def test_those_without_an_answer_are_counted_and_those_who_stopped_it_are_not(make: Any) -> None:
    """Unanswered is what an operator has to look into."""
    ends = ["answered", "stopped", "denied", "failed", "overloaded", "expired", "no_context"]
    summary = figures(*(make.answered(question=o, outcome=o) for o in ends)).summary(NOON)
    assert summary.unanswered == 4
    assert sum(summary.outcomes.values()) == len(ends)


def test_waits_are_told_warm_and_cold_apart(make: Any) -> None:
    """Side by side, or the warm ones hide what the cold ones cost."""
    waits = [make.words(total=n / 10, warm=True) for n in range(1, 101)]
    summary = figures(*waits, make.words(total=20.0, warm=False)).summary(NOON)
    assert (summary.warm.count, summary.warm.p50, summary.warm.p95) == (100, 5.0, 9.5)
    assert (summary.cold.count, summary.cold.p50, summary.cold.p95) == (1, 20.0, 20.0)
    assert summary.hit_rate == 100 / 101


def test_the_last_word_of_each_person_counts(make: Any) -> None:
    """A user may change their opinion."""

    def said(user: str, value: Any, at: float = NOON) -> FeedbackGiven:
        return FeedbackGiven(
            at=at, question="q", context="payments", user=user, value=value, fingerprint=None
        )

    folded = figures(said("U1", "down"), said("U2", "down"), said("U1", "up", NOON + 86_400))
    summary = folded.summary(NOON + 86_400)
    assert (summary.up, summary.down) == (1, 1)


def test_days_and_contexts_are_kept_apart_and_add_up(make: Any) -> None:
    """A table of days must sum to its total."""
    folded = figures(
        make.ended(usd=1.0),
        make.ended(usd=2.0, context="web"),
        make.ended(usd=4.0, started_at=NOON + 86_400),
    )
    first, second = folded.days()
    assert folded.summary(NOON, until=first).usd == 3.0
    assert folded.summary(NOON, since=second).usd == 4.0
    assert folded.summary(NOON, contexts={"web"}).usd == 2.0
    assert list(folded.contexts()) == ["payments", "web"]


def test_only_so_many_days_are_remembered(make: Any) -> None:
    """The bot runs for years."""
    folded = DailyStats(days=3)
    for day in range(10):
        at = NOON + day * 86_400
        folded.apply(make.ended(usd=1.0, started_at=at))
        folded.apply(make.received(question=f"q{day}", at=at))
    assert len(folded.days()) == 3
    assert folded.summary(NOON).usd == 3.0
    assert len(folded._open) == 3


def test_reasons_of_misses_cannot_fill_the_memory(make: Any) -> None:
    """They come from outside."""
    folded = figures(*(make.ended(missed=f"reason {n}") for n in range(300)))
    misses = dict(folded.summary(NOON).misses)
    assert len(misses) == 101
    assert misses["other"] == 200


def test_nothing_is_told_as_nothing() -> None:
    """A day without questions has no median wait and no hit rate."""
    summary: Summary = DailyStats().summary(NOON)
    assert (summary.warm.p50, summary.hit_rate, summary.read_share, summary.usd) == (
        None,
        None,
        None,
        0.0,
    )


def test_a_percentile_is_always_a_value_that_was_measured() -> None:
    """No interpolation: a wait of 3.2 s that no question had would be a lie."""
    assert percentile([], 50) is None
    assert percentile([7.0], 95) == 7.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 21)], 95) == 19.0
    assert percentile([float(n) for n in range(1, 22)], 95) == 20.0


def test_a_question_that_was_taken_over_is_asked_once(make: Any) -> None:
    """Its second replica receives it again; after its end it may be asked anew."""
    stats = DailyStats()
    for record in (make.received(), make.received(at=NOON + 20), make.answered(at=NOON + 30)):
        stats.apply(record)
    found = stats.summary(NOON + 40)
    assert (found.questions, found.outcomes) == (1, {"answered": 1})
    stats.apply(make.received(question="other", at=NOON + 40))
    assert stats.summary(NOON + 50).questions == 2


def test_a_question_that_waited_for_a_warm_up_counts_as_joined(make: Any) -> None:
    """It waited half a minute, so it must not stand among the warm ones."""
    figures = DailyStats()
    wait = Wait(delivery=0.0, queue=0.0, join=37.0, prefill=0.6, thinking=0.0, paint=0.0)
    for record in (make.received(), make.words(wait=wait), make.words(question="r", total=1.0)):
        figures.apply(record)
    found = figures.summary(NOON + 60)
    assert (found.joined.p50, found.warm.p95, found.cold.count) == (37.6, 1.0, 0)
    assert found.hit_rate == 0.5


def test_a_question_that_was_taken_over_counts_once(make: Any) -> None:
    figures = DailyStats()
    twice = (make.received(), make.words(total=3.0))
    for record in (*twice, *twice, make.answered()):
        figures.apply(record)
    found = figures.summary(NOON + 60)
    assert (found.questions, found.warm.count, found.outcomes) == (1, 1, {"answered": 1})
