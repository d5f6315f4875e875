"""A real browser, and a shop: the whole bot behind the page, with a Claude that answers at once."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from forewarm_playground.claude import Latency
from forewarm_playground.page.routes import Introduction, Page

from tests.slack.shop import STATE_TOKEN, open_shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PATIENCE = 60_000
"""Milliseconds for which a page's change is waited for."""
READABLE = Latency(base=0.15, per_uncached_token=0.0002, per_cached_token=0, decode=400.0)


@pytest.fixture
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine, so no browser test was run")
    return CHROMIUM


Browse = Callable[..., Any]


@pytest.fixture
def browse(chromium: str) -> Browse:
    """Return what opens the page as a person: `async with browse(url) as page`."""

    @asynccontextmanager
    async def opened(url: str, patience: int = PATIENCE) -> AsyncIterator[Any]:
        from playwright.async_api import async_playwright

        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = await browser.new_page(viewport={"width": 1440, "height": 860})
            page.set_default_timeout(patience)
            broken: list[str] = []
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.on("console", lambda m: broken.append(m.text) if m.type == "error" else None)
            await page.goto(url)
            await page.wait_for_selector("#channels button")
            yield page
            assert broken == []
            await browser.close()

    return opened


@pytest.fixture
def shots() -> Path:
    """The folder of screenshots: `build/screenshots`."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    return SHOTS


Open = Callable[..., Any]


@pytest.fixture
def shop(tmp_path: Path) -> Open:
    """Return what opens a shop: `async with shop(transport="http") as running`."""

    def mount(bot_url: str) -> Callable[[web.Application], None]:
        return Page(bot_url, STATE_TOKEN, Introduction("A scripted model answers here.")).mount

    return partial(open_shop, tmp_path, latency=READABLE, mount=mount)
