"""The gate: may this person see this context now, and is one more question within the limits?

Every path that puts a context's code before a person asks here: a new question, an edit, "Answer
again", Stop, feedback, a draft, a takeover after a crash, the Home tab, and a signal that would
warm a prefix. The context is always the question's own, never that of the place in which a button
was pressed. Facts about people are at most a minute old (`directory.MEMBERSHIP_SECONDS`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bot.answer.question import Question
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.slack import texts
from bot.slack.interfaces import SpendingLimits
from bot.slack.people.access import OUT_OF_MONEY, Act, Denied, Person, Place, decide
from bot.slack.people.directory import People
from bot.slack.people.quotas import Quotas


class Audit(Protocol):
    """The log of refusals and changes."""

    def write(self, act: str, user: str, place: str, rule: str) -> None: ...


class Gate:
    """Decides with the facts that Slack gives; a fact that Slack does not give counts against."""

    def __init__(
        self,
        people: People,
        limits: SpendingLimits,
        audit: Audit,
        quotas: Quotas,
        now: Now,
    ) -> None:
        self._people = people
        self._limits = limits
        self._audit = audit
        self._now = now
        self._quotas = quotas

    async def denied(
        self,
        act: Act,
        user: str,
        channel: str,
        context: ContextConfig,
        *,
        present: bool,
        bot: str | None = None,
        shared: bool = False,
    ) -> Denied | None:
        """Return None if a person may do something with a context in a channel, else why not.

        `present`: the act itself proves that the person is in the channel, as posting there does.
        If it is False, being in one of the context's channels is looked up even in its own.
        """
        place = await self._find_place(channel, context, present=present, shared=shared)
        person = await self._person(user, context, place, bot=bot)
        denied = decide(act, person, place, context.access)
        if denied is not None:
            self._audit.write(act, user, channel or "dm", denied.rule)
        return denied

    async def refusal(
        self,
        question: Question,
        context: ContextConfig,
        *,
        user: str | None = None,
        present: bool = False,
        bot: str | None = None,
        shared: bool = False,
    ) -> Denied | None:
        """Return why a question may not be answered now: access first, then money and rates.

        `user` is the person who asks for the answer, if that is not the asker. The rates count it.
        """
        user = user or question.user
        denied = await self.denied(
            "ask", user, question.channel, context, present=present, bot=bot, shared=shared
        )
        return denied or await self._over_limit(user, question.channel, context)

    async def permits(self, user: str, question: Question, context: ContextConfig) -> bool:
        """Tell whether a person may see a question's context now. Counts nothing."""
        denied = await self.denied("ask", user, question.channel, context, present=False)
        return denied is None

    async def askable(self, user: str, contexts: Iterable[ContextConfig]) -> list[ContextConfig]:
        """Return the contexts that a person may ask outside of their channels."""
        allowed = []
        for context in contexts:
            person = await self._people.person(user, context.channels)
            if decide("ask", person, Place("dm"), context.access) is None:
                allowed.append(context)
        return allowed

    async def _over_limit(self, user: str, channel: str, context: ContextConfig) -> Denied | None:
        now, limits = self._now(), context.limits
        if not self._limits.answers_left(context):
            return Denied(OUT_OF_MONEY, texts.MONEY_OUT.format(name=context.name))
        if not await self._quotas.take(f"u:{user}", limits.user_per_hour, now):
            return Denied("user_rate", texts.USER_RATE.format(limit=limits.user_per_hour))
        if not await self._quotas.take(f"c:{channel}", limits.channel_per_hour, now):
            limit = limits.channel_per_hour
            return Denied("channel_rate", texts.CHANNEL_RATE.format(limit=limit))
        return None

    async def _person(
        self, user: str, context: ContextConfig, place: Place, bot: str | None
    ) -> Person:
        # If the act proves presence in the context's own channel, membership decides nothing.
        channels = () if place.where == "own" else context.channels
        return await self._people.person(user, channels, bot=bot)

    async def _find_place(
        self, channel: str, context: ContextConfig, *, present: bool, shared: bool
    ) -> Place:
        if not channel or is_direct(channel):
            return Place("dm")
        facts = await self._people.channel(channel)
        own = present and channel in context.channels
        return Place(
            "own" if own else "other", shared or facts.shared, facts.creator, known=facts.known
        )


def is_direct(channel: str) -> bool:
    """Tell whether a channel is a direct message, by its id."""
    return channel.startswith("D")
