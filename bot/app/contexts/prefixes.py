"""From a pack to the prefix that is sent: settings that the model accepts, tools, preamble."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.answer.thread.prompt import THREAD_RULES
from bot.answer.tools import DECLARATIONS
from bot.claude.client import ClaudeClient
from bot.claude.models import settle
from bot.claude.prefix import Prefix, build_prefix, estimated_tokens
from bot.claude.providers.table import is_claude
from bot.claude.system_prompt import preamble_text
from bot.context.config.load import ContextConfig
from bot.context.pack import Pack
from bot.context.render.blocks import READING_RULES
from bot.delivery.citations.check import CITING_RULES
from bot.errors import ForewarmError

PREAMBLE = preamble_text((READING_RULES, CITING_RULES, THREAD_RULES))


class Prefixes:
    """Builds prefixes; asks each model once what it accepts."""

    def __init__(self, claude: ClaudeClient) -> None:
        self._claude = claude
        self._ratios: dict[str, float] = {}

    async def build(self, config: ContextConfig, pack: Pack, salt: str) -> Prefix:
        """Return the prefix that warm-ups and questions of a context share.

        Raises `ClaudeError` for a model that does not exist, `SettingError` for one that refuses
        the context's thinking or effort.
        """
        model = self._claude.full_name(config.full_model)
        await self._claude.recall_cache_facts(model)
        capabilities = await self._claude.capabilities(model)
        settings = settle(capabilities, thinking=config.thinking, effort=config.effort)
        ratio = await self._tokens_per_character(model)
        # A workspace must not tell by its waits what another one asks.
        salt += config.workspace
        scope = config.pack_fingerprint

        def built() -> Prefix:
            prefix = build_prefix(
                pack,
                tools_for(model),
                settings,
                salt,
                PREAMBLE,
                scope=scope,
                count=lambda text: round(len(text) * ratio),
            )
            # The first request needs it: megabytes, which would hold the event loop.
            _ = prefix.encoded_texts
            return prefix

        return await asyncio.to_thread(built)

    async def _tokens_per_character(self, model: str) -> float:
        """Return how the model's own tokenizer counts our preamble, asked once; else a guess."""
        if model not in self._ratios:
            try:
                counted = await self._claude.counter(model).count(PREAMBLE)
            except ForewarmError:
                counted = None
            self._ratios[model] = (counted or estimated_tokens(PREAMBLE)) / len(PREAMBLE)
        return self._ratios[model]


def tools_for(model: str) -> tuple[Any, ...]:
    """Return the tools to declare: all, always, in the same bytes; none to another maker's model.

    A small local model answers a declared tool with a made-up call, and its server turns
    streaming off to look for one.
    """
    return tuple(DECLARATIONS) if is_claude(model) else ()
