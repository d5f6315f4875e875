"""The rounds of one answer: ask the model, look up what it wants to see, ask again.

Every round sends what the last one sent and more, so it reads the cache that the last one wrote.
The loop knows nothing of Slack: words and look-ups go to a `Screen`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.answer.interfaces import JoinTicket
from bot.answer.next_turn import NextTurn
from bot.answer.result import Ending, announces_look_up, ending_for, ending_of
from bot.answer.tools import ToolResult, look_up_in, title
from bot.claude.errors import CapReached, ClaudeError, CutStream
from bot.claude.events import Label, Purpose
from bot.claude.prefix import Prefix
from bot.claude.prices import cost
from bot.claude.request import Request, question_request
from bot.claude.stream import OUTPUT_CHARACTERS, Ended, Event, Started, Text
from bot.claude.usage import Usage
from bot.clock import Now
from bot.context.pack import Snapshot
from bot.delivery.slack_api import JsonObject, Task, TaskStatus
from bot.retrieval.search import ContextSearch

NO_MORE = "(No more look-ups are possible. Answer now with what you know; say what is missing.)"
NO_ROOM = "There is no room left for this result; answer with what you know."
TOO_MANY = "Too many look-ups at once; ask for this one again if you still need it."
GO_ON = "(Your reply ended before it was complete. Please continue.)"
NO_LOOK_UP = (
    "(Your look-up did not arrive: its input was no valid JSON. Ask for it again, or answer with "
    "what you know.)"
)
WAITING = "is waiting for Claude, which is busy…"
SOURCES = 3
"""Pages that a look-up shows to people."""
RETRIED = frozenset({"rate_limited", "overloaded", "server", "connection", "timeout", "cut"})


class Model(Protocol):
    """The Anthropic edge, as an answer uses it."""

    def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]: ...


class Screen(Protocol):
    """The screen on which words and look-ups become visible."""

    async def feed(self, text: str) -> None: ...

    async def task(self, task: Task) -> None: ...

    async def rewind(self, text: str) -> None:
        """The words after `text` did not come to their end: what stands must be replaced."""

    async def say(self, status: str) -> None:
        """Show a status while nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """The limits of one answer. Seconds, tokens (uncached input and output), characters.

    `pause` is the first wait before asking again; `patience` the longest that Claude may ask for.
    """

    rounds: int = 8
    at_once: int = 6
    tokens: int = 80_000
    characters: int = 160_000
    seconds: float = 180.0
    look_up_seconds: float = 12.0
    attempts: int = 3
    pause: float = 1.0
    patience: float = 20.0


@dataclass(slots=True)
class Progress:
    """The state of an answer, true at any moment, also if it is cut short.

    `settled` is the text of the replies that are complete, `reply` that of the running one, both
    raw. `rounds` are the complete messages after the question. `read_files` are repository and path
    of the files that look-ups have read. Times are Unix seconds, None for
    what has not happened; `usage` is that of the first reply.
    """

    settled: str = ""
    reply: str = ""
    rounds: list[JsonObject] = field(default_factory=list)
    replies: int = 0
    look_ups: int = 0
    read_files: set[tuple[str, str]] = field(default_factory=set)
    requested_at: float | None = None
    started_at: float | None = None
    first_text_at: float | None = None
    usage: Usage = field(default_factory=Usage)
    usd: float = 0.0
    read: int = 0
    spent: int = 0

    @property
    def text(self) -> str:
        """All that was shown, raw; words before and after a look-up are paragraphs of their own."""
        return self.settled + self.gap + self.reply

    @property
    def gap(self) -> str:
        return "\n\n" if self.settled and self.reply and not self.settled.endswith("\n\n") else ""

    def turn(self, asked: JsonObject) -> tuple[JsonObject, ...]:
        """Return the turn as the thread's next question replays it; empty if nothing was said."""
        if not self.reply.strip():
            return ()
        last = {"role": "assistant", "content": [{"type": "text", "text": self.reply}]}
        return (asked, *self.rounds, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The input of the loop: the prefix, the messages, and how the requests are labelled.

    `is_permitted` tells whether the person who asked may see the code at this moment. It is called
    before look-ups, and before each request but the first.
    """

    id: str
    context: str
    prefix: Prefix
    ticket: JoinTicket
    messages: Sequence[JsonObject]
    snapshot: Snapshot
    is_permitted: Callable[[], Awaitable[bool]]
    code: ContextSearch | None = None
    purpose: Purpose = "question"


class _Forbidden(Exception):
    """The person who asked may not see the code any more."""


class Loop:
    """Runs one answer to its end. `progress` may be read at any time."""

    def __init__(
        self,
        model: Model,
        asked: Asked,
        screen: Screen,
        *,
        executor: Executor,
        now: Now,
        allowance: Allowance | None = None,
    ) -> None:
        self._model = model
        self._asked = asked
        self._screen = screen
        self._executor = executor
        self._now = now
        self._allowance = allowance or Allowance()
        self._characters = 0
        self.progress = Progress()

    async def run(self) -> Ending:
        """Answer; return how it ended. Raises nothing of Claude's: an error is an ending too."""
        began = asyncio.get_running_loop().time()
        continued = False
        try:
            while True:
                if self.progress.replies:
                    await self._check_access()
                last = self._is_last(began)
                if last:
                    self._note(NO_MORE)
                ended = await self._reply()
                uses = [block for block in ended.content if block["type"] == "tool_use"]
                # Some servers end a reply with a look-up as if it were the last one.
                if uses and ending_of(ended.stop_reason).kind == "complete":
                    if last:
                        return Ending("exhausted")
                    await self._check_access()
                    await self._look_up(ended, uses)
                elif not self._is_unfinished(ended):
                    return ending_of(ended.stop_reason)
                elif continued:
                    return Ending("unfinished" if self.progress.text.strip() else "empty")
                else:
                    continued = True
                    self._continue(ended)
        except ClaudeError as error:
            # A cap of ours says nothing about Claude: warm-ups of other contexts go on.
            kind = "cancelled" if isinstance(error, CapReached) else error.kind
            self._asked.ticket.report_failure(kind, error.retry_after)
            return ending_for(error)
        except _Forbidden:
            return Ending("forbidden")
        finally:
            # Other questions must not wait for a request that was cut off.
            self._asked.ticket.report_failure("cancelled")

    async def _check_access(self) -> None:
        """Raise `_Forbidden` if the person who asked has left since the last request."""
        if not await self._asked.is_permitted():
            raise _Forbidden

    def _is_last(self, began: float) -> bool:
        allowed, progress = self._allowance, self.progress
        elapsed = asyncio.get_running_loop().time() - began
        return progress.replies > 0 and (
            progress.replies >= allowed.rounds
            or progress.spent >= allowed.tokens
            or self._characters >= allowed.characters
            or elapsed >= allowed.seconds
        )

    def _is_unfinished(self, ended: Ended) -> bool:
        """Return whether a reply claims to be complete and is not.

        It announces a look-up that did not come, pauses, or says nothing. The last reply counts:
        words before a look-up are no answer.
        """
        if announces_look_up(ended.stop_reason) or ended.stop_reason == "pause_turn":
            return True
        return ending_of(ended.stop_reason).kind == "complete" and not self.progress.reply.strip()

    def _continue(self, ended: Ended) -> None:
        """Add to the conversation that the model should go on."""
        progress = self.progress
        note = NO_LOOK_UP if announces_look_up(ended.stop_reason) else GO_ON
        if progress.reply.strip():
            said = {"role": "assistant", "content": [_text(progress.reply)]}
            progress.rounds += [said, {"role": "user", "content": [_text(note)]}]
            progress.settled, progress.reply = progress.text, ""
        elif progress.rounds:
            # An empty reply cannot be sent back, so the note goes beside the last results.
            self._note(note)

    # --- one reply ------------------------------------------------------------------------------

    async def _reply(self) -> Ended:
        """Return a complete reply; one that broke off is asked for again."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._stream()
            except ClaudeError as error:
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
                if self.progress.reply:
                    self.progress.reply = ""
                    await self._screen.rewind(self.progress.text)
                else:
                    await self._screen.say(WAITING)
                await asyncio.sleep(pause)
                await self._check_access()

    def _pause(self, error: ClaudeError, attempt: int) -> float | None:
        """Return the seconds to wait before asking again; None if that would not help.

        Words that a user has begun to read are replaced once only. The spread keeps many answers
        that failed together from coming back together; it depends on the question alone.
        """
        attempts = 2 if self.progress.reply else self._allowance.attempts
        if error.kind not in RETRIED or attempt >= attempts:
            return None
        spread = zlib.crc32(f"{self._asked.id}/{attempt}".encode()) % 1000 / 1000
        if error.retry_after is None:
            return self._allowance.pause * 2.0 ** (attempt - 1) * (1 + spread / 2)
        if error.retry_after > self._allowance.patience:
            return None
        return error.retry_after + self._allowance.pause * spread

    async def _stream(self) -> Ended:
        progress = self.progress
        messages = [*self._asked.messages, *progress.rounds]
        ticket = self._asked.ticket
        request = question_request(
            self._asked.prefix,
            ticket.ttl,
            messages,
            previous=ticket.previous,
        )
        sent_at = self._now()
        if progress.requested_at is None:
            progress.requested_at = sent_at
        usage, ended, turn = Usage(), None, NextTurn()
        try:
            async with aclosing(self._model.stream(request, label=self._label())) as events:
                async for event in events:
                    match event:
                        case Started():
                            usage = event.usage
                            self._started(event, sent_at)
                        case Text():
                            await self._take_text(turn.feed(event.text), event.at)
                        case Ended():
                            await self._take_text(turn.end(), event.at)
                            usage, ended = event.usage, event
                    if turn.found:
                        usage = self._estimated(usage)
                        ended = self._ended_here(usage)
                        break
        finally:
            self._account(usage)
        if ended is None:
            raise CutStream(model=self._asked.prefix.model)
        progress.replies += 1
        return ended

    def _label(self) -> Label:
        return Label(
            purpose=self._purpose(),
            context=self._asked.context,
            question=self._asked.id,
            expected=self._asked.ticket.expected,
        )

    def _purpose(self) -> Purpose:
        # The rounds of a draft are accounted with it: no question was asked yet.
        later = self.progress.rounds and self._asked.purpose == "question"
        return "round" if later else self._asked.purpose

    def _started(self, event: Started, sent_at: float) -> None:
        progress = self.progress
        self._asked.ticket.report_start(
            event.usage,
            seconds=event.at - sent_at,
            message_id=event.message_id,
            missed=event.miss,
        )
        # A reply that never came to words leaves its place to the one that is asked for again.
        if progress.first_text_at is None and progress.replies == 0:
            progress.started_at, progress.usage = event.at, event.usage

    async def _take_text(self, text: str, at: float) -> None:
        progress = self.progress
        if not text:
            return
        if progress.first_text_at is None:
            progress.first_text_at = at
        opening = not progress.reply
        progress.reply += text
        await self._screen.feed(progress.gap + text if opening else text)

    def _estimated(self, usage: Usage) -> Usage:
        """Return the usage of a reply that is left: its output is told at the end only."""
        return replace(usage, output=round(len(self.progress.reply) / OUTPUT_CHARACTERS))

    def _ended_here(self, usage: Usage) -> Ended:
        """Return the end of a reply that goes on with a turn that is not the model's."""
        now, progress = self._now(), self.progress
        content = (_text(progress.reply),) if progress.reply.strip() else ()
        return Ended(
            at=now,
            stop_reason="stop_sequence",
            usage=usage,
            message_id=None,
            content=content,
            started_at=now,
        )

    def _account(self, usage: Usage) -> None:
        progress = self.progress
        progress.usd += cost(self._asked.prefix.model, usage)
        progress.read += usage.cache_read
        if progress.replies:
            progress.spent += usage.input + usage.written + usage.output

    # --- look-ups -------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        """Tell the model beside the last results; another `tool_choice` would cost the cache."""
        final = self.progress.rounds[-1]
        self.progress.rounds[-1] = {**final, "content": [*final["content"], _text(text)]}

    async def _look_up(self, ended: Ended, uses: Sequence[JsonObject]) -> None:
        """Run the look-ups of one reply side by side and add the round to the conversation."""
        looked = await asyncio.gather(*(self._look_up_one(at, use) for at, use in enumerate(uses)))
        fitted = [self._fitted(one) for one in looked]
        results = [_result(use, one) for use, one in zip(uses, fitted, strict=True)]
        progress = self.progress
        progress.rounds += [
            {"role": "assistant", "content": list(ended.content)},
            {"role": "user", "content": results},
        ]
        progress.settled, progress.reply = progress.text, ""

    async def _look_up_one(self, at: int, use: JsonObject) -> ToolResult:
        if at >= self._allowance.at_once:
            return ToolResult(TOO_MANY, error=True)
        task = Task(use["id"], title(use["name"], use["input"]), "in_progress")
        await self._screen.task(task)
        looked = await look_up_in(
            self._executor,
            self._allowance.look_up_seconds,
            self._asked.snapshot,
            use["name"],
            use["input"],
            self._asked.code,
        )
        self.progress.look_ups += 1
        if use["name"] == "read":
            self.progress.read_files.update(one.key for one in looked.shown if one.is_head)
        sources = tuple((one.url, one.label) for one in looked.shown[:SOURCES] if one.url)
        status: TaskStatus = "error" if looked.error else "complete"
        await self._screen.task(replace(task, status=status, output=looked.output, sources=sources))
        return looked

    def _fitted(self, looked: ToolResult) -> ToolResult:
        self._characters += len(looked.text)
        if self._characters > self._allowance.characters:
            return replace(looked, text=NO_ROOM, error=True)
        return looked


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _result(use: JsonObject, looked: ToolResult) -> JsonObject:
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": looked.text}
    return {**result, "is_error": True} if looked.error else result
