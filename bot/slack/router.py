"""The front desk: what is done with what Slack says, once it is acknowledged.

Listeners translate one event into one call here. The desk finds the context, checks access, counts
rates and hands over to the answer room or the warm room; it holds no text longer than that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from bot.answer.events import Outcome
from bot.answer.interfaces import NotOurs, Takeover
from bot.answer.question import Question
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.delivery.notices import Notices
from bot.delivery.slack_api import JsonObject, SlackCallError, SlackCalls, Target
from bot.errors import ForewarmError
from bot.slack import texts
from bot.slack.ask.context_picker import context_picker
from bot.slack.events.intake import IncomingMessage
from bot.slack.events.parse import Deleted, Edited, Message
from bot.slack.interfaces import Answers, Contexts, Inbox, Warmth
from bot.slack.people.access import OUT_OF_MONEY, Denied
from bot.slack.people.context_choice import Choice, Habits, Memory, choose
from bot.slack.people.gate import Gate, is_direct
from bot.slack.people.reply_limits import ReplyLimits, Speaker
from bot.tasks import Tasks
from bot.warm.signals import Signal, SignalKind

log = structlog.get_logger(__name__)

PROVES_PRESENCE: frozenset[SignalKind] = frozenset(
    (
        "channel_message",
        "thread_message",
        "bare_mention",
        "message_edited",
        "message_deleted",
        "person_joined",
    )
)
"""Signals that only a member of the channel can cause; the rest may name any channel."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The router's dependencies."""

    calls: SlackCalls
    notices: Notices
    gate: Gate
    limits: ReplyLimits
    contexts: Contexts
    inbox: Inbox
    warmth: Warmth
    answers: Answers
    now: Now
    team: str
    memory: Memory | None = None


class Router:
    """Everything that happens after an acknowledgement."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self.habits = Habits(parts.memory)
        self.tasks = Tasks()
        self._conversing: Counter[str] = Counter()

    # --- messages -------------------------------------------------------------------------------

    async def handle_message(self, taken: IncomingMessage) -> None:
        """Do what a message calls for: answer it, warm for it, or nothing."""
        message = taken.message
        if message.viewing:
            await self.habits.note_view(message.workspace, message.user, message.viewing)
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
            if question.text.strip().lower() in texts.HELP_WORDS:
                # It costs nothing, so it needs no context and no right.
                await self._explain(question, message, "help", texts.HELP, standing)
                await self._finish(question, "denied", "help")
                return
            context = await self._context_for(question, message, standing)
            if context is None:
                return
            refusal = await self._p.gate.refusal(
                question,
                context,
                # A message in a channel proves that its author is there. A takeover proves nothing.
                present=message is not None,
                bot=message.bot if message is not None else None,
                shared=message.shared if message is not None else False,
            )
            if refusal is not None:
                await self._refuse(question, message, context, refusal, standing)
                return
            if not await self._p.limits.may_answer(_speaker_of(question, message)):
                await self._finish(question, "denied", "bot_answered_enough")
                return
            await self.habits.note_asked(question.workspace, question.user, context.name)
            left = Takeover(tuple(standing)) if standing else None
            await self._p.answers.answer(replace(question, context=context.name), context, left)
            self._p.warmth.signal(_answered(question, self._p.now()), context)
        except ForewarmError as error:
            rule = type(error).__name__
            log.warning("question_failed", question=question.id, error=rule, why=str(error))
            await self._explain(question, message, rule, error.asker_message, standing)
            await self._finish(question, "failed", rule)

    async def _refuse(
        self,
        question: Question,
        message: Message | None,
        context: ContextConfig,
        refusal: Denied,
        standing: Sequence[str],
    ) -> None:
        """Say why a question is refused; without money, the places that match it say more."""
        if refusal.rule == OUT_OF_MONEY:
            speaker = _speaker_of(question, message)
            if standing or await self._p.limits.may_explain(speaker, refusal.rule):
                left = Takeover(tuple(standing)) if standing else None
                await self._p.answers.list_places(question, context, refusal.message, left)
                return
        else:
            await self._explain(question, message, refusal.rule, refusal.message, standing)
        await self._finish(question, "denied", refusal.rule)

    async def apologise(self, question: Question, age: float, standing: Sequence[str] = ()) -> None:
        """Say that a question is too old to be answered out of the blue."""
        await self._say(question, texts.EXPIRED.format(minutes=int(age // 60)), standing)
        await self._finish(question, "expired", "too_old")

    async def _context_for(
        self, question: Question, message: Message | None, standing: Sequence[str] = ()
    ) -> ContextConfig | None:
        """Return the context meant, or None after explaining why there is none."""
        if question.context is not None:
            named = self._p.contexts.named(question.context)
            if named is not None:
                return named
        own = self._p.contexts.for_channel(question.channel)
        if own is not None:
            return own
        if not is_direct(question.channel) and question.surface not in ("modal", "shortcut"):
            text = texts.NO_CONTEXT
            await self._explain(question, message, "no_context", text, standing)
            await self._finish(question, "no_context")
            return None
        choice = await self.choice(question.workspace, question.user)
        if choice.context is None:
            await self._ask_which(question, message, choice, standing)
        return choice.context

    async def choice(self, workspace: str, user: str) -> Choice:
        """Return which context a person means outside of any context's channel."""
        viewed = await self.habits.viewed(workspace, user)
        return choose(
            await self.askable(user),
            viewed=self._p.contexts.for_channel(viewed) if viewed else None,
            last=await self.habits.last(workspace, user),
        )

    async def askable(self, user: str) -> list[ContextConfig]:
        """Return the contexts that a person may ask outside of their channels."""
        return await self._p.gate.askable(user, self._p.contexts.all())

    async def _ask_which(
        self,
        question: Question,
        message: Message | None,
        choice: Choice,
        standing: Sequence[str],
    ) -> None:
        if not choice.among:
            text = texts.NO_CONTEXT_FOR_YOU
            await self._explain(question, message, "no_context", text, standing)
            await self._finish(question, "no_context")
            return
        blocks = context_picker(question.id, [c.name for c in choice.among])
        await self._say(question, texts.WHICH_CONTEXT, standing, blocks)
        # No process holds it until the asker has chosen, perhaps tomorrow, at another replica.
        await self._finish(question, "no_context", "asked_which")

    async def _bare_mention(self, message: Message) -> None:
        context = self._p.contexts.for_channel(message.channel)
        if context is None and not is_direct(message.channel):
            await self._hint(message, "no_context", texts.NO_CONTEXT)
            return
        await self.signalled(_signal_of(message, "bare_mention"))
        name = context.name if context else "your code"
        await self._hint(message, "bare_mention", texts.BARE_MENTION.format(names=name))

    # --- signals --------------------------------------------------------------------------------

    async def signalled(self, signal: Signal, context: ContextConfig | None = None) -> None:
        """Pass a signal on to warmth if it comes from a person who may ask."""
        meant = context or await self._signal_context(signal)
        if meant is None:
            return
        if signal.user is not None and signal.kind != "bot_joined":
            denied = await self._p.gate.denied(
                "warm",
                signal.user,
                signal.channel or "",
                meant,
                present=signal.kind in PROVES_PRESENCE,
            )
            if denied is not None:
                return
        self._p.warmth.signal(signal, meant)

    async def _signal_context(self, signal: Signal) -> ContextConfig | None:
        if signal.user and signal.channel and signal.kind in ("dm_opened", "context_changed"):
            await self.habits.note_view(signal.workspace, signal.user, signal.channel)
        if signal.repository is not None:
            return self._p.contexts.for_link(signal.repository)
        if signal.channel and not is_direct(signal.channel):
            found = self._p.contexts.for_channel(signal.channel)
            if found is not None or signal.kind != "dm_opened":
                return found
        if signal.user is None:
            return None
        return (await self.choice(signal.workspace, signal.user)).context

    async def forget(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        """Forget what a person looked at and asked, or who looked at a channel."""
        self.habits.forget(channel, user)

    # --- what becomes of a message --------------------------------------------------------------

    async def changed(self, change: Edited | Deleted) -> None:
        """Answer an edited question anew; stop for a deleted one."""
        if isinstance(change, Deleted):
            await self._p.answers.deleted(
                change.workspace, change.channel, change.ts, change.thread
            )
            if change.is_ours:
                return
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
        """Take the asker's choice of a codebase; a choice by another person is ignored."""
        asked = await self._p.inbox.load(question)
        if asked is None or asked.user != user:
            return
        meant = replace(asked, context=context, received_at=self._p.now(), asked_at=None)
        if await self._p.inbox.revise(meant):
            self.tasks.start(self.converse(meant), question)

    async def answer_again(self, question: str, user: str) -> None:
        """Answer a question anew for the person who clicked; the answer checks access itself."""
        self.tasks.start(self._p.answers.answer_again(question, user), question)

    async def stopped(self, workspace: str, channel: str, thread: str, user: str) -> None:
        await self._p.answers.stop(workspace, channel, thread, user)

    async def _finish(self, question: Question, outcome: Outcome, rule: str = "no_context") -> None:
        """Record the end of a question that no model was asked; `rule` says why it was not."""
        log.info(
            "question_not_asked",
            question=question.id,
            channel=question.channel,
            surface=question.surface,
            rule=rule,
        )
        try:
            await self._p.inbox.finish(question.id, outcome)
        except NotOurs:
            log.info("question_finished_elsewhere", question=question.id)

    # --- saying ---------------------------------------------------------------------------------

    def _target(self, question: Question) -> Target:
        return Target(
            workspace=question.workspace,
            channel=question.channel,
            thread=question.thread,
            recipient_user=question.user,
            recipient_team=question.user_team or self._p.team,
        )

    async def _explain(
        self,
        question: Question,
        message: Message | None,
        rule: str,
        text: str,
        standing: Sequence[str] = (),
    ) -> None:
        """Say why a question is not answered, unless that was said enough.

        Messages of an earlier answer are replaced in any case.
        """
        speaker = _speaker_of(question, message)
        if standing or await self._p.limits.may_explain(speaker, rule):
            await self._say(question, text, standing)

    async def _hint(self, message: Message, rule: str, text: str) -> None:
        speaker = Speaker(
            message.workspace, message.channel, message.root, message.user, message.bot
        )
        if await self._p.limits.may_explain(speaker, rule):
            await self._post(_target_of(message, self._p.team), text)

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
            log.warning("notice_not_updated", question=question.id, error=error.error)

    async def _post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> None:
        try:
            await self._p.notices.post(target, text, blocks)
        except SlackCallError as error:
            log.warning("notice_not_posted", channel=target.channel, error=error.error)


def _speaker_of(question: Question, message: Message | None) -> Speaker:
    """Return who asked. A takeover has no message: then software is known by its id alone."""
    bot = message.bot if message is not None else None
    if bot is None and question.user.startswith("B"):
        bot = question.user
    return Speaker(question.workspace, question.channel, question.root, question.user, bot)


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
