"""The wait of a user whose draft was answered before Enter: the whole bot, a slow model.

The wait runs from the press of the form's button to the answer's first words in Slack, by one
clock, as the person sees it: delivery, posting of the question and painting are in it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.slack.local import LocalSlack
from forewarm_playground.slack.person import Person

from benchmarks.answer_rig import BOUNDLESS
from benchmarks.overhead_bot import code, local_settings
from bot.app.bot import Bot
from bot.settings import Settings

MODEL_SECONDS = 2.0
PAUSE_SECONDS = 2.0
KEY_SECONDS = 0.05
CHANNEL, ASKER, WORDS = "C0BENCH", "U0ASKER", "It multiplies."
CONTEXT = """\
channels = ["{channel}"]
model = "claude-sonnet-5-5"
answer_drafts = true

[[repositories]]
url = "{repository}"

[limits]
user_per_hour = 1_000_000

[warm]
wait_cost_per_hour = 1_000_000
"""
"""Waiting is dear here, so that each draft is worth its money; whether it is, is not measured."""


async def draft_waits(times: int, size: int) -> list[float]:
    """Return the seconds that each of `times` people waits for the first words."""
    async with _product(size) as (slack, bot):
        person = slack.user(ASKER)
        waits = []
        for number in range(times):
            waits.append(await _wait(slack, person, bot, number))
        return waits


async def _wait(slack: LocalSlack, person: Person, bot: Bot, number: int) -> float:
    """Type a question, pause, press the button; return the seconds until the first words."""
    view = await person.open_modal(CHANNEL, "/ask")
    await slack.until(lambda: "submit" in view.content, "the form")
    await _warm(bot)
    await person.type(f"what does function_{number} return?", per_key=KEY_SECONDS)
    await person.pause(PAUSE_SECONDS)
    pressed = time.monotonic()
    await person.submit()
    await slack.until(lambda: _answers(slack) > number, "the first words")
    waited = time.monotonic() - pressed
    await slack.until(lambda: _ended(slack) > number, "the end of the answer")
    return waited


async def _warm(bot: Bot) -> None:
    """Wait until the journal tells of the warm-up that the opened form has begun."""
    with bot.live.tap() as moved:
        while not any(
            p["state"] == "warm" for p in bot.live.state.view(bot.now())["prefixes"].values()
        ):
            await moved.wait()
            moved.clear()


def _answers(slack: LocalSlack) -> int:
    return sum(message.text.startswith("It") for message in slack.bot_messages(CHANNEL))


def _ended(slack: LocalSlack) -> int:
    return sum("Answer again" in str(m.blocks) for m in slack.bot_messages(CHANNEL))


@asynccontextmanager
async def _product(size: int) -> AsyncIterator[tuple[LocalSlack, Bot]]:
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forewarm-bench-")))
        code(home / "code", size)
        (home / "contexts").mkdir()
        context = CONTEXT.format(channel=CHANNEL, repository=home / "code")
        (home / "contexts" / "bench.toml").write_text(context)
        slack = LocalSlack(
            {
                "app": {"commands": ("/ask",)},
                "users": ({"id": ASKER, "name": "asker"},),
                "channels": ({"id": CHANNEL, "name": "bench", "members": (ASKER, "bot")},),
                "limits": {"rates": False},
            }
        )
        await stack.enter_async_context(slack.serve())
        slow = Latency(base=MODEL_SECONDS, per_uncached_token=0, per_cached_token=0, decode=50.0)
        claude = LocalClaude(Config(latency=slow))
        claude.rule(None, WORDS)
        url = await stack.enter_async_context(claude.serve())
        bot = Bot(_settings(home, slack, url), rates=BOUNDLESS)
        await bot.start()
        stack.push_async_callback(bot.stop)
        await bot.library.current("bench")
        yield slack, bot


def _settings(home: Path, slack: LocalSlack, url: str) -> Settings:
    return local_settings(
        home,
        {
            "slack_bot_token": slack.token,
            "slack_app_token": slack.app.app_token,
            "slack_api_url": slack.api_url,
            "anthropic_base_url": url,
            "forewarm_provider": "anthropic",
            "forewarm_warm_daily_limit_usd": 1e9,
        },
    )
