"""The front desk: what is done with what Slack says, once it is acknowledged.

Listeners translate one event into one call here. The desk finds the context, checks access, counts
rates and hands over to the answer room or the warm room; it holds no text longer than that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from bot.answer.interfaces import Takeover
from bot.answer.question import Question
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.delivery.slack_api import JsonObject, SlackCallError, SlackCalls, Target
from bot.errors import ForewarmError
from bot.slack import texts
from bot.slack.ask.context_picker import context_picker
from bot.slack.events.intake import IncomingMessage
from bot.slack.events.parse import Deleted, Edited, Message
from bot.slack.interfaces import Answers, Contexts, Inbox, SpendingLimits, Warmth
from bot.slack.people.access import Denied, Person, Place, decide
from bot.slack.people.context_choice import Choice, Habits, choose
from bot.slack.people.directory import People
from bot.slack.people.quotas import Rates
from bot.slack.tasks import Tasks
from bot.warm.signals import Signal, SignalKind

log = structlog.get_logger(__name__)


class Audit(Protocol):
    """Where refusals and changes are written down."""

    def write(self, act: str, user: str, place: str, rule: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What the desk works with."""

    calls: SlackCalls
    people: People
    contexts: Contexts
    inbox: Inbox
    warmth: Warmth
    answers: Answers
    purse: SpendingLimits
    audit: Audit
    now: Now
    team: str


class Desk:
    """Everything that happens after an acknowledgement."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self.habits = Habits()
        self._rates = Rates()
        self.tasks = Tasks()
        self._conversing: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Desk: {len(self.tasks)} running>"

    # --- messages -------------------------------------------------------------------------------

    async def heard(self, taken: IncomingMessage) -> None:
        """Do what a message calls for: answer it, warm for it, or nothing."""
        message = taken.message
        if message.viewing:
            self.habits.looks_at(message.workspace, message.user, message.viewing)
        if taken.question is not None:
            self.tasks.start(self.converse(taken.question, message), taken.question.id)
        elif taken.address == "bare_mention":
            if not taken.duplicate:
                await self._bare_mention(message)
        elif taken.address in ("overheard", "overheard_thread"):
            kind: SignalKind = (
                "thread_message" if taken.address == "overheard_thread" else "channel_message"
            )
            await self.signalled(_signal_of(message, kind))

    async def converse(
        self, question: Question, message: Message | None = None, standing: Sequence[str] = ()
    ) -> None:
        """Answer a recorded question, or say why not; it is finished either way.

        `standing` are messages of a bot that died over it: what is said takes their place.
        """
        self._conversing[question.id] += 1
        try:
            await self._converse(question, message, standing)
        finally:
            self._conversing[question.id] -= 1
            self._conversing += Counter()

    def works_on(self, question: str) -> bool:
        """Tell whether a question is being answered, or refused, or asked about."""
        return question in self._conversing

    async def _converse(
        self, question: Question, message: Message | None, standing: Sequence[str]
    ) -> None:
        try:
            context = await self._context_for(question, standing)
            if context is None:
                return
            refusal = await self._refusal(question, context, message)
            if refusal is not None:
                await self._say(question, refusal.message, standing)
                await self._p.inbox.finish(question, "denied")
                return
            self.habits.asked(question.workspace, question.user, context.name)
            left = Takeover(tuple(standing)) if standing else None
            await self._p.answers.answer(replace(question, context=context.name), context, left)
            self._p.warmth.signal(_answered(question, self._p.now()), context)
        except ForewarmError as error:
            log.warning("question_failed", question=question.id, error=type(error).__name__)
            await self._say(question, error.user_message, standing)
            await self._p.inbox.finish(question, "failed")

    async def apologise(self, question: Question, age: float, standing: Sequence[str] = ()) -> None:
        """Say that a question is too old to be answered out of the blue."""
        await self._say(question, texts.EXPIRED.format(minutes=int(age // 60)), standing)
        await self._p.inbox.finish(question, "expired")

    async def _context_for(
        self, question: Question, standing: Sequence[str] = ()
    ) -> ContextConfig | None:
        """Return the context meant, or None after having said why there is none."""
        if question.context is not None:
            named = self._p.contexts.named(question.context)
            if named is not None:
                return named
        own = self._p.contexts.for_channel(question.channel)
        if own is not None:
            return own
        if not _private(question.channel) and question.surface not in ("modal", "shortcut"):
            await self._say(question, texts.no_context(question.channel), standing)
            await self._p.inbox.finish(question, "no_context")
            return None
        choice = await self.choice(question.workspace, question.user)
        if choice.context is None:
            await self._ask_which(question, choice, standing)
        return choice.context

    async def choice(self, workspace: str, user: str) -> Choice:
        """Return which context a person means outside of any context's channel."""
        viewed = self.habits.viewed(workspace, user)
        return choose(
            await self.askable(user),
            viewed=self._p.contexts.for_channel(viewed) if viewed else None,
            last=self.habits.last(workspace, user),
        )

    async def askable(self, user: str) -> list[ContextConfig]:
        """Return the contexts that a person may ask outside of their channels."""
        allowed = []
        for context in self._p.contexts.all():
            person = await self._p.people.person(user, context.channels)
            if decide("ask", person, Place("dm"), context.access) is None:
                allowed.append(context)
        return allowed

    async def _ask_which(self, question: Question, choice: Choice, standing: Sequence[str]) -> None:
        if not choice.among:
            await self._say(question, texts.NO_CONTEXT_FOR_YOU, standing)
            await self._p.inbox.finish(question, "no_context")
            return
        blocks = context_picker(question.id, [c.name for c in choice.among])
        await self._say(question, texts.WHICH_CONTEXT, standing, blocks)
        # Nobody holds it until the asker has chosen, which may be tomorrow, at another replica.
        await self._p.inbox.finish(question, "no_context")

    async def _refusal(
        self, question: Question, context: ContextConfig, message: Message | None
    ) -> Denied | None:
        bot = message.bot if message is not None else None
        shared = message.shared if message is not None else False
        place = await self._place(question.channel, context, shared=shared)
        person = await self._person(question.user, context, place, bot=bot)
        denied = decide("ask", person, place, context.access)
        if denied is not None:
            self._p.audit.write("ask", question.user, question.channel, denied.rule)
            return denied
        return self._limits(question, context)

    def _limits(self, question: Question, context: ContextConfig) -> Denied | None:
        now, limits = self._p.now(), context.limits
        if not self._p.purse.answers_left(context):
            return Denied("money", texts.MONEY_OUT.format(name=context.name))
        if not self._rates.take(f"u:{question.user}", limits.user_per_hour, now):
            return Denied("user_rate", texts.USER_RATE.format(limit=limits.user_per_hour))
        if not self._rates.take(f"c:{question.channel}", limits.channel_per_hour, now):
            limit = limits.channel_per_hour
            return Denied("channel_rate", texts.CHANNEL_RATE.format(limit=limit))
        return None

    async def _person(
        self, user: str, context: ContextConfig, place: Place, bot: str | None = None
    ) -> Person:
        # In its own channel membership decides nothing, so it is not looked up.
        channels = () if place.where == "own" else context.channels
        return await self._p.people.person(user, channels, bot=bot)

    async def _place(self, channel: str, context: ContextConfig, *, shared: bool = False) -> Place:
        if _private(channel):
            return Place("dm")
        facts = await self._p.people.channel(channel)
        own = channel in context.channels
        return Place("own" if own else "other", shared or facts.shared, facts.creator)

    async def _bare_mention(self, message: Message) -> None:
        context = self._p.contexts.for_channel(message.channel)
        if context is None and not _private(message.channel):
            await self._post(_target_of(message, self._p.team), texts.no_context(message.channel))
            return
        await self.signalled(_signal_of(message, "bare_mention"))
        name = context.name if context else "your code"
        hint = texts.BARE_MENTION.format(names=name)
        await self._post(_target_of(message, self._p.team), hint)

    # --- signals --------------------------------------------------------------------------------

    async def signalled(self, signal: Signal, context: ContextConfig | None = None) -> None:
        """Pass a signal on to warmth where somebody stands behind it who may ask."""
        meant = context or await self._signal_context(signal)
        if meant is None:
            return
        if signal.user is not None and signal.kind != "bot_joined":
            channel = signal.channel
            place = await self._place(channel, meant) if channel else Place("dm")
            person = await self._person(signal.user, meant, place)
            denied = decide("warm", person, place, meant.access)
            if denied is not None:
                self._p.audit.write("warm", signal.user, signal.channel or "dm", denied.rule)
                return
        self._p.warmth.signal(signal, meant)

    async def _signal_context(self, signal: Signal) -> ContextConfig | None:
        if signal.user and signal.channel and signal.kind in ("dm_opened", "context_changed"):
            self.habits.looks_at(signal.workspace, signal.user, signal.channel)
        if signal.repository is not None:
            return self._p.contexts.for_link(signal.repository)
        if signal.channel and not _private(signal.channel):
            found = self._p.contexts.for_channel(signal.channel)
            if found is not None or signal.kind != "dm_opened":
                return found
        if signal.user is None:
            return None
        return (await self.choice(signal.workspace, signal.user)).context

    # --- what becomes of a message --------------------------------------------------------------

    async def changed(self, change: Edited | Deleted) -> None:
        """Answer an edited question anew; stop for a deleted one."""
        if isinstance(change, Deleted):
            await self._p.answers.deleted(change.workspace, change.channel, change.ts)
            kind: SignalKind = "message_deleted"
        else:
            self.tasks.start(self._edited(change))
            kind = "message_edited"
        await self.signalled(
            Signal(kind=kind, workspace=change.workspace, at=self._p.now(), channel=change.channel)
        )

    async def _edited(self, change: Edited) -> None:
        await self._p.answers.edited(change.workspace, change.channel, change.ts, change.text)

    # --- what people do with answers ------------------------------------------------------------

    async def chosen(self, question: str, context: str, user: str) -> None:
        """The asker said which codebase the question is about; nobody else may."""
        asked = await self._p.inbox.load(question)
        if asked is None or asked.user != user:
            return
        meant = replace(asked, context=context, received_at=self._p.now(), asked_at=None)
        if await self._p.inbox.revise(meant):
            self.tasks.start(self.converse(meant), question)

    async def again(self, question: str, workspace: str, channel: str, user: str) -> None:
        """Have a question answered anew for whoever clicked, if they may ask here."""
        context = self._p.contexts.for_channel(channel)
        if context is None:
            allowed = bool(await self.askable(user))
        else:
            place = await self._place(channel, context)
            person = await self._person(user, context, place)
            denied = decide("ask", person, place, context.access)
            allowed = denied is None
            if denied is not None:
                self._p.audit.write("ask", user, channel, denied.rule)
        if allowed:
            self.tasks.start(self._p.answers.again(question, user), question)

    async def stopped(self, workspace: str, channel: str, thread: str, user: str) -> None:
        await self._p.answers.stop(workspace, channel, thread, user)

    # --- saying ---------------------------------------------------------------------------------

    def _target(self, question: Question) -> Target:
        return Target(
            workspace=question.workspace,
            channel=question.channel,
            thread=question.thread,
            recipient_user=question.user,
            recipient_team=question.user_team or self._p.team,
        )

    async def _say(
        self,
        question: Question,
        text: str,
        standing: Sequence[str] = (),
        blocks: Sequence[JsonObject] = (),
    ) -> None:
        """Say it in the place of the first of `standing`, of which nothing else is left."""
        if not standing:
            await self._post(self._target(question), text, blocks)
            return
        calls, channel = self._p.calls, question.channel
        try:
            await calls.update(channel, standing[0], text, blocks)
            for ts in standing[1:]:
                await calls.delete(channel, ts)
        except SlackCallError as error:
            log.warning("not_said_in_place", question=question.id, error=error.error)

    async def _post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> None:
        try:
            await self._p.calls.post(target, text, blocks)
        except SlackCallError as error:
            log.warning("not_said", channel=target.channel, error=error.error)


def _private(channel: str) -> bool:
    return channel.startswith("D")


def _signal_of(message: Message, kind: SignalKind) -> Signal:
    return Signal(
        kind=kind,
        workspace=message.workspace,
        at=message.at,
        channel=message.channel,
        thread=message.thread,
        user=None if message.bot else message.user,
    )


def _answered(question: Question, at: float) -> Signal:
    return Signal(
        kind="answered",
        workspace=question.workspace,
        at=at,
        channel=question.channel,
        thread=question.thread,
        user=question.user,
    )


def _target_of(message: Message, team: str) -> Target:
    return Target(
        workspace=message.workspace,
        channel=message.channel,
        thread=message.root,
        recipient_user=message.user,
        recipient_team=message.user_team or team,
    )
