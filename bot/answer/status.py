"""Show the status under a question until the first words: the cheapest early feedback."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bot.delivery.slack_api import SlackCallError, SlackCalls, Target

READING = "is reading the code…"
LATER = 0.02
"""Seconds within which a question that reads no thread is on its way to Claude, if nothing makes
it wait. The work of calling Slack comes after that."""
GAP = 1.5
"""Seconds between two statuses of one answer: only the newest counts."""
KEPT = 100.0
"""Seconds after which a status is shown again: Slack clears it after 120.

Source: docs/platform/slack.md#status-and-sessions.
"""


class StatusLine:
    """Shows the newest status, one call at a time. A place that refuses one is not asked again."""

    def __init__(self, calls: SlackCalls, target: Target, after: float = 0.0) -> None:
        """`after` is how many seconds pass before the first status."""
        self._after = after
        self._calls = calls
        self._target = target
        self._wanted = ""
        self._shown = False
        self._calling = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = target.thread is None

    def show(self, text: str) -> None:
        """Show a status soon; returns at once. Brackets are dropped: names may be hostile."""
        plain = text.replace("<", "").replace(">", "")
        if self._closed or plain == self._wanted:
            return
        self._wanted = plain
        self._changed.set()
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def close(self, *, replied: bool) -> None:
        """Show nothing more. Slack clears a status at a reply; without a reply it is cleared here.

        A status that was still on its way may arrive after the reply: that one is cleared too.
        """
        if self._closed:
            return
        self._closed = True
        clear = self._calling or (self._shown and not replied)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if clear:
            await self._call("")

    async def _run(self) -> None:
        if self._after:
            await asyncio.sleep(self._after)
        while True:
            self._changed.clear()
            if not await self._call(self._wanted):
                return
            self._shown = True
            await asyncio.sleep(GAP)
            with suppress(TimeoutError):
                async with asyncio.timeout(KEPT):
                    await self._changed.wait()

    async def _call(self, text: str) -> bool:
        """Tell whether the next status may do better, if this one failed."""
        self._calling = True
        try:
            await self._calls.set_status(self._target, text)
        except SlackCallError as error:
            return error.failure in ("rate_limited", "server", "unknown_outcome")
        finally:
            self._calling = False
        return True
