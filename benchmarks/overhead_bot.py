"""The whole bot as the overhead benchmark runs it: events over HTTP, SQLite, a real repository."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.answer_rig import BOUNDLESS, LINE
from benchmarks.fake_services import CHANNEL, SECRET
from benchmarks.made_repository import commit
from bot.app.bot import Bot
from bot.claude.prefix import Prefix
from bot.settings import Settings

CONTEXT = """\
channels = ["{channel}"]
model = "claude-sonnet-5-5"
budget_tokens = {budget}
excerpt_tokens = {excerpts}

[[repositories]]
url = "{repository}"
ref = "main"

[limits]
answers_daily_usd = 1_000_000
user_per_hour = 1_000_000
channel_per_hour = 1_000_000
"""


@asynccontextmanager
async def running_bot(
    url: str, size: int, *, budget: int = 2_000_000, excerpts: int = 0
) -> AsyncIterator[tuple[str, Prefix]]:
    """Run the bot on a repository of about `size` bytes; yields its address and its prefix.

    `budget` and `excerpts` are the tokens of the prefix and of a question's excerpts.
    """
    with tempfile.TemporaryDirectory(prefix="forewarm-bench-") as folder:
        home = Path(folder)
        code(home / "code", size)
        (home / "contexts").mkdir()
        context = CONTEXT.format(
            channel=CHANNEL, repository=home / "code", budget=budget, excerpts=excerpts
        )
        (home / "contexts" / "bench.toml").write_text(context)
        bot = Bot(_settings(home, url), rates=BOUNDLESS)
        await bot.start()
        try:
            current = await bot.library.current("bench")
            await bot.excerpts._tasks.drain()
            yield f"http://127.0.0.1:{bot.web.port}/slack/events", current.prefix
        finally:
            await bot.stop()


def _settings(home: Path, url: str) -> Settings:
    return local_settings(
        home,
        {
            "slack_bot_token": "xoxb-bench",
            "slack_signing_secret": SECRET,
            "slack_api_url": f"{url}/api/",
            "anthropic_base_url": url,
            "forewarm_provider": "anthropic",
            "forewarm_answers_at_once": 1_000,
        },
    )


def local_settings(home: Path, more: Mapping[str, Any]) -> Settings:
    """Return settings for a bot whose files are under `home` and whose daily limit is no limit."""
    return Settings.model_validate(
        {
            "anthropic_api_key": "bench",
            "forewarm_host": "127.0.0.1",
            "port": 0,
            "forewarm_home": home / "home",
            "forewarm_contexts": home / "contexts",
            "forewarm_daily_limit_usd": 1e9,
            "forewarm_local_repositories": (home,),
            **more,
        }
    )


def code(folder: Path, size: int) -> None:
    """Commit about `size` bytes of made-up Python in a new repository."""
    each = 40_000
    files = {}
    for number in range(max(1, size // each)):
        lines = (LINE.format(n=number * each + n) for n in range(each // len(LINE)))
        files[f"module_{number}.py"] = "".join(lines)
    commit(folder, files, "Code")
