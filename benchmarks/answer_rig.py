"""The answer room as the overhead benchmark runs it: every part real but the store, in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.fake_services import name
from bot.answer.dependencies import Dependencies
from bot.answer.events import Outcome
from bot.answer.interfaces import Past, SavedAnswer, Turn
from bot.answer.prepare import NoJoin
from bot.answer.question import Question
from bot.answer.queue import AnswerQueue
from bot.answer.service import Answerer
from bot.answer.thread.cache import Threads
from bot.answer.thread.message import BotIdentity
from bot.answer.tools import DECLARATIONS
from bot.claude.client import ClaudeClient
from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.clock import system_now
from bot.context.config.load import ContextConfig, RepositoryConfig
from bot.context.pack import Block, Change, Match, Pack, RepositoryState, Snapshot
from bot.delivery.delivery import Deliveries
from bot.delivery.rate_limit.budget import Rate, Rates
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import JsonObject
from bot.slack.client import connect
from bot.slack.web_api import WebCalls

MODEL = "claude-sonnet-5-5"
STATE = RepositoryState(
    name="bench",
    url="https://github.com/acme/bench",
    ref="main",
    commit="a" * 40,
    committed_at=0.0,
    base_commit="a" * 40,
    web="https://github.com/acme/bench/blob/{sha}/{path}#L{start}-L{end}",
)
LINE = "def function_{n}(argument: int) -> int:\n    return argument * {n}\n\n"
BOUNDLESS = Rates(**{kind: Rate(1e9) for kind in Rates.__dataclass_fields__})
"""Slack's budgets are not the bot's overhead: here it has none."""


@dataclass(frozen=True)
class Ground(Snapshot):
    """The source of answers: a prefix of a given size, and the files that it shows."""

    prefix: Prefix
    pack: Pack

    @property
    def snapshot(self) -> Ground:
        return self

    def repositories(self) -> Sequence[RepositoryState]:
        return [STATE]

    def paths(self, repository: str) -> Sequence[str]:
        return ["bench.py"]

    def read(self, repository: str, path: str) -> str | None:
        return self.pack.blocks[0].text

    def read_base(self, repository: str, path: str) -> str | None:
        return self.read(repository, path)

    def search(self, pattern: str, **_: Any) -> Sequence[Match]:
        return []

    def at(self, repository: str, ref: str) -> Ground:
        return self

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return []


def ground(size: int) -> Ground:
    """Return a prefix of about `size` bytes."""
    lines = (LINE.format(n=n) for n in range(size // len(LINE)))
    text = "".join(lines)
    pack = Pack((Block("base", "bench", text, len(text) // 3),), (STATE,), (), 1)
    settings = ModelSettings(MODEL, "between_tools", "low", 4096)
    return Ground(build_prefix(pack, DECLARATIONS, settings), pack)


class Surroundings:
    """Sources, warmth, store and journal, each as quick as memory."""

    def __init__(self, standing: Ground) -> None:
        self._ground = standing
        self.outcomes: list[str] = []

    def named(self, name: str) -> ContextConfig | None:
        return CONTEXT

    async def current(self, name: str) -> Ground:
        return self._ground

    async def join(self, prefix: Prefix, question: Question, context: ContextConfig) -> NoJoin:
        return NoJoin(prefix.tokens)

    async def load(self, workspace: str, channel: str, thread: str) -> Sequence[Turn]:
        return ()

    async def append(
        self,
        workspace: str,
        channel: str,
        thread: str,
        question: str,
        messages: Sequence[JsonObject],
        context: str,
    ) -> None:
        return None

    async def forget_message(self, workspace: str, channel: str, thread: str, ts: str) -> None:
        return None

    async def permits(self, user: str, question: Question, context: ContextConfig) -> bool:
        return True

    async def refusal(
        self, question: Question, context: ContextConfig, *, user: str | None = None
    ) -> None:
        return None

    async def note_message(self, question: str, ts: str) -> None:
        return None

    async def save_answer(self, question: str, answer: SavedAnswer) -> None:
        return None

    async def finish(self, question: str, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    async def revise(self, question: Question) -> bool:
        return True

    async def past(self, question: str) -> Past | None:
        return None

    def write(self, record: object) -> None:
        return None


CONTEXT = ContextConfig(
    name="bench", repositories=(RepositoryConfig(url="https://github.com/acme/bench"),)
)


@asynccontextmanager
async def room(url: str, standing: Ground) -> AsyncIterator[tuple[Answerer, Surroundings]]:
    """Open an answerer between the two ends at `url`."""
    around = Surroundings(standing)
    clients = connect("xoxb-bench", f"{url}/api/")
    model = ClaudeClient.connect(api_key="bench", base_url=url)
    calls = WebCalls(clients)
    executor = ThreadPoolExecutor(2)
    parts = Dependencies(
        calls=calls,
        model=model,
        sources=around,
        warmth=around,
        turns=around,
        inbox=around,
        journal=around,
        threads=Threads(calls, BotIdentity("U0BOT")),
        deliver=Deliveries(calls, RateLimiter(BOUNDLESS), system_now),
        queue=AnswerQueue(1_000),
        executor=executor,
        now=system_now,
        gate=around,
    )
    try:
        yield Answerer(parts), around
    finally:
        await model.close()
        await clients.close()
        executor.shutdown()


def question(number: int) -> Question:
    """Return a question that both ends know by its mark."""
    return Question(
        id=f"q{number}",
        workspace="T0BENCH",
        channel=f"C0BENCH{number % 97}",
        ts=thread(number),
        thread=None,
        user="U0ASKER",
        text=f"{name(number)} How does it work?",
        surface="mention",
        received_at=system_now(),
        asked_at=system_now(),
    )


def thread(number: int) -> str:
    return f"1790000000.{number:06d}"


async def ask(answerer: Answerer, number: int, after: float = 0.0) -> float:
    """Have a question answered; return when it was handed over, by the monotonic clock."""
    await asyncio.sleep(after)
    handed_over = time.monotonic()
    await answerer.answer(question(number), CONTEXT)
    return handed_over


async def ask_all(
    answerer: Answerer, numbers: Sequence[int], within: float = 0.0
) -> dict[int, float]:
    """Have questions answered, all `within` so many seconds; return when each was handed over."""
    step = within / len(numbers)
    began = await asyncio.gather(
        *(ask(answerer, number, at * step) for at, number in enumerate(numbers))
    )
    return dict(zip(numbers, began, strict=True))
