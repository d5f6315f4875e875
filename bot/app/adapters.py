"""Small duties between the Slack edge and the store: opinions, the audit log, the day's money."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog

from bot.answer.feedback import Mark, Value
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.errors import ForewarmError
from bot.slack.tasks import Tasks
from bot.store.people import Opinion
from bot.store.store import Store
from bot.telemetry.daily_spend import Caps, Spent
from bot.telemetry.money import day_of

log = structlog.get_logger(__name__)


ANSWERING: tuple[Spent, ...] = ("answers", "drafts")


class Background:
    """Tasks that nobody waits for: kept from being collected, their errors logged."""

    def __init__(self) -> None:
        self._tasks = Tasks()

    def __repr__(self) -> str:
        return f"<Background: {len(self._tasks)} running>"

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.start(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ForewarmError as error:
            log.warning("background_failed", why=error.user_message)

    async def drain(self) -> None:
        """Wait for all that is running."""
        await self._tasks.drain()


class OpinionStore:
    """`bot.answer.opinions.OpinionStore` over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None:
        await self._store.feedback.give(
            Opinion(
                question=mark.question,
                user=user,
                workspace=workspace,
                value=value,
                comment=comment,
                context=mark.context or None,
                fingerprint=mark.fingerprint or None,
            )
        )


class AuditLog:
    """`bot.slack.router.Audit`: written beside the work, so that a refusal does not wait for it."""

    def __init__(self, store: Store, workspace: str, background: Background) -> None:
        self._store = store
        self._workspace = workspace
        self._background = background

    def write(self, act: str, user: str, place: str, rule: str) -> None:
        self._background.start(
            self._store.audit.write(self._workspace, user, f"refused {act}", place, {"rule": rule})
        )


class SpendingLimits:
    """`bot.slack.interfaces.SpendingLimits`: today's answers against the caps, from the journal."""

    def __init__(self, caps: Caps, daily_limit_usd: float, now: Now) -> None:
        self._caps = caps
        self._limit = daily_limit_usd
        self._now = now

    def answers_left(self, context: ContextConfig) -> bool:
        return self.leaves(context, 0.0)

    def leaves(self, context: ContextConfig, usd: float) -> bool:
        """Tell whether every cap leaves at least so much for answers, and something at all."""
        day = day_of(self._now())
        used = self._caps.spent(day)
        if used >= self._limit or used + usd > self._limit:
            return False
        own = context.limits.answers_daily_usd
        spent = sum(self._caps.spent(day, context=context.name, on=on) for on in ANSWERING)
        return own is None or (spent < own and spent + usd <= own)
