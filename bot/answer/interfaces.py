"""Protocols for the parts of other packages that answers need: Slack, warmth, the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.answer.events import Outcome
from bot.answer.question import File, Question
from bot.answer.thread.message import ThreadMessage
from bot.answer.thread.names import Described
from bot.claude.prefix import Prefix
from bot.claude.usage import Ttl, Usage
from bot.context.config.load import ContextConfig
from bot.context.pack import Pack, Snapshot
from bot.delivery.slack_api import JsonObject
from bot.errors import ForewarmError
from bot.retrieval.search import ContextSearch, FoundExcerpt


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer as they were sent to Claude: user, tool rounds, raw answer.

    `question` is the question's id; the messages go back byte for byte, without thinking.
    `context` is the context that it was answered from, None if that was not recorded.
    """

    question: str
    messages: tuple[JsonObject, ...]
    context: str | None = None


class HeardMessages(Protocol):
    """The messages of threads as events told them, for as long as the store keeps text."""

    async def load(
        self, workspace: str, channel: str, root: str
    ) -> Mapping[str, ThreadMessage | None]: ...

    async def keep(
        self, workspace: str, channel: str, root: str, message: ThreadMessage, *, edited: bool
    ) -> None: ...

    async def remove(self, workspace: str, channel: str, root: str, ts: str) -> None: ...


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
        context: str,
    ) -> None:
        """Keep a turn. A question that has one already gets the new one in the same place."""

    async def forget_message(self, workspace: str, channel: str, thread: str, ts: str) -> None:
        """Take a message that was deleted in Slack out of a thread's turns."""


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


class Refusal(Protocol):
    """A refusal; `message` is the sentence for the person."""

    @property
    def message(self) -> str: ...


class Gate(Protocol):
    """Decides who may see a context now."""

    async def permits(self, user: str, question: Question, context: ContextConfig) -> bool:
        """Tell whether a person may see the context that a question is answered from."""

    async def refusal(
        self, question: Question, context: ContextConfig, *, user: str | None = None
    ) -> Refusal | None:
        """Return why a question may not be answered (again) for `user`: access, money, rates."""


class NotOurs(ForewarmError):
    """Another process holds this question by now: nothing more may be shown or stored for it."""

    def __init__(self, user_message: str, question: str) -> None:
        super().__init__(user_message)
        self.question = question


class Inbox(Protocol):
    """The durable state of a question, so that another process may take it over.

    Each raises `NotOurs` if another process holds the question.
    """

    async def note_message(self, question: str, ts: str) -> None:
        """A message of this answer stands in Slack; the next holder replaces it."""

    async def save_answer(self, question: str, answer: SavedAnswer) -> None:
        """The text is whole: the next holder shows it instead of generating it again."""

    async def finish(self, question: str, outcome: Outcome) -> None:
        """Nothing is left to do for this question."""

    async def revise(self, question: Question) -> bool:
        """Open a question anew, finished or not, with what it says now; forget its saved answer.

        False if another process holds it.
        """

    async def past(self, question: str) -> Past | None:
        """Return a question of any age and the messages of its answer; None if it is purged."""


@dataclass(frozen=True, slots=True)
class Past:
    """A question that was answered, with the messages that its answer stands in, oldest first."""

    question: Question
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Takeover:
    """The messages of an answer that begins again, oldest first, and its saved text."""

    standing: tuple[str, ...] = ()
    saved: SavedAnswer | None = None


class People(Protocol):
    """Looks up the names of users and channels."""

    async def describe(self, ids: Collection[str]) -> Mapping[str, Described]:
        """Return what Slack says of these ids; one that cannot be looked up is left out."""


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file's bytes, or the problem why there are none. `file` has the facts known by then.

    `whole` is False if the file goes on behind `data`.
    """

    file: File
    data: bytes | None = None
    whole: bool = True
    problem: str | None = None

    def __repr__(self) -> str:
        size = "none" if self.data is None else len(self.data)
        return f"<FetchedFile {self.file.id}: {size} bytes>"


class Attachments(Protocol):
    """Fetches the files that people attach."""

    async def fetch(self, file: File, limit: int) -> FetchedFile:
        """Return at most `limit` bytes of a file."""


class Current(Protocol):
    """The source of an answer: one prefix, and the files at the same commit."""

    @property
    def prefix(self) -> Prefix: ...

    @property
    def pack(self) -> Pack: ...

    @property
    def snapshot(self) -> Snapshot: ...


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Excerpts for one question as one text for the prompt, empty if there are none."""

    text: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedExcerpts:
    """The query by which excerpts are found.

    `thread` is what people said before, `sent` the texts of the excerpts that the conversation
    holds: their lines are not sent again.
    """

    context: str
    question: str
    thread: str = ""
    sent: tuple[str, ...] = ()


class ExcerptSource(Protocol):
    """Finds excerpts of files that the prefix does not show in full."""

    async def find(self, pack: Pack, wanted: WantedExcerpts, most_tokens: int) -> Excerpts:
        """Return excerpts from the commits of the pack.

        Never raises, and returns within half a second.
        """

    async def places(self, context: str, question: str) -> Sequence[FoundExcerpt]:
        """Return the places that fit a question best. Never raises."""

    def index(self, context: str, pack: Pack) -> ContextSearch | None:
        """Return the index of the pack's commits, None if it is not built yet."""


class FileUses(Protocol):
    """Keeps which files answers have used, so that the next base shows these first."""

    async def record(self, context: str, files: Collection[tuple[str, str]]) -> None:
        """Count one use of each file, given by repository and path.

        Raises:
            ForewarmError: the store cannot be reached.
        """


class Sources(Protocol):
    """The contexts as they live."""

    def named(self, name: str) -> ContextConfig | None: ...

    async def current(self, name: str) -> Current:
        """Return what to answer from. Raises a `ForewarmError` if there is none."""


class JoinTicket(Protocol):
    """Result of joining a warm-up: seconds waited, and how to send the question's request.

    Send the request with `ttl`, and with `previous` as the message to diagnose a miss against.
    `expected` tokens are believed cached. Other questions may wait for this request, so report
    `report_start` with the first event of its reply, or `report_failure`. Only the first of these
    reports counts. `cold` says why nothing was cached when the question came, "" if it was.
    """

    @property
    def cold(self) -> str: ...

    @property
    def waited(self) -> float: ...

    @property
    def ttl(self) -> Ttl: ...

    @property
    def expected(self) -> int: ...

    @property
    def previous(self) -> str | None: ...

    def report_start(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None: ...

    def report_failure(self, error: str, retry_after: float | None = None) -> None: ...


class Warmth(Protocol):
    """The warm room, as a question meets it."""

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> JoinTicket:
        """Wait for a warm-up of the prefix that is in flight, with a deadline."""
