"""Warmth as the Slack edge and the answers meet it: the driver, with contexts for names."""

from __future__ import annotations

import json
import uuid
from typing import Any

from bot.answer.question import Question
from bot.app.adapters import SpendingLimits
from bot.app.contexts.registry import ContextRegistry, PrefixChanged
from bot.app.spending import CappedWarmer, SpendingLedger
from bot.claude.client import ClaudeClient
from bot.claude.prefix import Prefix
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.settings import Settings
from bot.store.leases import Lease
from bot.store.store import Store
from bot.telemetry.journal import Journal
from bot.warm.driver import Driver
from bot.warm.governor import Governor
from bot.warm.interfaces import Target
from bot.warm.join import JoinTicket
from bot.warm.limits import Limits
from bot.warm.signals import Signal

KIND, KEY = "warmth", "driver"
PREFIX = "writing:"
"""Stored names of leases begin with this."""


class SavedWarmth:
    """`bot.warm.interfaces.Saved` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> dict[str, Any] | None:
        kept = await self._store.state.get(KIND, KEY)
        return None if kept is None else json.loads(kept)

    async def save(self, state: dict[str, Any]) -> None:
        await self._store.state.put(KIND, KEY, json.dumps(state).encode())


class SharedWriteLock:
    """`bot.warm.interfaces.WriteLock` over the store."""

    def __init__(self, store: Store) -> None:
        self._leases = store.leases
        self._owner = uuid.uuid4().hex
        self._held: dict[str, Lease] = {}

    async def acquire(self, name: str, seconds: float) -> bool:
        lease = await self._leases.acquire(PREFIX + name, self._owner, seconds)
        if lease is None:
            return False
        self._held[name] = lease
        return True

    async def release(self, name: str) -> None:
        lease = self._held.pop(name, None)
        if lease is not None:
            await self._leases.release(lease)

    async def wait(self, name: str, seconds: float) -> bool:
        seen = await self._leases.look(PREFIX + name)
        if seen is None:
            return True
        return await self._leases.wait(seen, seconds) is not None


class Warmth:
    """`bot.slack.interfaces.Warmth` and `bot.answer.interfaces.Warmth` over the driver."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        claude: ClaudeClient,
        journal: Journal,
        library: ContextRegistry,
        now: Now,
        limits: SpendingLimits,
        ledger: SpendingLedger,
    ) -> None:
        self._left: dict[str, float] = {}
        self._halted = False
        self._library = library
        self._claude = claude
        self._now = now
        self._limits = limits
        warmer = CappedWarmer(claude, ledger, settings.warm_daily_limit_usd, self._cap_of)
        self.driver = Driver(
            warmer,
            journal,
            governor=Governor(Limits(daily_usd=settings.warm_daily_limit_usd)),
            write_lock=SharedWriteLock(store) if store.shared else None,
            saved=SavedWarmth(store),
            now=now,
            single_slot=settings.single_slot,
        )

    async def start(self) -> None:
        await self.driver.start()

    async def stop(self) -> None:
        await self.driver.stop()

    # --- what comes in --------------------------------------------------------------------------

    def signal(self, signal: Signal, context: ContextConfig) -> None:
        """Take a signal that was found to mean a context and may be spent on."""
        left_at = self._left.get(signal.channel or "")
        if self._halted or (left_at is not None and signal.at <= left_at):
            return
        live = self._library.live(context.name)
        prefix = live.prefix if live is not None else None
        target = (
            self._target(live.config, prefix) if live is not None and prefix is not None else None
        )
        self.driver.signal(signal, target)

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> JoinTicket:
        """Take a question about to be sent; wait for a writing in flight."""
        return await self.driver.join(
            self._target(context, prefix),
            channel=question.channel,
            thread=question.thread if question.in_thread else None,
            user=question.user,
        )

    def moved(self, move: PrefixChanged) -> None:
        """A prefix was built, or its repository has moved."""
        if self._halted:
            return
        self.driver.update(self._target(move.config, move.new))

    # --- what drafts ask ------------------------------------------------------------------------

    def is_warm(self, prefix: Prefix) -> bool:
        """Tell whether a prefix is believed cached now."""
        context = self._context_of(prefix)
        if context is None:
            return False
        return self.driver.governor.is_warm(self._target(context, prefix).facts, self._now())

    def _target(self, context: ContextConfig, prefix: Prefix) -> Target:
        return Target(
            context=context.name,
            prefix=prefix,
            wait_cost_per_hour=context.warm.wait_cost_per_hour,
            daily_limit_usd=context.warm.daily_limit_usd,
            lives=self._claude.cache_facts(prefix.model).lives,
        )

    def _cap_of(self, context: str) -> float:
        live = self._library.live(context)
        return 0.0 if live is None else live.config.warm.daily_limit_usd

    def _context_of(self, prefix: Prefix) -> ContextConfig | None:
        for live in self._library.lives():
            if live.prefix is not None and live.prefix.key == prefix.key:
                return live.config
        return None

    def may_spend(self, context: ContextConfig, usd: float) -> bool:
        """Tell whether today's caps leave so much for an answer that may be thrown away."""
        return self._limits.leaves(context, usd)

    # --- what goes ------------------------------------------------------------------------------

    def forget_channel(self, channel: str, until: float) -> None:
        """Take no signal of a channel from before `until`, in Unix seconds.

        Later ones count: the bot was invited again, and one replica alone is told of that.
        """
        self._left[channel] = until

    async def halt(self) -> None:
        """Warm nothing any more: the app was removed."""
        self._halted = True
        await self.stop()
