"""Everything a request is made of, gathered side by side: the code, the thread, the warm-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.interfaces import (
    Attachments,
    Current,
    Excerpts,
    JoinTicket,
    Turn,
    WantedExcerpts,
)
from bot.answer.loop import Allowance
from bot.answer.places import write_places_above
from bot.answer.question import File, Question
from bot.answer.thread.files import (
    MAX_IMAGE_BYTES,
    MAX_IMAGES,
    MAX_TEXT_BYTES,
    MAX_TEXTS,
    NO_IMAGES,
    NOT_READABLE,
    TOO_LARGE,
    TOO_MANY,
    ReadFile,
    guess,
    preview_of,
    read_picture,
    read_text,
)
from bot.answer.thread.message import ThreadMessage
from bot.answer.thread.names import Described, wanted_ids
from bot.answer.thread.prompt import (
    Conversation,
    Limits,
    attached_files,
    conversation,
    texts_of,
)
from bot.answer.thread.redact import stamps, without_message
from bot.claude.usage import Ttl, Usage
from bot.context.config.load import ContextConfig
from bot.delivery.slack_api import SlackCallError
from bot.errors import ForewarmError
from bot.retrieval.search import ContextSearch, is_excerpts

log = structlog.get_logger(__name__)

CHARACTERS_PER_TOKEN = 2.0
"""Of a conversation, at worst: what is fitted into a window must not overflow it."""
LEAST_ROOM = 2_000
EXCERPT_SHARE = 0.25
"""The most of the room beside the prefix and the answer that excerpts take."""
READ_SECONDS = 5.0
NAME_SECONDS = 1.5
CHARACTERS_PER_IMAGE = 16_000
"""Of a conversation's room, for each picture: five of them need a window of any size but a small
one."""
LATE_FILE = "Slack took too long to give it"
PARTIAL_THREAD = (
    "I have read a part of this thread: Slack gives apps outside its Marketplace 15 messages a"
    " minute, and I did not hear the rest."
)
UNREAD_THREAD = "I could not read this thread, so I answered from your question alone."
OTHER_CODEBASE = "Earlier answers here were about another codebase, so I answered without them."
UNREAD_TURNS = "I could not recall what was said here before, so I answered without it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The input of an answer. `ticket` is the result of joining a warm-up.

    `at` is when all but the warm-up was there, in Unix seconds; `room` the characters that fit
    beside the prefix and the answer; `places` the Markdown that stands above the answer.
    """

    current: Current
    thread: Sequence[ThreadMessage]
    turns: Sequence[Turn]
    files: Mapping[str, ReadFile]
    described: Mapping[str, Described]
    ticket: JoinTicket
    at: float
    room: int
    notices: tuple[str, ...] = ()
    excerpts: Excerpts = field(default_factory=Excerpts)
    code: ContextSearch | None = None
    places: str = ""

    def limits(self, wanted: Limits) -> Limits:
        return wanted.fit_into(int(self.room * 0.6))

    def allowance(self, wanted: Allowance) -> Allowance:
        return replace(wanted, characters=min(wanted.characters, int(self.room * 0.4)))

    def conversation(
        self, question: Question, context: ContextConfig, limits: Limits
    ) -> Conversation:
        return conversation(
            self.turns,
            self.thread,
            question,
            context.instructions,
            limits,
            self.files,
            self.described,
            self.excerpts.text,
        )


@dataclass(frozen=True, slots=True)
class NoJoin:
    """The ticket of a request that joins no warm-up and that no other request joins."""

    expected: int
    cold: str = ""
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
    if there is no code to answer from. A thread that cannot be read does not keep the answer
    back: it is given without, and says so.
    """
    current = await parts.sources.current(context.name)
    joining = asyncio.ensure_future(parts.warmth.join(current.prefix, question, context))
    try:
        prepared = await _gather(parts, question, context, current)
        return replace(prepared, ticket=await joining)
    except BaseException:
        joining.add_done_callback(_let_go)
        joining.cancel()
        raise


async def prepare_draft(
    parts: Dependencies, question: Question, context: ContextConfig
) -> Prepared:
    """Gather the input of a draft. It joins no warm-up, since no question was asked yet."""
    current = await parts.sources.current(context.name)
    return await _gather(parts, question, context, current)


def _let_go(joining: asyncio.Future[JoinTicket]) -> None:
    """Others may wait for the request that is not going to be made."""
    if not joining.cancelled() and joining.exception() is None:
        joining.result().report_failure("cancelled")


def _room(parts: Dependencies, current: Current) -> int:
    prefix = current.prefix
    free = parts.window(prefix.model) - prefix.tokens - prefix.settings.max_tokens
    return max(LEAST_ROOM, int(free * CHARACTERS_PER_TOKEN))


async def prepare_saved(parts: Dependencies, context: ContextConfig) -> Prepared:
    """Return the code alone: a saved answer makes no request, so it needs no thread and no join."""
    current = await parts.sources.current(context.name)
    return Prepared(
        current=current,
        thread=(),
        turns=(),
        files={},
        described={},
        ticket=NoJoin(current.prefix.tokens),
        at=parts.now(),
        room=_room(parts, current),
    )


async def _gather(
    parts: Dependencies, question: Question, context: ContextConfig, current: Current
) -> Prepared:
    """Return the input of a request that joins no warm-up."""
    thread: Sequence[ThreadMessage] | None = ()
    turns: Sequence[Turn] | None = ()
    if question.in_thread:
        thread, turns = await asyncio.gather(_thread(parts, question), _turns(parts, question))
    notices = [UNREAD_THREAD] if thread is None else []
    is_partial = parts.threads.is_partial(question.workspace, question.channel, question.root)
    if thread and is_partial:
        notices.append(PARTIAL_THREAD)
    notices += [UNREAD_TURNS] if turns is None else []
    said = thread or ()
    replayed = _of_context(turns or (), question, context)
    if thread and not is_partial:
        replayed = [_standing(turn, thread, question) for turn in replayed]
    if len(replayed) < len(turns or ()):
        notices.append(OTHER_CODEBASE)
    (files, excerpts), described, places = await asyncio.gather(
        _files_and_excerpts(parts, question, context, current, said, replayed),
        _described(parts, question, said),
        _find_places(parts, question, context),
    )
    code = None
    if parts.excerpts is not None:
        code = parts.excerpts.index(context.name, current.pack)
    return Prepared(
        current=current,
        thread=said,
        turns=replayed,
        files=files,
        described=described,
        ticket=NoJoin(current.prefix.tokens),
        at=parts.now(),
        room=max(LEAST_ROOM, _room(parts, current) - len(excerpts.text)),
        notices=tuple(notices),
        excerpts=excerpts,
        code=code,
        places=places,
    )


async def _files_and_excerpts(
    parts: Dependencies,
    question: Question,
    context: ContextConfig,
    current: Current,
    thread: Sequence[ThreadMessage],
    turns: Sequence[Turn],
) -> tuple[Mapping[str, ReadFile], Excerpts]:
    """Return the files of a conversation, and the excerpts that are found by them too."""
    files = await _read_files(parts, attached_files(turns, thread, question), current)
    if parts.excerpts is None:
        return files, Excerpts()
    wanted = _search_words(question, context, thread, turns, files)
    tokens = int(_room(parts, current) * EXCERPT_SHARE / CHARACTERS_PER_TOKEN)
    return files, await parts.excerpts.find(current.pack, wanted, tokens)


async def _find_places(parts: Dependencies, question: Question, context: ContextConfig) -> str:
    if parts.excerpts is None or not context.show_places:
        return ""
    found = await parts.excerpts.places(context.name, question.text)
    return write_places_above(found, question.text)


def _search_words(
    question: Question,
    context: ContextConfig,
    thread: Sequence[ThreadMessage],
    turns: Sequence[Turn],
    files: Mapping[str, ReadFile],
) -> WantedExcerpts:
    """Return what excerpts are found by: the question, what people said, what was sent before."""
    attached = [*question.files, *(file for quote in question.quoted for file in quote.files)]
    read = (files[file.id].text for file in attached if file.id in files)
    quoted = (quote.text for quote in question.quoted)
    sent = (text for turn in turns for text in texts_of(turn.messages) if is_excerpts(text))
    return WantedExcerpts(
        context=context.name,
        question="\n".join([question.text, *quoted, *(text for text in read if text)]),
        thread="\n".join(one.text for one in thread if one.speaker != "own"),
        sent=tuple(sent),
    )


def _of_context(
    turns: Sequence[Turn], question: Question, context: ContextConfig
) -> Sequence[Turn]:
    """Return the turns that were answered from this very context.

    A turn holds code of its context, word for word, in tool results. Its context may be one that
    the present asker may not see. A turn of unknown context belongs to the channel's own.
    """
    own = question.channel in context.channels
    return [t for t in turns if t.context == context.name or (t.context is None and own)]


def _standing(turn: Turn, thread: Sequence[ThreadMessage], question: Question) -> Turn:
    """Return a turn without messages that do not stand in the thread any more.

    A deletion may be on its way through another replica when the next question is asked.
    """
    there = {one.ts for one in thread}
    messages = turn.messages
    # What was written after the question may have come after the thread was read.
    for ts in (ts for ts in stamps(messages) if ts not in there and ts < question.ts):
        messages = without_message(messages, ts) or messages
    return replace(turn, messages=messages)


async def _described(
    parts: Dependencies, question: Question, thread: Sequence[ThreadMessage]
) -> Mapping[str, Described]:
    """Return the names of the people in a conversation, or none: ids do without."""
    if parts.people is None:
        return {}
    try:
        async with asyncio.timeout(NAME_SECONDS):
            return await parts.people.describe(wanted_ids(question, thread))
    except TimeoutError:
        return {}


async def _thread(parts: Dependencies, question: Question) -> Sequence[ThreadMessage] | None:
    workspace, channel = question.workspace, question.channel
    if question.thread is None:
        return ()
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await parts.threads.read(workspace, channel, question.thread)
    except (TimeoutError, SlackCallError) as error:
        log.warning("thread_unread", question=question.id, why=str(error) or "time-out")
        return None


async def _turns(parts: Dependencies, question: Question) -> Sequence[Turn] | None:
    """Return the turns before the question's own, which it has when it is answered anew."""
    try:
        turns = await parts.turns.load(question.workspace, question.channel, question.root)
    except ForewarmError as error:
        log.warning("turns_unread", question=question.id, why=str(error))
        return None
    ids = [turn.question for turn in turns]
    return turns[: ids.index(question.id)] if question.id in ids else turns


async def _read_files(
    parts: Dependencies, files: Sequence[File], current: Current
) -> Mapping[str, ReadFile]:
    """Read the files of a conversation side by side, within the limits on their number."""
    room, images, texts = _room(parts, current), 0, 0
    reading: dict[str, Awaitable[ReadFile]] = {}
    takes_images = parts.takes_images(current.prefix.model)
    for file in files:
        kind = guess(file)
        if kind == "image":
            images += 1
            if not takes_images:
                reading[file.id] = _answered(ReadFile(problem=NO_IMAGES))
            elif images > min(MAX_IMAGES, room // CHARACTERS_PER_IMAGE):
                reading[file.id] = _answered(ReadFile(problem=TOO_MANY))
            else:
                reading[file.id] = _read_file(parts, file)
        elif kind == "other":
            reading[file.id] = _answered(preview_of(file, NOT_READABLE))
        else:
            texts += 1
            within = texts <= MAX_TEXTS
            reading[file.id] = (
                _read_file(parts, file) if within else _answered(preview_of(file, TOO_MANY))
            )
    done = await asyncio.gather(*reading.values())
    return dict(zip(reading, done, strict=True))


async def _answered(read: ReadFile) -> ReadFile:
    return read


async def _read_file(parts: Dependencies, file: File) -> ReadFile:
    if file.snippet and file.whole:
        return preview_of(file)
    if parts.attachments is None:
        return preview_of(file)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _fetched_file(parts, parts.attachments, file)
    except (TimeoutError, ForewarmError):
        return preview_of(file, LATE_FILE)


async def _fetched_file(parts: Dependencies, attachments: Attachments, file: File) -> ReadFile:
    is_image = guess(file) == "image"
    if is_image and file.size > MAX_IMAGE_BYTES:
        return ReadFile(problem=TOO_LARGE)
    fetched = await attachments.fetch(file, MAX_IMAGE_BYTES if is_image else MAX_TEXT_BYTES)
    if fetched.data is None:
        return preview_of(file, fetched.problem)
    # A stub's name and type are known only now.
    kind = guess(fetched.file)
    if kind == "other":
        return ReadFile(problem=NOT_READABLE)
    loop = asyncio.get_running_loop()
    if kind == "image":
        if not fetched.whole:
            return ReadFile(problem=TOO_LARGE)
        return await loop.run_in_executor(parts.executor, read_picture, fetched.data)
    return await loop.run_in_executor(
        parts.executor, partial(read_text, fetched.data, whole=fetched.whole)
    )
