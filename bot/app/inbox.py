"""The inbox of questions: recorded, held under a lease, taken over, finished.

One object serves Slack's side, the answers and the takeover. A question is recorded before it is
acknowledged, and held by one process at a time. The process renews its leases; if it dies, another
claims its questions and carries them on.

    recorded ──lease──> held ──finish──> finished
                         │  ^
             lease lost  v  │ claim, reopen
                      held by another process

A process that was believed dead may come back. Its owner's name is never used twice, so the store
refuses its writes with `LeaseLost`, and the answers see `NotOurs` and fall silent.
"""

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


class QuestionInbox:
    """Implements `bot.slack.interfaces.Inbox` and `bot.answer.interfaces.Inbox`.

    `questions` are those that this start of this process holds, by id.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.owner = uuid.uuid4().hex
        self.questions: dict[str, Question] = {}
        self._idle: dict[str, float] = {}

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self.questions)

    # --- taking in ------------------------------------------------------------------------------

    async def record(self, question: Question) -> bool:
        """Record and claim a question; return False if it is known already."""
        new = await self.store.inbox.record(
            question_json(question),
            id=question.id,
            workspace=question.workspace,
            channel=question.channel,
            ts=question.ts,
            at=question.asked_at or question.received_at,
            owner=self.owner,
            lease_seconds=LEASE_SECONDS,
        )
        if new:
            self.questions[question.id] = question
        return new

    async def first(self, event: str) -> bool:
        """Tell whether no replica has seen this event yet; remember it."""
        return await self.store.events.first_sight(event)

    async def askers(self, workspace: str, channel: str, thread: str) -> frozenset[str]:
        """Return the users who have asked in a thread."""
        return await self.store.history.askers(workspace, channel, thread)

    async def load(self, question_id: str) -> Question | None:
        """Return a question that waits for its asker to choose a context."""
        found = await self.store.history.past(question_id)
        if found is None or found.outcome != "no_context":
            return None
        return question_of(found.question)

    # --- while it is held -----------------------------------------------------------------------

    async def revise(self, question: Question) -> bool:
        """Open a question again with its present text; return False if another process holds it."""
        ours = await self.store.inbox.reopen(
            question.id, self.owner, question_json(question), LEASE_SECONDS
        )
        if ours:
            self.questions[question.id] = question
        return ours

    async def note_message(self, question_id: str, ts: str) -> None:
        """Keep that a message of the answer is in Slack. Raises `NotOurs`."""
        with _ours(question_id):
            await self.store.inbox.note_message(question_id, self.owner, ts)

    async def save_answer(self, question_id: str, answer: SavedAnswer) -> None:
        """Keep the whole answer before its last call to Slack. Raises `NotOurs`."""
        with _ours(question_id):
            await self.store.inbox.save_answer(question_id, self.owner, answer)

    async def finish(self, question_id: str, outcome: Outcome) -> None:
        """End a question. Raises `NotOurs`."""
        with _ours(question_id):
            await self.store.inbox.finish(question_id, self.owner, outcome)
        self.questions.pop(question_id, None)

    async def past(self, question_id: str) -> Past | None:
        """Return a question of any age and the messages of its answer; None if it is purged."""
        found = await self.store.history.past(question_id)
        return None if found is None else Past(question_of(found.question), found.messages)

    # --- in the background ----------------------------------------------------------------------

    async def keep_renewing(
        self, lost: Callable[[str], None], is_worked_on: Callable[[str], bool]
    ) -> None:
        """Renew the leases until cancelled; call `lost` for each that another process has."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            self._let_go_of_idle(is_worked_on)
            try:
                gone = await self.store.inbox.renew(self.ids, self.owner, LEASE_SECONDS)
            except ForewarmError as error:
                log.warning("leases_not_renewed", why=str(error))
                continue
            for question_id in gone & self.ids:
                self.questions.pop(question_id, None)
                lost(question_id)

    def _let_go_of_idle(self, is_worked_on: Callable[[str], bool]) -> None:
        """Stop renewing questions without work, such as one whose end could not be stored.

        Its lease runs out and it is claimed again, perhaps by this process. Not at once, since
        there are moments between recording a question and beginning to answer it.
        """
        now = asyncio.get_running_loop().time()
        idle = [question_id for question_id in self.ids if not is_worked_on(question_id)]
        self._idle = {question_id: self._idle.get(question_id, now) for question_id in idle}
        for question_id, since in self._idle.items():
            if now >= since + ADRIFT_SECONDS:
                log.warning("question_let_go", question=question_id)
                self.questions.pop(question_id, None)

    async def keep_looking(self, take: Callable[[Claimed, Question], Awaitable[None]]) -> None:
        """Claim the questions of dead replicas until cancelled."""
        while True:
            try:
                claimed = await self.store.inbox.claim_expired(
                    self.owner, LEASE_SECONDS, TAKEN_AT_ONCE, busy=self.ids
                )
            except ForewarmError as error:
                log.warning("takeover_query_failed", why=str(error))
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
            # A full batch means that there are more, and this may be the only replica left.
            await asyncio.sleep(0 if len(claimed) == TAKEN_AT_ONCE else LOOK_SECONDS)

    async def hand_over(self) -> None:
        """Release the leases: this process is stopping, and another may go on."""
        for question_id in self.ids:
            try:
                await self.store.inbox.release(question_id, self.owner)
            except ForewarmError as error:
                # Without the database the lease runs out by itself.
                log.warning("lease_not_released", question=question_id, why=str(error))
                break
        self.questions.clear()


@contextmanager
def _ours(question: str) -> Iterator[None]:
    try:
        yield
    except LeaseLost as lost:
        raise NotOurs(lost.user_message, question) from lost
