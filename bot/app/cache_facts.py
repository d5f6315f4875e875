"""Facts about the caches of providers, kept in the store."""

from __future__ import annotations

import json

import structlog

from bot.claude.providers.cache_facts import CacheFacts
from bot.errors import ForewarmError
from bot.store.key_value import State
from bot.stored import dump, load

FACTS = "cache_facts"
"""The stored name of this kind. It is kept for some weeks, then the provider is probed again."""

_log = structlog.get_logger(__name__)


class StoredFacts:
    """`bot.claude.providers.cache_facts.FactStore` over the store."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self, name: str) -> CacheFacts | None:
        try:
            kept = await self._state.get(FACTS, name)
            return None if kept is None else load(CacheFacts, json.loads(kept))
        except ForewarmError as error:
            # A question must not wait for the store. A second probe costs a cent.
            _log.warning("cache_facts_not_read", model=name, why=str(error))
            return None

    async def save(self, name: str, facts: CacheFacts) -> None:
        try:
            await self._state.put(FACTS, name, json.dumps(dump(facts)).encode())
        except ForewarmError as error:
            _log.warning("cache_facts_not_kept", model=name, why=str(error))
