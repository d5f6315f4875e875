"""Actions on an answer that another replica gives: passed through the store, carried out there.

Slack delivers an edit, a deletion or a stop to any replica. The one that answers finds it within
about a second; one that takes the question over later finds it as well.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from bot.answer.interfaces import Takeover
from bot.answer.question import Question
from bot.answer.service import EDIT_SECONDS, Answerer
from bot.app.inbox import LEASE_SECONDS, LOOK_SECONDS, QuestionInbox
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.errors import ForewarmError
from bot.stored import UnreadableValue, dump, load

log = structlog.get_logger(__name__)

INTERRUPTIONS = "interruption"
"""The kind under which the store keeps them."""

KEPT_SECONDS = 60.0
"""How long an interruption is looked at: longer than any takeover takes."""

SKEW_SECONDS = 2.0
"""How far the clocks of two replicas may differ."""


@dataclass(frozen=True, slots=True)
class RemoteAction:
    """An action and its object: a message by `ts`, a thread, or a question by its id.

    `at` is when a replica heard of it, in Unix seconds.
    """

    kind: Literal["edited", "deleted", "stopped"]
    at: float
    workspace: str = ""
    channel: str = ""
    ts: str = ""
    thread: str = ""
    question: str = ""
    user: str = ""
    text: str = ""

    def means(self, question: Question) -> bool:
        """Tell whether it is about this question, asked before it; a later one is not meant."""
        if question.received_at > self.at + SKEW_SECONDS:
            return False
        if self.question:
            return question.id == self.question
        if (question.workspace, question.channel) != (self.workspace, self.channel):
            return False
        return question.ts == self.ts if self.ts else question.root == self.thread


class SharedAnswers:
    """`bot.slack.interfaces.Answers` for several replicas, each with questions of its own."""

    def __init__(self, here: Answerer, inbox: QuestionInbox, now: Now) -> None:
        self._here = here
        self._inbox = inbox
        self._store = inbox.store
        self._now = now
        self._done: set[tuple[str, str]] = set()

    async def answer(
        self, question: Question, context: ContextConfig, takeover: Takeover | None = None
    ) -> None:
        await self._here.answer(question, context, takeover)

    async def list_places(
        self,
        question: Question,
        context: ContextConfig,
        why: str,
        takeover: Takeover | None = None,
    ) -> None:
        await self._here.list_places(question, context, why, takeover)

    def typed(self, question: Question, context: ContextConfig, order: str = "") -> None:
        self._here.typed(question, context, order)

    def closed(self, question: str) -> None:
        self._here.closed(question)

    async def answer_again(self, question: str, user: str) -> None:
        await self._here.answer_again(question, user)

    async def edited(self, workspace: str, channel: str, ts: str, text: str) -> bool:
        """Answer again if this replica gave the answer; return False if another one may have."""
        if await self._here.edited(workspace, channel, ts, text):
            return True
        await self._tell(
            RemoteAction(
                "edited", self._now(), workspace=workspace, channel=channel, ts=ts, text=text
            )
        )
        return False

    async def deleted(
        self, workspace: str, channel: str, ts: str, thread: str | None = None
    ) -> None:
        await self._here.deleted(workspace, channel, ts, thread)
        await self._tell(
            RemoteAction("deleted", self._now(), workspace=workspace, channel=channel, ts=ts)
        )

    async def stop(self, workspace: str, channel: str, thread: str, user: str) -> None:
        await self._here.stop(workspace, channel, thread, user)
        await self._tell(
            RemoteAction(
                "stopped",
                self._now(),
                workspace=workspace,
                channel=channel,
                thread=thread,
                user=user,
            )
        )

    async def stop_question(self, question: str, user: str) -> None:
        await self._here.stop_question(question, user)
        if not self._here.answers(question):
            await self._tell(RemoteAction("stopped", self._now(), question=question, user=user))

    # --- telling --------------------------------------------------------------------------------

    async def _tell(self, one: RemoteAction) -> None:
        try:
            if one.ts and not await self._concerns_others(one):
                return
            await self._store.state.put(
                INTERRUPTIONS, uuid.uuid4().hex, json.dumps(dump(one, defaults=False)).encode()
            )
        except ForewarmError as error:
            log.warning("interruption_not_told", kind=one.kind, why=str(error))

    async def _concerns_others(self, one: RemoteAction) -> bool:
        """Tell whether a message is a question that others answer: most edited messages are not."""
        since = one.at - EDIT_SECONDS - LEASE_SECONDS
        return await self._store.inbox.is_with_others(
            one.workspace, one.channel, one.ts, self._inbox.owner, since=since
        )

    # --- listening ------------------------------------------------------------------------------

    async def keep_listening(self, start: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Do what other replicas were told, until cancelled; `start` runs what takes its time."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                told = await self._store.state.all(INTERRUPTIONS)
                for key, kept in told.items():
                    one = self._read(key, kept.value)
                    if one is not None:
                        await self._hear(key, one, start)
            except ForewarmError as error:
                log.warning("interruptions_not_heard", why=str(error))
                continue
            self._forget_but(told)

    def _read(self, key: str, value: bytes) -> RemoteAction | None:
        """Return an action; None for one that this version cannot read, which is logged once."""
        try:
            return load(RemoteAction, json.loads(value))
        except UnreadableValue as error:
            if (key, "") not in self._done:
                self._done.add((key, ""))
                log.warning("remote_action_unreadable", why=error.problem)
            return None

    async def _hear(
        self,
        key: str,
        one: RemoteAction,
        start: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        if self._now() > one.at + KEPT_SECONDS:
            await self._store.state.remove(INTERRUPTIONS, key)
        elif one.kind == "edited":
            start(self._edit(key, one))
        else:
            for question in self._meant(key, one):
                self._done.add((key, question.id))
                start(self._cut(one, question))

    def _meant(self, key: str, one: RemoteAction) -> list[Question]:
        """Return the questions that are answered here and are still to be cut short.

        One that is held and not yet answered is found at the next look.
        """
        return [
            question
            for question in self._inbox.questions.values()
            if one.means(question)
            and self._here.answers(question.id)
            and (key, question.id) not in self._done
        ]

    async def _cut(self, one: RemoteAction, question: Question) -> None:
        log.info("interrupted_elsewhere", kind=one.kind, question=question.id)
        if one.kind == "deleted":
            await self._here.deleted(one.workspace, one.channel, one.ts)
        else:
            await self._here.stop_question(question.id, one.user)

    async def _edit(self, key: str, one: RemoteAction) -> None:
        """Answer again, once. If the answer is not known here, look again the next time."""
        mine = (key, "")
        if mine in self._done:
            return
        self._done.add(mine)
        if not await self._here.edited(one.workspace, one.channel, one.ts, one.text):
            self._done.discard(mine)

    def _forget_but(self, told: Iterable[str]) -> None:
        keys = frozenset(told)
        self._done = {one for one in self._done if one[0] in keys}
