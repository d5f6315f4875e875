"""The stream engine: text of an answer comes in, the next call to Slack comes out. No I/O.

The model writes for up to minutes while Slack is slow, limits rates, breaks streams after five
minutes, refuses blocks, loses connections and lets users stop or delete messages. At the end the
thread must show the text exactly once, in messages that are whole Markdown each. All of that is
decided in this file: a state, a function that names the next call, and a function that applies a
result. Everything that affects the state is here, so that a reader can check it.

    AnswerState                 all that is known of one answer
    next_calls(state, now)      the calls that may be made now, best first; changes nothing
    apply(state, event, now)    takes one event into the state; the only function that changes it
    StreamEngine                holds a state and translates method calls into events

The shell (`bot.delivery.delivery`) makes one of the offered calls at a time, says so with `begin`,
and reports the result. There is never more than one call under way, since Slack does not promise
to keep the order of two.

Where text is
-------------
Every character is in exactly one of three places. It is `pending` (not in Slack), in the `body` of
a message (Slack has confirmed it), or it is the first `take` characters of `pending` while a call
under way carries it. It moves from `pending` to `body` only when the call is known to have taken
effect. Nothing else would keep text from being lost or doubled. `outline` is the block structure at
the border between confirmed and pending text, and is always derivable from the bodies.

How text is shown
-----------------
Three ways, each simpler than the one before. `stream` (chat.startStream, appendStream, stopStream)
shows words as they come. `edit` posts a message and replaces it as it grows, for channels that
refuse streams and for times when the budget for appends is spent. `once` posts a message when it is
complete. An answer falls back from one to the next, and never fails because of one of them. A
message that is complete at once is posted in any mode: one call instead of two.

The states of a message
-----------------------
Only the last message is worked on (`state.message`). The others are closed.

    opening   does not exist yet
    lost      the call that creates it has an unknown outcome
    open      takes text
    unsure    an append or a stop has an unknown outcome
    conflict  still streams, although it must be replaced; Slack allows that only after a stop
    repair    what it shows is wrong or unfinished, so it must be replaced as a whole
    halted    the user stopped it; waits for the end of the answer
    closed    complete

    opening  -> open      the stream was started, or a message that will grow was posted
             -> closed    it was created complete
             -> lost      the connection died after the call was sent. Sending again could show the
                          text twice, so the thread is read first.
             -> conflict  it replaces a message of an earlier attempt, and that one still streams
    lost     -> open, closed   the thread shows it
             -> opening   the thread does not show it, or cannot be read. It is created again. The
                          first one may still appear, so it is remembered in `lost_calls`.
             -> conflict  the thread shows it, but it may be the stream of an earlier try that came
                          late. It is stopped and replaced.
    open     -> closed    the last text was sent, or no more fits (bytes, or age of the stream)
             -> unsure    as `opening -> lost`
             -> conflict  the end of the message must be taken back: a row of a table does not fit;
                          or Slack refuses appends for a reason that may not last
             -> repair    the stream died; or the same taking back in a message that does not stream
             -> halted    Slack says that the user pressed Stop
    unsure   -> open      the thread shows the text before or after the call
             -> closed    the thread shows the stop
             -> conflict  the thread shows neither, or cannot be read. An update makes it right
                          in both cases, since it replaces the whole.
             -> repair    as `conflict`, but the stream has ended
    conflict -> repair    the stop succeeded, or Slack says that it does not stream
             -> halted    Slack says that the user pressed Stop before us
             -> closed    it can no longer be changed: `frozen`
    repair   -> closed    the update put everything there, or it is frozen
             -> open      the update put there all text so far (way `edit`)
             -> conflict  Slack says that it streams
    halted   -> closed    the update put the last line and the blocks under it, or it is frozen
             -> repair    the update was too long, so the end must be taken back first
             -> conflict  Slack says that it streams after all
    closed   -> repair    the answer ended behind it, and its last line and blocks belong under it

A message is `sealed` when no more text may go in: the next thing that happens to it is that it is
closed. It is `frozen` when Slack says that it cannot be edited any more. Then the state follows
Slack: its body becomes what it shows.

Why doubts are read and not guessed
-----------------------------------
After a call with unknown outcome the thread is read `SETTLING` seconds later. Appends are compared
by their text, since an append that is repeated doubles words. Updates are repeated without reading,
since repeating them is harmless. A call may take effect up to `LATE_EFFECT` seconds later, so after
any doubt the whole thread is compared once more at the end (`sweep`): late duplicates are deleted,
wrong messages are replaced, streams that still run are stopped.

Why it always ends
------------------
Failures of one way lead to the next simpler way after `STUBBORN` tries. Reading is given up after
`PATIENT` tries. Deletions are given up after `PATIENT` tries. If no call at all succeeds for
`PATIENCE` seconds and `LEAST_REFUSALS` tries, the answer is given up and `failure` says why.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bot.delivery.engine.commands import (
    Append,
    Call,
    Delete,
    Kind,
    Mode,
    Post,
    Read,
    Start,
    Stop,
    Update,
)
from bot.delivery.engine.compare import (
    agrees,
    compare_message,
    find,
    find_sent,
    is_streaming,
    letters_and_digits,
)
from bot.delivery.engine.sizing import (
    ROOM_TO_CLOSE,
    Limits,
    MessageSlice,
    Place,
    ends_in_row,
    next_slice,
)
from bot.delivery.markdown.escape import escape, escaped_size, one_line, settled_length
from bot.delivery.markdown.outline import Outline
from bot.delivery.markdown.split import BLOCK, best_cut, line_cuts
from bot.delivery.slack_api import CallFailure, JsonObject, Task

Way = Literal["stream", "edit"]
MessageState = Literal[
    "opening", "lost", "open", "unsure", "conflict", "repair", "halted", "closed"
]

TRANSITIONS: dict[MessageState, tuple[MessageState, ...]] = {
    "opening": ("open", "closed", "lost", "conflict"),
    "lost": ("open", "closed", "opening", "conflict"),
    "open": ("closed", "unsure", "conflict", "repair", "halted"),
    "unsure": ("open", "closed", "conflict", "repair"),
    "conflict": ("repair", "halted", "closed"),
    "repair": ("closed", "open", "conflict"),
    "halted": ("closed", "repair", "conflict"),
    "closed": ("repair",),
}
"""The states of a message that can follow each state; the reasons are at the top of this file."""

STUBBORN = 3
"""Failures in a row after which a way of showing text is left for the next simpler one."""
PATIENT = 9
"""Failures in a row after which a thread counts as unreadable, or a leftover as undeletable."""
PATIENCE = 300.0
"""Seconds of failures without one success after which an answer is given up."""
LEAST_REFUSALS = 12
"""Failures without one success that must have happened before it is given up."""
SETTLING = 0.7
"""Seconds before the thread is read for a call whose outcome is unknown."""
LATE_EFFECT = 5.0
"""Seconds after which a call with unknown outcome cannot take effect any more."""
LONGEST_PAUSE = 15.0
"""Seconds between two tries at most."""
PART_AFTER = 20.0
"""Seconds without words after which an answer that is posted once shows what is complete."""
LOOK_AHEAD = 12
"""Characters of the next line that tell under which list items it stands."""
LAST_LINE = 500
"""Characters of the answer's last line; the gap up to Slack's cap holds them."""
CONTINUED: tuple[JsonObject, ...] = (
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "continued below"}]},
)
"""The block under a message that is not the last, if a block must replace another."""
_LEAST_FULL = 1_000
_TASK_CHARACTERS = 256
_UNCHANGEABLE = ("cant_update_message", "edit_window_closed", "message_not_owned_by_app")


# --- The state -----------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Message:
    """One Slack message of an answer.

    `body` is the part of the answer that it shows; `prefix` and `suffix` are marks around it.
    `size` counts escaped bytes; `full` is a lower cap for this message, learned from Slack.
    `taken_back` is text that Slack still shows here although it belongs to the next message, until
    the repair is done. `running` are the tasks shown as unfinished. `marked`: a call whose outcome
    is unknown may have put other blocks here.
    """

    prefix: str
    way: Way
    start: Outline
    state: MessageState = "opening"
    ts: str | None = None
    body: str = ""
    suffix: str = ""
    opened_at: float = 0.0
    size: int = 0
    full: int | None = None
    sealed: bool = False
    ended: bool = False
    marked: bool = False
    frozen: bool = False
    taken_back: str = ""
    maybe: PlannedCall | None = None
    running: dict[str, JsonObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.size = escaped_size(self.prefix) + escaped_size(self.body)

    def __repr__(self) -> str:
        return f"<Message {self.ts or 'unsent'} {self.way} {self.state}: {self.size} bytes>"

    def add(self, text: str) -> None:
        """Take confirmed text into the body."""
        self.body += text
        self.size += escaped_size(text)

    def cut_at(self, length: int) -> str:
        """Keep `length` characters of the body; return the rest."""
        rest = self.body[length:]
        self.body = self.body[:length]
        self.size -= escaped_size(rest)
        return rest

    def content(self, more: str = "", suffix: str = "") -> str:
        """Return the whole message as Slack is to show it, escaped."""
        return escape(self.prefix + self.body + more + suffix)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that may be made now, and what it means.

    `take` characters of the pending text go with it, and `suffix` are the marks after them. It
    `closes` the message, and is `final` if nothing is left of the answer. `seals`: the message is
    to be closed next. `tasks` are the updates it carries. `message` is None for a call that belongs
    to no message of this answer.
    """

    call: Call
    message: Message | None = None
    take: int = 0
    suffix: str = ""
    closes: bool = False
    final: bool = False
    seals: bool = False
    tasks: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """The end of an answer: Slack blocks and one line of our own."""

    blocks: tuple[JsonObject, ...] = ()
    last_line: str | None = None


@dataclass(slots=True, eq=False)
class AnswerState:
    """All that is known of one answer. Times are seconds of one clock that never runs backwards.

    `replaces` are messages of an earlier attempt, oldest first: the first is edited in place, the
    others are deleted. `floor` is a ts older than anything this answer creates. `foreign` are
    messages of other answers, which are never taken for this one's. `live` are blocks under a
    message that grows by edits. `full` is the cap of new messages in escaped bytes.
    """

    mode: Mode = "stream"
    limits: Limits = field(default_factory=Limits)
    floor: str | None = None
    foreign: Collection[str] = ()
    live: tuple[JsonObject, ...] = ()

    # The text, and the messages that hold it.
    parts: list[str] = field(default_factory=list)
    pending: str = ""
    outline: Outline = field(default_factory=Outline)
    tasks: dict[str, JsonObject] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    message: Message | None = None
    end: End | None = None
    halted: bool = False

    # Messages of earlier attempts: to be replaced, and to be deleted.
    replaces: list[str] = field(default_factory=list)
    leftover: list[str] = field(default_factory=list)

    # The call under way, and when the next one may be made.
    under_way: PlannedCall | None = None
    not_before: float = 0.0
    blocked: dict[Kind, float] = field(default_factory=dict)
    silent_since: float | None = None

    # Failures in a row (`failures` without rate limits), and failures of one leftover call.
    failures: int = 0
    refusals: int = 0
    failing_since: float | None = None
    tries: dict[str, int] = field(default_factory=dict)

    # Learned from Slack: no streams here, no blocks here, a lower cap.
    may_stream: bool = True
    blocks_refused: bool = False
    full: int = 0

    # Doubts: creations that may appear late, and the look at the whole thread that settles them.
    lost_calls: tuple[Start | Post, ...] = ()
    lost_an_end: bool = False
    look_again_at: float | None = None
    sweep: list[Call] | None = None

    # The result.
    streamed: bool = False
    edited: bool = False
    over: bool = False
    failure: CallFailure | None = None
    error: str = ""

    def __post_init__(self) -> None:
        self.full = self.limits.full

    @property
    def concludes(self) -> bool:
        """Whether no text is left for another message."""
        if self.message is not None or self.end is None:
            return False
        return not self.pending.strip() or (self.halted and bool(self.messages))

    @property
    def lacks_end(self) -> bool:
        """Whether the end of the answer stands under no message yet."""
        return self.end is not None and not (self.messages and self.messages[-1].ended)


# --- The events ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextReceived:
    text: str


@dataclass(frozen=True, slots=True)
class TaskChanged:
    task: Task


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    end: End


@dataclass(frozen=True, slots=True)
class HaltRequested:
    """The user wants no more text; the answer ends with the message that stands."""


@dataclass(frozen=True, slots=True)
class CallBegan:
    planned: PlannedCall


@dataclass(frozen=True, slots=True)
class CallSucceeded:
    """Slack has done the call under way; `ts` is that of the message it created."""

    ts: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadRead:
    messages: Sequence[JsonObject]


@dataclass(frozen=True, slots=True)
class CallFailed:
    """Slack has not done the call, or that is unknown. `retry_after` is in seconds."""

    failure: CallFailure
    error: str = ""
    retry_after: float | None = None


Event: TypeAlias = (
    TextReceived
    | TaskChanged
    | AnswerEnded
    | HaltRequested
    | CallBegan
    | CallSucceeded
    | ThreadRead
    | CallFailed
)


# --- The next call -------------------------------------------------------------------------------


def next_calls(state: AnswerState, now: float) -> tuple[PlannedCall, ...]:
    """Return the calls that may be made now, the best first; empty: wait. Changes nothing.

    `advance` must have run at this time: it makes the transitions that need no call.
    """
    if state.over or state.under_way is not None or now < state.not_before:
        return ()
    planned = _next(state, now)
    if state.leftover and state.messages and state.message is not None:
        # A message of an earlier attempt that could not be replaced is deleted when the budget of
        # deletions allows it, not only at the end: until then two answers stand in the thread.
        planned = (*planned, PlannedCall(Delete(state.leftover[0])))
    return tuple(one for one in planned if state.blocked.get(one.call.kind, now) <= now)


def next_change(state: AnswerState, now: float) -> float | None:
    """Return when `next_calls` may change although no event comes; None if it will not."""
    if state.over or state.under_way is not None:
        return None
    times = [state.not_before, state.look_again_at or 0.0, *state.blocked.values()]
    if state.silent_since is not None:
        times.append(state.silent_since + PART_AFTER)
    message = state.message
    if message is not None and message.state == "open" and message.way == "stream":
        limits = state.limits
        times += [message.opened_at + age for age in (limits.aging, limits.aged, limits.lifetime)]
    later = [time for time in times if time > now]
    return min(later) if later else None


def _next(state: AnswerState, now: float) -> tuple[PlannedCall, ...]:
    message = state.message
    if message is None:
        return _conclude(state, now) if state.concludes else _open(state, now)
    match message.state:
        case "lost" | "unsure":
            return (PlannedCall(Read(message.ts or state.floor), message),)
        case "conflict":
            return (_stop_silently(state, message),)
        case "repair":
            return (_rebuild(state, message),)
        case "halted":
            # The last line is not known before the end, and each update costs budget.
            return (_rebuild(state, message),) if state.end is not None else ()
        case "open":
            return _go_on(state, message, now)
        case _:
            return ()


# Beginning a message


def _open(state: AnswerState, now: float) -> tuple[PlannedCall, ...]:
    """Return the call that begins a message, if enough is known of its text."""
    text = state.pending
    if state.end is None and not _has_words(text):
        return _open_for_tasks(state)
    if state.end is None and not _tells_its_place(state, text):
        return ()
    if state.end is None and state.mode == "once":
        return _post_part(state, text, now)
    return _create(state, _begin_message(state, text))


def _has_words(text: str) -> bool:
    # A message begins with a word: after a lost call, a lone sign could not be found in the thread.
    return bool(letters_and_digits(text[: settled_length(text)]))


def _tells_its_place(state: AnswerState, text: str) -> bool:
    """Return whether enough of the next line is known to reopen the lists around it."""
    outline = state.outline
    if not outline.items and outline.table is None and outline.quote is None:
        return True
    first, newline, _ = text.lstrip("\n").partition("\n")
    return bool(newline) or len(first.strip()) >= LOOK_AHEAD


def _begin_message(state: AnswerState, text: str) -> Message:
    prefix = state.outline.reopening(text)
    if escaped_size(prefix) > state.full // 3:
        # Structure that takes so much room is given up for text. What is code stays code.
        fence = state.outline.open_fence
        prefix = f"{fence.marker}\n" if fence is not None else ""
    return Message(prefix, _choose_way(state, text), state.outline.copy())


def _choose_way(state: AnswerState, text: str) -> Way:
    # A message of an earlier attempt can only be edited, and a halted answer needs one call.
    if state.mode != "stream" or not state.may_stream or state.halted or state.replaces:
        return "edit"
    whole = state.end is not None and escaped_size(text) <= state.full
    return "edit" if whole and not state.streamed else "stream"


def _open_for_tasks(state: AnswerState) -> tuple[PlannedCall, ...]:
    """Return the start of a stream that shows look-ups before any words are there."""
    streams = state.mode == "stream" and state.may_stream and not state.replaces
    if not state.tasks or not streams or state.halted:
        return ()
    tasks = tuple(state.tasks.values())
    message = Message("", "stream", state.outline.copy())
    return (PlannedCall(Start("", tasks), message, tasks=tasks),)


def _post_part(state: AnswerState, text: str, now: float) -> tuple[PlannedCall, ...]:
    """Return the post of what is complete of a text that is long in coming.

    A user should not look at an empty thread for a minute because budgets are spent.
    """
    if state.silent_since is None or now < state.silent_since + PART_AFTER:
        return ()
    message = _begin_message(state, text)
    room = state.full - message.size - ROOM_TO_CLOSE
    cuts = [cut for cut in line_cuts(state.outline, text[:room]) if cut.size < room]
    good = [cut for cut in cuts if cut.score >= BLOCK and text[: cut.length].strip()]
    if not good:
        return ()
    return (_show_whole(state, message, MessageSlice(good[-1].length, closes=True)),)


def _create(state: AnswerState, message: Message) -> tuple[PlannedCall, ...]:
    """Return the call that creates a message with as much of the text as it can hold."""
    part = _slice(state, message, age=0.0)
    if message.way == "edit":
        return (_show_whole(state, message, part),)
    tasks = tuple(state.tasks.values())
    call = Start(message.content(state.pending[: part.length]), tasks)
    return (PlannedCall(call, message, part.length, seals=part.closes, tasks=tasks),)


# Going on with a message


def _go_on(state: AnswerState, message: Message, now: float) -> tuple[PlannedCall, ...]:
    part = _slice(state, message, now - message.opened_at)
    if message.way == "stream":
        return _stream(state, message, part)
    return (_show_whole(state, message, part),) if part.length or part.closes else ()


def _stream(state: AnswerState, message: Message, part: MessageSlice) -> tuple[PlannedCall, ...]:
    assert message.ts is not None
    piece = state.pending[: part.length]
    tasks = tuple(state.tasks.values())
    if not part.closes:
        # Whether a space has arrived cannot be read from a thread, so it comes with the next word.
        take = part.length if letters_and_digits(piece) else 0
        call = Append(message.ts, escape(piece[:take], state.outline.line), tasks)
        return (PlannedCall(call, message, take, tasks=tasks),) if take or tasks else ()
    if tasks or message.running:
        return (_close_tasks(state, message),)
    stop = _stop(state, message, part)
    if not piece:
        return (stop,)
    # Stops have a fifth of the budget of appends. While none is free, the words go out alone.
    words = PlannedCall(
        Append(message.ts, escape(piece, state.outline.line)), message, part.length, seals=True
    )
    return (stop, words)


def _stop(state: AnswerState, message: Message, part: MessageSlice) -> PlannedCall:
    assert message.ts is not None
    piece = state.pending[: part.length]
    suffix, blocks = _tail(state, piece, final=part.final)
    # Under agent_view a stop ends the session's "processing". A post does not, so if the rest will
    # be posted, this stop must.
    ends = part.final or state.mode != "stream" or not state.may_stream
    text = escape(piece + suffix, state.outline.line)
    call = Stop(message.ts, text, blocks, final=ends)
    return PlannedCall(call, message, part.length, suffix, closes=True, final=part.final)


def _close_tasks(state: AnswerState, message: Message) -> PlannedCall:
    """Return the append that ends all running tasks, which would seem to run for ever."""
    assert message.ts is not None
    tasks = tuple(state.tasks.values())
    latest = message.running | {str(task["id"]): task for task in tasks}
    ended = tuple(
        task if task["status"] == "error" else {**task, "status": "complete"}
        for task in latest.values()
    )
    return PlannedCall(Append(message.ts, "", ended), message, tasks=tasks)


def _show_whole(state: AnswerState, message: Message, part: MessageSlice) -> PlannedCall:
    """Return the call that shows a whole message: a new post, or an update of what stands."""
    piece = state.pending[: part.length]
    suffix, blocks = _tail(state, piece, final=part.final)
    ts = message.ts or (state.replaces[0] if state.replaces else None)
    if message.way == "edit" and not part.final and (ts or state.mode != "once"):
        blocks = _blocks_meanwhile(state, closes=part.closes)
    content = message.content(piece, suffix)
    call: Call = Update(ts, content, blocks) if ts else Post(content, blocks)
    return PlannedCall(call, message, part.length, suffix, closes=part.closes, final=part.final)


# Repairing a message


def _stop_silently(state: AnswerState, message: Message) -> PlannedCall:
    ts = message.ts or (state.replaces[0] if state.replaces else None)
    assert ts is not None
    return PlannedCall(Stop(ts, "", final=False), message)


def _rebuild(state: AnswerState, message: Message) -> PlannedCall:
    """Return the call that replaces a message: it died, is in doubt, or lacks its end."""
    return _show_whole(state, message, _slice(state, message, age=state.limits.lifetime))


# The end


def _conclude(state: AnswerState, now: float) -> tuple[PlannedCall, ...]:
    """Return what is left to do once all text stands."""
    if state.leftover:
        return (PlannedCall(Delete(state.leftover[0])),)
    if state.lacks_end and state.end is not None and state.end.last_line:
        # No message can take the last line, so it gets one of its own.
        line = state.end.last_line
        call = Post(escape(line), _last_blocks(state))
        message = Message("", "edit", Outline())
        return (PlannedCall(call, message, suffix=line, closes=True, final=True),)
    if state.look_again_at is not None and state.sweep is None:
        return (PlannedCall(Read(state.floor)),) if now >= state.look_again_at else ()
    return (PlannedCall(state.sweep[0]),) if state.sweep else ()


# How much text goes in, and with which marks and blocks


def _slice(state: AnswerState, message: Message, age: float) -> MessageSlice:
    text = state.pending
    if state.end is not None and not text.strip():
        return MessageSlice(len(text), closes=True, final=True)
    # A cap that Slack taught for this message holds before the general one.
    full = message.full if message.full is not None else state.full
    if state.halted:
        return _last_slice(state, message, full)
    if message.sealed:
        return MessageSlice(0, closes=True)
    soft = full * state.limits.soft // state.limits.full
    age = age if message.way == "stream" else 0.0
    place = Place(state.outline, message.size, full, soft, age, not message.body)
    return next_slice(place, text, state.limits, ended=state.end is not None)


def _last_slice(state: AnswerState, message: Message, full: int) -> MessageSlice:
    """Return what fits: after a halt no other message will be opened."""
    text = state.pending
    if state.end is None:
        return MessageSlice(0)
    if message.sealed:
        return MessageSlice(0, closes=True, final=True)
    # The end comes at a good cut: a half fence would swallow the last line.
    room = full - message.size
    after = _outline_after(state, text)
    if escaped_size(text) + escaped_size(after.closing()) <= room:
        return MessageSlice(len(text), closes=True, final=True)
    cut = best_cut(state.outline, text, room, room // 2)
    return MessageSlice(cut.length if cut else 0, closes=True, final=True)


def _outline_after(state: AnswerState, piece: str) -> Outline:
    after = state.outline.copy()
    after.read(piece)
    return after


def _tail(state: AnswerState, piece: str, *, final: bool) -> tuple[str, tuple[JsonObject, ...]]:
    """Return the marks after `piece` and the blocks under them."""
    after = _outline_after(state, piece)
    if not final:
        return after.closing(), ()
    return _ending_marks(state, after), _last_blocks(state)


def _ending_marks(state: AnswerState, outline: Outline) -> str:
    """Return the marks and the line that end the answer behind `outline`."""
    closing = outline.closing()
    line = state.end.last_line if state.end is not None else None
    return f"{closing}\n\n{line}" if line else closing


def _blocks_meanwhile(state: AnswerState, *, closes: bool) -> tuple[JsonObject, ...]:
    """Return the blocks under a message that is not the last.

    Slack keeps blocks that an update does not replace, so those of a growing message must be.
    """
    if not state.live or state.blocks_refused:
        return ()
    return CONTINUED if closes else state.live


def _last_blocks(state: AnswerState) -> tuple[JsonObject, ...]:
    return state.end.blocks if state.end is not None and not state.blocks_refused else ()


def _blocks_between(state: AnswerState, message: Message) -> tuple[JsonObject, ...]:
    """Return the blocks that an update puts under a closed message that is not the last."""
    if message.marked and not state.blocks_refused:
        return CONTINUED
    return _blocks_meanwhile(state, closes=True) if message.way == "edit" else ()


# --- Transitions that need no call ---------------------------------------------------------------


def advance(state: AnswerState, now: float) -> None:
    """Make the transitions that follow from time and text alone."""
    if state.over or state.under_way is not None or now < state.not_before:
        return
    if state.parts:
        state.pending += "".join(state.parts)
        state.parts.clear()
    if state.message is None:
        _advance_between(state, now)
    if state.message is not None:
        _retreat(state, state.message, now)


def _advance_between(state: AnswerState, now: float) -> None:
    """Start the wait of an answer that is posted once; at the end, turn to what is left to do."""
    if not state.concludes:
        _keep_silence(state, now)
        return
    # The answer has no text for them, so nothing will take their place.
    state.leftover += state.replaces
    state.replaces.clear()
    if state.leftover:
        return
    last = state.messages[-1] if state.messages else None
    if state.lacks_end and state.end is not None:
        if last is not None and not last.frozen and (state.end.blocks or state.end.last_line):
            # The last message was closed as if another would follow; now its end is due.
            state.message = last
            last.state, last.sealed = "repair", False
            return
        if state.end.last_line:
            return
    waits_to_look = state.look_again_at is not None and state.sweep is None
    state.over = not waits_to_look and not state.sweep


def _keep_silence(state: AnswerState, now: float) -> None:
    """Note since when text waits only because the answer is posted once."""
    once = state.mode == "once" and state.end is None
    if once == (state.silent_since is not None):
        return
    text = state.pending
    if state.end is not None or (_has_words(text) and _tells_its_place(state, text)):
        state.silent_since = now if once else None


def _retreat(state: AnswerState, message: Message, now: float) -> None:
    """Take an unfinished row of a table out of a message that cannot hold it whole."""
    if message.state not in ("open", "repair") or not ends_in_row(state.outline):
        return
    age = now - message.opened_at if message.state == "open" else state.limits.lifetime
    if not _slice(state, message, age).retreat:
        return
    moved = _take_back(state, message)
    if message.state == "open" and message.way == "stream" and moved:
        message.state = "conflict"


def _take_back(state: AnswerState, message: Message) -> bool:
    """Move what follows the last good line's end to the next message; False if nothing does."""
    message.sealed = True
    good = [cut for cut in line_cuts(message.start, message.body) if cut.score > 0]
    if not good or good[-1].length == len(message.body):
        return False
    _put_back(state, message, good[-1].length)
    return True


def _put_back(state: AnswerState, message: Message, length: int) -> None:
    """Keep `length` characters in the message; what follows them is pending again."""
    rest = message.cut_at(length)
    message.taken_back = rest + message.taken_back
    state.pending = rest + state.pending
    state.outline = message.start.copy()
    state.outline.read(message.body)


# --- Applying an event ---------------------------------------------------------------------------


def apply(state: AnswerState, event: Event, now: float) -> None:
    """Take one event into the state."""
    match event:
        case TextReceived(text):
            # Text after the end would stand below the receipt.
            if state.end is None and not state.halted and not state.over:
                state.parts.append(text)
        case TaskChanged(task):
            chunk = _task_chunk(task)
            state.tasks[str(chunk["id"])] = chunk
        case AnswerEnded(end):
            state.end = state.end or end
        case HaltRequested():
            state.halted = True
        case CallBegan(planned):
            _begin(state, planned, now)
        case CallSucceeded(ts):
            _clear_failures(state)
            _book(state, _finish_call(state), ts)
        case ThreadRead(messages):
            _clear_failures(state)
            _settle_doubt(state, _finish_call(state).message, messages)
        case CallFailed():
            _fail(state, event, now)


def _task_chunk(task: Task) -> JsonObject:
    chunk: dict[str, object] = {
        "type": "task_update",
        "id": one_line(task.id, _TASK_CHARACTERS),
        "title": one_line(task.title, _TASK_CHARACTERS),
        "status": task.status,
    }
    if task.output:
        chunk["output"] = one_line(task.output, _TASK_CHARACTERS)
    sources = [
        {"type": "url", "url": url, "text": one_line(label, _TASK_CHARACTERS)}
        for url, label in task.sources
        if len(url) <= _TASK_CHARACTERS
    ]
    return {**chunk, "sources": sources} if sources else chunk


def _begin(state: AnswerState, planned: PlannedCall, now: float) -> None:
    assert state.under_way is None, "one call at a time"
    state.under_way = planned
    if planned.message is not None:
        state.message = planned.message
        if isinstance(planned.call, Start | Post):
            # Slack counts a stream's age from its own clock; ours begins earlier, which is safe.
            planned.message.opened_at = now


def _finish_call(state: AnswerState) -> PlannedCall:
    planned = state.under_way
    assert planned is not None, "no call is under way"
    state.under_way = None
    if state.parts:
        state.pending += "".join(state.parts)
        state.parts.clear()
    return planned


def _clear_failures(state: AnswerState) -> None:
    state.failures, state.refusals, state.failing_since = 0, 0, None


# A call that Slack has done


def _book(state: AnswerState, planned: PlannedCall, ts: str | None) -> None:
    """Take into the state what a call has done; `ts` is that of a message it created."""
    message, call = planned.message, planned.call
    state.silent_since = None
    if message is None:
        _strike(state, call)
        return
    if message not in state.messages:
        if isinstance(call, Stop):
            # A message of an earlier attempt streams no more: now it can be replaced.
            state.message = None
            return
        _enter(state, message, ts, call)
    else:
        state.edited |= isinstance(call, Update)
    _confirm_text(state, message, planned.take)
    _show_tasks(state, message, planned)
    message.sealed |= planned.seals
    if isinstance(call, Stop) and not planned.closes:
        message.state = "repair"
        return
    if not isinstance(call, Append | Start):
        message.suffix, message.taken_back = planned.suffix, ""
    message.state = "open"
    # Only a call that closes a message ends the work on it; all others leave it open.
    if planned.closes:
        message.state, message.ended = "closed", planned.final
        state.message = None


def _strike(state: AnswerState, call: Call) -> None:
    """Take a call that belongs to no message off the list of what is left to do."""
    if isinstance(call, Delete) and call.ts in state.leftover:
        state.leftover.remove(call.ts)
    elif state.sweep:
        state.sweep = [other for other in state.sweep if other != call]


def _enter(state: AnswerState, message: Message, ts: str | None, call: Call) -> None:
    message.ts = call.ts if isinstance(call, Update) else ts
    # It may show what an earlier try has left, with the blocks of that try.
    message.marked |= state.lost_an_end
    state.messages.append(message)
    state.streamed |= isinstance(call, Start)
    if message.ts in state.replaces:
        state.replaces.remove(message.ts)
        state.leftover += state.replaces
        state.replaces.clear()


def _confirm_text(state: AnswerState, message: Message, length: int) -> None:
    text = state.pending
    message.add(text[:length])
    state.outline.read(text[:length])
    state.pending = text[length:]


def _show_tasks(state: AnswerState, message: Message, planned: PlannedCall) -> None:
    if not isinstance(planned.call, Start | Append):
        return
    for chunk in planned.call.chunks:
        message.size += escaped_size(str(chunk["title"]))
        if chunk["status"] in ("complete", "error"):
            message.running.pop(str(chunk["id"]), None)
        else:
            message.running[str(chunk["id"])] = chunk
    # A task that changed while the call was under way is another object, and is sent again.
    for task in planned.tasks:
        if state.tasks.get(str(task["id"])) is task:
            del state.tasks[str(task["id"])]


# A thread that was read


def _settle_doubt(
    state: AnswerState, message: Message | None, thread: Sequence[JsonObject]
) -> None:
    if message is None:
        _plan_sweep(state, thread)
    elif message.state == "lost":
        _look_for(state, message, thread)
    else:
        _look_at(state, message, thread)


def _look_for(state: AnswerState, message: Message, thread: Sequence[JsonObject]) -> None:
    """Find the message whose creation is in doubt; if it is not there, create it again."""
    planned = message.maybe
    assert planned is not None
    assert isinstance(planned.call, Start | Post)
    message.state = "opening"
    ts = find_sent(thread, planned.call.text, _known_timestamps(state), state.floor)
    if ts is None:
        _think_lost(state, message)
        return
    _book(state, planned, ts)
    if isinstance(planned.call, Post) and _may_be_a_stream(state, find(thread, ts), planned.call):
        message.state, state.message = "conflict", message


def _may_be_a_stream(state: AnswerState, standing: JsonObject | None, post: Post) -> bool:
    """Return whether the message found for a post may be an earlier stream that came late."""
    streams = is_streaming(standing) if standing is not None else None
    starts = (call for call in state.lost_calls if isinstance(call, Start))
    wanted = letters_and_digits(post.text)
    alike = streams is None and any(letters_and_digits(call.text) == wanted for call in starts)
    return bool(streams) or alike


def _known_timestamps(state: AnswerState) -> set[str]:
    own = {message.ts for message in state.messages if message.ts is not None}
    return own | set(state.foreign) | set(state.replaces) | set(state.leftover)


def _look_at(state: AnswerState, message: Message, thread: Sequence[JsonObject]) -> None:
    """Tell whether an append or a stop has taken effect."""
    planned = message.maybe
    standing = find(thread, message.ts or "")
    if standing is None or planned is None:
        _give_up(state, "gone", "message_not_found")
        return
    assert isinstance(planned.call, Append | Stop)
    verdict = compare_message(standing, message.content(), planned.call.text)
    streaming = is_streaming(standing)
    if isinstance(planned.call, Stop):
        if streaming:
            message.state = "conflict" if verdict == "after" else "open"
        elif streaming is False and (verdict == "after" or not planned.call.text.strip()):
            _book(state, planned, None)
        else:
            message.state = "repair"
        return
    message.state = "open"
    if verdict == "after":
        _book(state, planned, None)
    elif verdict == "unreadable" and planned.call.text.strip():
        message.state = "conflict"
    if streaming is False:
        message.state = "repair"


def _plan_sweep(state: AnswerState, thread: Sequence[JsonObject]) -> None:
    """Compare everything with the thread, once, after doubts: late effects are undone."""
    state.sweep = []
    for message in state.messages:
        standing = find(thread, message.ts or "")
        streams = is_streaming(standing) if standing is not None else False
        if streams or (streams is None and message.frozen and message.way == "stream"):
            state.sweep.append(Stop(str(message.ts), ""))
        if message is state.messages[-1] and not message.ended:
            message.suffix, message.marked = _ending_marks(state, state.outline), True
            message.ended = True
        expected = message.content(suffix=message.suffix)
        wrong = message.marked or (standing and not agrees(standing, expected))
        if standing is not None and wrong:
            last = message.ended
            blocks = _last_blocks(state) if last else _blocks_between(state, message)
            state.sweep.append(Update(str(message.ts), expected, blocks))
    _delete_duplicates(state, thread)


def _delete_duplicates(state: AnswerState, thread: Sequence[JsonObject]) -> None:
    assert state.sweep is not None
    known = _known_timestamps(state)
    for call in state.lost_calls:
        while (ts := find_sent(thread, call.text, known, state.floor)) is not None:
            known.add(ts)
            state.sweep.append(Delete(ts))


# A call that failed


def _fail(state: AnswerState, event: CallFailed, now: float) -> None:
    planned = _finish_call(state)
    if state.failing_since is None:
        state.failing_since = now
    state.refusals += 1
    if event.failure == "rate_limited":
        # Only this method must pause. Rate limits are no sign that a way does not work.
        pause = 1.0 if event.retry_after is None else event.retry_after
        state.blocked[planned.call.kind] = now + pause
    else:
        state.failures += 1
        pause = min(0.25 * 2 ** min(state.failures, 8), LONGEST_PAUSE)
        state.not_before = now + (SETTLING if event.failure == "unknown_outcome" else pause)
    if event.failure == "unknown_outcome" and not isinstance(planned.call, Read):
        state.look_again_at = now + LATE_EFFECT
    if state.refusals > LEAST_REFUSALS and now - state.failing_since > PATIENCE:
        _give_up(state, event.failure, event.error)
    else:
        _weigh(state, planned, event.failure, event.error)


def _give_up(state: AnswerState, failure: CallFailure, error: str) -> None:
    state.over, state.failure, state.error = True, failure, error


def _weigh(state: AnswerState, planned: PlannedCall, failure: CallFailure, error: str) -> None:
    """Draw the conclusion from a failure; the pause before the next call is set already."""
    message = planned.message
    if message is None:
        _weigh_leftover(state, planned, failure)
        return
    if message.state == "opening":
        # The next try may begin another message: the mode or the text may have changed.
        state.message = None
    if failure in ("rate_limited", "server") and state.failures <= STUBBORN:
        return
    if failure == "stopped":
        state.halted = True
        message.state = "halted"
    elif failure in ("unknown_outcome", "blocks"):
        _doubt(state, planned, message, failure)
    elif failure == "too_long":
        _too_long(state, planned, message)
    else:
        _refuse(state, planned, message, failure, error)


def _weigh_leftover(state: AnswerState, planned: PlannedCall, failure: CallFailure) -> None:
    """Give up a deletion, a repair or the last look at the thread that keeps failing."""
    if failure == "blocks" and isinstance(planned.call, Update):
        state.blocks_refused = True
        state.sweep = [_without_blocks(call) for call in state.sweep or ()]
        return
    lasting = failure in ("gone", "forbidden", "not_streaming", "stopped")
    key = repr(planned.call)
    tries = state.tries[key] = state.tries.get(key, 0) + 1
    if not lasting and tries <= PATIENT:
        return
    if isinstance(planned.call, Read):
        state.sweep = []
    _strike(state, planned.call)


def _without_blocks(call: Call) -> Call:
    return replace(call, blocks=()) if isinstance(call, Update) else call


def _doubt(
    state: AnswerState, planned: PlannedCall, message: Message, failure: CallFailure
) -> None:
    """The call may have taken effect: for `blocks`, with its text and without its blocks."""
    call = planned.call
    if failure == "blocks":
        if isinstance(call, Append | Start):
            # Only tasks are blocks there, and they are the lesser part of an answer.
            state.tasks.clear()
            message.running.clear()
        state.blocks_refused = True
    message.marked |= planned.final or isinstance(call, Update)
    state.lost_an_end |= message.marked and message not in state.messages
    match call:
        case Start() | Post():
            message.state, message.maybe = "lost", planned
            state.message = message
        case Append():
            message.state, message.maybe = "unsure", planned
        case Stop() if planned.closes:
            message.state, message.maybe = "unsure", planned
        case Stop() if message in state.messages:
            message.state = "repair"
        case Stop():
            state.message = None
        case Read() if state.failures > PATIENT:
            _cannot_read(state, message)


def _cannot_read(state: AnswerState, message: Message) -> None:
    """Replace what exists; send again what may not exist, since a lost text is worse than two."""
    if message.state == "lost":
        _think_lost(state, message)
    else:
        message.state = "conflict"


def _think_lost(state: AnswerState, message: Message) -> None:
    """Create it anew; should the first one appear later, the sweep deletes it."""
    call = message.maybe.call if message.maybe is not None else None
    if isinstance(call, Start | Post):
        state.lost_calls = (*state.lost_calls, call)
    message.state = "opening"
    state.message = None


def _too_long(state: AnswerState, planned: PlannedCall, message: Message) -> None:
    """Slack's cap is lower than ours: learn from it."""
    if message not in state.messages:
        # Nothing stands yet, so every later message must be shorter as well.
        text = getattr(planned.call, "text", "")
        state.full = max(_LEAST_FULL, len(text.encode()) * 7 // 10)
    elif isinstance(planned.call, Append | Stop) and planned.take:
        message.full = message.size
    elif isinstance(planned.call, Append):
        state.tasks.clear()
        message.running.clear()
    else:
        _shrink(state, planned, message)


def _shrink(state: AnswerState, planned: PlannedCall, message: Message) -> None:
    """Move the end of a message that is too long as it stands to the next."""
    if planned.take:
        message.full = message.size
        return
    # The update itself was refused, so text that stands must go: a fifth of it at a time.
    message.full = max(_LEAST_FULL, message.size * 8 // 10)
    head = escaped_size(message.prefix)
    cut = best_cut(message.start, message.body, message.full - head, message.full // 2)
    if cut is None or state.failures > 2 * STUBBORN:
        _freeze(state, message)
        return
    _put_back(state, message, cut.length)
    message.sealed = True
    message.state = "conflict" if isinstance(planned.call, Stop) else "repair"


def _refuse(
    state: AnswerState, planned: PlannedCall, message: Message, failure: CallFailure, error: str
) -> None:
    """Slack will not do it, or has failed too often at it: take the next simpler way."""
    call = planned.call
    if isinstance(call, Read):
        if failure in ("gone", "forbidden") or state.failures > PATIENT:
            _cannot_read(state, message)
    elif failure == "forbidden":
        _give_up(state, failure, error)
    elif isinstance(call, Start):
        state.may_stream = failure == "rate_limited"
        if failure == "gone":
            _give_up(state, failure, error)
    elif isinstance(call, Post):
        if failure == "gone":
            _give_up(state, failure, error)
    elif message not in state.messages:
        _refuse_replacing(state, planned, message, failure, error)
    elif failure == "gone":
        _gone(state, message, error)
    elif isinstance(call, Update):
        _refuse_update(state, message, failure)
    else:
        _refuse_stream(state, planned, message, failure)


def _refuse_replacing(
    state: AnswerState, planned: PlannedCall, message: Message, failure: CallFailure, error: str
) -> None:
    """The message of an earlier attempt cannot be edited: stop it, else delete it."""
    ts = state.replaces[0]
    if isinstance(planned.call, Stop) and failure != "gone":
        state.message = None
    elif failure == "busy":
        message.state = "conflict"
        state.message = message
    elif failure == "gone" and error not in _UNCHANGEABLE:
        state.replaces.remove(ts)
        state.message = None
    elif failure != "rate_limited":
        state.leftover.append(state.replaces.pop(0))
        state.message = None


def _gone(state: AnswerState, message: Message, error: str) -> None:
    if error in _UNCHANGEABLE:
        _freeze(state, message)
    else:
        # A user who deletes an answer does not want it posted again.
        _give_up(state, "gone", error)


def _freeze(state: AnswerState, message: Message) -> None:
    """The message can no longer be changed: its body becomes what it shows."""
    # Text that was to move to the next message still stands here, and can no longer leave.
    restored = message.taken_back
    message.add(restored)
    state.outline.read(restored)
    state.pending = state.pending[len(restored) :]
    message.taken_back = ""
    message.state, message.frozen = "closed", True
    if message.way == "stream":
        # It may still stream: looked at once more when all else is done.
        state.look_again_at = state.look_again_at or 0.0
    state.message = None


def _refuse_update(state: AnswerState, message: Message, failure: CallFailure) -> None:
    if failure == "busy" and message.way == "stream":
        message.state = "conflict"
    elif failure != "rate_limited" and state.failures > PATIENT:
        _freeze(state, message)


def _refuse_stream(
    state: AnswerState, planned: PlannedCall, message: Message, failure: CallFailure
) -> None:
    if failure == "not_streaming":
        message.state = "repair"
    # Slack may still be at work on the call before; the pause that is set already is enough.
    elif failure in ("busy", "server") and state.failures <= STUBBORN:
        return
    elif failure != "rate_limited":
        message.state = "conflict" if isinstance(planned.call, Append) else "repair"


# --- The engine ----------------------------------------------------------------------------------


class StreamEngine:
    """One answer's state, driven by method calls; see the top of this file.

    `mode` may be set at any time; it holds for the messages still to be opened. The other arguments
    are those of `AnswerState`.
    """

    def __init__(
        self,
        *,
        mode: Mode = "stream",
        limits: Limits | None = None,
        replaces: Sequence[str] = (),
        floor: str | None = None,
        foreign: Collection[str] = (),
        live: Sequence[JsonObject] = (),
    ) -> None:
        self.state = AnswerState(
            mode=mode,
            limits=limits or Limits(),
            floor=floor,
            foreign=foreign,
            live=tuple(live),
            replaces=list(replaces),
        )

    def __repr__(self) -> str:
        state = self.state
        phase = "over" if state.over else "halted" if state.halted else "running"
        waiting = len(state.pending) + sum(map(len, state.parts))
        at = state.message or f"{waiting} characters waiting"
        return f"<StreamEngine [{state.mode} | {len(state.messages)} messages | {phase}] {at}>"

    # Events

    def feed(self, text: str) -> None:
        """Take in text of the answer; after `finish` or `halt` it is ignored."""
        apply(self.state, TextReceived(text), 0.0)

    def task(self, task: Task) -> None:
        """Show a tool's use as a task if the answer is streamed; in the other modes nothing."""
        apply(self.state, TaskChanged(task), 0.0)

    def finish(self, blocks: Sequence[JsonObject] = (), last_line: str | None = None) -> None:
        """No more text will come: the answer ends with `last_line` and `blocks`."""
        line = last_line[:LAST_LINE] if last_line else None
        apply(self.state, AnswerEnded(End(tuple(blocks), line)), 0.0)

    def halt(self) -> None:
        """Let the answer end with what fits into the message that stands; open no other."""
        apply(self.state, HaltRequested(), 0.0)

    def begin(self, planned: PlannedCall, now: float) -> Call:
        """Note that the shell makes this planned call now; return the call."""
        apply(self.state, CallBegan(planned), now)
        return planned.call

    def succeeded(self, now: float, ts: str | None = None) -> None:
        """Note that Slack has done the call; `ts` is that of the message it created."""
        apply(self.state, CallSucceeded(ts), now)

    def read(self, messages: Sequence[JsonObject], now: float) -> None:
        """Settle doubts by the thread's messages."""
        apply(self.state, ThreadRead(messages), now)

    def failed(
        self, now: float, failure: CallFailure, error: str = "", retry_after: float | None = None
    ) -> None:
        """Note that Slack has not done the call, or that its outcome is unknown."""
        apply(self.state, CallFailed(failure, error, retry_after), now)

    # Questions

    def offers(self, now: float) -> tuple[PlannedCall, ...]:
        """Return the calls that may be made now, the best first; empty: wait."""
        advance(self.state, now)
        return next_calls(self.state, now)

    def wake(self, now: float) -> float | None:
        """Return when `offers` may change although nothing comes in; None if it will not."""
        return next_change(self.state, now)

    @property
    def mode(self) -> Mode:
        return self.state.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self.state.mode = mode

    @property
    def over(self) -> bool:
        return self.state.over

    @property
    def halted(self) -> bool:
        return self.state.halted

    @property
    def failure(self) -> CallFailure | None:
        return self.state.failure

    @property
    def error(self) -> str:
        return self.state.error

    @property
    def messages(self) -> list[Message]:
        return self.state.messages

    @property
    def painted(self) -> str | None:
        """The ts of the first message whose words Slack has confirmed, or None."""
        return next((one.ts for one in self.state.messages if one.body.strip()), None)

    @property
    def standing(self) -> tuple[str, ...]:
        """Every ts that this answer has in Slack, messages yet to be replaced included."""
        state = self.state
        own = tuple(one.ts for one in state.messages if one.ts is not None)
        return own + tuple(ts for ts in (*state.replaces, *state.leftover) if ts not in own)

    @property
    def shown_as(self) -> Mode:
        """How the answer has been shown: streamed as soon as one message was."""
        if self.state.streamed:
            return "stream"
        return "edit" if self.state.edited else "once"

    @property
    def certain(self) -> bool:
        """Whether every message that may exist is known."""
        message = self.state.message
        return message is None or message.state not in ("lost", "unsure")

    @property
    def waits(self) -> bool:
        """Whether there is text that no message holds."""
        state = self.state
        return bool(state.pending.strip()) or any(part.strip() for part in state.parts)

    @property
    def characters(self) -> int:
        """Characters of the text that Slack has confirmed."""
        return sum(len(one.body) for one in self.state.messages)
