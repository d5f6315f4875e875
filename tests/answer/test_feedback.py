"""Feedback: kept with what it was given on, counted once."""

from __future__ import annotations

from typing import Any

from bot.answer.events import FeedbackGiven
from bot.answer.feedback import Mark, Opinion, Opinions

MARK = Mark("q1", "payments", "f" * 64)


class Kept:
    """A store and a journal in memory."""

    def __init__(self) -> None:
        self.opinions: list[Any] = []
        self.records: list[Any] = []

    async def give(self, opinion: Opinion) -> None:
        self.opinions.append(opinion)

    def write(self, record: object) -> None:
        self.records.append(record)


async def test_a_thumb_is_counted_and_its_comment_kept_without_counting_again() -> None:
    """Thumb and comment come as two clicks of one opinion."""
    kept = Kept()
    opinions = Opinions(kept, kept, lambda: 5.0)
    await opinions.give("T1", "U1", MARK, "down", None)
    await opinions.give("T1", "U1", MARK, "down", "It sorts, in fact.")
    assert [opinion.comment for opinion in kept.opinions] == [None, "It sorts, in fact."]
    [record] = kept.records
    assert record == FeedbackGiven(
        at=5.0,
        question="q1",
        context="payments",
        user="U1",
        value="down",
        fingerprint="f" * 64,
    )


async def test_no_word_of_a_comment_reaches_the_journal() -> None:
    """The journal is shown and exported; it holds no message text."""
    kept = Kept()
    await Opinions(kept, kept, lambda: 5.0).give("T1", "U1", MARK, "up", "secret words")
    assert "secret" not in repr(kept.records)
