"""What people think of answers: kept with the prefix it was given on, counted in the journal."""

from __future__ import annotations

from typing import Protocol

from bot.answer.events import FeedbackGiven
from bot.answer.feedback import Mark, Value
from bot.answer.interfaces import Journal
from bot.clock import Now


class OpinionStore(Protocol):
    """Where opinions are kept; a person's last word on an answer counts."""

    async def keep(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None: ...


class Opinions:
    """Takes opinions. Implements `bot.slack.interfaces.Opinions`."""

    def __init__(self, store: OpinionStore, journal: Journal, now: Now) -> None:
        self._store = store
        self._journal = journal
        self._now = now

    async def give(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None:
        """Keep an opinion. A comment follows a thumb that was counted: it is not counted again."""
        await self._store.keep(workspace, user, mark, value, comment)
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
