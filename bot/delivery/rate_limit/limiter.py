"""The rate limiter: which answer may call Slack when, for all answers of an installation.

The thin shell around `FairScheduler`: it knows the event loop's clock and its timers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.delivery.engine.commands import Kind, Mode
from bot.delivery.rate_limit.budget import Rates
from bot.delivery.rate_limit.scheduler import FairScheduler, Slot


class LimiterSlot:
    """One answer's place in the limiter. `woken` is called when a call is granted later."""

    def __init__(self, workspace: Workspace, slot: Slot, woken: Callable[[], None]) -> None:
        self._workspace = workspace
        self._slot = slot
        self.woken = woken

    def mode(self) -> Mode:
        """Say how the next message is best shown."""
        return self._workspace.scheduler.mode(self._slot, self._workspace.time())

    def ask(self, kinds: Sequence[Kind], *, urgent: bool = False) -> Kind | None:
        """Return which of these calls may be made now, the first being liked best; else None.

        Then `woken` is called once one of them has been granted: ask again. First words and last
        ones are `urgent`: they go before the words between.
        """
        return self._workspace.ask(self._slot, kinds, urgent)

    def refused(self, kind: Kind, retry_after: float) -> None:
        """Slack has answered 429; `retry_after` in seconds."""
        workspace = self._workspace
        workspace.scheduler.refuse(self._slot, kind, retry_after, workspace.time())

    def note_missing_streams(self) -> None:
        """The server has no streams: no answer of the workspace asks for one again."""
        self._workspace.scheduler.has_streams = False

    def leave(self) -> None:
        """The answer is over."""
        self._workspace.leave(self._slot)


class Workspace:
    """One workspace's scheduler and the timer for its next grant."""

    def __init__(self, rates: Rates) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._joined: dict[Slot, LimiterSlot] = {}
        self.scheduler = FairScheduler(rates, self.time())

    def time(self) -> float:
        return self._loop.time()

    def join(self, channel: str, woken: Callable[[], None], user: str, notice: bool) -> LimiterSlot:
        slot = self.scheduler.join(channel, self.time(), user=user, notice=notice)
        self._joined[slot] = joined = LimiterSlot(self, slot, woken)
        return joined

    def leave(self, slot: Slot) -> None:
        if self._joined.pop(slot, None) is None:
            return
        self.scheduler.leave(slot, self.time())
        self._dispatch(None)

    def ask(self, slot: Slot, kinds: Sequence[Kind], urgent: bool) -> Kind | None:
        now = self.time()
        kind = self.scheduler.settle(slot, kinds, now, urgent=urgent)
        if kind is None and kinds:
            self._dispatch(slot)
            kind = self.scheduler.settle(slot, kinds, now, urgent=urgent)
        return kind

    def _dispatch(self, asking: Slot | None) -> None:
        now = self.time()
        for slot in self.scheduler.grant(now):
            if slot is not asking:
                self._joined[slot].woken()
        self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        wake = self.scheduler.wake(now)
        timer = self._timer
        if timer is not None and wake is not None and now < timer.when() <= wake:
            return
        if timer is not None:
            timer.cancel()
        self._timer = None if wake is None else self._loop.call_at(wake, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._dispatch(None)


class RateLimiter:
    """Owns the budgets of every workspace. One per process; use it within one event loop."""

    def __init__(self, rates: Rates | None = None) -> None:
        self._rates = rates or Rates()
        self._workspaces: dict[str, Workspace] = {}

    def scheduler(self, workspace: str) -> FairScheduler | None:
        """Return the scheduler of a workspace; None if nothing has run there."""
        running = self._workspaces.get(workspace)
        return running.scheduler if running is not None else None

    def join(
        self,
        workspace: str,
        channel: str,
        woken: Callable[[], None],
        *,
        user: str = "",
        notice: bool = False,
    ) -> LimiterSlot:
        """Take in an answer to `user` that begins, or a notice, which comes behind all answers."""
        if workspace not in self._workspaces:
            self._workspaces[workspace] = Workspace(self._rates)
        return self._workspaces[workspace].join(channel, woken, user, notice)
