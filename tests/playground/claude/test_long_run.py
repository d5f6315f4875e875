"""More than a year of a team's questions against the core alone."""

from __future__ import annotations

import random

from forewarm_playground.claude import Config, Core
from forewarm_playground.claude.request_factory import body, sized, user

HOURS, QUESTIONS_A_DAY = 10_000, 30
SYSTEM = sized(150_000, ttl="1h")


def test_ten_thousand_hours_of_questions_with_a_warm_up_before_each() -> None:
    """The governor is judged on runs like this one: 12,500 questions and as many warm-ups on a
    150,000-token repository. Each question reads what its warm-up wrote or refreshed; the ledger
    is the sum of the log; nothing but the log grows with time."""
    core, chance = Core(Config(limits=None)), random.Random(1)
    at, questions = 0.0, HOURS // 24 * QUESTIONS_A_DAY + QUESTIONS_A_DAY * (HOURS % 24) // 24
    for number in range(questions):
        at += chance.expovariate(QUESTIONS_A_DAY / 86_400)
        warm = core.create(body(user("warm-up"), system=[SYSTEM], max_tokens=0), at)
        asked_at = at + warm.prefill + chance.uniform(0, 30)
        asked = core.create(body(user(f"Question {number}?"), system=[SYSTEM]), asked_at)
        assert asked.usage.read == 150_000
        assert warm.usage.read + warm.usage.write_1h == 150_000
        at = asked_at
    assert at > 0.95 * HOURS * 3_600
    assert len(core.ledger) == len(core.requests) == 2 * questions
    assert abs(core.ledger.usd - sum(record.usd for record in core.requests)) < 1e-6
    assert len(list(core.cache)) < 1_002
