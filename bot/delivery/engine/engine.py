"""The stream engine: text in, replies and errors of Slack in, the next call to make out. Pure.

Its laws, whatever fails in between: what stands in Slack at the end, joined, is the text exactly
once, the engine's own marks taken away; fences, tables and lists are whole in every message; no cap
is passed; there is one final state. It never has more than one call under way.

`offers(now)` names the calls that may be made now, the best first; the shell makes one of them and
says so with `begin`, then reports with `succeeded`, `read` or `failed`. Times are seconds of one
clock that never runs backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bot.delivery.engine.commands import Call, Post, Read, Start
from bot.delivery.engine.message import PlannedCall
from bot.delivery.engine.outcomes import Outcomes
from bot.delivery.engine.planner import End, Mode
from bot.delivery.markdown.escape import one_line
from bot.delivery.slack_api import CallFailure, JsonObject

TaskStatus = Literal["pending", "in_progress", "complete", "error"]

PATIENCE = 300.0
"""Seconds of failures without one success after which an answer is given up."""
LEAST_REFUSALS = 12
"""Failures without one success that it takes for that."""
SETTLING = 0.7
"""Seconds before the thread is read for a call whose outcome is unknown."""
LATE_EFFECT = 5.0
"""Seconds after which a call with unknown outcome cannot take effect any more."""
LONGEST_PAUSE = 15.0
LAST_LINE = 500
"""Characters of the answer's last line; the gap up to Slack's cap holds them."""
_TASK_CHARACTERS = 256


class StreamEngine(Outcomes):
    """Turns one answer's text into calls.

    `replaces` are messages of an earlier attempt, oldest first: the first is edited in place, the
    others are deleted. `floor` is a ts older than anything this answer creates; `foreign` are the
    messages of other answers, which are never taken for this one's. `live` are blocks under a
    message that grows by edits, until it is whole. `mode` may be set at any time; it holds for the
    messages still to be opened.
    """

    _failing_since: float | None = None

    def feed(self, text: str) -> None:
        """Take in text of the answer; after `finish` or `halt` it is ignored."""
        if self._end is None and not self._halted and not self.over:
            self._parts.append(text)

    def task(self, task: str, title: str, status: TaskStatus) -> None:
        """Show a tool's use as a task where the answer is streamed; elsewhere nothing."""
        self._tasks[task] = {
            "type": "task_update",
            "id": one_line(task, _TASK_CHARACTERS),
            "title": one_line(title, _TASK_CHARACTERS),
            "status": status,
        }

    def finish(self, blocks: Sequence[JsonObject] = (), last_line: str | None = None) -> None:
        """No more text will come: the answer ends with `last_line` and `blocks`."""
        if self._end is None:
            self._end = End(tuple(blocks), last_line[:LAST_LINE] if last_line else None)

    def halt(self) -> None:
        """Let the answer end with what fits into the message that stands; open no other."""
        self._halted = True

    @property
    def halted(self) -> bool:
        return self._halted

    @property
    def painted(self) -> str | None:
        """The ts of the first message whose words Slack has confirmed, or None."""
        return next((m.ts for m in self.messages if m.body.strip()), None)

    @property
    def standing(self) -> tuple[str, ...]:
        """Every ts that this answer has in Slack, messages yet to be replaced included."""
        own = tuple(m.ts for m in self.messages if m.ts is not None)
        return own + tuple(ts for ts in (*self._replaces, *self._leftover) if ts not in own)

    @property
    def shown_as(self) -> Mode:
        """How the answer has been shown: streamed as soon as one message was."""
        if self.streamed:
            return "stream"
        return "edit" if self._edited else "once"

    @property
    def certain(self) -> bool:
        """Whether every message that may exist is known."""
        return self._message is None or self._message.state not in ("lost", "unsure")

    @property
    def waits(self) -> bool:
        """Whether there is text that no message holds."""
        return bool(self._waiting().strip())

    @property
    def characters(self) -> int:
        """Characters of the text that Slack has confirmed."""
        return sum(len(m.body) for m in self.messages)

    def begin(self, offer: PlannedCall, now: float) -> Call:
        """The shell makes this offer's call now."""
        assert self._under_way is None, "one call at a time"
        self._under_way = offer
        if offer.message is not None:
            self._message = offer.message
            if isinstance(offer.call, Start | Post):
                offer.message.opened_at = now
        return offer.call

    def succeeded(self, now: float, ts: str | None = None) -> None:
        """Slack has done the call; `ts` is that of the message it created."""
        self._book(self._settle(), ts)

    def read(self, messages: Sequence[JsonObject], now: float) -> None:
        """The thread has been read: settle what was in doubt."""
        message = self._settle().message
        if message is None:
            self._look_over(messages)
        elif message.state == "lost":
            self._look_for(message, messages)
        else:
            self._look_at(message, messages)

    def _settle(self) -> PlannedCall:
        self._failures, self._refusals, self._failing_since = 0, 0, None
        return self._done()

    def _done(self) -> PlannedCall:
        offer = self._under_way
        assert offer is not None, "no call is under way"
        self._under_way = None
        return offer

    def failed(
        self, now: float, failure: CallFailure, error: str = "", retry_after: float | None = None
    ) -> None:
        """Slack has not done the call, or nobody knows. `retry_after` is in seconds."""
        offer = self._done()
        if self._failing_since is None:
            self._failing_since = now
        self._refusals += 1
        if failure == "rate_limited":
            self._blocked[offer.call.kind] = now + (1.0 if retry_after is None else retry_after)
        else:
            self._failures += 1
            pause = min(0.25 * 2 ** min(self._failures, 8), LONGEST_PAUSE)
            self._not_before = now + (SETTLING if failure == "unknown_outcome" else pause)
        if failure == "unknown_outcome" and not isinstance(offer.call, Read):
            self._look_again_at = now + LATE_EFFECT
        if self._refusals > LEAST_REFUSALS and now - self._failing_since > PATIENCE:
            self._give_up(failure, error)
        else:
            self._weigh(offer, failure, error)
