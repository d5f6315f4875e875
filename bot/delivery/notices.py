"""Messages that are no answers (refusals, hints), posted at the pace of answers and behind them.

A channel takes about one message a second. If notices were posted beside the pacer, a flood of them
would use up that second, and answers would meet Slack's limit.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import JsonObject, SlackCallError, SlackCalls, Target

MOST_WAITING = 20
"""Notices that may wait for one channel; more would come when their cause is forgotten."""
PATIENCE = 60.0
"""Seconds that a notice waits for its turn at most."""


class Notices:
    """Posts notices, each when the pacer grants it."""

    def __init__(self, calls: SlackCalls, pacer: RateLimiter) -> None:
        self._calls = calls
        self._pacer = pacer
        self._waiting: Counter[str] = Counter()

    async def post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> None:
        """Post a notice. Raises `SlackCallError`, also if too many wait or it waited too long."""
        if self._waiting[target.channel] >= MOST_WAITING:
            raise SlackCallError("rate_limited", "too_many_notices")
        self._waiting[target.channel] += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._post(target, text, blocks)
        except TimeoutError:
            raise SlackCallError("rate_limited", "notice_waited_too_long") from None
        finally:
            self._waiting[target.channel] -= 1
            self._waiting += Counter()

    async def _post(self, target: Target, text: str, blocks: Sequence[JsonObject]) -> None:
        granted = asyncio.Event()
        pace = self._pacer.join(
            target.workspace, target.channel, granted.set, user=target.recipient_user, notice=True
        )
        try:
            while True:
                granted.clear()
                if pace.ask(("post",)) is None:
                    await granted.wait()
                    continue
                try:
                    await self._calls.post(target, text, blocks)
                    return
                except SlackCallError as error:
                    if error.failure != "rate_limited":
                        raise
                    pace.refused("post", error.retry_after or 1.0)
        finally:
            pace.leave()
