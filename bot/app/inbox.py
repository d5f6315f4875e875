"""Questions between Slack's edge, the answers and the store: recorded, held, taken over, ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from bot.answer.events import Outcome
from bot.answer.interfaces import NotOurs, Past, SavedAnswer
from bot.answer.question import Question
from bot.errors import ForewarmError
from bot.store.errors import LeaseLost
from bot.store.inbox import Claimed
from bot.store.store import Store
from bot.stored import UnreadableValue, dump, load

log = structlog.get_logger(__name__)

LEASE_SECONDS = 9.0
"""A dead replica's questions are free after this long: takeover within 15 s, looking included."""
RENEW_SECONDS = 3.0
LOOK_SECONDS = 1.0
ADRIFT_SECONDS = 20.0
TAKEN_AT_ONCE = 10
"""Questions taken over in one go: replicas that look at the same time share a dead one's."""


def question_json(question: Question) -> dict[str, Any]:
    """Return a question as the store keeps it.

    Defaults are left out: an earlier version refuses a question with a field that it does not know.
    """
    return dump(question, defaults=False)


def question_of(stored: Mapping[str, Any]) -> Question:
    """Return a question as it was kept; raise `UnreadableValue`."""
    return load(Question, stored)


class QuestionLeases:
    """The questions that this start of this process holds.

    An owner's name is never used twice: a process that was thought dead cannot come back and
    finish what another has taken over.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.owner = uuid.uuid4().hex
        self.questions: dict[str, Question] = {}
        self.lost: Callable[[str], None] = lambda question: None
        self.worked_on: Callable[[str], bool] = lambda question: True
        self._idle: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<QuestionLeases {self.owner[:8]}: {len(self.questions)} questions>"

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self.questions)

    async def finish(self, question: str, outcome: Outcome) -> None:
        """Nothing is left to do. Raises `LeaseLost`."""
        await self.store.inbox.finish(question, self.owner, outcome)
        self.questions.pop(question, None)

    async def note_message(self, question: str, ts: str) -> None:
        """Remember that a message of its answer stands in Slack. Raises `LeaseLost`."""
        await self.store.inbox.note_message(question, self.owner, ts)

    async def reopen(self, question: Question) -> bool:
        """Open a question anew with what it says now; False where another holds it."""
        ours = await self.store.inbox.reopen(
            question.id, self.owner, question_json(question), LEASE_SECONDS
        )
        if ours:
            self.questions[question.id] = question
        return ours

    # --- in the background ----------------------------------------------------------------------

    async def keep_renewing(self) -> None:
        """Hold what is held, until cancelled; tell of what was lost to another replica."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            self._let_go_of_idle()
            try:
                gone = await self.store.inbox.renew(self.ids, self.owner, LEASE_SECONDS)
            except ForewarmError as error:
                log.warning("leases_not_renewed", why=str(error))
                continue
            for question in gone & self.ids:
                self.questions.pop(question, None)
                self.lost(question)

    def _let_go_of_idle(self) -> None:
        """Renew no question that nobody works on, such as one whose end could not be stored.

        Its lease runs out and it is taken over, by ourselves perhaps. Not at once, since there are
        moments between recording a question and beginning to answer it.
        """
        now = asyncio.get_running_loop().time()
        idle = [question for question in self.ids if not self.worked_on(question)]
        self._idle = {question: self._idle.get(question, now) for question in idle}
        for question, since in self._idle.items():
            if now >= since + ADRIFT_SECONDS:
                log.warning("question_adrift", question=question)
                self.questions.pop(question, None)

    async def keep_looking(self, take: Callable[[Claimed, Question], Awaitable[None]]) -> None:
        """Take over what dead replicas left, until cancelled."""
        while True:
            try:
                claimed = await self.store.inbox.claim_expired(
                    self.owner, LEASE_SECONDS, TAKEN_AT_ONCE, busy=self.ids
                )
            except ForewarmError as error:
                log.warning("nothing_taken_over", why=str(error))
                claimed = ()
            for one in claimed:
                try:
                    question = question_of(one.question)
                except UnreadableValue as error:
                    # The lease runs out again: a replica of a newer version may read it.
                    log.error("question_unreadable", question=one.id, why=error.problem)
                    continue
                self.questions[question.id] = question
                await take(one, question)
            # A full hand means that there are more: nobody else may be there to take them.
            await asyncio.sleep(0 if len(claimed) == TAKEN_AT_ONCE else LOOK_SECONDS)

    async def hand_over(self) -> None:
        """Let others have what is still held: this process is stopping."""
        for question in self.ids:
            try:
                await self.store.inbox.release(question, self.owner)
            except ForewarmError as error:
                # Without the database the lease runs out by itself.
                log.warning("not_handed_over", question=question, why=str(error))
                break
        self.questions.clear()


class SlackInbox:
    """`bot.slack.interfaces.Inbox` over the store."""

    def __init__(self, holding: QuestionLeases) -> None:
        self._holding = holding
        self._store = holding.store

    async def record(self, question: Question) -> bool:
        """Record and claim a question; False where it is known already."""
        new = await self._store.inbox.record(
            question_json(question),
            id=question.id,
            workspace=question.workspace,
            channel=question.channel,
            ts=question.ts,
            at=question.asked_at or question.received_at,
            owner=self._holding.owner,
            lease_seconds=LEASE_SECONDS,
        )
        if new:
            self._holding.questions[question.id] = question
        return new

    async def first(self, event: str) -> bool:
        return await self._store.events.first_sight(event)

    async def askers(self, workspace: str, channel: str, thread: str) -> frozenset[str]:
        return await self._store.history.askers(workspace, channel, thread)

    async def revise(self, question: Question) -> bool:
        return await self._holding.reopen(question)

    async def load(self, question: str) -> Question | None:
        """Return a question that waits for its asker to say which context is meant."""
        found = await self._store.history.past(question)
        if found is None or found.outcome != "no_context":
            return None
        return question_of(found.question)

    async def finish(self, question: Question, outcome: Outcome) -> None:
        try:
            await self._holding.finish(question.id, outcome)
        except LeaseLost:
            log.info("finished_elsewhere", question=question.id)


class AnswerInbox:
    """`bot.answer.interfaces.Inbox` over the store."""

    def __init__(self, holding: QuestionLeases) -> None:
        self._holding = holding
        self._inbox = holding.store.inbox

    async def note_message(self, question: str, ts: str) -> None:
        with _ours(question):
            await self._holding.note_message(question, ts)

    async def save_answer(self, question: str, answer: SavedAnswer) -> None:
        with _ours(question):
            await self._inbox.save_answer(question, self._holding.owner, answer)

    async def finish(self, question: str, outcome: Outcome) -> None:
        with _ours(question):
            await self._holding.finish(question, outcome)

    async def revise(self, question: Question) -> bool:
        return await self._holding.reopen(question)

    async def past(self, question: str) -> Past | None:
        found = await self._holding.store.history.past(question)
        return None if found is None else Past(question_of(found.question), found.messages)


@contextmanager
def _ours(question: str) -> Iterator[None]:
    try:
        yield
    except LeaseLost as lost:
        raise NotOurs(lost.user_message, question) from lost
