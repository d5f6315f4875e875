"""Answer questions, and handle edits, deletions, stops and repetitions of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.events import QuestionReceived
from bot.answer.interfaces import Takeover
from bot.answer.mishaps import suppressed_store_failures
from bot.answer.question import Question, target_of, together
from bot.answer.run import AnswerRun
from bot.answer.speculative.drafts import Drafts
from bot.answer.thread.message import ThreadMessage
from bot.context.config.load import ContextConfig
from bot.delivery.slack_api import SlackCallError
from bot.log_context import about_question

log = structlog.get_logger(__name__)

EDIT_SECONDS = 60.0
EDIT_PAUSE_SECONDS = 1.0
"""After a second edit within one answer: who edits twice is often not done, and a request costs."""
"""An edit this long after the first words is still answered anew; later the answer stands."""
END_SECONDS = 20.0
"""Longer than it takes to end an answer that was cut short, if Slack takes the last calls."""
REMEMBERED = 300
NEW_SECONDS = 10.0


Place = tuple[str, str, str]
"""A message: workspace, channel, time stamp."""


@dataclass(frozen=True, slots=True)
class _PastAnswer:
    """An answer that was given: enough to give it anew, in the same place."""

    question: Question
    context: ContextConfig
    messages: tuple[str, ...]
    said_at: float | None


class Answerer:
    """Answers questions, one answer each. Implements `bot.slack.interfaces.Answers`."""

    def __init__(self, parts: Dependencies, drafts: Drafts | None = None) -> None:
        self._parts = parts
        self._drafts = drafts
        self._running: dict[str, AnswerRun] = {}
        self._given: OrderedDict[str, _PastAnswer] = OrderedDict()
        self._edits: dict[Place, str] = {}
        self._early: OrderedDict[Place, str] = OrderedDict()

    @property
    def running(self) -> int:
        return len(self._running)

    def answers(self, question: str) -> bool:
        """Tell whether a question is being answered."""
        return question in self._running

    async def answer(
        self,
        question: Question,
        context: ContextConfig,
        takeover: Takeover | None = None,
        recipient: str | None = None,
    ) -> None:
        """Answer a question that was recorded and may be answered; returns when it is ended.

        `takeover` is what a former holder left of it. `recipient` sees the answer grow in place
        of the asker. A question that is running already is left alone.
        """
        if question.id in self._running:
            return
        with about_question(question.id):
            if takeover is None and (before := self._earlier(question)) is not None:
                joined = await self._join(before, question, context)
                if joined is None:
                    return
                question = joined
            begun = None
            question = self._with_early_edit(question)
            if takeover is None:
                self._open_thread(question)
                self._parts.journal.write(_received(question, context, self._parts.now()))
                begun = self._drafts.take(question, context) if self._drafts is not None else None
            await self._run(AnswerRun(self._parts, question, context, takeover, recipient, begun))

    async def list_places(
        self,
        question: Question,
        context: ContextConfig,
        why: str,
        takeover: Takeover | None = None,
    ) -> None:
        """List the places that match a question that Claude is not asked, and say why."""
        if question.id not in self._running:
            with about_question(question.id):
                self._open_thread(question)
                await self._run(AnswerRun(self._parts, question, context, takeover, denied=why))

    async def _join(
        self, before: AnswerRun, question: Question, context: ContextConfig
    ) -> Question | None:
        """Return the question to answer now that its asker has another one answered; None: none.

        Before any word of the other answer, both messages are one question. While it is written,
        it gets a button for the later message at its end.
        """
        if before.context.name == context.name and before.may_join:
            before.cut("joined")
            await before.ended.wait()
            if before.messages or before.said_at is not None:
                return question
            question = together(before.question, question)
            with suppressed_store_failures(question.id):
                await self._parts.inbox.revise(question)
            return question
        held = before.hold(question)
        await before.ended.wait()
        later = before.later
        if not held or (later is not None and not before.offers_later):
            return question
        # Without a later message it was deleted while it waited.
        if later is not None and later.id == question.id:
            await self._keep_for_later(later, context)
        with suppressed_store_failures(question.id):
            await self._parts.inbox.finish(question.id, "stopped")
        return None

    async def _keep_for_later(self, question: Question, context: ContextConfig) -> None:
        """Keep what the button needs: all the words, and the context."""
        self._parts.journal.write(_received(question, context, self._parts.now()))
        self._given[question.id] = _PastAnswer(question, context, (), None)
        with suppressed_store_failures(question.id):
            await self._parts.inbox.revise(replace(question, context=context.name))

    def _earlier(self, question: Question) -> AnswerRun | None:
        """Return the running answer to the same asker in the same place."""
        if not question.is_stamped:
            return None
        place = (question.workspace, question.channel, question.user)
        direct = question.channel.startswith("D")
        for answering in self._running.values():
            other = answering.question
            same = (other.workspace, other.channel, other.user) == place and other.is_stamped
            if same and (other.root == question.root or direct):
                return answering
        return None

    def typed(self, question: Question, context: ContextConfig, order: str = "") -> None:
        """Take a draft as the question that it would be if it were submitted now.

        `order` is the key event's `action_ts`. Does nothing if the context does not allow it.
        """
        if self._drafts is not None:
            self._drafts.typed(question, context, order)

    def closed(self, question: str) -> None:
        """Forget a draft: its modal was closed without asking."""
        if self._drafts is not None:
            self._drafts.closed(question)

    async def edited(self, workspace: str, channel: str, ts: str, text: str) -> bool:
        """Answer an edited question anew, in place; False if its answer stands by now.

        Edits that come while one is applied replace each other: the newest words count.
        """
        place = (workspace, channel, ts)
        is_first = place not in self._edits
        self._edits[place] = text
        if not is_first:
            self._cut(lambda q: (q.workspace, q.channel, q.ts) == place, "superseded")
            return True
        try:
            return await self._apply_edits(place)
        finally:
            del self._edits[place]

    async def _apply_edits(self, place: Place) -> bool:
        answered, text = False, ""
        while True:
            if answered and self._edits[place] != text:
                await asyncio.sleep(EDIT_PAUSE_SECONDS)
            text, found = self._edits[place], self._asked_by(*place)
            if found is None:
                self._keep_early(place, text)
                return answered
            if found.question.text.strip() == text.strip() or not text.strip():
                return answered
            gate, asked = self._parts.gate, found.question
            if not await gate.permits(asked.user, asked, found.context):
                return answered
            # The answer may have ended meanwhile, and only its end tells when it was given.
            found = self._given.get(asked.id, found)
            running = self._running.get(asked.id)
            if running is not None:
                running.cut("superseded")
                await running.ended.wait()
            elif not answered and not self._is_recent(found):
                return False
            found = self._given[asked.id]
            edited = replace(found.question, text=self._edits[place])
            if await self._refused(edited, found.context, edited.user):
                return answered
            if not await self._anew(found, edited):
                return answered
            answered = True

    def _is_recent(self, given: _PastAnswer) -> bool:
        return given.said_at is not None and self._parts.now() <= given.said_at + EDIT_SECONDS

    def _keep_early(self, place: Place, text: str) -> None:
        """Keep an edit of a message that may be a question whose answer has not begun."""
        self._early[place] = text
        self._early.move_to_end(place)
        if len(self._early) > REMEMBERED:
            self._early.popitem(last=False)

    def _with_early_edit(self, question: Question) -> Question:
        text = self._early.pop((question.workspace, question.channel, question.ts), "").strip()
        return replace(question, text=text) if text else question

    async def deleted(
        self, workspace: str, channel: str, ts: str, thread: str | None = None
    ) -> None:
        """Stop the answer to a question that was deleted, and forget what the message said.

        `thread` is the message's thread, if it is not known to open one itself.
        """
        self._cut(lambda q: (q.workspace, q.channel, q.ts) == (workspace, channel, ts), "deleted")
        for answering in self._running.values():
            later = answering.later
            if later is not None and (later.channel, later.ts) == (channel, ts):
                answering.later = None
        for id, given in tuple(self._given.items()):
            if (given.question.workspace, given.question.channel, given.question.ts) == (
                workspace,
                channel,
                ts,
            ):
                del self._given[id]
        with suppressed_store_failures(f"{workspace}-{channel}-{ts}"):
            await self._parts.turns.forget_message(workspace, channel, thread or ts, ts)

    async def forget(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        """End the answers in a channel or for a person, or all; remember none that was given.

        Answers to what a channel asked after `until`, a time stamp of Slack, go on: the bot may
        have been invited again.
        """

        def is_meant(question: Question) -> bool:
            if channel:
                return question.channel == channel and question.was_asked_until(until)
            return not user or question.user == user

        await self._end(is_meant, "deleted")
        # The question of another person may name a person.
        for id, given in tuple(self._given.items()):
            if user or is_meant(given.question):
                del self._given[id]
        if self._drafts is not None:
            self._drafts.clear()

    async def stop(self, workspace: str, channel: str, thread: str, user: str) -> None:
        """Stop what is being answered in a thread, at a user's request."""
        place = (workspace, channel, thread)
        await self._stop(lambda q: (q.workspace, q.channel, q.root) == place, user)

    async def stop_question(self, question: str, user: str) -> None:
        """Stop one answer, by the button under it."""
        await self._stop(lambda q: q.id == question, user)

    async def _stop(self, wanted: Callable[[Question], bool], user: str) -> None:
        """Stop answers for their asker, or for a person who may ask the same context."""
        for answering in tuple(self._matching(wanted)):
            question, context = answering.question, answering.context
            if user == question.user or await self._parts.gate.permits(user, question, context):
                answering.cut("stopped")

    def lost(self, question: str) -> None:
        """Fall silent about a question that another process holds by now."""
        self._cut(lambda q: q.id == question, "superseded")

    async def answer_again(self, question: str, user: str) -> None:
        """Answer a question again, in place of its answer; `user` sees it grow."""
        if question in self._running:
            return
        given = self._given.get(question) or await self._past(question)
        if given is None:
            log.info("question_not_found", question=question)
            return
        # The wait that counts is that of the user who clicked; Slack stamps no click.
        asked = replace(given.question, received_at=self._parts.now(), asked_at=None)
        if await self._refused(asked, given.context, user):
            return
        await self._anew(given, asked, recipient=user)

    async def _refused(self, question: Question, context: ContextConfig, user: str) -> bool:
        """Tell whether an answer may not be given again for `user`, after having said why."""
        refusal = await self._parts.gate.refusal(question, context, user=user)
        if refusal is None:
            return False
        try:
            await self._parts.calls.whisper(target_of(question, user), refusal.message)
        except SlackCallError as error:
            log.warning("refusal_not_posted", question=question.id, error=error.error)
        return True

    def _open_thread(self, question: Question) -> None:
        """If the question opens its thread, nothing needs to be fetched for the next one.

        One that is not new may have been replied to before this process heard of it.
        """
        asked_at = question.asked_at or question.received_at
        if not question.in_thread and self._parts.now() - asked_at < NEW_SECONDS:
            self._parts.threads.opened(question.workspace, question.channel, _root(question))

    # --- running --------------------------------------------------------------------------------

    async def _run(self, answering: AnswerRun) -> None:
        id = answering.question.id
        self._running[id] = answering
        try:
            await answering.run()
        finally:
            del self._running[id]
            self._remember(answering)
            answering.ended.set()

    def _remember(self, answering: AnswerRun) -> None:
        id = answering.question.id
        self._given[id] = _PastAnswer(
            answering.question,
            answering.context,
            tuple(answering.messages),
            answering.said_at,
        )
        self._given.move_to_end(id)
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)

    async def _anew(
        self, given: _PastAnswer, question: Question, recipient: str | None = None
    ) -> bool:
        with suppressed_store_failures(question.id):
            if not await self._parts.inbox.revise(question):
                log.info("question_taken_by_other", question=question.id)
                return False
        takeover = Takeover(standing=given.messages)
        await self.answer(question, given.context, takeover, recipient)
        return True

    async def _past(self, question: str) -> _PastAnswer | None:
        past = await self._parts.inbox.past(question)
        if past is None or past.question.context is None or past.question.is_empty:
            return None
        context = self._parts.sources.named(past.question.context)
        if context is None:
            return None
        return _PastAnswer(past.question, context, past.messages, None)

    # --- finding --------------------------------------------------------------------------------

    def _asked_by(self, workspace: str, channel: str, ts: str) -> _PastAnswer | None:
        place = (workspace, channel, ts)
        for answering in self._running.values():
            q = answering.question
            if (q.workspace, q.channel, q.ts) == place:
                return _PastAnswer(q, answering.context, (), None)
        for given in reversed(self._given.values()):
            q = given.question
            if (q.workspace, q.channel, q.ts) == place:
                return given
        return None

    def _matching(self, wanted: Callable[[Question], bool]) -> Iterator[AnswerRun]:
        return (a for a in tuple(self._running.values()) if wanted(a.question))

    async def _end(
        self, wanted: Callable[[Question], bool], kind: Literal["deleted", "superseded"]
    ) -> None:
        """Cut answers short and wait until they have ended, for at most `END_SECONDS`."""
        ending = list(self._matching(wanted))
        for answering in ending:
            answering.cut(kind)
        ends = [asyncio.ensure_future(answering.ended.wait()) for answering in ending]
        if ends:
            _, late = await asyncio.wait(ends, timeout=END_SECONDS)
            for end in late:
                end.cancel()

    def _cut(
        self,
        wanted: Callable[[Question], bool],
        kind: Literal["stopped", "deleted", "superseded"],
    ) -> None:
        for answering in self._matching(wanted):
            answering.cut(kind)


def _received(question: Question, context: ContextConfig, at: float) -> QuestionReceived:
    return QuestionReceived(
        at=at,
        question=question.id,
        workspace=question.workspace,
        channel=question.channel,
        thread=question.thread,
        user=question.user,
        surface=question.surface,
        asked_at=question.asked_at,
        context=context.name,
    )


def _root(question: Question) -> ThreadMessage:
    """Return the message that opens the question's thread.

    A modal's is one of our own, which quotes the question: its words are in the turn.
    """
    if question.is_stamped:
        return ThreadMessage(
            question.root,
            question.user,
            "person",
            question.text,
            question.files,
            question.quoted,
            question.unread,
        )
    return ThreadMessage(question.root, "", "own", "")
