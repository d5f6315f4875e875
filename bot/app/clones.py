"""Opens the code of a context: clones under the home folder, packing state in the store."""

from __future__ import annotations

import os

from bot.claude.client import ClaudeClient
from bot.clock import Now
from bot.context.codebase import Codebase
from bot.context.config.load import ContextConfig
from bot.context.git.clone import Sources as AllowedSources
from bot.context.git.credentials import Tokens
from bot.settings import Settings
from bot.store.store import Store

KIND = "pack"
REPOSITORIES = "repositories"


class StoredPacks:
    """`bot.context.pack_store.PackState` over the store: replicas send the same bytes."""

    def __init__(self, store: Store) -> None:
        self._state = store.state

    def __repr__(self) -> str:
        return "<StoredPacks>"

    async def load(self, key: str) -> bytes | None:
        return await self._state.get(KIND, key)

    async def save(self, key: str, data: bytes) -> None:
        await self._state.put(KIND, key, data)

    async def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Store `new` if what is stored is still `old`; tell whether it is what stands now."""
        found = await self._state.look(KIND, key)
        if (found.value if found else None) != old:
            return False
        if await self._state.swap(KIND, key, new, found.version if found else None):
            return True
        # The reply of a committed try may have been lost: then our own value stands there.
        return await self._state.get(KIND, key) == new

    async def delete(self, key: str) -> None:
        await self._state.remove(KIND, key)


class Clones:
    """Makes the code base of each context."""

    def __init__(self, settings: Settings, store: Store, claude: ClaudeClient, now: Now) -> None:
        self._settings = settings
        self._packs = StoredPacks(store)
        self._claude = claude
        self._now = now
        self._tokens = Tokens.from_environment(os.environ)

    def __repr__(self) -> str:
        return f"<Sources under {self._settings.home / REPOSITORIES}>"

    def open(self, config: ContextConfig) -> Codebase:
        return Codebase(
            config,
            self._settings.home / REPOSITORIES,
            now=self._now,
            count=self._claude.counter(config.model).count,
            state=self._packs,
            tokens=self._tokens,
            sources=AllowedSources(local=self._settings.local_repositories),
        )
