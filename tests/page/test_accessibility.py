"""The page for every reader: axe-core, the keyboard, narrow screens, dark mode."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground.claude import Latency

from tests.page.test_surfaces import ANSWER, ask

if TYPE_CHECKING:
    from tests.page.conftest import Browse, Open

CONFORMANCE = Path(__file__).parents[1] / "conformance"
AXE = CONFORMANCE / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = [1280, 800, 390]
SLOW_START = Latency(base=4.0, per_uncached_token=0, per_cached_token=0, decode=400.0)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, installed by npm from the lock file of the Node tests."""
    npm = shutil.which("npm")
    if not AXE.exists():
        if npm is None:
            pytest.skip("axe-core was not run: npm is not on PATH")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=CONFORMANCE, check=True)
    return AXE.read_text("utf-8")


async def violations(page: Any, axe: str) -> list[str]:
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:160]} {json.dumps(node['any'][:1])[:300]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


@asynccontextmanager
async def answered(shop: Open, browse: Browse) -> AsyncIterator[Any]:
    """The page with one whole answer and its thread open."""
    async with shop() as running, browse(running.url) as page:
        running.claude.rule(None, ANSWER)
        await ask(page, "@forewarm Where are refunds retried?")
        await page.locator("#replies").get_by_text("Answer again").wait_for()
        yield page


async def fits(page: Any) -> bool:
    """Tell whether nothing stands beyond the right edge of the window."""
    return bool(
        await page.evaluate(
            "[...document.querySelectorAll('body > *')].every(e => {"
            " const box = e.getBoundingClientRect();"
            " return !box.width || (box.right <= innerWidth + 1 && box.left >= -1); })"
            " && document.documentElement.scrollWidth <= innerWidth"
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_a_thread_is_readable_at_every_width(
    shop: Open, browse: Browse, shots: Path, axe: str, width: int, scheme: str
) -> None:
    async with answered(shop, browse) as page:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 800})
        assert await fits(page)
        assert await violations(page, axe) == []
        await page.screenshot(path=shots / f"thread-{width}-{scheme}.png")
        reply = page.locator("#replies [data-by=bot]")
        assert await reply.is_visible()
        if width > 720:
            assert await page.locator("#panel").is_visible()
            return
        for view in ("channels", "panel", "chat"):
            await page.click(f"#views [data-view={view}]")
            assert await fits(page)
            assert await violations(page, axe) == []
            await page.screenshot(path=shots / f"{view}-{width}-{scheme}.png")
        await page.click("#close-thread")
        assert await page.locator("#composer").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_surface_passes_axe(
    shop: Open, browse: Browse, shots: Path, axe: str, scheme: str
) -> None:
    """Channel, direct message, Home tab, modal: with the colours of both schemes."""
    async with answered(shop, browse) as page:
        await page.emulate_media(color_scheme=scheme)
        await page.click("#close-thread")
        assert await violations(page, axe) == []
        await page.locator("#title").get_by_role("button", name="Ask the codebase").click()
        await page.wait_for_selector("dialog textarea")
        assert await violations(page, axe) == []
        await page.screenshot(path=shots / f"modal-{scheme}.png")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="hidden")
        await page.click("[data-channel^=D]")
        await page.locator("#prompts button").first.wait_for()
        assert await violations(page, axe) == []
        await page.click("[data-tab=home]")
        await page.locator("#home").get_by_text("What you can ask about").wait_for()
        assert await violations(page, axe) == []
        await page.screenshot(path=shots / f"home-{scheme}.png")


async def test_message_actions_are_reached_by_keyboard(shop: Open, browse: Browse) -> None:
    async with answered(shop, browse) as page:
        await page.click("#close-thread")
        told = page.locator("#messages article", has_text="Where are refunds retried?").first
        actions = told.locator(".actions")
        await page.mouse.move(0, 0)
        await page.locator("#composer textarea").focus()
        assert await actions.evaluate("e => getComputedStyle(e).opacity") == "0"
        await told.get_by_role("button", name="React").focus()
        assert await actions.evaluate("e => getComputedStyle(e).opacity") == "1"
        await page.keyboard.press("Enter")
        await told.get_by_text(":eyes:").wait_for()
        # The message was drawn anew: the focus is still on the same action.
        assert await page.evaluate("document.activeElement.textContent") == "React"
        names = await page.evaluate(
            "[...document.querySelectorAll('button')].filter(b => b.checkVisibility())"
            ".map(b => b.getAttribute('aria-label') || b.textContent.trim())"
        )
        assert all(any(c.isalnum() for c in name) for name in names), names


async def test_the_thread_closes_by_escape_and_returns_the_focus(
    shop: Open, browse: Browse
) -> None:
    async with answered(shop, browse) as page:
        await page.locator("#thread-composer textarea").focus()
        await page.keyboard.press("Escape")
        assert not await page.locator("#thread").is_visible()
        assert await page.evaluate("document.activeElement.className") == "replies"


async def test_a_waiting_question_counts_its_seconds(shop: Open, browse: Browse) -> None:
    """A wait without a number looks like a fault."""
    async with shop(latency=SLOW_START) as running, browse(running.url) as page:
        running.claude.rule(None, "An hour later.")
        await ask(page, "@forewarm When?")
        await page.locator("#status", has_text=re.compile(r"[2-9] s\s*$")).wait_for()
        card = page.locator("#waits [data-question] .pill")
        assert (await card.inner_text()).endswith(" s")
        await page.locator("#replies").get_by_text("Answer again").wait_for()
