"""Journal records of questions and answers. They hold no text of messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.answer.question import Surface

Outcome = Literal[
    "answered", "stopped", "refused", "failed", "overloaded", "expired", "denied", "no_context"
]


JOINED_SECONDS = 0.1
"""A shorter wait is the look whether there is anything to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The perceived wait in seconds, split. `delivery` is None if there is no stamp of Slack's."""

    delivery: float | None
    queue: float
    join: float
    prefill: float
    thinking: float
    paint: float

    @property
    def is_joined(self) -> bool:
        """Tell whether the question waited for a warm-up, or for another question's write."""
        return self.join >= JOINED_SECONDS

    @property
    def total(self) -> float:
        known = (self.queue, self.join, self.prefill, self.thinking, self.paint)
        return sum(known) + (self.delivery or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionReceived:
    at: float
    question: str
    workspace: str
    channel: str
    thread: str | None
    user: str
    surface: Surface
    asked_at: float | None
    context: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstWords:
    """The first words are on screen: Slack has answered the call that shows them.

    `slack_wait` is ts(answer) - ts(question) if the words created the message, on Slack's clock
    alone; `wait.total - slack_wait` is the skew between Slack's clock and ours. `cold` says why the
    answer did not begin on a warm cache, in a few words.
    """

    at: float
    question: str
    context: str
    wait: Wait
    warm: bool
    slack_wait: float | None
    cold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionEnded:
    at: float
    question: str
    context: str | None
    outcome: Outcome
    cited: int = 0
    corrected: int = 0
    struck: int = 0
    rounds: int = 0
    characters: int = 0
    look_ups: int = 0
    excerpts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    at: float
    question: str
    context: str | None
    user: str
    value: Literal["up", "down"]
    fingerprint: str | None
