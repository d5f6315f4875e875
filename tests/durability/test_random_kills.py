"""Bots killed with SIGKILL at random moments while Slack, model and database misbehave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.chaos import Plan, Report, chaos

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer

KILLS = 20
BRISK: dict[str, Any] = {
    "kills": KILLS,
    "every": 0.2,
    "down": 0.02,
    "retries": 0.02,
    "most": 24,
    "settle": 480.0,
}
"""A short run; `python -m benchmarks chaos` takes its time, and 200 and 500 kills."""


LONG = pytest.mark.timeout(900)
"""Longer than the kills and `settle` together: a hang ends in a report of what is unfinished."""


def assert_survived(report: Report) -> None:
    told = json.dumps(report.as_json(), indent=1)
    assert report.kills == KILLS
    assert report.questions > KILLS / 2, told
    assert report.takeovers, told
    if not report.good:
        # `assert` would cut the report before it names what is wrong.
        pytest.fail(told)


@LONG
async def test_one_process_on_sqlite_answers_every_question_once(
    tmp_path: Path, fork_server: ForkServer
) -> None:
    """The bar of the whole product: nothing lost, nothing twice, nothing half."""
    plan = Plan(seed=8, asks=1.5, **BRISK)
    assert_survived(await chaos(plan, tmp_path, fork_server=fork_server))


@LONG
async def test_three_replicas_on_postgresql_answer_every_question_once(
    tmp_path: Path, postgres_server: str, fork_server: ForkServer
) -> None:
    """Takeovers race for the same questions here, and the database's connections break.

    Events come over HTTP by way of a load balancer, as they should where there are replicas.
    """
    plan = Plan(
        seed=9, asks=2.0, troubles=1.0, replicas=3, server=postgres_server, http=True, **BRISK
    )
    assert_survived(await chaos(plan, tmp_path, fork_server=fork_server))
