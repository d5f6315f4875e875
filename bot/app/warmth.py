"""Warmth as the Slack edge and the answers meet it: the driver, with contexts for names."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from bot.answer.question import Question
from bot.app.adapters import SpendingLimits
from bot.app.contexts import Library, PrefixChanged
from bot.app.spending import CappedWarmer, SpendingLedger
from bot.app.writings import SharedWritings
from bot.claude.client import ClaudeClient
from bot.claude.prefix import Prefix
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.settings import Settings
from bot.store.store import Store
from bot.telemetry.journal import Journal
from bot.warm.driver import Driver
from bot.warm.governor import Governor
from bot.warm.interfaces import Target
from bot.warm.join import JoinTicket
from bot.warm.limits import Limits
from bot.warm.signals import Signal

KIND, KEY = "warmth", "driver"


class SavedWarmth:
    """`bot.warm.interfaces.Saved` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> dict[str, Any] | None:
        kept = await self._store.state.get(KIND, KEY)
        return None if kept is None else json.loads(kept)

    async def save(self, state: dict[str, Any]) -> None:
        await self._store.state.put(KIND, KEY, json.dumps(state).encode())


class Warmth:
    """`bot.slack.interfaces.Warmth` and `bot.answer.interfaces.Warmth` over the driver."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        claude: ClaudeClient,
        journal: Journal,
        library: Library,
        now: Now,
        purse: SpendingLimits,
        treasury: SpendingLedger,
    ) -> None:
        self._left: set[str] = set()
        self._halted = False
        self._library = library
        self._now = now
        self.purse = purse
        self._tasks: set[asyncio.Task[Any]] = set()
        warmer = CappedWarmer(claude, treasury, settings.warm_daily_limit_usd, self._cap_of)
        self.driver = Driver(
            warmer,
            journal,
            governor=Governor(Limits(daily_usd=settings.warm_daily_limit_usd)),
            write_lock=SharedWritings(store) if store.shared else None,
            saved=SavedWarmth(store),
            now=now,
            single_slot=settings.single_slot,
        )

    def __repr__(self) -> str:
        return f"<Warmth by {self.driver.governor!r}>"

    async def start(self) -> None:
        await self.driver.start()

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.driver.stop()

    # --- what comes in --------------------------------------------------------------------------

    def signal(self, signal: Signal, context: ContextConfig) -> None:
        """Take a signal that was found to mean a context and may be spent on."""
        if signal.kind == "bot_joined" and signal.channel is not None:
            self._left.discard(signal.channel)
        if self._halted or signal.channel in self._left:
            return
        live = self._library.live(context.name)
        target = None
        if live is not None and live.prefix is not None:
            target = target_of(live.config, live.prefix)
        self._run(self.driver.signal(signal, target))

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> JoinTicket:
        """Take a question about to be sent; wait for a writing in flight."""
        return await self.driver.join(
            target_of(context, prefix),
            channel=question.channel,
            thread=question.thread if question.in_thread else None,
            user=question.user,
        )

    def moved(self, move: PrefixChanged) -> None:
        """A prefix was built, or its repository has moved."""
        if self._halted:
            return
        self._run(self.driver.update(target_of(move.config, move.new)))

    # --- what drafts ask ------------------------------------------------------------------------

    def is_warm(self, prefix: Prefix) -> bool:
        """Tell whether a prefix is believed cached now."""
        context = self._context_of(prefix)
        if context is None:
            return False
        return self.driver.governor.is_warm(target_of(context, prefix).facts, self._now())

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
        return self.purse.leaves(context, usd)

    # --- what goes ------------------------------------------------------------------------------

    def forget_channel(self, channel: str) -> None:
        """Take no more signals for a channel; it may come back by `bot_joined`."""
        self._left.add(channel)

    async def halt(self) -> None:
        """Warm nothing any more: the app was removed."""
        self._halted = True
        await self.stop()

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def target_of(context: ContextConfig, prefix: Prefix) -> Target:
    return Target(
        context=context.name,
        prefix=prefix,
        wait_cost_per_hour=context.warm.wait_cost_per_hour,
        daily_limit_usd=context.warm.daily_limit_usd,
    )
