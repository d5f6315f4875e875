"""Bots killed with SIGKILL at random moments while Slack, model and database misbehave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bot.commands.chaos import Plan, chaos

if TYPE_CHECKING:
    from bot.commands.nursery import Nursery

KILLS = 20


async def test_one_process_on_sqlite_answers_every_question_once(
    tmp_path: Path, born: Nursery
) -> None:
    """The bar of the whole product: nothing lost, nothing twice, nothing half."""
    plan = Plan(seed=8, kills=KILLS, every=0.7, down=0.1)
    report = await chaos(plan, tmp_path, born=born)
    assert report.kills == KILLS
    assert report.questions > 0
    assert report.good, report.as_json()


async def test_three_replicas_on_postgresql_answer_every_question_once(
    tmp_path: Path, postgres_server: str, born: Nursery
) -> None:
    """Takeovers race for the same questions here, and the database's connections break."""
    plan = Plan(seed=9, kills=KILLS, replicas=3, server=postgres_server, every=0.6)
    report = await chaos(plan, tmp_path, born=born)
    assert report.kills == KILLS
    assert report.questions > 0
    assert report.good, report.as_json()
