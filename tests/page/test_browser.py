"""A person at the page: the whole product in a real browser, with a real model behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground.model import LocalModel, LocalModelError, ModelOptions

from bot.commands.local.demo import LOCAL_NOTICE
from bot.commands.local.demo_stack import Demo, DemoConfig, running_demo

if TYPE_CHECKING:
    from tests.page.conftest import Browse

NO_LIMIT = 0
"""The page waits for its state, however long a prefill takes on a busy machine."""


@asynccontextmanager
async def playing(home: Path) -> AsyncIterator[Demo]:
    try:
        model = LocalModel(options=ModelOptions())
        await model.start()
    except LocalModelError as error:
        pytest.skip(f"there is no local model on this machine: {error.user_message}")
    try:
        config = DemoConfig(
            home=home,
            repository=str(Path(__file__).parents[2]),
            model=model.name,
            model_url=model.url,
            budget_tokens=1_000,
            include=("bot/clock.py", "bot/errors.py"),
            single_slot=True,
            notice=LOCAL_NOTICE,
            questions=("What does system_now return?",),
            max_wait=1.0,
        )
        async with running_demo(config) as demo:
            yield demo
    finally:
        await model.stop()


async def ended(page: Any, count: int) -> list[str]:
    """Wait until so many questions have ended; return what their cards say, newest first.

    Words, not seconds: two waits on a machine that other tests share cannot be compared.
    """
    await page.wait_for_function(
        "n => document.querySelectorAll('[data-question][data-stage=ended]').length >= n", arg=count
    )
    said: list[str] = await page.locator("[data-question][data-stage=ended]").all_inner_texts()
    return said


@pytest.mark.timeout(1800)
async def test_a_person_asks_at_once_then_warm_and_by_the_modal(
    browse: Browse, shots: Path, tmp_path: Path
) -> None:
    """The demo's promise to a user who has just cloned the repository.

    The first question joins the warm-up that began with the invitation; the next ones are warm.
    """
    async with playing(tmp_path) as demo, browse(demo.url, NO_LIMIT) as page:
        await page.locator("[data-prefix] .why", has_text="costs nothing").wait_for()
        await page.locator(".suggestions button").first.click()
        assert len(await ended(page, 1)) == 1

        await page.locator("[data-prefix][data-state=warm]").wait_for()
        await page.fill("#composer textarea", "@forewarm What is ForewarmError?")
        await page.keyboard.press("Enter")
        warm, *_ = await ended(page, 2)
        assert "warm: " in warm
        assert await page.locator("#replies [data-by=bot]").count() >= 1
        await page.screenshot(path=shots / "demo.png")

        await page.click("input[value=cold]")
        await page.fill("#composer textarea", "@forewarm What does system_now return?")
        await page.keyboard.press("Enter")
        forgotten, *_ = await ended(page, 3)
        assert "joined the warm-up: " in forgotten or "cold: " in forgotten

        await page.click("input[value=warm]")
        await page.click("#composer button:has-text('/ask')")
        await page.wait_for_selector("dialog textarea")
        await page.type("dialog textarea", "What is Now?", delay=60)
        await page.screenshot(path=shots / "demo-modal.png")
        await page.click("dialog button[type=submit]")
        assert len(await ended(page, 4)) == 4
        demo.slack.assert_quiet()
