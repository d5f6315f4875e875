"""Feedback on answers: the value of a button, and the opinion that is kept and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

from bot.answer.events import FeedbackGiven
from bot.claude.events import Journal
from bot.clock import Now

Value = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Which answer the buttons stand under: the question's id, the context, the prefix."""

    question: str
    context: str
    fingerprint: str

    def encode(self, value: Value) -> str:
        """Return the button's value; Slack takes 2,000 characters of it."""
        return "\n".join((value, self.question, self.context, self.fingerprint))


def decode(value: str) -> tuple[Mark, Value] | None:
    """Return what `Mark.encode` was given; None for anything else."""
    parts = value.split("\n")
    if len(parts) != 4 or parts[0] not in ("up", "down"):
        return None
    return Mark(parts[1], parts[2], parts[3]), cast(Value, parts[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One person's opinion of one answer. `fingerprint` is that of the answer's prefix."""

    question: str
    user: str
    workspace: str
    value: Literal["up", "down"]
    comment: str | None = None
    context: str | None = None
    fingerprint: str | None = None
    at: float = 0.0


class FeedbackStore(Protocol):
    """Keeps opinions; a person's last one on an answer counts."""

    async def give(self, opinion: Opinion) -> None: ...


class Opinions:
    """Takes opinions. Implements `bot.slack.interfaces.Opinions`."""

    def __init__(self, store: FeedbackStore, journal: Journal, now: Now) -> None:
        self._store = store
        self._journal = journal
        self._now = now

    async def give(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None:
        """Keep an opinion. A comment follows a thumb that was counted: it is not counted again."""
        await self._store.give(
            Opinion(
                question=mark.question,
                user=user,
                workspace=workspace,
                value=value,
                comment=comment,
                context=mark.context or None,
                fingerprint=mark.fingerprint or None,
            )
        )
        if comment is None:
            self._journal.write(
                FeedbackGiven(
                    at=self._now(),
                    question=mark.question,
                    context=mark.context,
                    user=user,
                    value=value,
                    fingerprint=mark.fingerprint or None,
                )
            )
