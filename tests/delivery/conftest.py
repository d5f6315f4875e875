"""A model of a Slack thread: streams with their expiry and caps, and every way a call can fail.

Pure and in memory, so that thousands of schedules can be driven through it. Its rules: `update`
conflicts with a running stream; an expired stream refuses `append` and `stop` alike; a message
takes about 10,600 bytes, a call 12,000 characters.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, ClassVar, Literal

import pytest
from forewarm_playground.slack.web_api.rate_limits import Bucket, Window

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
from bot.delivery.engine.engine import Message, PlannedCall, StreamEngine
from bot.delivery.engine.sizing import Limits
from bot.delivery.slack_api import (
    UNKNOWN_METHOD,
    JsonObject,
    SlackCallError,
    Target,
    Task,
    TaskStatus,
)

Fault = Literal[
    "no_streams",  # the server has no streams
    "fine",
    "rate_limited",
    "server",
    "other",
    "lost_before",  # the connection died before Slack did anything
    "lost_after",  # it died after Slack had done it
    "lost_late",  # it died, and Slack does it some seconds later
    "user_stop",  # the user presses Stop just before the call
    "dies",  # the stream breaks early, for no reason that Slack gives
    "blocks",  # Slack refuses the blocks of this call
    "refused",  # Slack will not stream here
    "deleted",  # a user deletes the message
    "too_long",  # Slack's cap is lower than we believe
]


@dataclass
class Shown:
    """One message as Slack keeps it."""

    ts: str
    text: str
    stream: Literal["in_progress", "completed", "errored"] | None
    started: float
    blocks: list[JsonObject] = field(default_factory=list)
    tasks: dict[str, str] = field(default_factory=dict)
    seams: list[int] = field(default_factory=list)
    stopped_by_user: bool = False
    size: int = 0
    author: str = "B1"


class Thread:
    """One thread in Slack; times are seconds, and come in."""

    LIFETIME = 300.0
    CAP = 10_600
    CALL_CHARACTERS = 12_000

    def __init__(self) -> None:
        self.shown: dict[str, Shown] = {}
        self.now = 1_000.0
        self.blocks_refused = False
        self.rich = False
        self.silent_state = False
        self.late: list[tuple[float, Call]] = []
        self.sent: list[Call] = []
        self._stamps = 0

    def __repr__(self) -> str:
        return f"<Thread [{len(self.shown)} messages at {self.now:.1f}]>"

    def stamp(self) -> str:
        self._stamps += 1
        return f"{1_790_000_000 + self.now:.0f}.{self._stamps:06d}"

    def standing(self) -> list[Shown]:
        return [one for one in self.shown.values() if one.author == "B1"]

    def settle(self) -> None:
        """Let time do its work: streams expire, late calls take effect."""
        due = [call for at, call in self.late if at <= self.now]
        self.late = [(at, call) for at, call in self.late if at > self.now]
        for call in due:
            with contextlib.suppress(SlackCallError):
                self._do(call)
        for one in self.shown.values():
            if one.stream == "in_progress" and self.now >= one.started + self.LIFETIME:
                one.stream = "errored"

    def do(self, call: Call, fault: Fault) -> str | Sequence[JsonObject] | None:
        """Carry out a call; raises SlackCallError as the edge would."""
        self.sent.append(call)
        self.settle()
        self._strike(call, fault)
        if fault in ("rate_limited", "server", "other"):
            retry = 2.0 if fault == "rate_limited" else None
            raise SlackCallError(fault, fault, retry)
        if fault == "lost_before":
            raise SlackCallError("unknown_outcome", "TimeoutError")
        if fault == "lost_late":
            self.late.append((self.now + 3.0, call))
            raise SlackCallError("unknown_outcome", "TimeoutError")
        answer = self._do(call)
        if fault == "lost_after":
            raise SlackCallError("unknown_outcome", "TimeoutError")
        return answer

    def _strike(self, call: Call, fault: Fault) -> None:
        one = self.shown.get(getattr(call, "ts", ""))
        if fault == "refused" and isinstance(call, Start):
            raise SlackCallError("refused", "channel_type_not_supported")
        if fault == "no_streams" and isinstance(call, Start):
            raise SlackCallError("refused", UNKNOWN_METHOD)
        if fault == "blocks" and getattr(call, "blocks", None):
            self.blocks_refused = True
        if fault == "too_long" and len(getattr(call, "text", "")) > 1_000:
            raise SlackCallError("too_long", "msg_too_long")
        if one is None:
            return
        if fault == "user_stop" and one.stream == "in_progress":
            one.stream, one.stopped_by_user = "completed", True
        elif fault == "dies" and one.stream == "in_progress":
            one.stream = "errored"
        elif fault == "deleted":
            del self.shown[one.ts]

    def _do(self, call: Call) -> str | Sequence[JsonObject] | None:
        match call:
            case Start():
                one = self._new(call.text, "in_progress")
                self._chunks(one, call.chunks)
                return one.ts
            case Post():
                self._check_blocks(call.blocks)
                one = self._new(call.text, None)
                one.blocks = list(call.blocks)
                return one.ts
            case Append():
                one = self._writable(call.ts)
                self._add(one, call.text)
                self._chunks(one, call.chunks)
            case Stop():
                one = self._writable(call.ts)
                self._check_blocks(call.blocks)
                self._add(one, call.text)
                one.blocks = list(call.blocks)
                one.stream = "completed"
            case Update():
                one = self._existing(call.ts)
                if one.stream == "in_progress":
                    raise SlackCallError("busy", "streaming_state_conflict")
                self._check_size(call.text)
                self._check_blocks(call.blocks)
                one.text, one.seams, one.tasks = call.text, [], {}
                # Slack keeps the blocks that an update does not replace.
                one.blocks = list(call.blocks) or one.blocks
            case Delete():
                del self.shown[self._existing(call.ts).ts]
            case Read():
                return self._read(call)
        return None

    def _new(self, text: str, stream: Literal["in_progress"] | None) -> Shown:
        self._check_size(text)
        ts = self.stamp()
        self.shown[ts] = Shown(ts, text, stream, self.now, size=len(text.encode()))
        return self.shown[ts]

    def _existing(self, ts: str) -> Shown:
        if ts not in self.shown:
            raise SlackCallError("gone", "message_not_found")
        return self.shown[ts]

    def _writable(self, ts: str) -> Shown:
        one = self._existing(ts)
        if one.stopped_by_user:
            raise SlackCallError("stopped", "stopped_by_user")
        if one.stream != "in_progress":
            raise SlackCallError("not_streaming", "message_not_in_streaming_state")
        return one

    def _add(self, one: Shown, text: str) -> None:
        size = one.size + len(text.encode())
        if size > self.CAP or len(text) > self.CALL_CHARACTERS:
            raise SlackCallError("too_long", "msg_too_long")
        one.seams.append(len(one.text))
        one.text += text
        one.size = size

    def _chunks(self, one: Shown, chunks: Sequence[JsonObject]) -> None:
        for chunk in chunks:
            assert len(chunk["title"]) <= 256
            one.tasks[chunk["id"]] = chunk["status"]
            one.size += len(chunk["title"])

    def _check_size(self, text: str) -> None:
        if len(text) > self.CALL_CHARACTERS or len(text.encode()) > self.CAP:
            raise SlackCallError("too_long", "msg_too_long")

    def _check_blocks(self, blocks: Sequence[JsonObject]) -> None:
        if blocks and self.blocks_refused:
            raise SlackCallError("blocks", "invalid_blocks")

    def _read(self, call: Read) -> Sequence[JsonObject]:
        root: dict[str, Any] = {"ts": "1789999999.000001", "user": "U1", "text": "How?"}
        return [root, *(self._as_message(one) for one in self.shown.values())]

    def _as_message(self, one: Shown) -> JsonObject:
        message: dict[str, Any] = {"ts": one.ts, "user": "U0", "bot_id": one.author}
        message["text"] = one.text
        if self.rich:
            elements = [{"type": "text", "text": decoded(one.text)}]
            section = {"type": "rich_text_section", "elements": elements}
            message["text"] = decoded(one.text)[:150]
            message["blocks"] = [{"type": "rich_text", "elements": [section]}]
        if one.stream is not None and not self.silent_state:
            message["streaming_state"] = one.stream
        return message


def decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">")


@dataclass(frozen=True)
class Schedule:
    """How an answer comes in and what befalls it.

    `steps` are pieces of text by length with the seconds before each; `faults` befall the calls in
    their order, after them nothing does; `stop_at` is the step at which the answer is halted.
    """

    steps: tuple[tuple[int, float], ...] = ((1_000_000, 0.0),)
    faults: tuple[Fault, ...] = ()
    mode: Mode = "stream"
    replaces: tuple[bool, ...] = ()
    stop_at: int | None = None
    tasks: tuple[tuple[int, TaskStatus], ...] = ()
    last_line: str | None = None
    rich: bool = False
    silent_state: bool = False
    second_best: tuple[int, ...] = ()
    latency: float = 0.1
    live: bool = False


class Run:
    """Drives one engine against one thread until the engine says that it is over."""

    BLOCKS: tuple[JsonObject, ...] = ({"type": "context", "elements": []},)
    LIVE: tuple[JsonObject, ...] = ({"type": "actions", "elements": []},)

    def __init__(self, text: str, schedule: Schedule, limits: Limits | None = None) -> None:
        self.text = text
        self.schedule = schedule
        self.thread = Thread()
        self.thread.rich, self.thread.silent_state = schedule.rich, schedule.silent_state
        self.old = [self._orphan(streams) for streams in schedule.replaces]
        self.engine = StreamEngine(
            mode=schedule.mode,
            limits=limits,
            replaces=self.old,
            floor="1789999999.000001",
            live=self.LIVE if schedule.live else (),
        )
        self.failures: list[SlackCallError] = []
        self.calls = 0
        self.unanswered = 0
        self._faults = list(reversed(schedule.faults))
        self._fed = 0
        self._step = 0
        self._due = self.thread.now

    def _orphan(self, streams: bool) -> str:
        ts = self.thread.stamp()
        stream: Literal["in_progress"] | None = "in_progress" if streams else None
        self.thread.shown[ts] = Shown(ts, "an earlier attempt", stream, self.thread.now)
        return ts

    @property
    def messages(self) -> list[Message]:
        return self.engine.messages

    @property
    def joined(self) -> str:
        """The answer as the engine says that it stands, its own marks taken away."""
        return "".join(message.body for message in self.messages)

    def go(self) -> Run:
        for _ in range(100_000):
            if self.engine.over:
                self.thread.now += 60.0
                self.thread.settle()
                return self
            self._feed()
            offers = self.engine.offers(self.thread.now)
            if offers:
                self._make(offers)
            else:
                self._pass_time()
        raise AssertionError(f"no end: {self.engine!r}")

    def _feed(self) -> None:
        """Let in what has come by now; at the end of the steps, the rest and the end."""
        steps = self.schedule.steps
        while self._step < len(steps) and self._due <= self.thread.now:
            for at, status in self.schedule.tasks:
                if at == self._step:
                    self.engine.task(Task(f"t{at}", f"search <{at}>", status))
            self._let_in(steps[self._step][0])
            if self._step == self.schedule.stop_at:
                self.engine.halt()
            self._step += 1
            if self._step < len(steps):
                self._due += steps[self._step][1]
        if self._step >= len(steps) or (self.engine.halted and self._step):
            self._let_in(len(self.text))
            self.engine.finish(self.BLOCKS, self.schedule.last_line)
            self._step = len(steps)

    def _let_in(self, length: int) -> None:
        self.engine.feed(self.text[self._fed : self._fed + length])
        self._fed += length

    def _make(self, offers: Sequence[PlannedCall]) -> None:
        second = self.calls in self.schedule.second_best
        call = self.engine.begin(offers[-1 if second else 0], self.thread.now)
        fault: Fault = self._faults.pop() if self._faults else "fine"
        self.calls += 1
        self.thread.now += self.schedule.latency
        # What comes in while a call is under way must not confuse its outcome.
        self._feed()
        try:
            answer = self.thread.do(call, fault)
        except SlackCallError as error:
            self.failures.append(error)
            self.unanswered += 1
            self.engine.failed(self.thread.now, error.failure, error.error, error.retry_after)
            return
        self.unanswered = 0
        if isinstance(call, Read):
            assert isinstance(answer, list)
            self.engine.read(answer, self.thread.now)
        else:
            assert answer is None or isinstance(answer, str)
            self.engine.succeeded(self.thread.now, answer)

    def _pass_time(self) -> None:
        times = [time for time in (self.engine.wake(self.thread.now),) if time is not None]
        if self._step < len(self.schedule.steps):
            times.append(self._due)
        if self.engine.over:
            return
        assert times, f"neither a call nor a time to wait for: {self.engine!r}"
        self.thread.now = max(self.thread.now, min(times))
        self.thread.settle()


@pytest.fixture(scope="session")
def drive() -> Callable[..., Run]:
    def run(text: str, schedule: Schedule | None = None, limits: Limits | None = None) -> Run:
        return Run(text, schedule or Schedule(), limits).go()

    return run


@pytest.fixture(scope="session")
def run_type() -> type[Run]:
    return Run


@pytest.fixture(scope="session")
def make_schedule() -> type[Schedule]:
    return Schedule


@pytest.fixture(scope="session")
def make_thread() -> type[Thread]:
    return Thread


class Workspace:
    """A Slack workspace with its rate limits, for the thin shell: many threads, many channels."""

    PER_MINUTE: ClassVar[dict[Kind, int]] = {
        "start": 20,
        "append": 100,
        "stop": 20,
        "update": 50,
        "post": 300,
        "delete": 50,
        "read": 50,
    }

    def __init__(self, latency: float = 0.15, limited: bool = True, burst: int = 3) -> None:
        self.latency = latency
        self.limited = limited
        self.threads: dict[str, Thread] = {}
        self.faults: deque[Fault] = deque()
        self.log: list[tuple[float, str, Call]] = []
        self.refused: list[Kind] = []
        self._burst = burst
        self._windows: dict[Kind, Window] = {k: Window(n) for k, n in self.PER_MINUTE.items()}
        self._channels: dict[str, Bucket] = {}

    def thread(self, target: Target) -> Thread:
        return self.threads.setdefault(f"{target.channel}/{target.thread}", Thread())

    def calls(self, target: Target) -> WorkspaceCalls:
        return WorkspaceCalls(self, target)

    async def do(self, target: Target, call: Call) -> Any:
        await asyncio.sleep(self.latency / 2)
        now = asyncio.get_running_loop().time()
        self._count(target.channel, call.kind, now)
        thread = self.thread(target)
        thread.now = max(thread.now, now)
        try:
            return thread.do(call, self.faults.popleft() if self.faults else "fine")
        finally:
            await asyncio.sleep(self.latency / 2)
            self.log.append((asyncio.get_running_loop().time(), target.thread or "", call))

    def _count(self, channel: str, kind: Kind, now: float) -> None:
        wait = self._windows[kind].take(now) if self.limited else 0.0
        if not wait and kind == "post" and self.limited:
            wait = self._channels.setdefault(channel, Bucket(1.0, self._burst)).take(now)
        if wait:
            self.refused.append(kind)
            raise SlackCallError("rate_limited", "ratelimited", float(ceil(wait)))


class WorkspaceCalls:
    """`bot.delivery.slack_api.SlackCalls` to one thread of a workspace."""

    def __init__(self, workspace: Workspace, target: Target) -> None:
        self._do = partial(workspace.do, target)

    async def start_stream(
        self, target: Target, text: str, chunks: Sequence[JsonObject] = ()
    ) -> str:
        return str(await self._do(Start(text, tuple(chunks))))

    async def append_stream(
        self, channel: str, ts: str, text: str, chunks: Sequence[JsonObject] = ()
    ) -> None:
        await self._do(Append(ts, text, tuple(chunks)))

    async def stop_stream(
        self,
        channel: str,
        ts: str,
        text: str,
        blocks: Sequence[JsonObject] = (),
        *,
        final: bool = True,
    ) -> None:
        await self._do(Stop(ts, text, tuple(blocks), final))

    async def post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> str:
        return str(await self._do(Post(text, tuple(blocks))))

    async def update(
        self, channel: str, ts: str, text: str, blocks: Sequence[JsonObject] = ()
    ) -> None:
        await self._do(Update(ts, text, tuple(blocks)))

    async def delete(self, channel: str, ts: str) -> None:
        await self._do(Delete(ts))

    async def replies(
        self, channel: str, thread: str, oldest: str | None = None
    ) -> Sequence[JsonObject]:
        messages: Sequence[JsonObject] = await self._do(Read(oldest))
        return messages

    async def whisper(self, target: Target, text: str) -> None:
        raise AssertionError("a delivery whispers nothing")

    async def set_status(self, target: Target, status: str) -> None:
        raise AssertionError("a delivery leaves the status alone")


@pytest.fixture(scope="session")
def make_workspace() -> type[Workspace]:
    return Workspace
