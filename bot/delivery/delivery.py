"""One answer on its way into Slack: the thin shell that drives the engine, the checker, the pacer.

It makes one call at a time, when the pacer grants it, with all the text there is by then; it waits
by the event loop's clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.clock import Now
from bot.context.pack import Snapshot
from bot.delivery.citations.filter import READING, CheckedText
from bot.delivery.citations.path_index import FileKey
from bot.delivery.engine.commands import (
    Append,
    Call,
    Delete,
    Mode,
    Post,
    Read,
    Start,
    Stop,
    Update,
)
from bot.delivery.engine.engine import PlannedCall, StreamEngine
from bot.delivery.engine.sizing import Limits
from bot.delivery.markdown.escape import Visible
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import (
    UNKNOWN_METHOD,
    CallFailure,
    JsonObject,
    Painted,
    SlackCallError,
    SlackCalls,
    Target,
    Task,
)

POLL = 1.0
"""Seconds between two looks at whether an answer that waits to be posted once may stream now."""
EARLIER = 300.0
"""Seconds by which Slack's clock may be behind ours when our own messages are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The messages in Slack at the end. `failure`: why they lack a part; None if they are whole."""

    messages: tuple[str, ...]
    first_ts: str | None
    painted_at: float | None
    characters: int
    mode: Mode
    cited: int = 0
    corrected: int = 0
    struck: int = 0
    stopped: bool = False
    failure: CallFailure | None = None
    error: str = ""
    used: frozenset[FileKey] = frozenset()
    """Files that citations name which hold."""


class Delivery:
    """Shows one answer while it is being written.

    `first_painted` is done when Slack has confirmed the first words, and cancelled if there were
    none. `stopped` is set when nothing more can be shown: the user pressed Stop, the message or the
    channel is gone. `replaces` are the messages of an earlier attempt, oldest first. `noted` is
    awaited with the ts of every message as soon as it stands. `live` are blocks under a message
    that grows by edits; a stream has Slack's own Stop.
    """

    def __init__(
        self,
        calls: SlackCalls,
        target: Target,
        limiter: RateLimiter,
        now: Now,
        check: CheckedText | None = None,
        *,
        replaces: Sequence[str] = (),
        noted: Callable[[str], Awaitable[None]] | None = None,
        live: Sequence[JsonObject] = (),
        limits: Limits | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls = calls
        self._target = target
        self._now = now
        self._check = check
        self._visible = Visible()
        self._work: set[asyncio.Task[None]] = set()
        self._noted = noted
        self._told: set[str] = set()
        self._news = asyncio.Event()
        self._idle = True
        self._abandoned = False
        self._painted: Painted | None = None
        self.first_painted: asyncio.Future[Painted] = self._loop.create_future()
        self.stopped = asyncio.Event()
        floor = f"{now() - EARLIER:.6f}"
        self._engine = StreamEngine(limits=limits, replaces=replaces, floor=floor, live=live)
        self._place = limiter.join(
            target.workspace, target.channel, self._news.set, user=target.recipient_user
        )
        self._task = self._loop.create_task(self._run())

    @property
    def stopped_by_user(self) -> bool:
        return self._engine.halted

    async def feed(self, text: str, *, counted: bool = True) -> None:
        """Take in the model's text as it arrives; returns at once.

        Text before the model's own is not `counted`: its citations are linked alone.
        """
        clean = self._visible.feed(text)
        if self._check is None:
            self._engine.feed(clean)
        else:
            self._check.feed(clean, self._loop.time(), counted=counted)
        if self._idle:
            self._news.set()

    async def task(self, task: Task) -> None:
        """Show a tool's use as a task in the stream; in the other modes nothing."""
        self._engine.task(task)
        self._news.set()

    async def stop(self) -> None:
        """End with what was said so far; `finish` puts the end under it."""
        self._engine.halt()
        self._news.set()

    @property
    def mode(self) -> Mode:
        """How the next message is shown; "once": nothing is, before the end."""
        return self._engine.mode

    async def settle(self) -> tuple[int, int, int]:
        """No more text: check what is held back; return the citations good, corrected, struck."""
        if self._check is None:
            return (0, 0, 0)
        now = self._loop.time()
        self._check.end()
        self._draw(now)
        while self._check.reading and self._work:
            waits = now + READING - self._loop.time()
            if waits <= 0:
                break
            await asyncio.wait(self._work, timeout=waits, return_when=asyncio.FIRST_COMPLETED)
            self._draw(self._loop.time())
        self._engine.feed(self._check.settled(self._loop.time(), final=True))
        self._news.set()
        return self._check.counts

    async def finish(
        self, blocks: Sequence[JsonObject] = (), last_line: str | None = None
    ) -> Delivered:
        """No more text: show the rest, `last_line` and `blocks`; return what then stands."""
        await self.settle()
        self._engine.finish(blocks, last_line)
        self._news.set()
        await asyncio.shield(self._task)
        return self._delivered()

    async def abandon(self) -> Sequence[str]:
        """Say nothing more; return the messages that stand, for another to replace."""
        self._abandoned = True
        self._news.set()
        await asyncio.shield(self._task)
        return self._engine.standing

    def _delivered(self) -> Delivered:
        engine, check = self._engine, self._check
        cited, corrected, struck = check.counts if check is not None else (0, 0, 0)
        return Delivered(
            messages=engine.standing,
            first_ts=engine.painted,
            painted_at=self._painted.at if self._painted else None,
            characters=engine.characters,
            mode=engine.shown_as,
            cited=cited,
            corrected=corrected,
            struck=struck,
            stopped=engine.halted,
            failure=engine.failure,
            error=engine.error,
            used=check.used if check is not None else frozenset(),
        )

    async def _run(self) -> None:
        try:
            if not self._engine.standing:
                # Before the first words there is nothing to decide, and a request is leaving.
                await self._news.wait()
            while not self._engine.over and not (self._abandoned and self._engine.certain):
                await self._step()
        finally:
            self._place.leave()
            self.first_painted.cancel()
            for task in self._work:
                task.cancel()

    async def _step(self) -> None:
        """Make the next call if one may be made, else wait until something changes."""
        self._news.clear()
        now = self._loop.time()
        self._draw(now)
        self._engine.mode = self._place.mode()
        offers = self._engine.offers(now)
        urgent = self._painted is None or any(offer.final for offer in offers)
        kind = self._place.ask([offer.call.kind for offer in offers], urgent=urgent)
        if kind is None:
            if not self._engine.over:
                await self._wait(now, idle=not offers)
            return
        await self._make(next(offer for offer in offers if offer.call.kind == kind))

    def _draw(self, now: float) -> None:
        """Hand over what the checker lets go."""
        if self._check is None:
            return
        if text := self._check.settled(now):
            self._engine.feed(text)
        for work in self._check.work():
            task = self._loop.create_task(work)
            self._work.add(task)
            task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            # A file that cannot be read leaves its citations as plain text; nothing else fails.
            task.exception()
        self._news.set()

    async def _wait(self, now: float, *, idle: bool) -> None:
        times = [self._engine.wake(now)]
        if idle and self._check is not None:
            times.append(self._check.due)
        if self._engine.mode == "once" and self._engine.waits:
            times.append(now + POLL)
        at = min((time for time in times if time is not None), default=None)
        timer = self._loop.call_at(at, self._news.set) if at is not None else None
        self._idle = idle
        try:
            await self._news.wait()
        finally:
            self._idle = False
            if timer is not None:
                timer.cancel()

    async def _make(self, offer: PlannedCall) -> None:
        call = self._engine.begin(offer, self._loop.time())
        try:
            if isinstance(call, Read):
                self._engine.read(await self._read(call), self._loop.time())
            else:
                ts = await self._send(call)
                self._engine.succeeded(self._loop.time(), ts)
        except SlackCallError as error:
            if error.failure == "rate_limited":
                self._place.refused(call.kind, error.retry_after or 1.0)
            if isinstance(call, Start) and error.error == UNKNOWN_METHOD:
                self._place.note_missing_streams()
            self._engine.failed(self._loop.time(), error.failure, error.error, error.retry_after)
        await self._report()

    async def _send(self, call: Call) -> str | None:
        calls, target = self._calls, self._target
        match call:
            case Start():
                return await calls.start_stream(target, call.text, call.chunks)
            case Append():
                await calls.append_stream(target.channel, call.ts, call.text, call.chunks)
            case Stop():
                await calls.stop_stream(
                    target.channel, call.ts, call.text, call.blocks, final=call.final
                )
            case Post():
                return await calls.post(target, call.text, call.blocks)
            case Update():
                await calls.update(target.channel, call.ts, call.text, call.blocks)
            case Delete():
                await calls.delete(target.channel, call.ts)
        return None

    async def _read(self, call: Read) -> Sequence[JsonObject]:
        thread = self._target.thread or call.oldest
        if thread is None:
            return ()
        return await self._calls.replies(self._target.channel, thread, call.oldest)

    async def _report(self) -> None:
        """Tell the waiting callers what has changed."""
        engine = self._engine
        if self._painted is None and engine.painted is not None:
            self._painted = Painted(self._now(), engine.painted)
            if not self.first_painted.done():
                self.first_painted.set_result(self._painted)
        if engine.halted or engine.failure is not None:
            self.stopped.set()
        if self._noted is None:
            return
        for ts in engine.standing:
            if ts not in self._told:
                self._told.add(ts)
                await self._noted(ts)


Deliver: TypeAlias = Callable[
    [
        Target,
        Snapshot | None,
        Sequence[str],
        Callable[[str], Awaitable[None]],
        Sequence[JsonObject],
        Sequence[str],
    ],
    Delivery,
]
"""Begins to show an answer: target, snapshot, `replaces`, `noted` and `live` as in `Delivery`, and
the hosts that links may lead to besides the repositories."""


class Deliveries:
    """Makes the delivery of each answer: one rate limiter and one set of files for all of them."""

    def __init__(
        self,
        calls: SlackCalls,
        limiter: RateLimiter,
        now: Now,
        check: Callable[[Snapshot, Sequence[str]], CheckedText] | None = None,
    ) -> None:
        self._calls = calls
        self._limiter = limiter
        self._now = now
        self._check = check

    def __call__(
        self,
        target: Target,
        snapshot: Snapshot | None,
        replaces: Sequence[str],
        noted: Callable[[str], Awaitable[None]],
        live: Sequence[JsonObject],
        link_hosts: Sequence[str] = (),
    ) -> Delivery:
        check = None
        if self._check is not None and snapshot is not None:
            check = self._check(snapshot, link_hosts)
        return Delivery(
            self._calls,
            target,
            self._limiter,
            self._now,
            check,
            replaces=replaces,
            noted=noted,
            live=live,
        )
