"""Protocols through which Slack's side uses the rest of the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bot.answer.events import Outcome
from bot.answer.feedback import Mark, Value
from bot.answer.interfaces import Takeover
from bot.answer.question import Question
from bot.context.config.load import ContextConfig
from bot.warm.signals import Signal


class Contexts(Protocol):
    """The contexts that are good right now."""

    def all(self) -> Sequence[ContextConfig]: ...

    def named(self, name: str) -> ContextConfig | None: ...

    def for_channel(self, channel: str) -> ContextConfig | None: ...

    def for_link(self, url: str) -> ContextConfig | None:
        """Return the context that holds the repository which a link points into."""


class Inbox(Protocol):
    """Questions, recorded before they are acknowledged."""

    async def record(self, question: Question) -> bool:
        """Record and claim a question; return False if it (or its message) is recorded already."""

    async def first(self, event: str) -> bool:
        """Tell whether no replica has seen this event yet; remember it."""

    async def askers(self, workspace: str, channel: str, thread: str) -> frozenset[str]:
        """Return the askers of a thread; empty if the bot is not in it."""

    async def revise(self, question: Question) -> bool:
        """Store a question as it is now; return False if another process holds it."""

    async def load(self, question: str) -> Question | None:
        """Return a question that waits for its asker to choose a context."""

    async def finish(self, question_id: str, outcome: Outcome) -> None:
        """End a question. Raises `NotOurs` if another process holds it by now."""


class Warmth(Protocol):
    """Takes signals that may be spent on: access was checked, the context is known."""

    def signal(self, signal: Signal, context: ContextConfig) -> None: ...


class Answers(Protocol):
    """Answers questions that may be answered."""

    async def answer(
        self, question: Question, context: ContextConfig, takeover: Takeover | None = None
    ) -> None:
        """Answer; `takeover` is what a bot that died left of an answer."""

    async def list_places(
        self,
        question: Question,
        context: ContextConfig,
        why: str,
        takeover: Takeover | None = None,
    ) -> None:
        """List the places that match a question that Claude is not asked, and say why."""

    def typed(self, question: Question, context: ContextConfig, order: str = "") -> None:
        """Take a draft as the question it would be; ignored if the context answers no drafts."""

    def closed(self, question: str) -> None:
        """The modal was closed without asking."""

    async def edited(self, workspace: str, channel: str, ts: str, text: str) -> bool:
        """Answer an edited question again, in place; return False if nothing is to be done."""

    async def deleted(
        self, workspace: str, channel: str, ts: str, thread: str | None = None
    ) -> None:
        """Stop the answer to a deleted question; forget what a deleted message said."""

    async def stop(self, workspace: str, channel: str, thread: str, user: str) -> None:
        """A user pressed Slack's own Stop in a thread."""

    async def stop_question(self, question: str, user: str) -> None:
        """A user pressed the Stop button under a running answer."""

    async def answer_again(self, question: str, user: str) -> None:
        """Answer a question again, in place, for the person who asked for that."""


class Opinions(Protocol):
    """Keeps what people think of answers."""

    async def give(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None: ...


class SpendingLimits(Protocol):
    """Says no when money is out."""

    def answers_left(self, context: ContextConfig) -> bool: ...


class ThreadListener(Protocol):
    """Keeps up with threads: told of every event that carries a message, ours included."""

    async def take_event(self, workspace: str, event: Mapping[str, Any]) -> None: ...
