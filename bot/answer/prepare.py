"""Everything a request is made of, gathered side by side: the code, the thread, the warm-up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.interfaces import Current, JoinTicket, Snippets, Turn
from bot.answer.loop import Allowance
from bot.answer.question import File, Question
from bot.answer.thread.message import ThreadMessage
from bot.answer.thread.prompt import Conversation, Limits, conversation
from bot.claude.usage import Ttl, Usage
from bot.context.config.load import ContextConfig
from bot.delivery.slack_api import SlackCallError
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)

CHARACTERS_PER_TOKEN = 2.0
"""Of a conversation, at worst: what is fitted into a window must not overflow it."""
READ_SECONDS = 5.0
MAX_SNIPPETS = 10
UNREAD_THREAD = "I could not read this thread, so I answered from your question alone."
OTHER_CODEBASE = "Earlier answers here were about another codebase, so I answered without them."
UNREAD_TURNS = "I could not recall what was said here before, so I answered without it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What an answer is made from. `ticket` is the result of joining a warm-up.

    `at` is when all but the warm-up was there, in Unix seconds; `room` the characters that fit
    beside the prefix and the answer.
    """

    current: Current
    thread: Sequence[ThreadMessage]
    turns: Sequence[Turn]
    snippets: Mapping[str, str]
    ticket: JoinTicket
    at: float
    room: int
    notices: tuple[str, ...] = ()

    def limits(self, wanted: Limits) -> Limits:
        return wanted.within(int(self.room * 0.6))

    def allowance(self, wanted: Allowance) -> Allowance:
        return replace(wanted, characters=min(wanted.characters, int(self.room * 0.4)))

    def conversation(
        self, question: Question, context: ContextConfig, limits: Limits
    ) -> Conversation:
        return conversation(
            self.turns, self.thread, question, context.instructions, limits, self.snippets
        )


@dataclass(frozen=True, slots=True)
class _Talk:
    """What was said before: in Slack, and to Claude."""

    thread: Sequence[ThreadMessage]
    turns: Sequence[Turn]
    snippets: Mapping[str, str]
    at: float
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoJoin:
    """The way past the cache of a request that nobody waits for and that waits for nobody."""

    expected: int
    waited: float = 0.0
    ttl: Ttl = "5m"
    previous: str | None = None

    def report_start(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None:
        return None

    def report_failure(self, error: str, retry_after: float | None = None) -> None:
        return None


async def prepare(parts: Dependencies, question: Question, context: ContextConfig) -> Prepared:
    """Gather what the question's request is made of.

    The caller must report the request's start or failure to its ticket. Raises a `ForewarmError`
    where there is no code to answer from. A thread that cannot be read does not keep the answer
    back: it is given without, and says so.
    """
    current = await parts.sources.current(context.name)
    joining = asyncio.ensure_future(parts.warmth.join(current.prefix, question, context))
    try:
        talk = await _talk(parts, question, context)
        return _prepared(parts, current, talk, await joining)
    except BaseException:
        joining.add_done_callback(_let_go)
        joining.cancel()
        raise


async def prepare_draft(
    parts: Dependencies, question: Question, context: ContextConfig
) -> Prepared:
    """Gather what a draft's request is made of; it joins nothing, since nobody has asked yet."""
    current = await parts.sources.current(context.name)
    talk = await _talk(parts, question, context)
    return _prepared(parts, current, talk, NoJoin(current.prefix.tokens))


def _prepared(parts: Dependencies, current: Current, talk: _Talk, ticket: JoinTicket) -> Prepared:
    return Prepared(
        current=current,
        thread=talk.thread,
        turns=talk.turns,
        snippets=talk.snippets,
        ticket=ticket,
        at=talk.at,
        room=_room(parts, current),
        notices=talk.notices,
    )


def _let_go(joining: asyncio.Future[JoinTicket]) -> None:
    """Others may wait for the request that is not going to be made."""
    if not joining.cancelled() and joining.exception() is None:
        joining.result().report_failure("cancelled")


def _room(parts: Dependencies, current: Current) -> int:
    prefix = current.prefix
    free = parts.window(prefix.model) - prefix.tokens - prefix.settings.max_tokens
    return max(2_000, int(free * CHARACTERS_PER_TOKEN))


async def _talk(parts: Dependencies, question: Question, context: ContextConfig) -> _Talk:
    thread, turns = await asyncio.gather(_thread(parts, question), _turns(parts, question))
    notices = [UNREAD_THREAD] if thread is None else []
    notices += [UNREAD_TURNS] if turns is None else []
    said = thread or ()
    replayed = _of_context(turns or (), question, context)
    if len(replayed) < len(turns or ()):
        notices.append(OTHER_CODEBASE)
    snippets = await _snippets(parts, question, said)
    return _Talk(said, replayed, snippets, parts.now(), tuple(notices))


def _of_context(
    turns: Sequence[Turn], question: Question, context: ContextConfig
) -> Sequence[Turn]:
    """Return the turns that were answered from this very context.

    A turn holds code of its context, word for word, in tool results. Its context may be one that
    the present asker may not see. A turn of unknown context belongs to the channel's own.
    """
    own = question.channel in context.channels
    return [t for t in turns if t.context == context.name or (t.context is None and own)]


async def _thread(parts: Dependencies, question: Question) -> Sequence[ThreadMessage] | None:
    workspace, channel = question.workspace, question.channel
    if not question.in_thread or question.thread is None:
        return ()
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await parts.threads.read(workspace, channel, question.thread)
    except (TimeoutError, SlackCallError) as error:
        log.warning("thread_unread", question=question.id, why=str(error) or "time-out")
        return None


async def _turns(parts: Dependencies, question: Question) -> Sequence[Turn] | None:
    """Return the turns before the question's own, which it has when it is answered anew."""
    if not question.in_thread:
        return ()
    try:
        turns = await parts.turns.load(question.workspace, question.channel, question.root)
    except ForewarmError as error:
        log.warning("turns_unread", question=question.id, why=str(error))
        return None
    ids = [turn.question for turn in turns]
    return turns[: ids.index(question.id)] if question.id in ids else turns


async def _snippets(
    parts: Dependencies, question: Question, thread: Sequence[ThreadMessage]
) -> Mapping[str, str]:
    reader, limit = parts.snippets, parts.limits.snippet
    if reader is None:
        return {}
    files = [*question.files, *(file for one in thread for file in one.files)]
    wanted = [file for file in files if file.snippet and not file.whole][:MAX_SNIPPETS]
    texts = await asyncio.gather(*(_snippet(reader, file, limit) for file in wanted))
    return {f.id: text for f, text in zip(wanted, texts, strict=True) if text is not None}


async def _snippet(reader: Snippets, file: File, limit: int) -> str | None:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await reader.text(file, limit)
    except (TimeoutError, ForewarmError):
        return None
