"""Hours of traffic in one loop whose time leaps: pushes, deploys, socket refreshes, no leaks."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.app.bot import Bot
from bot.commands.exam import Exam, judge, reply, wording
from bot.playground import leaping
from bot.playground.claude import Config, LocalClaude
from bot.playground.slack.local import LocalSlack
from bot.settings import Settings

HOURS = float(os.environ.get("FOREWARM_TEST_HOURS", "0.25"))
CHANNEL, PERSON = "C0PAY", "U0P0"
SLACK: dict[str, Any] = {
    "users": ({"id": PERSON, "name": "one"},),
    "channels": ({"id": CHANNEL, "name": "pay", "members": (PERSON, "bot")},),
    "delivery": {"socket_life": 290.0},
}


def test_hours_of_traffic_lose_nothing_and_leak_nothing(tmp_path: Path) -> None:
    """What grows by one an hour is found by nobody until the process dies of it."""
    leaping.run(live(tmp_path))


async def live(folder: Path) -> None:
    code = folder / "code"
    written(code, 0)
    async with AsyncExitStack() as stack:
        slack = LocalSlack(SLACK, now=leaping.now)
        await stack.enter_async_context(slack.serve())
        claude = LocalClaude(Config(limits=None), now=leaping.now)
        claude.rule(None, reply)
        settings = settings_of(folder, slack, await stack.enter_async_context(claude.serve()))
        exams: list[Exam] = []
        sizes: list[tuple[int, int]] = []
        bot = await begun(settings)
        rounds = max(10, int(HOURS * 6))
        for number in range(1, rounds + 1):
            if number % 6 == 0:
                await bot.stop()
                bot = await begun(settings)
            if number % 3 == 0:
                written(code, number)
            ts = slack.user(PERSON).mention(CHANNEL, wording(number, 60, number % 4 == 0))
            exams.append(Exam(number, 60, False, CHANNEL, ts, ts, leaping.now()))
            await asyncio.sleep(HOURS * 3600 / rounds)
            sizes.append((len(asyncio.all_tasks()), len(os.listdir("/dev/fd"))))
        await bot.stop()
        verdicts = [judge(one, slack.bot_messages(CHANNEL, one.thread)) for one in exams]
        assert verdicts == ["answered"] * len(exams)
        assert {d.outcome for d in slack.log.deliveries} <= {"acked"}
        early, late = sizes[2], sizes[-1]
        assert late[0] <= early[0] + 3, sizes
        assert late[1] <= early[1] + 3, sizes


async def begun(settings: Settings) -> Bot:
    bot = Bot(settings, now=leaping.now)
    await bot.start()
    async with asyncio.timeout(120):
        while await bot.missing():
            await asyncio.sleep(0.1)
    return bot


def written(code: Path, number: int) -> None:
    """Write a version of the repository and commit it."""

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=T", "-c", "user.email=t@example.com")
        subprocess.run(["git", *identity, *arguments], cwd=code, check=True, capture_output=True)

    if not code.exists():
        code.mkdir(parents=True)
        git("init", "-q", "-b", "main")
    lines = "".join(f"def step_{n}():\n    return {n + number}\n\n\n" for n in range(50))
    (code / "pay.py").write_text(lines)
    git("add", "-A")
    git("commit", "-q", "-m", f"change {number}")


def settings_of(folder: Path, slack: LocalSlack, claude: str) -> Settings:
    contexts = folder / "contexts"
    contexts.mkdir()
    (contexts / "pay.toml").write_text(
        f'channels = ["{CHANNEL}"]\nmodel = "claude-sonnet-5-5"\n'
        f'[[repositories]]\nurl = "{folder / "code"}"\nname = "pay"\n'
        "[limits]\nuser_per_hour = 100000\nchannel_per_hour = 100000\n"
    )
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    return Settings.model_construct(
        **{
            **defaults,
            "slack_bot_token": SecretStr(slack.token),
            "slack_app_token": SecretStr(slack.app.app_token),
            "slack_api_url": slack.api_url,
            "anthropic_api_key": SecretStr("sk-ant-local"),
            "anthropic_base_url": claude,
            "port": 0,
            "host": "127.0.0.1",
            "home": folder / "home",
            "contexts": contexts,
            "local_repositories": (folder,),
        }
    )
