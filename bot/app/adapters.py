"""Adapters from the store and the journal to Slack's side: the audit log and the day's money."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.store.store import Store
from bot.tasks import Tasks
from bot.telemetry.figures.daily_spend import DailySpend, Spent
from bot.telemetry.figures.money import day_of

ANSWERING: tuple[Spent, ...] = ("answers", "drafts")


class AuditLog:
    """`bot.slack.people.gate.Audit`: written in the background, so that no refusal waits."""

    def __init__(self, store: Store, workspace: str, tasks: Tasks) -> None:
        self._store = store
        self._workspace = workspace
        self._tasks = tasks

    def write(self, act: str, user: str, place: str, rule: str) -> None:
        self._tasks.start(
            self._store.audit.write(self._workspace, user, f"refused {act}", place, {"rule": rule})
        )


class SpendingLimits:
    """`bot.slack.interfaces.SpendingLimits`: today's answers against the caps, from the journal.

    `workspace_limit_usd` caps the contexts of one workspace together, which `siblings` names.
    """

    def __init__(
        self,
        caps: DailySpend,
        daily_limit_usd: float,
        now: Now,
        *,
        workspace_limit_usd: float = math.inf,
        siblings: Callable[[str], Iterable[str]] = lambda workspace: (),
    ) -> None:
        self._caps = caps
        self._limit = daily_limit_usd
        self._now = now
        self._workspace_limit = workspace_limit_usd
        self._siblings = siblings

    def answers_left(self, context: ContextConfig) -> bool:
        return self.leaves(context, 0.0)

    def leaves(self, context: ContextConfig, usd: float) -> bool:
        """Tell whether every cap leaves at least so much for answers, and something at all."""
        day = day_of(self._now())
        used = self._caps.spent(day)
        if used >= self._limit or used + usd > self._limit:
            return False
        if context.workspace:
            names = self._siblings(context.workspace)
            together = sum(self._caps.spent(day, context=name) for name in names)
            limit = self._workspace_limit
            if together >= limit or together + usd > limit:
                return False
        own = context.limits.answers_daily_usd
        spent = sum(self._caps.spent(day, context=context.name, on=on) for on in ANSWERING)
        return own is None or (spent < own and spent + usd <= own)
