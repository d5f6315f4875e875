"""Tasks of operators, done as docs/operations.md says: exchange the tokens, uninstall."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from forewarm_playground.claude import Config, Identity
from forewarm_playground.slack.installation import revoke
from pydantic import SecretStr

from bot.app.bot import Bot
from bot.errors import ForewarmError
from tests.app.conftest import CHANNEL, QUICK, Begin, Product

OLD, NEW = "sk-ant-local", "sk-ant-new"


async def ask(running: Product, text: str, thread: str | None = None) -> str:
    ts = running.slack.user("U0ASKER").mention(CHANNEL, text, thread)
    await running.until(lambda: text in str(running.asked[-1:]), "a request")
    await running.answered(CHANNEL, thread or ts)
    await running.until(lambda: not running.bot.inbox.questions, "the end")
    return ts


async def restart(running: Product, **changed: object) -> None:
    """Stop the bot and start it with other variables."""
    await running.bot.stop()
    running.bot = Bot(running.bot.settings.model_copy(update=changed))
    await running.bot.start()
    await running.ready()


async def test_after_an_exchange_of_tokens_a_thread_goes_on(product: Begin) -> None:
    """The new values are set and the bot is restarted. Then the old ones may end."""
    claude = Config(latency=QUICK)
    claude = replace(claude, keys={OLD: Identity(), NEW: Identity()})
    async with product(claude_config=claude) as running:
        ts = await ask(running, "what comes first?")
        running.slack.installation.grant.token = "xoxb-new"
        await restart(
            running, slack_bot_token=SecretStr("xoxb-new"), anthropic_api_key=SecretStr(NEW)
        )
        await ask(running, "and what second?", ts)
        assert "what comes first?" in json.dumps(running.asked[-1].body)
        await running.bot.stop()
        old = running.bot.settings.model_copy(update={"slack_bot_token": SecretStr("xoxb-old")})
        bot = Bot(old)
        with pytest.raises(ForewarmError, match="SLACK_BOT_TOKEN"):
            await bot.start()
        await bot.stop()


async def test_an_uninstalled_bot_leaves_nothing_and_does_not_start(product: Begin) -> None:
    """Stop it, remove the app, delete the home folder, in this order."""
    async with product() as running:
        await ask(running, "what is kept?")
        await running.bot.stop()
        revoke(running.slack.state, running.slack.installation)
        home = running.bot.settings.home
        shutil.rmtree(home)
        kept = [file for file in home.parent.rglob("*") if file.is_file()]
        assert [file for file in kept if b"what is kept?" in file.read_bytes()] == []
        bot = Bot(running.bot.settings)
        with pytest.raises(ForewarmError, match="SLACK_BOT_TOKEN"):
            await bot.start()
        await bot.stop()
