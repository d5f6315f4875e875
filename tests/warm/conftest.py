"""A prefix of 150,000 tokens, a cache that behaves like Anthropic's, and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from forewarm_playground import virtual_time

from bot.claude.cache_check import WarmResult
from bot.claude.errors import ClaudeError
from bot.claude.events import Label
from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.prices import cost
from bot.claude.usage import TTL_SECONDS, Ttl, Usage
from bot.context.pack import Block, Pack, RepositoryState
from bot.warm.interfaces import Target
from bot.warm.types import PrefixFacts

T = TypeVar("T")
PREFILL, WARM = 18.93, 1.94


def pack(name: str = "payments", overlay: int = 0, base: str = "base") -> Pack:
    blocks = [Block("base", name, f"{name} {base}", 149_900)]
    if overlay:
        blocks.append(Block("overlay", name, f"{name} overlay {overlay}", 300))
    state = RepositoryState(
        name=name,
        url=f"https://github.com/acme/{name}",
        ref="main",
        commit="a" * 40,
        committed_at=1.0,
        base_commit="a" * 40,
        web=None,
    )
    return Pack(tuple(blocks), (state,), (), 1)


MODEL = "claude-sonnet-5-5"


def prefix(
    name: str = "payments", overlay: int = 0, base: str = "base", model: str = MODEL
) -> Prefix:
    settings = ModelSettings(model, "between_tools", "low")
    return build_prefix(pack(name, overlay, base), (), settings, preamble="Answer.")


def target(
    name: str = "payments",
    overlay: int = 0,
    base: str = "base",
    model: str = MODEL,
    **chosen: Any,
) -> Target:
    return Target(context=name, prefix=prefix(name, overlay, base, model), **chosen)


def facts(**chosen: Any) -> PrefixFacts:
    given: dict[str, Any] = {
        "key": "k",
        "fingerprint": "f",
        "base_fingerprint": "b",
        "tokens": 150_000,
        "base_tokens": 150_000,
        "model": "claude-sonnet-5-5",
        "context": "payments",
        "daily_limit_usd": 1e6,
        "prefill_seconds": PREFILL,
    }
    return PrefixFacts(**{**given, **chosen})


@dataclass(slots=True)
class _Cached:
    ttl: Ttl
    visible_at: float
    alive_until: float


class Claude:
    """Serves warm-ups and questions from one cache, with Anthropic's rules of life and visibility.

    `slots` requests are processed at once; None is no limit. Each error in `fail` is raised by one
    of the next requests.
    """

    def __init__(self, slots: int | None = None) -> None:
        self.cache: dict[str, _Cached] = {}
        self.fail: list[ClaudeError] = []
        self.log: list[tuple[float, str, str, Usage]] = []
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.usd = 0.0
        self.forgets = False
        self.slowness = 1.0
        self._slots = asyncio.Semaphore(slots or 1000)

    async def warm(
        self,
        prefix: Prefix,
        ttl: Ttl = "5m",
        *,
        label: Label | None = None,
        previous: str | None = None,
    ) -> WarmResult:
        started = virtual_time.now()
        usage = await self.request("warm", prefix, ttl)
        return WarmResult(
            usage=usage,
            usd=cost(prefix.model, usage),
            seconds=virtual_time.now() - started,
            started_at=started,
            ttl=ttl,
            tokens=prefix.tokens,
            complete=not self.forgets,
            request_id="req_1",
            message_id=f"msg_{len(self.log)}",
        )

    async def request(self, kind: str, prefix: Prefix, ttl: Ttl) -> Usage:
        """Read what is cached and write the rest. Return when the response begins."""
        started = virtual_time.now()
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            async with self._slots:
                if self.fail:
                    raise self.fail.pop(0)
                usage = self._usage(prefix, ttl, started)
                seconds = WARM + self.slowness * PREFILL * usage.written / 150_000
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self.forgets:
            usage = Usage(input=usage.total_input)
        else:
            self._keep(prefix, ttl, started)
        self.log.append((started, kind, prefix.key, usage))
        self.usd += cost(prefix.model, usage)
        return usage

    def evict(self) -> None:
        self.cache.clear()

    def _usage(self, prefix: Prefix, ttl: Ttl, at: float) -> Usage:
        read = max((n for f, n in _marks(prefix) if self._alive(f, at)), default=0)
        new = prefix.tokens - read
        five, hour = (new, 0) if ttl == "5m" else (0, new)
        return Usage(input=8, cache_read=read, write_5m=five, write_1h=hour)

    def _alive(self, fingerprint: str, at: float) -> bool:
        found = self.cache.get(fingerprint)
        return found is not None and found.visible_at <= at < found.alive_until

    def _keep(self, prefix: Prefix, ttl: Ttl, started: float) -> None:
        for fingerprint, _ in _marks(prefix):
            found = self.cache.get(fingerprint)
            if found is not None and self._alive(fingerprint, started):
                found.alive_until = started + TTL_SECONDS[found.ttl]
            else:
                until = started + TTL_SECONDS[ttl]
                self.cache[fingerprint] = _Cached(ttl, virtual_time.now(), until)


def _marks(prefix: Prefix) -> tuple[tuple[str, int], ...]:
    return (prefix.base_fingerprint, prefix.base_tokens), (prefix.fingerprint, prefix.tokens)


class Records:
    """A journal that keeps its records in memory."""

    def __init__(self) -> None:
        self.written: list[object] = []

    def write(self, record: object) -> None:
        self.written.append(record)

    def of(self, kind: type[T]) -> list[T]:
        return [record for record in self.written if isinstance(record, kind)]


Leap = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def leap() -> Leap:
    """Run a coroutine function in an event loop whose time leaps."""

    def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        virtual_time.run(main())

    return run


MakeTarget = Callable[..., Target]
MakeFacts = Callable[..., PrefixFacts]


@pytest.fixture
def make_target() -> MakeTarget:
    return target


@pytest.fixture
def make_facts() -> MakeFacts:
    return facts


@pytest.fixture
def claude() -> Claude:
    return Claude()


@pytest.fixture
def records() -> Records:
    return Records()


MakeClaude = Callable[[int], Claude]


@pytest.fixture
def make_claude() -> MakeClaude:
    return Claude
