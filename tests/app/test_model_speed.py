"""The speed of a model is measured on the bot's own requests, and replaces the guess."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bot.app.contexts.model_speed import KIND, ModelSpeeds, SpeedFit
from bot.claude.events import RequestEnded
from bot.claude.usage import Usage
from bot.context.sizing import LOCAL_SPEED, SizePolicy, Speed
from bot.store.store import Store
from bot.tasks import Tasks
from tests.app.test_file_uses import store as store
from tests.store.conftest import clock as clock

MODEL = "claude-sonnet-5-5"


def measured(true: Speed, guess: Speed, requests: int, seed: int = 1) -> Speed:
    """Return the fit to warm questions and some cold writes, with noise."""
    chance, fit = random.Random(seed), SpeedFit.empty()
    for number in range(requests):
        cold = number % 5 == 0
        prefix, rest = chance.uniform(30_000, 90_000), chance.uniform(200, 9_000)
        uncached, cached = (prefix, 0.0) if cold else (rest, prefix)
        wait = true.wait(cached, uncached) * chance.gauss(1.0, 0.1)
        fit = fit.with_wait(uncached, cached, wait)
    return fit.speed(guess)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("guess", [Speed(), LOCAL_SPEED])
def test_forty_requests_replace_the_guess(factor: float, guess: Speed) -> None:
    true = Speed(0.35 * factor, 0.1353e-3 * factor, 0.01047e-3 * factor)
    found = measured(true, guess, 40)
    for prefix, rest in ((40_000, 9_000), (80_000, 5_000), (0, 60_000)):
        assert found.wait(prefix, rest) == pytest.approx(true.wait(prefix, rest), rel=0.25)
    assert found.requests == 40


def test_without_requests_the_guess_stands() -> None:
    assert SpeedFit.empty().speed(Speed()) == Speed()
    assert SpeedFit.load(b"no fit").speed(LOCAL_SPEED) == LOCAL_SPEED


def test_a_change_of_speed_is_followed() -> None:
    fit = SpeedFit.empty()
    for _ in range(60):
        fit = fit.with_wait(5_000, 50_000, 1.5)
    for _ in range(150):
        fit = fit.with_wait(5_000, 50_000, 3.0)
    assert fit.speed(Speed()).wait(50_000, 5_000) == pytest.approx(3.0, rel=0.1)


def test_a_slower_prefill_chooses_another_pair() -> None:
    slow = measured(Speed(0.5, 0.4e-3, 0.03e-3), Speed(), 40)
    before = SizePolicy().choose(2_000_000)
    after = SizePolicy(slow).choose(2_000_000)
    assert after.budget_tokens < before.budget_tokens
    assert after.excerpt_tokens < before.excerpt_tokens
    crawling = measured(Speed(1.0, 2e-3, 1e-6), Speed(), 40)
    assert SizePolicy(crawling).choose(2_000_000).excerpt_tokens == 0


def record(**changed: Any) -> RequestEnded:
    facts: dict[str, Any] = {
        "at": 10.0,
        "request": "r",
        "purpose": "question",
        "prefix": "p",
        "fingerprint": "f",
        "context": "pay",
        "model": MODEL,
        "usage": Usage(input=3_000, cache_read=50_000),
        "usd": 0.0,
        "seconds": 6.0,
        "complete": True,
        "started_at": 0.0,
        "ttl": "5m",
    }
    return RequestEnded(**{**facts, **changed})


async def test_requests_are_kept_in_the_store_for_every_replica(store: Store) -> None:
    tasks = Tasks()
    first, second = ModelSpeeds(store.state, tasks), ModelSpeeds(store.state, tasks)
    assert await first.speed(MODEL) == Speed()
    for _ in range(20):
        first.observe(record())
        second.observe(record())
    first.observe(record(error="overloaded_error", seconds=90.0))
    first.observe(record(usage=Usage()))
    await tasks.drain()
    found = await second.speed(MODEL)
    assert found.wait(50_000, 3_000) == pytest.approx(6.0, rel=0.1)
    assert SpeedFit.load(await store.state.get(KIND, MODEL)).requests == 40
    assert await first.speed("another-model") == LOCAL_SPEED
