"""The whole bot between a local Slack and a local Claude, over real sockets, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.slack.local import LocalSlack
from pydantic import SecretStr

from benchmarks.made_repository import commit
from bot.app.bot import Bot
from bot.settings import Settings
from tests.running import Running, local_settings

CHANNEL = "C0PAY"
BARE = "C0BARE"
QUICK = Latency(base=0.01, per_uncached_token=0.0001, per_cached_token=0.00001, decode=2000.0)
SLACK: dict[str, Any] = {
    "app": {"commands": ("/ask", "/codebase")},
    "users": ({"id": "U0ASKER", "name": "asker"}, {"id": "U0PEER", "name": "peer"}),
    "channels": (
        {"id": CHANNEL, "name": "pay", "members": ("U0ASKER", "U0PEER", "bot")},
        {"id": BARE, "name": "bare", "members": ("U0ASKER", "bot")},
    ),
    "limits": {"rates": False},
}


@dataclass
class Product(Running):
    """A running bot and its neighbours."""

    repository: Path

    @property
    def asked(self) -> list[RequestRecord]:
        """The requests for messages, in order: warm-ups and questions, no counting."""
        return [r for r in self.claude.requests if r.path == "/v1/messages"]

    async def answered(self, channel: str, thread: str) -> str:
        """Wait for a whole answer in a thread; return what it says."""
        return "".join(message.text for message in await self.whole(channel, thread))


Begin = Callable[..., Any]


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    """Return the URL of an empty database that lasts for one test."""
    name = f"forewarm_test_{uuid4().hex[:12]}"
    parts = urlsplit(postgres_server)
    asyncio.run(_on_server(postgres_server, f'CREATE DATABASE "{name}"'))
    yield urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
    asyncio.run(_on_server(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _on_server(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def product(tmp_path: Path) -> Begin:
    """Return what starts a product: `async with product(...) as running`."""

    @asynccontextmanager
    async def begin(
        *,
        transport: str = "sockets",
        latency: Latency = QUICK,
        before: str = "",
        after: str = "",
        slack_config: dict[str, Any] | None = None,
        claude_config: Config | None = None,
        served: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Product]:
        repository = tmp_path / "code"
        if not repository.exists():
            lines = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(300))
            commit(repository, {"pay.py": lines, "README.md": "# Pay\n\nTakes money.\n"})
        contexts = tmp_path / "contexts"
        contexts.mkdir(exist_ok=True)
        (contexts / "pay.toml").write_text(
            f'{before}channels = ["{CHANNEL}"]\nmodel = "claude-sonnet-5-5"\n'
            f'[[repositories]]\nurl = "{repository}"\nname = "pay"\n'
            'web = "https://git.example.com/pay/blob/{sha}/{path}#L{start}-L{end}"\n' + after
        )
        async with AsyncExitStack() as stack:
            slack = LocalSlack({**SLACK, **(slack_config or {})})
            await stack.enter_async_context(slack.serve())
            claude = LocalClaude(claude_config or Config(latency=latency))
            url = await stack.enter_async_context(claude.serve())
            if served is not None:
                served(url)
            sockets = transport == "sockets"
            values: dict[str, Any] = {
                **local_settings(slack, url, tmp_path),
                "slack_signing_secret": SecretStr(slack.app.signing_secret),
                "state_token": SecretStr("state-token"),
                "sync_seconds": 3600.0,
                **({} if sockets else {"slack_app_token": None}),
                **settings,
            }
            bot = Bot(Settings.model_construct(**values))
            await bot.start()
            stack.push_async_callback(bot.stop)
            if not sockets:
                slack.point_at(f"http://127.0.0.1:{bot.web.port}/slack/events")
            running = Product(slack, claude, bot, repository)
            await running.ready()
            yield running
            # A ping or an unfurl anywhere fails the test.
            slack.assert_quiet()

    return begin
