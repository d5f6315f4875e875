"""Knowledge about the cache of each model: documented, remembered, or probed once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.claude.providers.cache_facts import BOTH_LIVES, CacheFacts, FactStore, documented
from bot.claude.providers.connect import Connections
from bot.claude.providers.table import is_claude

UNPROVEN = CacheFacts(("5m",))
"""Assumed before the probe of a paid model: one life, so that nothing is paid for an hour."""

_log = structlog.get_logger(__name__)


class CacheKnowledge:
    """The facts about each model's cache. Without a `store`, nothing is probed or remembered.

    A model that is served locally costs nothing, so it is never probed.
    """

    def __init__(self, connections: Connections, store: FactStore | None) -> None:
        self._connections = connections
        self._store = store
        self._facts: dict[str, CacheFacts] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def known_facts(self, model: str) -> CacheFacts:
        """Return what is known of a model's cache by now, without asking."""
        name = self._connections.full_name(model)
        return self._facts.get(name) or self._before(name)

    async def recall(self, model: str, *, even_free: bool = False) -> CacheFacts | None:
        """Return what is remembered or documented; None if the model has to be probed.

        A free model does not have to be, unless `even_free` asks for it.
        """
        name = self._connections.full_name(model)
        if name not in self._facts and self._store is not None:
            remembered = await self._store.load(self._key(name))
            if remembered is not None:
                self._facts[name] = remembered
        facts = self._facts.get(name) or documented(self._connections.provider(name))
        unpaid = self._store is None or not (is_claude(name) or even_free)
        return facts or (self._before(name) if unpaid else None)

    async def settle(
        self, model: str, probe: Callable[[], Awaitable[CacheFacts]], *, even_free: bool = False
    ) -> CacheFacts:
        """Return the facts; probe them if they are known nowhere. Raises `ClaudeError`."""
        # Another model's provider may be slow to answer its probe.
        async with self._locks.setdefault(model, asyncio.Lock()):
            facts = await self.recall(model, even_free=even_free)
            if facts is None:
                facts = await probe()
                await self.note(model, facts)
            return facts

    async def note(self, model: str, facts: CacheFacts) -> None:
        """Take in what a reply has shown, and remember it."""
        name = self._connections.full_name(model)
        if self.known_facts(model) == facts and name in self._facts:
            return
        self._facts[name] = facts
        log = _log.info if facts.caches else _log.warning
        log("cache_facts_learned", model=name, lives=list(facts.lives), zero=facts.zero)
        if not facts.caches:
            _log.warning("provider_ignores_cache_control", model=name, why=self.ignored(model))
        if self._store is not None:
            await self._store.save(self._key(name), facts)

    def ignored(self, model: str) -> str:
        """Return the sentence for a model whose cache markers have no effect."""
        provider = self._connections.provider(model)
        title = provider.title[0].upper() + provider.title[1:]
        return (
            f"{title} ignores `cache_control` for {model}, so no warm-up is paid for and every"
            f" question starts cold: change {provider.place} or `provider`, or let the server pass"
            " `cache_control` on."
        )

    def _before(self, name: str) -> CacheFacts:
        """Return what is assumed of a model before anything was learned."""
        told = documented(self._connections.provider(name))
        if told is not None:
            return told
        return UNPROVEN if self._store is not None and is_claude(name) else CacheFacts(BOTH_LIVES)

    def _key(self, name: str) -> str:
        """Return the name to remember a model by: two compatible servers are two places."""
        if self._connections.provider(name).is_cloud:
            return name
        return f"{name}@{self._connections.direct_host()}"
