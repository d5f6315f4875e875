"""Facts about the caches of providers, kept in the store."""

from __future__ import annotations

import json

from bot.claude.providers.cache_facts import CacheFacts
from bot.store.key_value import State
from bot.stored import dump, load

FACTS = "cache_facts"
"""The stored name of this kind. It is kept for some weeks, then the provider is probed again."""


class StoredFacts:
    """`bot.claude.providers.cache_facts.FactStore` over the store."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def load(self, name: str) -> CacheFacts | None:
        kept = await self._state.get(FACTS, name)
        return None if kept is None else load(CacheFacts, json.loads(kept))

    async def save(self, name: str, facts: CacheFacts) -> None:
        await self._state.put(FACTS, name, json.dumps(dump(facts)).encode())
