"""Replicas together never spend more on warmth than the day's caps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.app.treasury import CappedWarmer
from bot.claude.errors import ClaudeError
from bot.claude.records import Label
from bot.claude.usage import Usage
from bot.claude.warmth import WarmResult
from bot.clock import system_now
from bot.store.store import Store
from bot.store.url import default_url
from tests.warm.conftest import prefix

ONE = 150_000 * 2.5 / 1e6
"""USD: a five-minute write of the prefix on Sonnet 5.5, its margin aside."""


class Claude:
    """Answers after others had their turn, at the price of a write, or fails."""

    def __init__(self) -> None:
        self.spent, self.sent, self.failing = 0.0, 0, False

    async def warm(self, prefix: Any, ttl: Any = "5m", **_: Any) -> WarmResult:
        self.sent += 1
        await asyncio.sleep(0.01)
        if self.failing:
            raise ClaudeError("overloaded")
        self.spent += ONE
        return WarmResult(Usage(), ONE, 1.0, 0.0, ttl, prefix.tokens, True, None, None)


async def replicas(store: Store, claude: Claude, daily: float, own: float) -> list[CappedWarmer]:
    made: Any = claude
    return [CappedWarmer(made, store.ledger, daily, lambda _: own) for _ in range(3)]


async def warm(warmer: CappedWarmer, context: str) -> str:
    label = Label(purpose="warm", context=context)
    try:
        await warmer.warm(prefix(context), "5m", label=label)
    except ClaudeError as error:
        return error.kind
    return "warm"


@pytest.mark.parametrize(
    ("daily", "own"), [(5 * ONE, 100.0), (100.0, 2.2 * ONE)], ids=["installation", "context"]
)
async def test_three_replicas_at_once_stay_within_the_cap(
    tmp_path: Path, daily: float, own: float
) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, daily, own)
    ends = await asyncio.gather(*(warm(w, f"c{n % 2}") for n in range(8) for w in warmers))
    assert "warm" in ends
    assert "rate_limited" in ends, "the cap was never reached: the test proves nothing"
    assert claude.spent <= min(daily, 2 * own)
    await store.close()


async def test_a_failed_warm_up_gives_its_money_back(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, 1.5 * ONE, 100.0)
    claude.failing = True
    assert [await warm(warmers[0], "c") for _ in range(4)] == ["overloaded"] * 4
    claude.failing = False
    assert await warm(warmers[1], "c") == "warm"
    assert await warm(warmers[2], "c") == "rate_limited"
    await store.close()


async def test_a_cancelled_warm_up_counts_at_its_most(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, 1.5 * ONE, 100.0)
    task = asyncio.create_task(warm(warmers[0], "c"))
    while not claude.sent:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await warm(warmers[1], "c") == "rate_limited"
    await store.close()
