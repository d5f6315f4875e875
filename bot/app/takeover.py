"""Questions that a dead replica left: completed, answered anew in place, or apologised for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from bot.answer.interfaces import NotOurs, Takeover
from bot.answer.question import Question
from bot.answer.service import Answerer
from bot.answer.thread.cache import Threads
from bot.app.contexts.registry import ContextRegistry
from bot.app.inbox import QuestionInbox
from bot.clock import Now
from bot.delivery.slack_api import SlackCallError
from bot.slack.app import SlackSide
from bot.slack.people.gate import Gate
from bot.store.inbox import Claimed

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
NOTHING_THERE = frozenset({"gone", "forbidden"})
"""Slack's errors for a thread that cannot be read: nothing can be shown in it either."""

NOTED_SECONDS = 1.0
"""Time for those who live to note a message that they have posted this moment."""

SKEW_SECONDS = 5.0
"""How far Slack's clock may be behind ours: only a modal's question has no stamp of Slack's."""


class Takeovers:
    """Carries on what was found with its lease run out."""

    def __init__(
        self,
        inbox: QuestionInbox,
        library: ContextRegistry,
        answerer: Answerer,
        edge: SlackSide,
        gate: Gate,
        threads: Threads,
        now: Now,
    ) -> None:
        self._inbox = inbox
        self._library = library
        self._answerer = answerer
        self._desk = edge.desk
        self._gate = gate
        self._asking = edge.asking
        self._threads = threads
        self._now = now
        self._taking: set[str] = set()

    async def take(self, claimed: Claimed, question: Question) -> None:
        """Begin to carry a question on; returns at once."""
        log.info("taken_over", question=question.id, claims=claimed.claims)
        self._taking.add(question.id)
        self._desk.tasks.start(self._take(claimed, question), question.id)

    def works_on(self, question: str) -> bool:
        """Tell whether a question is being carried on."""
        return question in self._taking

    async def _take(self, claimed: Claimed, question: Question) -> None:
        try:
            await self._carry(claimed, question)
        except NotOurs:
            log.info("answered_elsewhere", question=question.id)
        finally:
            self._taking.discard(question.id)

    async def _carry(self, claimed: Claimed, question: Question) -> None:
        if question.thread is None and not question.is_stamped:
            placed = await self._asking.place(question, anew=False)
            if placed is None:
                return
            question = placed
        standing = await self._standing(claimed, question)
        if claimed.saved is not None:
            await self._carry_on(question, Takeover(standing, claimed.saved))
        elif claimed.too_old:
            await self._desk.apologise(question, self._now() - claimed.at, standing)
        elif claimed.messages:
            await self._carry_on(question, Takeover(standing))
        else:
            # Its progress is not known, so it is judged like a new question, access included.
            await self._desk.converse(question, standing=standing)

    async def _carry_on(self, question: Question, left: Takeover) -> None:
        context = self._library.named(question.context or "") or self._library.for_channel(
            question.channel
        )
        if context is None or not await self._gate.permits(question.user, question, context):
            # The router decides anew and says the refusal in place of the messages that stand.
            await self._desk.converse(question, standing=left.standing)
        else:
            await self._answerer.answer(question, context, left)

    async def _standing(self, claimed: Claimed, question: Question) -> tuple[str, ...]:
        """Return what stands of its answer in Slack, oldest first.

        That is what was noted, and what was posted by one who did not live to note it: ours, in
        the thread, since the question, and of no other question's answer.
        """
        asked = question.ts
        if not question.is_stamped:
            asked = f"{question.received_at - SKEW_SECONDS:.6f}"
        found = await self._own_since(question, asked, frozenset(claimed.messages))
        if found:
            await asyncio.sleep(NOTED_SECONDS)
            others = await self._inbox.store.history.others_messages(
                question.id, question.workspace, question.channel, found
            )
            found = tuple(ts for ts in found if ts not in others)
        for ts in found:
            log.info("orphan_found", question=question.id)
            # Noted at once, so that the next takeover in this thread leaves it alone.
            await self._inbox.note_message(question.id, ts)
        return tuple(sorted({*claimed.messages, *found}))

    async def _own_since(
        self, question: Question, asked: str, noted: frozenset[str]
    ) -> Sequence[str]:
        """Return our own messages in the thread that are noted for no question.

        Slack is asked until it says: an answer given without having looked could be the second.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._threads.own_since(question.channel, question.root, asked, noted)
            except SlackCallError as error:
                log.warning("orphans_not_looked_for", question=question.id, why=error.error)
                if error.failure in NOTHING_THERE or pause > LONGEST_PAUSE_SECONDS:
                    return ()
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
                pause *= 2
