"""What to do next with an answer: from the state of its text and messages to calls. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.delivery.engine.commands import Append, Call, Delete, Kind, Post, Read, Start, Stop, Update
from bot.delivery.engine.compare import core
from bot.delivery.engine.message import CONTINUED, Message, PlannedCall, Way
from bot.delivery.engine.sizing import ROOM_TO_CLOSE, Limits, MessageSlice, Place, portion
from bot.delivery.markdown.escape import escape, escaped_size, settled_length
from bot.delivery.markdown.outline import Outline
from bot.delivery.markdown.split import BLOCK, best_cut, line_cuts
from bot.delivery.slack_api import CallFailure, JsonObject

Mode = Literal["stream", "edit", "once"]

PART_AFTER = 20.0
"""Seconds without words after which an answer that is posted once shows what is complete."""
LOOK_AHEAD = 12
"""Characters of the next line that tell under which list items it stands."""


@dataclass(frozen=True, slots=True)
class End:
    """What closes the answer: Slack blocks and one line of our own."""

    blocks: tuple[JsonObject, ...] = ()
    last_line: str | None = None


class Plan:
    """The state of one answer, and the calls that follow from it.

    Text is in one of three places: `_pending` (not in Slack), a message's `body` (Slack has
    confirmed it), or under way with an offer. `_outline` stands where the confirmed text ends.
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
        self.mode: Mode = mode
        self.over = False
        self.failure: CallFailure | None = None
        self.error = ""
        self.messages: list[Message] = []
        self.streamed = False
        self._limits = limits or Limits()
        self._full = self._limits.full
        self._may_stream = True
        self._blocks_refused = False
        self._parts: list[str] = []
        self._pending = ""
        self._outline = Outline()
        self._tasks: dict[str, JsonObject] = {}
        self._message: Message | None = None
        self._end: End | None = None
        self._halted = False
        self._under_way: PlannedCall | None = None
        self._not_before = 0.0
        self._silent_since: float | None = None
        self._blocked: dict[Kind, float] = {}
        self._replaces = list(replaces)
        self._leftover: list[str] = []
        self._floor = floor
        self._foreign = foreign
        self._live = tuple(live)
        self._look_again_at: float | None = None
        self._sweep: list[Call] | None = None
        self._tries: dict[str, int] = {}

    def __repr__(self) -> str:
        state = "over" if self.over else "halted" if self._halted else "running"
        at = self._message or f"{len(self._waiting())} characters waiting"
        return (
            f"<{type(self).__name__} [{self.mode} | {len(self.messages)} messages | {state}] {at}>"
        )

    def wake(self, now: float) -> float | None:
        """Return when `offers` may change though nothing comes in; None if it will not."""
        if self.over or self._under_way is not None:
            return None
        times = [self._not_before, self._look_again_at or 0.0, *self._blocked.values()]
        if self._silent_since is not None:
            times.append(self._silent_since + PART_AFTER)
        message = self._message
        if message is not None and message.state == "open" and message.way == "stream":
            limits = self._limits
            ages = (limits.aging, limits.aged, limits.lifetime)
            times += [message.opened_at + age for age in ages]
        later = [time for time in times if time > now]
        return min(later) if later else None

    def offers(self, now: float) -> tuple[PlannedCall, ...]:
        """Return the calls that may be made now, the best first; empty: wait."""
        if self.over or self._under_way is not None or now < self._not_before:
            return ()
        offers = self._next(now)
        if self._leftover and self.messages and self._message is not None:
            offers = (*offers, PlannedCall(Delete(self._leftover[0])))
        return tuple(offer for offer in offers if self._blocked.get(offer.call.kind, now) <= now)

    def _next(self, now: float) -> tuple[PlannedCall, ...]:
        message = self._message
        if message is None:
            return self._open(now)
        match message.state:
            case "lost" | "unsure":
                return (PlannedCall(Read(message.ts or self._floor), message),)
            case "conflict":
                return (self._silence(message),)
            case "repair":
                return (self._rebuild(message),)
            case "halted":
                return (self._rebuild(message),) if self._end is not None else ()
            case "open":
                return self._go_on(message, now)
            case _:
                return ()

    # The text

    def _waiting(self) -> str:
        if self._parts:
            self._pending += "".join(self._parts)
            self._parts.clear()
        return self._pending

    def _after(self, piece: str) -> Outline:
        after = self._outline.copy()
        after.read(piece)
        return after

    def _put_back(self, message: Message, length: int) -> None:
        """Keep `length` characters in the message; what follows them waits again."""
        rest = message.give_back(length)
        message.taken_back = rest + message.taken_back
        self._pending = rest + self._waiting()
        self._outline = message.start.copy()
        self._outline.read(message.body)

    # Beginning a message

    def _open(self, now: float) -> tuple[PlannedCall, ...]:
        """Offer the call that begins a message, or what is left to do without one."""
        text = self._waiting()
        if self._end is not None and (not text.strip() or (self._halted and self.messages)):
            return self._conclude(now)
        # A message begins with a word: whether a lone sign has arrived, nobody could tell.
        if self._end is None and not core(text[: settled_length(text)]):
            return self._open_for_tasks()
        if self._end is None and not self._tells_its_place(text):
            return ()
        if self._end is None and self.mode == "once":
            return self._part(text, now)
        self._silent_since = None
        return self._create(self._begin_message(text))

    def _begin_message(self, text: str) -> Message:
        prefix = self._outline.reopening(text)
        if escaped_size(prefix) > self._full // 3:
            prefix = ""
        return Message(prefix, self._way(text), self._outline.copy())

    def _part(self, text: str, now: float) -> tuple[PlannedCall, ...]:
        """Offer what is complete of a text that is long in coming, as a message of its own."""
        if self._silent_since is None:
            self._silent_since = now
        if now < self._silent_since + PART_AFTER:
            return ()
        message = self._begin_message(text)
        room = self._full - message.size - ROOM_TO_CLOSE
        cuts = [cut for cut in line_cuts(self._outline, text[:room]) if cut.size < room]
        good = [cut for cut in cuts if cut.grade >= BLOCK and text[: cut.length].strip()]
        if not good:
            return ()
        return (self._whole(message, MessageSlice(good[-1].length, closes=True)),)

    def _way(self, text: str) -> Way:
        if self.mode != "stream" or not self._may_stream or self._halted or self._replaces:
            return "edit"
        whole = self._end is not None and escaped_size(text) <= self._full
        return "edit" if whole and not self.streamed else "stream"

    def _tells_its_place(self, text: str) -> bool:
        """Whether enough of the next line is known to reopen the lists around it."""
        if not self._outline.items and self._outline.table is None:
            return True
        first, newline, _ = text.lstrip("\n").partition("\n")
        return bool(newline) or len(first.strip()) >= LOOK_AHEAD

    def _open_for_tasks(self) -> tuple[PlannedCall, ...]:
        streams = self.mode == "stream" and self._may_stream and not self._replaces
        if not self._tasks or not streams or self._halted:
            return ()
        tasks = tuple(self._tasks.values())
        message = Message("", "stream", self._outline.copy())
        return (PlannedCall(Start("", tasks), message, tasks=tasks),)

    def _create(self, message: Message) -> tuple[PlannedCall, ...]:
        """Offer to create a message with as much of the text as it can hold."""
        text = self._waiting()
        part = self._portion(message, text, age=0.0)
        if message.way == "stream":
            tasks = tuple(self._tasks.values())
            call = Start(message.content(text[: part.length]), tasks)
            return (PlannedCall(call, message, part.length, seals=part.closes, tasks=tasks),)
        return (self._whole(message, part),)

    # Going on with it

    def _go_on(self, message: Message, now: float) -> tuple[PlannedCall, ...]:
        part = self._portion(message, self._waiting(), now - message.opened_at)
        if part.retreat:
            return (self._retreat(message),)
        if message.way == "edit":
            return self._edit(message, part)
        return self._stream(message, part)

    def _stream(self, message: Message, part: MessageSlice) -> tuple[PlannedCall, ...]:
        assert message.ts is not None
        piece = self._waiting()[: part.length]
        tasks = tuple(self._tasks.values())
        if not part.closes:
            # Nobody can tell in a thread whether a space has arrived; it comes with the next word.
            take = part.length if core(piece) else 0
            call = Append(message.ts, escape(piece[:take]), tasks)
            return (PlannedCall(call, message, take, tasks=tasks),) if take or tasks else ()
        if tasks or message.running:
            return (self._close_tasks(message),)
        stop = self._stop(message, part)
        if not piece:
            return (stop,)
        text_alone = Append(message.ts, escape(piece))
        return (stop, PlannedCall(text_alone, message, part.length, seals=True))

    def _stop(self, message: Message, part: MessageSlice) -> PlannedCall:
        assert message.ts is not None
        piece = self._waiting()[: part.length]
        suffix, blocks = self._tail(piece, final=part.final)
        # A message that is posted does not end the session's "processing"; this stop must.
        ends = part.final or self.mode != "stream" or not self._may_stream
        call = Stop(message.ts, escape(piece + suffix), blocks, final=ends)
        return PlannedCall(call, message, part.length, suffix, closes=True, final=part.final)

    def _close_tasks(self, message: Message) -> PlannedCall:
        """Offer to end what the message shows as running, lest it seem to run for ever."""
        assert message.ts is not None
        tasks = tuple(self._tasks.values())
        latest = message.running | {str(task["id"]): task for task in tasks}
        ended = tuple(
            task if task["status"] == "error" else {**task, "status": "complete"}
            for task in latest.values()
        )
        return PlannedCall(Append(message.ts, "", ended), message, tasks=tasks)

    def _edit(self, message: Message, part: MessageSlice) -> tuple[PlannedCall, ...]:
        if not part.length and not part.closes:
            return ()
        return (self._whole(message, part),)

    def _whole(self, message: Message, part: MessageSlice) -> PlannedCall:
        """Offer to show a message as a whole: by a new post, or in place of what stands."""
        piece = self._waiting()[: part.length]
        suffix, blocks = self._tail(piece, final=part.final)
        ts = message.ts or (self._replaces[0] if self._replaces else None)
        if message.way == "edit" and not part.final and (ts or self.mode != "once"):
            blocks = self._blocks_meanwhile(closes=part.closes)
        content = message.content(piece, suffix)
        call: Call = Update(ts, content, blocks) if ts else Post(content, blocks)
        return PlannedCall(call, message, part.length, suffix, closes=part.closes, final=part.final)

    # Mending

    def _silence(self, message: Message) -> PlannedCall:
        ts = message.ts or (self._replaces[0] if self._replaces else None)
        assert ts is not None
        return PlannedCall(Stop(ts, "", final=False), message)

    def _rebuild(self, message: Message) -> PlannedCall:
        """Offer to replace a message: it has died, its text is in doubt, or its end is missing."""
        part = self._portion(message, self._waiting(), age=self._limits.lifetime)
        if part.retreat:
            self._take_back(message)
            part = MessageSlice(0, closes=True)
        return self._whole(message, part)

    def _retreat(self, message: Message) -> PlannedCall:
        """Offer to take an unfinished row off the screen; it opens the next message."""
        moved = self._take_back(message)
        if not moved or message.way == "edit":
            return self._stop_or_edit(message)
        message.state = "conflict"
        return self._silence(message)

    def _stop_or_edit(self, message: Message) -> PlannedCall:
        end = self._stop if message.way == "stream" else self._whole
        return end(message, MessageSlice(0, closes=True))

    def _take_back(self, message: Message) -> bool:
        """Move what follows the last good line's end out of the message; False if none is there."""
        message.sealed = True
        good = [cut for cut in line_cuts(message.start, message.body) if cut.grade > 0]
        if not good or good[-1].length == len(message.body):
            return False
        self._put_back(message, good[-1].length)
        return True

    # The end

    def _conclude(self, now: float) -> tuple[PlannedCall, ...]:
        """Offer what is left once all text stands: leftovers, the end, a look at the doubtful."""
        self._leftover += self._replaces
        self._replaces.clear()
        if self._leftover:
            return (PlannedCall(Delete(self._leftover[0])),)
        if (offer := self._missing_end()) is not None:
            return (offer,)
        if self._look_again_at is not None and self._sweep is None:
            return (PlannedCall(Read(self._floor)),) if now >= self._look_again_at else ()
        if self._sweep:
            return (PlannedCall(self._sweep[0]),)
        self.over = True
        return ()

    def _missing_end(self) -> PlannedCall | None:
        end = self._end
        last = self.messages[-1] if self.messages else None
        if end is None or (last is not None and last.ended):
            return None
        if last is not None and not last.frozen and (end.blocks or end.last_line):
            self._message = last
            last.state, last.sealed = "repair", False
            return self._rebuild(last)
        if not end.last_line:
            return None
        message = Message("", "edit", Outline())
        call = Post(escape(end.last_line), self._last_blocks())
        return PlannedCall(call, message, suffix=end.last_line, closes=True, final=True)

    # How much, and with which marks

    def _portion(self, message: Message, text: str, age: float) -> MessageSlice:
        if self._end is not None and not text.strip():
            return MessageSlice(len(text), closes=True, final=True)
        full = message.full if message.full is not None else self._full
        if self._halted:
            return self._last_portion(message, text, full)
        if message.sealed:
            return MessageSlice(0, closes=True)
        soft = full * self._limits.soft // self._limits.full
        age = age if message.way == "stream" else 0.0
        place = Place(self._outline, message.size, full, soft, age, not message.body)
        return portion(place, text, self._limits, ended=self._end is not None)

    def _last_portion(self, message: Message, text: str, full: int) -> MessageSlice:
        """Take what fits: after a halt no other message will be opened."""
        if self._end is None:
            return MessageSlice(0)
        if message.sealed:
            return MessageSlice(0, closes=True, final=True)
        room = full - message.size
        after = self._after(text)
        if escaped_size(text) + escaped_size(after.closing()) <= room:
            return MessageSlice(len(text), closes=True, final=True)
        cut = best_cut(self._outline, text, room, room // 2)
        return MessageSlice(cut.length if cut else 0, closes=True, final=True)

    def _tail(self, piece: str, *, final: bool) -> tuple[str, tuple[JsonObject, ...]]:
        """Return the marks after `piece` and the blocks under them."""
        after = self._after(piece)
        if not final:
            return after.closing(), ()
        return self._ending(after), self._last_blocks()

    def _ending(self, outline: Outline) -> str:
        """Return the marks and the line that end the answer where `outline` stands."""
        closing = outline.closing()
        line = self._end.last_line if self._end is not None else None
        return f"{closing}\n\n{line}" if line else closing

    def _blocks_meanwhile(self, *, closes: bool) -> tuple[JsonObject, ...]:
        """Return what stands under a message that is not the last: Slack keeps blocks that an
        update does not replace, so those of a growing message must be."""
        if not self._live or self._blocks_refused:
            return ()
        return CONTINUED if closes else self._live

    def _last_blocks(self) -> tuple[JsonObject, ...]:
        return self._end.blocks if self._end is not None and not self._blocks_refused else ()
