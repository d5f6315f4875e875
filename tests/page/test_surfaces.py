"""Every surface of the bot, clicked through on the page as a user in Slack would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forewarm_playground.claude import Latency, ToolUse

from bot.clock import system_now
from tests.page.past import write_past

if TYPE_CHECKING:
    from tests.page.conftest import Browse, Open

SLOW = Latency(base=0.1, per_uncached_token=0, per_cached_token=0, decode=30.0, chunk=2)
ANSWER = """Refunds are retried **an hour later**, at most five times, in `refunds.py:4-7`:

```python
def retry(refund):
    if refund.tries < 5:
        refund.schedule(RETRY_AFTER)
```

| what | where |
|---|---|
| the pause | `refunds.py:1` |
| the limit | `refunds.py:6` |

1. `schedule` puts it into the queue.
2. A worker takes it from there:
   - at once, if it is due;
   - else later.

See `nowhere.py:12`, too."""


async def ask(page: Any, text: str) -> None:
    await page.fill("#composer textarea", text)
    await page.keyboard.press("Enter")


async def test_an_answer_shows_its_links_and_receipt_and_takes_an_opinion(
    shop: Open, browse: Browse, shots: Path
) -> None:
    """People can judge an answer only by the text under it."""
    async with shop() as running, browse(running.url) as page:
        running.claude.rule(None, ANSWER)
        answer = page.locator("#replies [data-by=bot]")
        # A file that is cited for the first time may come too late on a machine this busy.
        for _ in range(2):
            await ask(page, "@forewarm Where are refunds retried?")
            await answer.get_by_text("Answer again").wait_for()
            await page.click("#close-thread")
        await page.locator("#messages .replies").nth(1).click()
        await answer.get_by_text("Answer again").wait_for()
        assert (await answer.inner_text()).count("Refunds are retried") == 1
        assert await answer.locator("pre").count() == 1
        assert await answer.locator("ol ul li").count() == 2
        links = answer.locator("a[href*='/blob/']")
        assert await links.all_inner_texts() == ["refunds.py:4-7", "refunds.py:1", "refunds.py:6"]
        receipt = await answer.locator(".context-block").inner_text()
        for fact in ("payments@", "to the first words", "$", "3 citations checked", "1 not found"):
            assert fact in receipt
        assert await page.locator("#messages .replies").all_inner_texts() == ["1 reply"] * 2
        await page.screenshot(path=shots / "answer.png")

        await answer.get_by_text("Bad answer").click()
        await page.fill("dialog textarea", "the wrong file")
        await page.screenshot(path=shots / "feedback.png")
        await page.click("dialog button[type=submit]")
        await page.wait_for_selector("dialog", state="hidden")
        # Pressed it stays, however often the thread is drawn anew.
        await page.click("#close-thread")
        await page.locator("#messages .replies").last.click()
        assert await answer.locator("button.chosen").inner_text() == "Bad answer"
        figures = running.bot.live.figures.summary(system_now())
        assert (figures.up, figures.down) == (0, 1)
        kept = await running.opinion()
        assert (kept.value, kept.comment) == ("down", "the wrong file")


async def test_a_running_answer_shows_its_look_ups_and_can_be_stopped_and_had_again(
    shop: Open, browse: Browse, shots: Path
) -> None:
    """An answer that goes the wrong way costs time and money until a user stops it."""
    async with shop(latency=SLOW) as running, browse(running.url) as page:
        look = ToolUse("read", {"path": "refunds.py", "start": 1, "end": 7})
        running.claude.script([look], " ".join(f"word{n}" for n in range(400)), "A short one.")
        await ask(page, "@forewarm Tell me everything")
        answer = page.locator("#replies [data-by=bot]")
        await answer.get_by_text("word9").wait_for()
        assert "refunds.py" in await answer.locator(".task").inner_text()
        await page.screenshot(path=shots / "running.png")
        await page.click("#stop")
        await answer.get_by_text("Stopped at your request").wait_for()
        assert "word399" not in await answer.inner_text()

        await answer.get_by_text("Answer again").click()
        await answer.get_by_text("A short one.").wait_for()
        assert await answer.count() == 1
        assert "word9" not in await answer.inner_text()


async def test_the_home_tab_and_its_charts_tell_an_operator_the_month(
    shop: Open, browse: Browse, shots: Path, tmp_path: Path
) -> None:
    """Those who pay see costs and savings in Slack."""
    written = await write_past(tmp_path / "home", "payments")
    async with shop() as running, browse(running.url) as page:
        running.claude.rule(None, "An hour later.")
        await ask(page, "@forewarm When?")
        await page.get_by_text("Answer again").wait_for()
        await page.click("[data-channel^=D]")
        await page.click("[data-tab=home]")
        home = page.locator("#home")
        await home.get_by_text("What you can ask about").wait_for()
        await home.get_by_role("button", name="Refresh").click()
        await home.get_by_text(f"{written + 1} answers").or_(home.locator("pre")).first.wait_for()
        shown = await home.inner_text()
        for part in ("payments@", "warm for", "Money", "this month", "p95", "Warm-ups"):
            assert part in shown
        days = (await home.locator("pre").inner_text()).splitlines()
        assert len(days) == 2 + written
        await page.screenshot(path=shots / "home.png")

        await home.get_by_role("button", name="Send me the charts").click()
        await page.click("[data-tab=messages]")
        charts = page.locator(".visualization")
        await charts.nth(1).wait_for()
        assert await charts.count() == 2
        # The bars of a day that cost nothing are there as well, without height.
        assert await charts.first.locator("rect").count() == 2 * (written + 1)
        await page.screenshot(path=shots / "charts.png")


async def test_a_user_who_is_no_operator_sees_no_money(shop: Open, browse: Browse) -> None:
    """Only operators see the bot's costs."""
    async with shop() as running, browse(f"{running.url}/?user=U0MATE") as page:
        await page.click("[data-channel^=D]")
        await page.click("[data-tab=home]")
        await page.locator("#home").get_by_text("What you can ask about").wait_for()
        assert "$" not in await page.locator("#home").inner_text()


async def test_a_codebase_is_attached_set_and_detached_by_its_forms(
    shop: Open, browse: Browse, shots: Path
) -> None:
    """A channel is answered without an operator, a file or a restart."""
    async with shop() as running, browse(running.url) as page:
        running.claude.rule(None, "It shows things: `front.py:1`.")
        dialog = page.locator("dialog")
        await page.click("[data-channel=C0WEB]")
        await ask(page, "/codebase")
        await dialog.get_by_text("This channel has no codebase yet").wait_for()
        await dialog.get_by_role("button", name="Attach a repository").click()
        await page.fill("dialog input[name=url]", "https://evil.example/acme/front")
        await dialog.get_by_role("button", name="Preview").click()
        await dialog.get_by_text("Nothing was changed").wait_for()
        await page.screenshot(path=shots / "codebase-refused.png")
        await dialog.get_by_role("button", name="Close").click()

        await dialog.get_by_role("button", name="Attach a repository").click()
        await page.fill("dialog input[name=url]", running.front)
        await page.fill("dialog textarea[name=exclude]", "README.md")
        await dialog.get_by_role("button", name="Preview").click()
        await dialog.get_by_text("One day kept warm costs about").wait_for()
        assert "from 1 file" in await dialog.inner_text()
        await page.screenshot(path=shots / "codebase-preview.png")
        await dialog.get_by_role("button", name="Save").click()
        await dialog.get_by_text("Saved.").wait_for()
        await close_all(page)

        await ask(page, "@forewarm What does it show?")
        await page.locator("#replies").get_by_text("Answer again").wait_for()
        assert "front@" in await page.locator("#replies .context-block").inner_text()

        await ask(page, "/codebase")
        await dialog.get_by_role("button", name="Change settings").click()
        await page.fill("dialog textarea[name=instructions]", "Be brief.")
        await page.screenshot(path=shots / "codebase-settings.png")
        await dialog.get_by_role("button", name="Preview").click()
        await dialog.get_by_text("Changes: instructions").wait_for()
        await dialog.get_by_role("button", name="Save").click()
        await dialog.get_by_text("Saved.").wait_for()
        await close_all(page)

        await ask(page, "/codebase")
        await dialog.get_by_text("Be brief.").wait_for()
        await page.screenshot(path=shots / "codebase.png")
        await dialog.locator("select").select_option(label="Detach…")
        await dialog.get_by_text("the codebase is removed").wait_for()
        await dialog.get_by_role("button", name="Save").click()
        await dialog.get_by_text("Saved.").wait_for()
        await close_all(page)
        assert running.bot.library.for_channel("C0WEB") is None

        await page.click("[data-channel=C0PAYMENTS]")
        await ask(page, "/codebase")
        await dialog.get_by_role("button", name="Change settings").click()
        await dialog.get_by_text("Set in a file, and changed there").wait_for()
        assert await dialog.locator("input[name=budget_tokens]").input_value() == ""
        await page.screenshot(path=shots / "codebase-settings-of-a-file.png")


async def close_all(page: Any) -> None:
    """Close the dialogs that stand behind one another."""
    while await page.locator("dialog").is_visible():
        shown = await page.locator("dialog form").get_attribute("data-view")
        await page.locator("dialog footer button").first.click()
        await page.wait_for_function(
            "v => document.querySelector('dialog:not([open])') ||"
            " document.querySelector('dialog form')?.dataset.view !== v",
            arg=shown,
        )


async def test_the_ask_form_the_shortcut_and_a_prompt_are_answered(
    shop: Open, browse: Browse, shots: Path
) -> None:
    """Three ways to ask that need no mention."""
    async with shop() as running, browse(running.url) as page:
        running.claude.rule(None, "An hour later.")
        dialog = page.locator("dialog")
        await page.locator("#title").get_by_role("button", name="Ask the codebase").click()
        await page.type("dialog textarea", "When are refunds retried?", delay=20)
        await page.screenshot(path=shots / "ask.png")
        await dialog.get_by_role("button", name="Ask").click()
        await page.wait_for_selector("dialog", state="hidden")

        await ask(page, "What does StopIteration mean here?")
        told = page.locator("#messages article", has_text="StopIteration").first
        await told.hover()
        await told.get_by_role("button", name="Explain this").click()
        await dialog.get_by_role("button", name="Ask").click()
        await page.wait_for_selector("dialog", state="hidden")
        await told.get_by_text("1 reply").click()
        await page.locator("#replies").get_by_text("An hour later.").wait_for()

        await page.click("[data-channel^=D]")
        await page.locator("#prompts").get_by_text("How is a refund tested?").click()
        await page.locator("#messages").get_by_text("How is a refund tested?").wait_for()
        await page.locator("#replies").get_by_text("An hour later.").wait_for()
        await page.screenshot(path=shots / "prompts.png")
        asked = [str(body["messages"][-1]) for body in running.asked()]
        for words in ("When are refunds retried?", "StopIteration", "How is a refund tested?"):
            assert any(words in text for text in asked)
