"""A whole bot as tests hold it: between a local Slack and a local Claude, waited for by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from forewarm_playground.claude import LocalClaude
from forewarm_playground.slack.local import LocalSlack
from forewarm_playground.slack.models import Message
from pydantic import SecretStr

from bot.app.bot import Bot
from bot.settings import Settings


@dataclass
class Running:
    """A running bot and its neighbours."""

    patience: ClassVar[float] = 60.0
    """Seconds after which something is said not to have happened."""

    slack: LocalSlack
    claude: LocalClaude
    bot: Bot

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something holds, or fail with its name."""
        try:
            async with asyncio.timeout(self.patience):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what} did not happen: {self.bot!r}") from None

    async def ready(self) -> None:
        """Wait until every context can be answered from."""
        await self.until(lambda: self.bot.library.all() and self.bot.library.complete, "the packs")

    async def whole(self, channel: str, thread: str, what: str = "the answer") -> list[Message]:
        """Wait for a whole answer in a thread; return the bot's messages there, oldest first."""
        await self.until(lambda: is_whole(self.slack.bot_messages(channel, thread)), what)
        return self.slack.bot_messages(channel, thread)


def is_whole(messages: Sequence[Message]) -> bool:
    """Tell whether messages end as a whole answer does: with its receipt."""
    return bool(messages) and "Answer again" in str(messages[-1].blocks)


def default_settings() -> dict[str, Any]:
    """Return the default of every setting."""
    return {name: field.get_default() for name, field in Settings.model_fields.items()}


def local_settings(
    slack: LocalSlack, claude_url: str, folder: Path, *, with_token: bool = True
) -> dict[str, Any]:
    """Return the settings of a bot that uses a local Slack, a local Claude and one folder."""
    return default_settings() | {
        "slack_bot_token": SecretStr(slack.token) if with_token else None,
        "slack_app_token": SecretStr(slack.app.app_token),
        "slack_api_url": slack.api_url,
        "anthropic_api_key": SecretStr("sk-ant-local"),
        "anthropic_base_url": claude_url,
        "provider": "anthropic",
        "port": 0,
        "host": "127.0.0.1",
        "home": folder / "home",
        "contexts": folder / "contexts",
        "local_repositories": (folder,),
    }
