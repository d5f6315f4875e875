"""A room to answer in: real parts of the answer room around recording ends of the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from bot.answer.dependencies import Dependencies
from bot.answer.events import Outcome
from bot.answer.interfaces import Current, Past, SavedAnswer, Turn
from bot.answer.loop import Allowance
from bot.answer.question import Question
from bot.answer.queue import AnswerQueue
from bot.answer.service import Answerer
from bot.answer.thread.cache import Threads
from bot.answer.thread.message import BotIdentity
from bot.answer.thread.prompt import Limits
from bot.answer.thread.redact import without_message
from bot.answer.tools import DECLARATIONS
from bot.claude.errors import ClaudeError
from bot.claude.events import Label
from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.request import Request
from bot.claude.stream import Ended, Event, Started, Text, ToolUse
from bot.claude.usage import Ttl, Usage
from bot.context.config.load import ContextConfig, RepositoryConfig
from bot.context.pack import Block, Change, Match, Omission, Pack, RepositoryState, Snapshot
from bot.delivery.delivery import Delivered, Delivery
from bot.delivery.engine.commands import Mode
from bot.delivery.slack_api import (
    JsonObject,
    Painted,
    SlackCallError,
    Target,
    Task,
)

# A machine that is busy with other things must not fail a law.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

CODE = "def answer(question: str) -> str:\n    return question[::-1]\n"
ScriptItem = str | tuple[str, dict[str, Any]] | BaseException | asyncio.Event


class Hold:
    """A point that a task does not pass while it is closed. `reached` tells that one came there."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        self.reached.set()
        await self._open.wait()


class Clock:
    """Wall time that follows the running loop, so that it moves with every wait."""

    def __init__(self) -> None:
        self.offset = 1_790_000_000.0

    def __call__(self) -> float:
        return self.offset + asyncio.get_running_loop().time()


class Files(Snapshot):
    """A snapshot of files in memory, by path."""

    def __init__(self, files: Mapping[str, str], state: RepositoryState) -> None:
        self.files = dict(files)
        self.state = state
        self.changes: list[Change] = []

    def repositories(self) -> Sequence[RepositoryState]:
        return [self.state]

    def paths(self, repository: str) -> Sequence[str]:
        return sorted(self.files)

    def read(self, repository: str, path: str) -> str | None:
        return self.files.get(path)

    def read_base(self, repository: str, path: str) -> str | None:
        return self.files.get(path)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        found = [
            Match("payments", path, number, line)
            for path, text in sorted(self.files.items())
            for number, line in enumerate(text.splitlines(), 1)
            if pattern in line and path.startswith(under or "")
        ]
        return found[:limit]

    def at(self, repository: str, ref: str) -> Files:
        return self

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return self.changes[:limit]


@dataclass
class Ground:
    """The source of the answers."""

    prefix: Prefix
    pack: Pack
    snapshot: Files


def state(commit: str = "a" * 40) -> RepositoryState:
    return RepositoryState(
        name="payments",
        url="https://github.com/acme/payments",
        ref="main",
        commit=commit,
        committed_at=1.0,
        base_commit=commit,
        web="https://github.com/acme/payments/blob/{sha}/{path}#L{start}-L{end}",
    )


def ground(commit: str = "a" * 40, omitted: Sequence[Omission] = ()) -> Ground:
    at = state(commit)
    blocks = (Block("base", "payments", CODE * 40, 800),)
    pack = Pack(blocks, (at,), tuple(omitted), 1)
    settings = ModelSettings("claude-sonnet-5-5", "between_tools", "low", 16_000)
    return Ground(build_prefix(pack, DECLARATIONS, settings), pack, Files({"a.py": CODE}, at))


class ScriptedModel:
    """Streams what it was told, one script for each request; keeps the requests."""

    def __init__(self, clock: Clock) -> None:
        self.scripts: deque[Sequence[ScriptItem]] = deque()
        self.requests: list[Request] = []
        self.labels: list[Label | None] = []
        self.cancelled = 0
        self.usage = Usage(input=40, cache_read=1200, output=30)
        self.stop_reasons: deque[str] = deque()
        self._clock = clock

    def says(self, *said: ScriptItem, stop: str = "") -> None:
        """Queue a reply: texts, look-ups as (name, input), errors to raise, events to wait for."""
        self.scripts.append(said)
        self.stop_reasons.append(stop)

    async def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        self.labels.append(label)
        said, stop = self.scripts.popleft(), self.stop_reasons.popleft()
        content: list[dict[str, Any]] = []
        started = False
        try:
            for at, one in enumerate(said):
                await asyncio.sleep(0)
                if not started and not isinstance(one, ClaudeError):
                    started = True
                    yield Started(self._clock(), "msg_1", self.usage, True)
                match one:
                    case str():
                        content = _with_text(content, one)
                        yield Text(one, self._clock())
                    case asyncio.Event():
                        await one.wait()
                    case BaseException():
                        raise one
                    case (name, wanted):
                        use = f"toolu_{len(self.requests)}_{at}"
                        content.append(
                            {"type": "tool_use", "id": use, "name": name, "input": wanted}
                        )
                        yield ToolUse(use, name, wanted, self._clock())
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if not started:
            yield Started(self._clock(), "msg_1", self.usage, True)
        used = any(block["type"] == "tool_use" for block in content)
        yield Ended(
            at=self._clock(),
            stop_reason=stop or ("tool_use" if used else "end_turn"),
            usage=self.usage,
            message_id="msg_1",
            content=tuple(content),
            started_at=self._clock(),
        )


def _with_text(content: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    if content and content[-1]["type"] == "text":
        return [*content[:-1], {"type": "text", "text": content[-1]["text"] + text}]
    return [*content, {"type": "text", "text": text}]


class Showing(Delivery):
    """A delivery that puts everything into one message at once and keeps what was asked of it."""

    stopped_by_user = True
    mode: Mode = "stream"

    def __init__(self, room: Room, target: Target, replaces: Sequence[str], noted: Noted) -> None:
        self.room = room
        self.target = target
        self.replaces = tuple(replaces)
        self.ts = replaces[-1] if replaces else None
        self.text = ""
        self.blocks: Sequence[JsonObject] = ()
        self.last_line = ""
        self.tasks: list[tuple[str, str]] = []
        self.state = "running"
        self.first_painted: asyncio.Future[Painted] = asyncio.get_running_loop().create_future()
        self.stopped = asyncio.Event()
        self._note = noted

    async def _stand(self) -> None:
        if self.room.slack_fails is not None:
            raise self.room.slack_fails
        if self.ts is None:
            self.ts = self.room.next_ts()
        await self._note(self.ts)

    async def feed(self, text: str, *, counted: bool = True) -> None:
        assert self.state == "running"
        await self._stand()
        self.text += text
        if not self.first_painted.done():
            assert self.ts is not None
            self.first_painted.set_result(Painted(self.room.clock(), self.ts))

    async def task(self, task: Task) -> None:
        assert self.state == "running"
        await self._stand()
        self.tasks.append((task.title, task.status))

    async def settle(self) -> tuple[int, int, int]:
        return self.room.citations

    async def finish(
        self, blocks: Sequence[JsonObject] = (), last_line: str | None = None
    ) -> Delivered:
        assert self.state == "running"
        await self._stand()
        self.state, self.blocks, self.last_line = "finished", blocks, last_line or ""
        assert self.ts is not None
        return Delivered(
            messages=(self.ts,),
            first_ts=self.ts,
            painted_at=None,
            characters=len(self.text),
            mode=self.mode,
            used=self.room.used,
            cited=self.room.citations[0],
            corrected=self.room.citations[1],
            struck=self.room.citations[2],
        )

    async def abandon(self) -> Sequence[str]:
        self.state = "abandoned"
        return (self.ts,) if self.ts else ()


Noted = Callable[[str], Awaitable[None]]


class Store:
    """Turns and questions in memory, as the store keeps them."""

    def __init__(self) -> None:
        self.turns: dict[tuple[str, str, str], dict[str, Turn]] = {}
        self.noted: list[tuple[str, str]] = []
        self.saved: dict[str, SavedAnswer] = {}
        self.finished: dict[str, Outcome] = {}
        self.revised: list[Question] = []
        self.pasts: dict[str, Past] = {}
        self.not_ours: BaseException | None = None
        self.fails: BaseException | None = None
        self.may_revise = True

    def _check(self) -> None:
        if self.not_ours is not None:
            raise self.not_ours
        if self.fails is not None:
            raise self.fails

    async def load(self, workspace: str, channel: str, thread: str) -> Sequence[Turn]:
        return list(self.turns.get((workspace, channel, thread), {}).values())

    async def append(
        self,
        workspace: str,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[JsonObject],
        context: str,
    ) -> None:
        self._check()
        kept = self.turns.setdefault((workspace, channel, thread), {})
        kept[question] = Turn(question, tuple(messages), context)

    async def forget_message(self, workspace: str, channel: str, thread: str, ts: str) -> None:
        self._check()
        kept = self.turns.get((workspace, channel, thread), {})
        for id, turn in kept.items():
            cleaned = without_message(turn.messages, ts)
            kept[id] = replace(turn, messages=cleaned or turn.messages)

    async def note_message(self, question: str, ts: str) -> None:
        self._check()
        self.noted.append((question, ts))

    async def save_answer(self, question: str, answer: SavedAnswer) -> None:
        self._check()
        self.saved[question] = answer

    async def finish(self, question: str, outcome: Outcome) -> None:
        self._check()
        self.finished[question] = outcome

    async def revise(self, question: Question) -> bool:
        self.revised.append(question)
        return self.may_revise

    async def past(self, question: str) -> Past | None:
        return self.pasts.get(question)


class Slack:
    """The calls that are made beside a delivery; keeps their order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.thread: list[JsonObject] = []
        self.whispers: list[tuple[str, str]] = []
        self.fails: SlackCallError | None = None
        self.hold = Hold()

    async def set_status(self, target: Target, status: str) -> None:
        self.calls.append(("status", status))
        await asyncio.sleep(0)

    async def whisper(self, target: Target, text: str) -> None:
        self.whispers.append((target.recipient_user, text))

    async def replies(
        self, channel: str, thread: str, oldest: str | None = None
    ) -> Sequence[JsonObject]:
        self.calls.append(("replies", thread))
        await self.hold.passed()
        if self.fails is not None:
            raise self.fails
        return list(self.thread)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not to be called beside the delivery")


@dataclass
class JoinTicket:
    """A way past the cache that remembers what it was told."""

    waited: float = 0.0
    expected: int = 0
    ttl: Ttl = "5m"
    previous: str | None = None
    cold: str = ""
    told: list[str] = field(default_factory=list)

    def report_start(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None:
        self.told.append("began")

    def report_failure(self, error: str, retry_after: float | None = None) -> None:
        self.told.append(error)


@dataclass(frozen=True)
class Barred:
    """The refusal of a person who may not see the context."""

    message: str = "I answer about this code only for members of its channels."


@dataclass
class Room:
    """Everything that a test of the answer room looks at."""

    clock: Clock = field(default_factory=Clock)
    slack: Slack = field(default_factory=Slack)
    store: Store = field(default_factory=Store)
    records: list[Any] = field(default_factory=list)
    shown: list[Showing] = field(default_factory=list)
    ground: Ground = field(default_factory=ground)
    newest: Ground | None = None
    ground_fails: BaseException | None = None
    slack_fails: SlackCallError | None = None
    join_seconds: float = 0.0
    hold: Hold = field(default_factory=lambda: Hold())
    permit: Hold | None = None
    citations: tuple[int, int, int] = (0, 0, 0)
    used: frozenset[tuple[str, str]] = frozenset()
    warmed: bool = True
    ttl: Ttl = "5m"
    tickets: list[JoinTicket] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    allowance: Allowance = field(default_factory=lambda: Allowance(pause=0.01))
    at_once: int = 40
    instructions: str = ""
    barred: set[str] = field(default_factory=set)
    _ts: int = 100

    def __post_init__(self) -> None:
        self.model = ScriptedModel(self.clock)
        self.executor = ThreadPoolExecutor(2)
        self._asked_for = 0

    @property
    def ticket(self) -> JoinTicket:
        """A new join ticket, kept among `tickets`."""
        self.tickets.append(JoinTicket(self.join_seconds, 0, self.ttl))
        return self.tickets[-1]

    # What the room's parts ask of the others

    def write(self, record: object) -> None:
        self.records.append(record)

    def named(self, name: str) -> ContextConfig | None:
        return self.context

    async def current(self, name: str) -> Current:
        if self.ground_fails is not None:
            raise self.ground_fails
        self._asked_for += 1
        return self.newest if self.newest is not None and self._asked_for > 1 else self.ground

    async def permits(self, user: str, question: Question, context: ContextConfig) -> bool:
        if self.permit is not None:
            await self.permit.passed()
        return user not in self.barred

    async def is_permitted(self) -> bool:
        return await self.permits("U1", self.question("How?"), self.context)

    async def refusal(
        self, question: Question, context: ContextConfig, *, user: str | None = None
    ) -> Barred | None:
        return Barred() if (user or question.user) in self.barred else None

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> JoinTicket:
        await asyncio.sleep(self.join_seconds)
        await self.hold.passed()
        expected = prefix.tokens if self.warmed else 0
        self.tickets.append(JoinTicket(self.join_seconds, expected, self.ttl))
        return self.tickets[-1]

    def deliver(
        self,
        target: Target,
        snapshot: Snapshot | None,
        replaces: Sequence[str],
        noted: Noted,
        live: Sequence[JsonObject],
        link_hosts: Sequence[str] = (),
    ) -> Showing:
        self.shown.append(Showing(self, target, replaces, noted))
        return self.shown[-1]

    # What tests use

    @property
    def context(self) -> ContextConfig:
        repositories = (RepositoryConfig(url="https://github.com/acme/payments"),)
        return ContextConfig(
            name="payments", repositories=repositories, instructions=self.instructions
        )

    def move_branch(self, commit: str, changes: Sequence[Change]) -> None:
        """Let the branch move on to a commit as soon as an answer has begun."""
        self.newest = ground(commit)
        self.newest.snapshot.changes = list(changes)

    def next_ts(self) -> str:
        self._ts += 1
        return f"1790000000.{self._ts:06d}"

    def parts(self) -> Dependencies:
        return Dependencies(
            calls=self.slack,
            model=self.model,
            sources=self,
            warmth=self,
            turns=self.store,
            inbox=self.store,
            journal=self,
            threads=Threads(self.slack, BotIdentity("UBOT", "B1", "T1")),
            deliver=self.deliver,
            queue=AnswerQueue(self.at_once),
            executor=self.executor,
            now=self.clock,
            gate=self,
            limits=self.limits,
            allowance=self.allowance,
        )

    def answerer(self) -> Answerer:
        return Answerer(self.parts())

    def question(self, text: str = "How?", **chosen: Any) -> Question:
        ts = chosen.pop("ts", None) or self.next_ts()
        facts: dict[str, Any] = {
            "id": f"q{ts}",
            "workspace": "T1",
            "channel": "C1",
            "ts": ts,
            "thread": None,
            "user": "U1",
            "text": text,
            "surface": "mention",
            "received_at": self.clock(),
            "asked_at": self.clock() - 0.05,
        }
        return Question(**{**facts, **chosen})

    def record(self, kind: type[Any]) -> Any:
        """Return the only record of a kind."""
        found = [record for record in self.records if isinstance(record, kind)]
        assert len(found) == 1, found
        return found[0]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.executor.shutdown()


@pytest.fixture
def files() -> Files:
    return Files({"a.py": CODE, "src/b.py": "x = 1\n" * 500, "src/c.py": ""}, state())
