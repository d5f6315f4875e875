"""Both emulators' cores on one virtual clock, for weeks."""

from __future__ import annotations

import pytest
from forewarm_playground.claude import Core
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.types import Delivery

from benchmarks.bench_playground import App, Schedule, WentWrong, long_run

HOURS = 300.0


def test_weeks_of_a_team_pass_without_a_socket_and_everything_adds_up() -> None:
    """Simulations of months are only worth something if no event, answer or cent is lost in them;
    the run itself checks that, question by question."""
    hours_told: list[float] = []
    run = long_run(HOURS, passed=hours_told.append)
    assert 0.75 < run.questions / (30 * HOURS / 24) < 1.25
    assert 0.9 < run.messages / (300 * HOURS / 24) < 1.1
    assert 1.9 * run.questions < run.claude_requests <= 2 * run.questions
    assert run.warm_questions == run.questions
    assert run.slack_calls == run.questions * (1 + 1 + 4 + 1)
    assert hours_told == sorted(hours_told)
    assert 0.9 * HOURS < hours_told[-1] <= HOURS + 1


def test_the_same_seed_gives_the_same_run() -> None:
    """Two runs can be compared only if chance is an argument."""
    first, again, other = (long_run(50.0, seed=seed) for seed in (1, 1, 2))
    assert (first.questions, first.usd, first.events) == (again.questions, again.usd, again.events)
    assert first.usd != other.usd


def test_an_event_told_twice_ends_the_run() -> None:
    """A benchmark that does not notice a broken emulator measures nothing."""
    schedule = Schedule()
    slack = LocalSlack(now=schedule.now)
    app = App(schedule, slack, Core())
    told: list[Delivery] = []
    slack.state.deliver = told.append
    slack.user("U0PEER").post("C0GENERAL", "hello")
    app.deliver(told[0])
    with pytest.raises(WentWrong, match="once"):
        app.deliver(told[0])
