"""Stop, forget, release: what happens when the bot loses its place in Slack."""

from __future__ import annotations

import structlog

from bot.app.warmth import Warmth
from bot.store.store import Store
from bot.tasks import Tasks

log = structlog.get_logger(__name__)


class Forgetting:
    """`bot.slack.lifecycle.Forgetting` for one workspace."""

    def __init__(self, warmth: Warmth, store: Store, tasks: Tasks, workspace: str) -> None:
        self._warmth = warmth
        self._store = store
        self._tasks = tasks
        self._workspace = workspace

    def forget_channel(self, channel: str) -> None:
        """The bot was removed from a channel: nothing is warmed for it any more."""
        self._warmth.forget_channel(channel)

    def forget_everything(self) -> None:
        """The app was uninstalled or its token revoked: spend nothing more, keep nothing."""
        log.warning("forgetting_everything", workspace=self._workspace)
        self._tasks.start(self._forget())

    async def _forget(self) -> None:
        await self._warmth.halt()
        await self._store.retention.forget(self._workspace)
