"""What has come of a call: what Slack has confirmed, refused or left in the dark. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.delivery.engine.commands import Append, Call, Delete, Post, Read, Start, Stop, Update
from bot.delivery.engine.compare import agrees, core, find, find_sent, is_streaming, judge
from bot.delivery.engine.message import CONTINUED, Message, PlannedCall
from bot.delivery.engine.planner import Plan
from bot.delivery.markdown.escape import escaped_size
from bot.delivery.markdown.split import best_cut
from bot.delivery.slack_api import CallFailure, JsonObject

STUBBORN = 3
"""Failures in a row after which a way of showing text is left for the next simpler one."""
PATIENT = 9
"""Failures in a row after which a thread counts as unreadable, or a leftover as undeletable."""
_LEAST_FULL = 1_000
_UNCHANGEABLE = ("cant_update_message", "edit_window_closed", "message_not_owned_by_app")


def _without_blocks(call: Call) -> Call:
    return replace(call, blocks=()) if isinstance(call, Update) else call


class Outcomes(Plan):
    """Keeps the state of an answer true to what Slack has said."""

    _failures = 0
    _refusals = 0
    _lost: tuple[Start | Post, ...] = ()
    _lost_an_end = False
    _edited = False

    # Done

    def _book(self, offer: PlannedCall, ts: str | None) -> None:
        """Book what a call has done; `ts` is that of a message it created."""
        message, call = offer.message, offer.call
        self._silent_since = None
        if message is None:
            self._strike(call)
            return
        if message not in self.messages:
            if isinstance(call, Stop):
                self._message = None
                return
            self._enter(message, ts, call)
        else:
            self._edited |= isinstance(call, Update)
        self._move(message, offer.take)
        self._show_tasks(message, offer)
        message.sealed |= offer.seals
        if isinstance(call, Stop) and not offer.closes:
            message.state = "repair"
            return
        if not isinstance(call, Append | Start):
            message.suffix, message.taken_back = offer.suffix, ""
        message.state = "open"
        if offer.closes:
            message.state, message.ended = "closed", offer.final
            self._message = None

    def _strike(self, call: Call) -> None:
        if isinstance(call, Delete) and call.ts in self._leftover:
            self._leftover.remove(call.ts)
        elif self._sweep:
            self._sweep = [other for other in self._sweep if other != call]

    def _enter(self, message: Message, ts: str | None, call: Call) -> None:
        message.ts = call.ts if isinstance(call, Update) else ts
        # It may show what an earlier try has left, with the blocks that it had.
        message.marked |= self._lost_an_end
        self.messages.append(message)
        self.streamed |= isinstance(call, Start)
        if message.ts in self._replaces:
            self._replaces.remove(message.ts)
            self._leftover += self._replaces
            self._replaces.clear()

    def _move(self, message: Message, length: int) -> None:
        text = self._waiting()
        message.take(text[:length])
        self._outline.read(text[:length])
        self._pending = text[length:]

    def _show_tasks(self, message: Message, offer: PlannedCall) -> None:
        if not isinstance(offer.call, Start | Append):
            return
        for chunk in offer.call.chunks:
            message.size += escaped_size(str(chunk["title"]))
            if chunk["status"] in ("complete", "error"):
                message.running.pop(str(chunk["id"]), None)
            else:
                message.running[str(chunk["id"])] = chunk
        self._forget(offer.tasks)

    def _forget(self, tasks: Sequence[JsonObject]) -> None:
        sent = [name for name, chunk in self._tasks.items() if any(chunk is one for one in tasks)]
        for name in sent:
            del self._tasks[name]

    # Read

    def _look_for(self, message: Message, messages: Sequence[JsonObject]) -> None:
        """Find the message whose creation is in doubt; where it is not, it is created anew."""
        offer = message.maybe
        assert offer is not None
        assert isinstance(offer.call, Start | Post)
        message.state = "opening"
        ts = find_sent(messages, offer.call.text, self._known(), self._floor)
        if ts is None:
            self._think_lost(message)
            return
        self._book(offer, ts)
        if isinstance(offer.call, Post) and self._may_be_a_stream(find(messages, ts), offer.call):
            message.state, self._message = "conflict", message

    def _may_be_a_stream(self, standing: JsonObject | None, post: Post) -> bool:
        """Whether what was found for a post may be an earlier stream that came about late."""
        streams = is_streaming(standing) if standing is not None else None
        earlier = (call for call in self._lost if isinstance(call, Start))
        told = streams is None and any(core(call.text) == core(post.text) for call in earlier)
        return bool(streams) or told

    def _known(self) -> set[str]:
        own = {m.ts for m in self.messages if m.ts is not None}
        return own | set(self._foreign) | set(self._replaces) | set(self._leftover)

    def _look_at(self, message: Message, messages: Sequence[JsonObject]) -> None:
        """Tell whether an append or a stop has taken effect."""
        offer = message.maybe
        standing = find(messages, message.ts or "")
        if standing is None or offer is None:
            self._give_up("gone", "message_not_found")
            return
        assert isinstance(offer.call, Append | Stop)
        verdict = judge(standing, message.content(), offer.call.text)
        streaming = is_streaming(standing)
        if isinstance(offer.call, Stop):
            if streaming:
                message.state = "conflict" if verdict == "after" else "open"
            elif streaming is False and (verdict == "after" or not offer.call.text.strip()):
                self._book(offer, None)
            else:
                message.state = "repair"
            return
        message.state = "open"
        if verdict == "after":
            self._book(offer, None)
        elif verdict == "unreadable" and offer.call.text.strip():
            message.state = "conflict"
        if streaming is False:
            message.state = "repair"

    def _look_over(self, messages: Sequence[JsonObject]) -> None:
        """Compare everything with the thread, once, after doubts: late effects are undone."""
        self._sweep = []
        for message in self.messages:
            standing = find(messages, message.ts or "")
            streams = is_streaming(standing) if standing is not None else False
            if streams or (streams is None and message.frozen and message.way == "stream"):
                self._sweep.append(Stop(str(message.ts), ""))
            if message is self.messages[-1] and not message.ended:
                message.suffix, message.marked = self._ending(self._outline), True
                message.ended = True
            expected = message.content(suffix=message.suffix)
            wrong = message.marked or (standing and not agrees(standing, expected))
            if standing is not None and wrong:
                blocks = self._last_blocks() if message.ended else self._blocks_between(message)
                self._sweep.append(Update(str(message.ts), expected, blocks))
        known = self._known()
        for call in self._lost:
            while (ts := find_sent(messages, call.text, known, self._floor)) is not None:
                known.add(ts)
                self._sweep.append(Delete(ts))

    def _blocks_between(self, message: Message) -> tuple[JsonObject, ...]:
        """Return what stands under a message that is not the last, for an update to put there."""
        if message.marked and not self._blocks_refused:
            return CONTINUED
        return self._blocks_meanwhile(closes=True) if message.way == "edit" else ()

    # Failed

    def _give_up(self, failure: CallFailure, error: str) -> None:
        self.over, self.failure, self.error = True, failure, error

    def _weigh(self, offer: PlannedCall, failure: CallFailure, error: str) -> None:
        """Draw the conclusion from a failure; the pause before the next call is set already."""
        message = offer.message
        if message is None:
            self._weigh_leftover(offer, failure)
            return
        if message.state == "opening":
            self._message = None
        if failure in ("rate_limited", "server") and self._failures <= STUBBORN:
            return
        if failure == "stopped":
            self._halted = True
            message.state = "halted"
        elif failure in ("unknown_outcome", "blocks"):
            self._doubt(offer, message, failure)
        elif failure == "too_long":
            self._too_long(offer, message)
        else:
            self._refuse(offer, message, failure, error)

    def _weigh_leftover(self, offer: PlannedCall, failure: CallFailure) -> None:
        """A deletion or the last look at the thread is given up rather than repeated for ever."""
        if failure == "blocks" and isinstance(offer.call, Update):
            self._blocks_refused = True
            self._sweep = [_without_blocks(call) for call in self._sweep or ()]
            return
        lasting = failure in ("gone", "forbidden", "not_streaming", "stopped")
        tries = self._tries[repr(offer.call)] = self._tries.get(repr(offer.call), 0) + 1
        if not lasting and tries <= PATIENT:
            return
        if isinstance(offer.call, Read):
            self._sweep = []
        self._strike(offer.call)

    def _doubt(self, offer: PlannedCall, message: Message, failure: CallFailure) -> None:
        call = offer.call
        if failure == "blocks":
            if isinstance(call, Append | Start):
                # Only tasks are blocks there, and they are the lesser part of an answer.
                self._tasks.clear()
                message.running.clear()
            self._blocks_refused = True
        message.marked |= offer.final or isinstance(call, Update)
        self._lost_an_end |= message.marked and message not in self.messages
        match call:
            case Start() | Post():
                message.state, message.maybe = "lost", offer
                self._message = message
            case Append():
                message.state, message.maybe = "unsure", offer
            case Stop() if offer.closes:
                message.state, message.maybe = "unsure", offer
            case Stop() if message in self.messages:
                message.state = "repair"
            case Stop():
                self._message = None
            case Read() if self._failures > PATIENT:
                self._cannot_read(message)

    def _cannot_read(self, message: Message) -> None:
        """What exists is replaced; what may not exist is sent again, which is the lesser evil."""
        if message.state == "lost":
            self._think_lost(message)
        else:
            message.state = "conflict"

    def _think_lost(self, message: Message) -> None:
        """Create it anew; should the first one turn up in the end, it is deleted."""
        call = message.maybe.call if message.maybe is not None else None
        if isinstance(call, Start | Post):
            self._lost = (*self._lost, call)
        message.state = "opening"
        self._message = None

    def _too_long(self, offer: PlannedCall, message: Message) -> None:
        if message not in self.messages:
            text = getattr(offer.call, "text", "")
            self._full = max(_LEAST_FULL, len(text.encode()) * 7 // 10)
        elif isinstance(offer.call, Append | Stop) and offer.take:
            message.full = message.size
        elif isinstance(offer.call, Append):
            self._tasks.clear()
            message.running.clear()
        else:
            self._shrink(offer, message)

    def _shrink(self, offer: PlannedCall, message: Message) -> None:
        """A message is too long as it stands: its end moves to the next."""
        if offer.take:
            message.full = message.size
            return
        message.full = max(_LEAST_FULL, message.size * 8 // 10)
        head = escaped_size(message.prefix)
        cut = best_cut(message.start, message.body, message.full - head, message.full // 2)
        if cut is None or self._failures > 2 * STUBBORN:
            self._freeze(message)
            return
        self._put_back(message, cut.length)
        message.sealed = True
        message.state = "conflict" if isinstance(offer.call, Stop) else "repair"

    def _refuse(
        self, offer: PlannedCall, message: Message, failure: CallFailure, error: str
    ) -> None:
        call = offer.call
        if isinstance(call, Read):
            if failure in ("gone", "forbidden") or self._failures > PATIENT:
                self._cannot_read(message)
        elif failure == "forbidden":
            self._give_up(failure, error)
        elif isinstance(call, Start):
            self._may_stream = failure == "rate_limited"
            if failure == "gone":
                self._give_up(failure, error)
        elif isinstance(call, Post):
            if failure == "gone":
                self._give_up(failure, error)
        elif message not in self.messages:
            self._refuse_replacing(offer, message, failure, error)
        elif failure == "gone":
            self._gone(message, error)
        elif isinstance(call, Update):
            self._refuse_update(message, failure)
        else:
            self._refuse_stream(offer, message, failure)

    def _refuse_replacing(
        self, offer: PlannedCall, message: Message, failure: CallFailure, error: str
    ) -> None:
        """The message of an earlier attempt cannot be edited: stop it, else delete it."""
        ts = self._replaces[0]
        if isinstance(offer.call, Stop) and failure != "gone":
            self._message = None
        elif failure == "busy":
            message.state = "conflict"
            self._message = message
        elif failure == "gone" and error not in _UNCHANGEABLE:
            self._replaces.remove(ts)
            self._message = None
        elif failure != "rate_limited":
            self._leftover.append(self._replaces.pop(0))
            self._message = None

    def _gone(self, message: Message, error: str) -> None:
        if error in _UNCHANGEABLE:
            self._freeze(message)
        else:
            self._give_up("gone", error)

    def _freeze(self, message: Message) -> None:
        """The message can no longer be changed: what it shows is what it holds."""
        restored = message.taken_back
        message.take(restored)
        self._outline.read(restored)
        self._pending = self._waiting()[len(restored) :]
        message.taken_back = ""
        message.state, message.frozen = "closed", True
        if message.way == "stream":
            # It may be streaming still: looked at once more when all else is done.
            self._look_again_at = self._look_again_at or 0.0
        self._message = None

    def _refuse_update(self, message: Message, failure: CallFailure) -> None:
        if failure == "busy" and message.way == "stream":
            message.state = "conflict"
        elif failure != "rate_limited" and self._failures > PATIENT:
            self._freeze(message)

    def _refuse_stream(self, offer: PlannedCall, message: Message, failure: CallFailure) -> None:
        if failure == "not_streaming":
            message.state = "repair"
        elif failure in ("busy", "server") and self._failures <= STUBBORN:
            return
        elif failure != "rate_limited":
            message.state = "conflict" if isinstance(offer.call, Append) else "repair"
