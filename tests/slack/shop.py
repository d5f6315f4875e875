"""A shop: the whole bot between a local Slack and a local Claude, over real sockets.

One channel has a codebase from a file, another has none yet; a git host serves what may be
attached from inside Slack.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.slack.local import LocalSlack
from forewarm_playground.slack.models import Message
from pydantic import SecretStr

from benchmarks.made_repository import commit
from bot.answer.feedback import Opinion
from bot.app.bot import Bot
from bot.commands.local.demo_stack import free_port
from bot.settings import Settings
from bot.slack.manifest import Features, manifest
from tests.running import Running, local_settings
from tests.slack import githost

QUICK = Latency(base=0.01, per_uncached_token=0.00001, per_cached_token=0, decode=2000.0)
CHANNEL, EMPTY = "C0PAYMENTS", "C0WEB"
YOU, MATE, GUEST = "U0YOU", "U0MATE", "U0GUEST"
STATE_TOKEN = "state-token"
PAYMENTS = {
    "README.md": "# Payments\n\nTakes money, and gives it back.\n",
    "refunds.py": (
        "RETRY_AFTER = 3600\n\n\n"
        "def retry(refund):\n"
        '    """Try a refund again after an hour, five times at most."""\n'
        "    if refund.tries < 5:\n"
        "        refund.schedule(RETRY_AFTER)\n"
    )
    + "".join(f"\n\ndef step_{n}(refund):\n    return refund.steps[{n}]\n" for n in range(200)),
}
FRONT = {"README.md": "# Front\n\nShows things.\n", "front.py": "def show(thing):\n    ...\n"}


@dataclass
class Shop(Running):
    """A running bot and its neighbours."""

    url: str
    front: str
    """The address of a repository that may be attached."""

    async def answer(self, channel: str, thread: str) -> Message:
        """Wait for a whole answer in a thread; return its last message."""
        return (await self.whole(channel, thread))[-1]

    async def opinion(self) -> Opinion:
        """Wait for an opinion that has its comment: it is kept after the form has closed."""
        async with asyncio.timeout(20):
            while True:
                kept = await self.bot.store.feedback.since(0.0)
                if kept and kept[0].comment:
                    return kept[0]
                await asyncio.sleep(0.02)

    def warmed(self) -> list[Any]:
        """Return the bodies of the warm-ups, in order."""
        sent = [r.body for r in self.claude.requests if r.path == "/v1/messages"]
        return [body for body in sent if body["max_tokens"] == 0]

    def asked(self) -> list[Any]:
        """Return the bodies of the questions that reached the model, in their order."""
        return [
            request.body
            for request in self.claude.requests
            if request.path == "/v1/messages" and request.body.get("stream")
        ]


def _nothing(url: str) -> Callable[[web.Application], None] | None:
    return None


@asynccontextmanager
async def open_shop(
    folder: Path,
    transport: str = "sockets",
    *,
    latency: Latency = QUICK,
    keys: str = "",
    tables: str = "",
    mount: Callable[[str], Callable[[web.Application], None] | None] = _nothing,
    **settings: Any,
) -> AsyncIterator[Shop]:
    """Open a shop under `folder`; `keys` and `tables` are added to the context's file.

    `mount` is given the bot's address and returns what adds routes to the local Slack's server.
    """
    commit(folder / "payments", PAYMENTS, "begin")
    commit(folder / "host" / "acme" / "front", FRONT, "begin")
    _write_context(folder / "contexts", folder / "payments", keys, tables)
    port = free_port()
    bot_url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        made = githost.certificate(folder)
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("GIT_SSL_CAINFO", str(made))
        environment.setenv("no_proxy", "localhost,127.0.0.1")
        host = await stack.enter_async_context(githost.git_host(folder / "host", made))
        slack = LocalSlack(people_and_channels())
        url = await stack.enter_async_context(slack.serve(mount=mount(bot_url)))
        claude = LocalClaude(Config(latency=latency))
        model = await stack.enter_async_context(claude.serve())
        values = _settings(slack, model, folder, port) | {"repository_hosts": (host,)} | settings
        if transport == "http":
            values["slack_app_token"] = None
            slack.point_at(f"{bot_url}/slack/events")
        bot = Bot(Settings.model_construct(**values))
        await bot.start()
        stack.push_async_callback(bot.stop)
        shop = Shop(slack, claude, bot, url, f"https://{host}/acme/front")
        await shop.ready()
        yield shop
        # A ping or an unfurl anywhere fails the test.
        slack.assert_quiet()


def people_and_channels() -> dict[str, Any]:
    """Return a Slack in which the app was made from the manifest that the bot prints."""
    inside = (YOU, MATE, GUEST, "bot")
    return {
        "app": {"manifest": manifest(Features()), "name": "forewarm"},
        "users": (
            {"id": YOU, "name": "you", "real_name": "You", "admin": True},
            {"id": MATE, "name": "mate", "real_name": "A Teammate"},
            {"id": GUEST, "name": "guest", "real_name": "A Guest", "kind": "guest"},
        ),
        "channels": (
            {"id": CHANNEL, "name": "payments", "topic": "money in and out", "members": inside},
            {"id": EMPTY, "name": "web", "topic": "the shop's front", "members": inside},
        ),
        "limits": {"rates": False},
    }


def _write_context(folder: Path, code: Path, keys: str, tables: str) -> None:
    folder.mkdir()
    (folder / "payments.toml").write_text(
        f'channels = ["{CHANNEL}"]\nmodel = "claude-sonnet-5-5"\n'
        'prompts = ["Where are refunds retried?", "How is a refund tested?"]\n'
        f'{keys}\n[[repositories]]\nurl = "{code}"\nname = "payments"\n'
        'web = "https://git.example.com/payments/blob/{sha}/{path}#L{start}-L{end}"\n' + tables
    )


def _settings(slack: LocalSlack, model: str, folder: Path, port: int) -> dict[str, Any]:
    return local_settings(slack, model, folder) | {
        "slack_signing_secret": SecretStr(slack.app.signing_secret),
        "port": port,
        "state_token": SecretStr(STATE_TOKEN),
        "sync_seconds": 3600.0,
    }
