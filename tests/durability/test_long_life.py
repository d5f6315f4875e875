"""Hours of traffic in one loop whose time leaps: pushes, deploys, socket refreshes, no leaks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

from forewarm_playground import virtual_time
from forewarm_playground.claude import Config, LocalClaude
from forewarm_playground.slack.local import LocalSlack

from benchmarks.made_repository import commit
from benchmarks.oracle import Exam, judge, reply, wording
from bot.app.bot import Bot
from bot.settings import Settings
from tests.running import local_settings

HOURS = float(os.environ.get("FOREWARM_TEST_HOURS", "0.25"))
POOLED = 12
"""Descriptors beyond those of the first moment: four readers of the database with two files each,
and both ends of two connections that are kept for the next request."""
CHANNEL, PERSON = "C0PAY", "U0P0"
SLACK: dict[str, Any] = {
    "users": ({"id": PERSON, "name": "one"},),
    "channels": ({"id": CHANNEL, "name": "pay", "members": (PERSON, "bot")},),
    "delivery": {"socket_life": 290.0},
}


def test_hours_of_traffic_lose_nothing_and_leak_nothing(tmp_path: Path) -> None:
    """A leak of one an hour stays unseen until the process dies of it."""
    virtual_time.run(live(tmp_path))


async def live(folder: Path) -> None:
    code = folder / "code"
    written(code, 0)
    async with AsyncExitStack() as stack:
        slack = LocalSlack(SLACK, now=virtual_time.now)
        await stack.enter_async_context(slack.serve())
        claude = LocalClaude(Config(limits=None), now=virtual_time.now)
        claude.rule(None, reply)
        settings = settings_of(folder, slack, await stack.enter_async_context(claude.serve()))
        exams: list[Exam] = []
        before = Held.now()
        bot, life = await begun(settings), [Held.now()]
        rounds = max(10, int(HOURS * 6))
        for number in range(1, rounds + 1):
            if number % 6 == 0:
                await bot.stop()
                await all_let_go(before)
                assert_steady(life)
                bot, life = await begun(settings), [Held.now()]
            if number % 3 == 0:
                written(code, number)
            ts = slack.user(PERSON).mention(CHANNEL, wording(number, 60, number % 4 == 0))
            exams.append(Exam(number, 60, False, CHANNEL, ts, ts, virtual_time.now()))
            await asyncio.sleep(HOURS * 3600 / rounds)
            life.append(Held.now())
        await bot.stop()
        await all_let_go(before)
        assert_steady(life)
        verdicts = [judge(one, slack.bot_messages(CHANNEL, one.thread)) for one in exams]
        assert verdicts == ["answered"] * len(exams)
        assert {d.outcome for d in slack.log.deliveries} <= {"acked"}


class Held(NamedTuple):
    """The system resources that a process holds."""

    tasks: int
    files: int
    threads: int

    @classmethod
    def now(cls) -> Held:
        # The event loop's own threads are few, and end with it.
        own = [one for one in threading.enumerate() if not one.name.startswith("asyncio_")]
        return cls(len(asyncio.all_tasks()), len(os.listdir("/dev/fd")), len(own))


async def all_let_go(before: Held) -> None:
    """Wait until a bot that has ended has left nothing behind; the other ends may take a moment."""
    for _ in range(100):
        if all(now <= then for now, then in zip(Held.now(), before, strict=True)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{before} before the start, {Held.now()} after the end")


def assert_steady(life: Sequence[Held]) -> None:
    """Nothing grows while a bot lives, but for the pools up to their bounds."""
    first = life[0]
    for later in life[1:]:
        assert later.tasks <= first.tasks + 3, life
        assert later.files <= first.files + POOLED, life
        assert later.threads <= first.threads + POOLED, life


async def begun(settings: Settings) -> Bot:
    bot = Bot(settings, now=virtual_time.now)
    await bot.start()
    async with asyncio.timeout(120):
        while await bot.missing():
            await asyncio.sleep(0.1)
    return bot


def written(code: Path, number: int) -> None:
    """Write a version of the repository and commit it."""
    lines = "".join(f"def step_{n}():\n    return {n + number}\n\n\n" for n in range(50))
    commit(code, {"pay.py": lines}, f"change {number}")


def settings_of(folder: Path, slack: LocalSlack, claude: str) -> Settings:
    contexts = folder / "contexts"
    contexts.mkdir()
    (contexts / "pay.toml").write_text(
        f'channels = ["{CHANNEL}"]\nmodel = "claude-sonnet-5-5"\n'
        f'[[repositories]]\nurl = "{folder / "code"}"\nname = "pay"\n'
        "[limits]\nuser_per_hour = 100000\nchannel_per_hour = 100000\n"
    )
    return Settings.model_construct(**local_settings(slack, claude, folder))
