"""Limits on what the bot says without answering, and on answers to other bots.

Two programs that answer each mention go on for ever, and a refusal below every message
makes a channel unreadable. So a refusal or hint is given once per thread and hour, a few times per
person and hour, and to a bot once. The limits hold for all replicas: the store remembers what was
said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.clock import Now
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)

HOUR = 3600.0
EXPLANATIONS_PER_PERSON = 10
"""Refusals and hints an hour in one channel."""
ANSWERS_PER_BOT = 3
"""Answers an hour to one bot in one thread, if the context lists the bot."""


class FirstSight(Protocol):
    """A durable memory of keys, shared by all replicas, for about a day."""

    async def first(self, event: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Speaker:
    """The place and the author of a message. `bot` is set for software."""

    workspace: str
    channel: str
    thread: str
    user: str
    bot: str | None = None


class ReplyLimits:
    """Decides whether one more reply may be given."""

    def __init__(self, memory: FirstSight, now: Now) -> None:
        self._memory = memory
        self._now = now

    def __repr__(self) -> str:
        return "<ReplyLimits>"

    async def may_explain(self, to: Speaker, rule: str) -> bool:
        """Tell whether a refusal or hint may be given, and count it. `rule` names its reason."""
        place = f"{to.workspace}:{to.channel}"
        if to.bot is not None:
            return await self._first(f"bot:{place}:{to.bot}")
        if not await self._first(f"thread:{place}:{to.thread}:{rule}:{self._hour()}"):
            return False
        key = f"person:{place}:{to.user}:{self._hour()}"
        return await self._one_of(EXPLANATIONS_PER_PERSON, key)

    async def may_answer(self, to: Speaker) -> bool:
        """Tell whether a message may be answered, and count it if it is a bot's."""
        if to.bot is None:
            return True
        key = f"answer:{to.workspace}:{to.channel}:{to.thread}:{to.bot}:{self._hour()}"
        return await self._one_of(ANSWERS_PER_BOT, key)

    def _hour(self) -> int:
        return int(self._now() // HOUR)

    async def _one_of(self, most: int, key: str) -> bool:
        for number in range(most):
            if await self._first(f"{key}:{number}"):
                return True
        return False

    async def _first(self, key: str) -> bool:
        """Without the store nothing is said: silence cannot begin a loop."""
        try:
            return await self._memory.first(f"reply:{key}")
        except ForewarmError as error:
            log.warning("reply_limit_unknown", why=str(error))
            return False
