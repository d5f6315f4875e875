"""The log of one working day of a team, in virtual time: what an operator reads.

The whole bot between a local Slack and a local Claude. Two channels ask, one often and one hardly
ever; a push comes, a context file is broken and mended, Claude fails for a while, a stranger
sends a push, a cap is reached. `python -m benchmarks day > day.log` takes a minute or two.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import aiohttp
import typer
from forewarm_playground import virtual_time
from forewarm_playground.claude import Config, LocalClaude
from forewarm_playground.slack.local import LocalSlack

from benchmarks.made_repository import commit
from benchmarks.overhead_bot import local_settings
from bot.app.bot import Bot
from bot.settings import Settings
from bot.telemetry.logs import configure

HOUR = 3_600.0
PAY, WEB = "C0PAY0", "C0WEB0"
ANN, BEN, GUEST = "U0ANN00", "U0BEN00", "U0GUEST0"
SLACK: dict[str, Any] = {
    "users": (
        {"id": ANN, "name": "ann"},
        {"id": BEN, "name": "ben"},
        {"id": GUEST, "name": "guest", "kind": "guest"},
    ),
    "channels": (
        {"id": PAY, "name": "pay", "members": (ANN, BEN, GUEST, "bot")},
        {"id": WEB, "name": "web", "members": (ANN, BEN, "bot")},
    ),
}
REPLY = "Retries are in `pay.py:3`: three, with a pause that doubles. See `pay.py:9` for the limit."


class Clocked:
    """A stream whose lines of JSON bear the virtual time."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            fields = json.loads(line)
        except ValueError:
            self._stream.write(line)
            return
        at = datetime.fromtimestamp(virtual_time.now(), UTC).strftime("%H:%M:%S")
        fields = {"at": at, **{k: v for k, v in fields.items() if k not in ("timestamp", "logger")}}
        self._stream.write(json.dumps(fields) + "\n")

    def flush(self) -> None:
        self._stream.flush()


def day(
    seed: Annotated[int, typer.Option(help="Where chance begins.")] = 1,
    hours: Annotated[float, typer.Option(min=1.0, help="Length of the day.")] = 9.0,
) -> None:
    """Print the log of one virtual working day."""
    with tempfile.TemporaryDirectory() as folder:
        virtual_time.run(_live(Path(folder), seed, hours))


async def _live(folder: Path, seed: int, hours: float) -> None:
    commit(folder / "pay", {"pay.py": "def retry(): ...\n" * 600})
    commit(folder / "web", {"web.py": "def page(): ...\n" * 900})
    _contexts(folder)
    async with AsyncExitStack() as stack:
        slack = LocalSlack(SLACK, now=virtual_time.now)
        await stack.enter_async_context(slack.serve())
        claude = LocalClaude(Config(limits=None), now=virtual_time.now)
        claude.rule(None, REPLY)
        settings = _settings(folder, slack, await stack.enter_async_context(claude.serve()))
        configure("INFO", Clocked(sys.stdout))  # type: ignore[arg-type]  # it writes and flushes
        bot = Bot(settings, now=virtual_time.now)
        await bot.start()
        team = _Team(folder, slack, claude, bot, random.Random(seed))  # noqa: S311 - no secret
        await asyncio.gather(team.talk(hours), team.troubles())
        await bot.stop()


class _Team:
    """People who ask, and what goes wrong around them."""

    def __init__(
        self, folder: Path, slack: LocalSlack, claude: LocalClaude, bot: Bot, chance: random.Random
    ) -> None:
        self._folder, self._slack, self._claude, self._bot = folder, slack, claude, bot
        self._chance = chance

    async def talk(self, hours: float) -> None:
        """Ask about pay six times an hour, in every way there is."""
        end = virtual_time.now() + hours * HOUR
        ann, ben = self._slack.user(ANN), self._slack.user(BEN)
        thread, number = "", 0
        while virtual_time.now() < end:
            number += 1
            match self._chance.choice(("mention", "mention", "reply", "dm", "draft")):
                case "reply" if thread:
                    ben.post(PAY, "and how often does it try?", thread)
                case "dm":
                    ben.open_dm()
                    await asyncio.sleep(5)
                    ben.dm("how does pay retry?")
                case "draft":
                    ann.type_draft(PAY, "https://github.com/acme/pay")
                    await asyncio.sleep(8)
                    thread = ann.mention(PAY, "what is retried?")
                case _:
                    thread = ann.mention(PAY, f"how does retry {number} work?")
            await asyncio.sleep(self._chance.expovariate(6 / HOUR))

    async def troubles(self) -> None:
        """Let one thing after another go wrong, at fixed times of the day."""
        ann, guest = self._slack.user(ANN), self._slack.user(GUEST)
        await asyncio.sleep(1.0 * HOUR)
        ann.mention(PAY, "help")
        guest.mention(PAY, "may I ask?")
        commit(self._folder / "pay", {"pay.py": "def retry(): ...\n" * 601})
        await asyncio.sleep(1.0 * HOUR)
        for _ in range(12):
            self._claude.fault("overloaded")
        ann.mention(PAY, "does it answer?")
        await asyncio.sleep(1.0 * HOUR)
        file = self._folder / "contexts" / "pay.toml"
        good = file.read_text()
        file.write_text(good + "modle = 1\n")
        await asyncio.sleep(600)
        file.write_text(good)
        await self._send_unsigned()
        await asyncio.sleep(0.5 * HOUR)
        self._claude.fault("error", status=401, type="authentication_error", message="bad key")
        ann.mention(PAY, "is the key good?")
        await asyncio.sleep(2.5 * HOUR)
        ann.mention(WEB, "how is a page made?")
        await asyncio.sleep(600)
        (self._folder / "web").rename(self._folder / "gone")
        await asyncio.sleep(0.5 * HOUR)

    async def _send_unsigned(self) -> None:
        url = f"http://127.0.0.1:{self._bot.web.port}/webhooks/github"
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={'0' * 64}"}
        async with aiohttp.ClientSession() as session:
            await session.post(url, data=b"{}", headers=headers)


def _contexts(folder: Path) -> None:
    (folder / "contexts").mkdir()
    for name, channel, rest in (
        ("pay", PAY, "[access]\nguests = false\n[limits]\nanswers_daily_usd = 1.5\n"),
        ("web", WEB, ""),
    ):
        (folder / "contexts" / f"{name}.toml").write_text(
            f'channels = ["{channel}"]\nmodel = "claude-sonnet-5-5"\n{rest}'
            f'[[repositories]]\nurl = "{folder / name}"\n'
        )


def _settings(folder: Path, slack: LocalSlack, claude: str) -> Settings:
    return local_settings(
        folder,
        {
            "slack_bot_token": slack.token,
            "slack_app_token": slack.app.app_token,
            "slack_api_url": slack.api_url,
            "anthropic_base_url": claude,
            "forewarm_provider": "anthropic",
            "forewarm_daily_limit_usd": 50.0,
            "forewarm_operators": ANN,
            "github_webhook_secret": "a long random text",
        },
    )
