"""The parts that answers are made with: classes of lower layers, protocols for the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from bot.answer.interfaces import (
    Attachments,
    ExcerptSource,
    FileUses,
    Gate,
    Inbox,
    People,
    Sources,
    Turns,
    Warmth,
)
from bot.answer.loop import Allowance, Model
from bot.answer.queue import AnswerQueue
from bot.answer.thread.cache import Threads
from bot.answer.thread.prompt import Limits
from bot.claude.events import Journal
from bot.claude.models import listed
from bot.clock import Now
from bot.delivery.delivery import Deliver
from bot.delivery.slack_api import SlackCalls


def listed_window(model: str) -> int:
    """Return a model's context window in tokens as our own list has it."""
    return listed(model).max_input_tokens


def lists_images(model: str) -> bool:
    """Tell whether a model reads pictures, as our own list has it."""
    return listed(model).images


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """`executor` runs look-ups: a few threads of its own, since a thread cannot be killed.

    `window` gives a model's context window in tokens, `takes_images` whether it reads pictures.
    """

    calls: SlackCalls
    model: Model
    sources: Sources
    warmth: Warmth
    turns: Turns
    inbox: Inbox
    journal: Journal
    threads: Threads
    deliver: Deliver
    queue: AnswerQueue
    executor: Executor
    now: Now
    gate: Gate
    attachments: Attachments | None = None
    people: People | None = None
    excerpts: ExcerptSource | None = None
    uses: FileUses | None = None
    limits: Limits = field(default_factory=Limits)
    allowance: Allowance = field(default_factory=Allowance)
    window: Callable[[str], int] = listed_window
    takes_images: Callable[[str], bool] = lists_images
