"""What the answer room needs of Slack, of warmth, of the store: small protocols of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.answer.events import Outcome
from bot.answer.question import File, Question
from bot.claude.prefix import Prefix
from bot.claude.usage import Ttl, Usage
from bot.context.config.load import ContextConfig
from bot.context.pack import Pack, Snapshot
from bot.delivery.slack_api import CallFailure, JsonObject, Painted, Target, TaskStatus
from bot.errors import ForewarmError


class Journal(Protocol):
    """Where records go. Returns at once; the store writes them in order."""

    def write(self, record: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer as they were sent to Claude: user, tool rounds, raw answer.

    `question` is the question's id; the messages go back byte for byte, without thinking.
    """

    question: str
    messages: tuple[JsonObject, ...]


class Turns(Protocol):
    """The turns of a thread, in the order in which their questions were first kept."""

    async def load(self, workspace: str, channel: str, thread: str) -> Sequence[Turn]: ...

    async def append(
        self,
        workspace: str,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[JsonObject],
    ) -> None:
        """Keep a turn. A question that has one already gets the new one in the same place."""


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    """A whole answer that may not have reached Slack yet: enough to show it without a model.

    `text` is the model's own text, not yet escaped; `blocks` stand under it. `messages` is the
    turn that the thread's next question replays.
    """

    text: str
    last_line: str
    blocks: tuple[JsonObject, ...]
    messages: tuple[JsonObject, ...]
    outcome: Outcome


class NotOurs(ForewarmError):
    """Another process holds this question by now: nothing more may be shown or stored for it."""

    def __init__(self, user_message: str, question: str) -> None:
        super().__init__(user_message)
        self.question = question


class Inbox(Protocol):
    """What outlives this process of a question in hand, so that another may take it over.

    Each raises `NotOurs` where another process holds the question.
    """

    async def note_message(self, question: str, ts: str) -> None:
        """A message of this answer stands in Slack; whoever takes over replaces it."""

    async def save_answer(self, question: str, answer: SavedAnswer) -> None:
        """The text is whole: whoever takes over completes it instead of generating anew."""

    async def finish(self, question: str, outcome: Outcome) -> None:
        """Nothing is left to do for this question."""

    async def revise(self, question: Question) -> bool:
        """Open a question anew, finished or not, with what it says now; forget its saved answer.

        False where that cannot be: another process holds it.
        """

    async def past(self, question: str) -> Past | None:
        """Return a question of any age and where its answer stands; None where it is purged."""


@dataclass(frozen=True, slots=True)
class Past:
    """A question that was answered, with the messages that its answer stands in, oldest first."""

    question: Question
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Takeover:
    """What stands already of an answer that begins anew, oldest first, and its saved text."""

    standing: tuple[str, ...] = ()
    saved: SavedAnswer | None = None


class Snippets(Protocol):
    """Reads the text of a snippet that somebody attached."""

    async def text(self, file: File, limit: int) -> str | None:
        """Return at most `limit` characters, or None where the file cannot be read."""


class Current(Protocol):
    """What an answer is made from: one prefix and the files at the very same commit."""

    @property
    def prefix(self) -> Prefix: ...

    @property
    def pack(self) -> Pack: ...

    @property
    def snapshot(self) -> Snapshot: ...


class Sources(Protocol):
    """The contexts as they live."""

    def named(self, name: str) -> ContextConfig | None: ...

    async def current(self, name: str) -> Current:
        """Return what to answer from. Raises a `ForewarmError` where there is nothing."""


class JoinTicket(Protocol):
    """A question's way past the cache: what it waited for, and what it should ask for itself.

    Send the request with `ttl`, and with `previous` to diagnose a miss against; `expected` tokens
    are believed cached. Others may wait for this very request, so its fate must be told: `began`
    with the first event of its reply, or `failed`. Only the first of these counts.
    """

    @property
    def waited(self) -> float: ...

    @property
    def ttl(self) -> Ttl: ...

    @property
    def expected(self) -> int: ...

    @property
    def previous(self) -> str | None: ...

    def began(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None: ...

    def failed(self, error: str, retry_after: float | None = None) -> None: ...


class Warmth(Protocol):
    """The warm room, as a question meets it."""

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> JoinTicket:
        """Wait for the prefix's warm-up where one is in flight, with a deadline of its own."""


class Delivered(Protocol):
    """What stands in Slack at the end: messages in order, characters, citations by their fate.

    `failure` is why it is not everything, None if it is.
    """

    @property
    def failure(self) -> CallFailure | None: ...

    @property
    def messages(self) -> Sequence[str]: ...

    @property
    def characters(self) -> int: ...

    @property
    def cited(self) -> int: ...

    @property
    def corrected(self) -> int: ...

    @property
    def struck(self) -> int: ...


class Delivery(Protocol):
    """One answer on its way into Slack.

    `stopped` is set when nothing more can be shown: the user ended it (`stopped_by_user`), or its
    place is gone. `mode` "once" means that nothing is shown before the end.
    """

    @property
    def stopped_by_user(self) -> bool: ...

    @property
    def mode(self) -> Literal["stream", "edit", "once"]: ...

    @property
    def first_painted(self) -> asyncio.Future[Painted]: ...

    @property
    def stopped(self) -> asyncio.Event: ...

    async def feed(self, text: str) -> None: ...

    async def task(self, id: str, title: str, status: TaskStatus) -> None: ...

    async def settle(self) -> tuple[int, int, int]:
        """No more text: check what is held back; return the citations good, corrected, struck."""

    async def finish(self, blocks: Sequence[JsonObject], last_line: str | None) -> Delivered: ...

    async def abandon(self) -> Sequence[str]:
        """Say nothing more; return the messages that stand, for another to replace."""


class Deliver(Protocol):
    """Begins to show an answer; calls `noted` with each message as soon as it stands."""

    def __call__(
        self,
        target: Target,
        snapshot: Snapshot | None,
        replaces: Sequence[str],
        noted: Callable[[str], Awaitable[None]],
        live: Sequence[JsonObject],
    ) -> Delivery: ...
