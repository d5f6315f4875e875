"""The contexts as they live."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.app.contexts.registry import TRIES, ContextRegistry, NotReady, PrefixChanged
from bot.app.contexts.shown_status import state_and_reason
from bot.claude.events import RequestEnded
from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.usage import Usage
from bot.context.codebase import Codebase
from bot.context.config.load import ContextConfig
from bot.context.pack import Block, Pack, RepositoryState
from bot.errors import ForewarmError


class Source:
    """A repository that moves when it is told to, and is away when it is told so."""

    def __init__(self, config: ContextConfig) -> None:
        self.config = config
        self.commit = "a" * 40
        self.seen: str | None = None
        self.away = False
        self.learned: list[tuple[int, int]] = []

    def learn(self, estimated: int, actual: int) -> None:
        self.learned.append((estimated, actual))

    async def sync(self) -> bool:
        if self.away:
            raise ForewarmError("the network is away; try again later.")
        moved = self.commit != self.seen
        self.seen = self.commit
        return moved

    async def pack(self, *, cold: bool = False) -> Pack:
        name = self.config.repositories[0].name
        state = RepositoryState(
            name=name,
            url=self.config.repositories[0].url,
            ref="HEAD",
            commit=self.commit,
            committed_at=0.0,
            base_commit=self.commit,
            web=None,
        )
        return Pack((Block("base", name, f"files at {self.commit}", 10),), (state,), (), 1)

    def snapshot(self) -> Any:
        return object()

    def stale(self) -> dict[str, Any]:
        return {}


def config(name: str, url: str = "https://github.com/acme/pay", **more: Any) -> ContextConfig:
    return ContextConfig(name=name, repositories=({"url": url},), **more)  # type: ignore[arg-type]


async def build(config: ContextConfig, pack: Pack, salt: str) -> Prefix:
    return build_prefix(pack, (), ModelSettings(config.model), salt)


class FileRegistry(ContextRegistry):
    """A library over such sources, which notes how prefixes moved."""

    def __init__(self, *configs: ContextConfig) -> None:
        self.sources: dict[str, Source] = {}
        self.moves: list[tuple[str, str | None, str]] = []
        super().__init__(self._source, build)
        self.subscribe(self._moved)
        for one in configs:
            self.put(one)

    def _source(self, config: ContextConfig, *, by_operator: bool = False) -> Codebase:
        return cast(Codebase, self.sources.setdefault(config.name, Source(config)))

    def _moved(self, move: PrefixChanged) -> None:
        old = move.old.fingerprint if move.old else None
        self.moves.append((move.config.name, old, move.new.fingerprint))


async def test_a_question_for_a_context_that_is_being_built_waits_for_it() -> None:
    """The first question after a start must not be turned away."""
    registry = FileRegistry(config("pay"))
    waiting = asyncio.ensure_future(registry.current("pay"))
    await asyncio.sleep(0)
    assert not waiting.done()
    await registry.refresh()
    assert (await waiting).pack.repositories[0].commit == "a" * 40


async def test_a_question_outwaits_a_first_attempt_that_fails() -> None:
    """A database that is back in a second must not turn away who asked in that second."""
    registry = FileRegistry(config("pay"))
    registry.sources["pay"].away = True
    waiting = asyncio.ensure_future(registry.current("pay"))
    await registry.refresh()
    await asyncio.sleep(0)
    assert not waiting.done()
    registry.sources["pay"].away = False
    await registry.refresh()
    assert (await waiting).prefix.tokens > 0


async def test_a_context_that_cannot_be_built_says_why_and_harms_no_other() -> None:
    registry = FileRegistry(config("pay"), config("web"))
    registry.sources["pay"].away = True
    for _ in range(TRIES):
        await registry.refresh()
    with pytest.raises(NotReady, match="network is away"):
        await registry.current("pay")
    assert (await registry.current("web")).prefix.tokens > 0
    registry.sources["pay"].away = False
    await registry.refresh()
    assert (await registry.current("pay")).prefix.tokens > 0


async def test_what_was_good_stays_when_the_repository_is_away() -> None:
    """Keep answering from the last good commit."""
    registry = FileRegistry(config("pay"))
    await registry.refresh()
    before = (await registry.current("pay")).prefix
    registry.sources["pay"].away = True
    await registry.refresh()
    assert (await registry.current("pay")).prefix == before


class Slow(Source):
    """A repository whose packing does not end by itself."""

    def __init__(self, config: ContextConfig) -> None:
        super().__init__(config)
        self.packing = asyncio.Event()
        self.cancelled = False

    async def pack(self, *, cold: bool = False) -> Pack:
        self.packing.set()
        never: asyncio.Future[Pack] = asyncio.get_running_loop().create_future()
        try:
            return await never
        except asyncio.CancelledError:
            # The end of a child takes a while.
            await asyncio.sleep(0)
            self.cancelled = True
            raise


async def test_a_context_that_is_taken_away_is_not_built_to_its_end() -> None:
    """Its clone would come back after it was deleted, and its prefix would be warmed."""
    library = FileRegistry()
    slow = library.sources["pay"] = Slow(config("pay"))
    library.put(config("pay"))
    building = asyncio.ensure_future(library.refresh())
    asked = asyncio.ensure_future(library.current("pay"))
    await slow.packing.wait()
    library.drop("pay")
    await library.wait_for_ends()
    assert slow.cancelled
    with pytest.raises(NotReady, match="taken away"):
        await asked
    await building
    assert library.moves == []
    assert not library.all()


async def test_a_context_that_is_replaced_while_it_is_built_is_answered_from_the_new_one() -> None:
    library = FileRegistry()
    slow = library.sources["pay"] = Slow(config("pay"))
    library.put(config("pay"))
    building = asyncio.ensure_future(library.refresh())
    asked = asyncio.ensure_future(library.current("pay"))
    await slow.packing.wait()
    changed = config("pay", instructions="Be brief.")
    library.sources["pay"] = Source(changed)
    library.put(changed)
    await library.refresh()
    current = await asked
    await building
    assert slow.cancelled
    assert [move[2] for move in library.moves] == [current.prefix.fingerprint]


async def test_an_end_of_the_refresh_itself_ends_the_building() -> None:
    library = FileRegistry()
    slow = library.sources["pay"] = Slow(config("pay"))
    library.put(config("pay"))
    building = asyncio.ensure_future(library.refresh())
    await slow.packing.wait()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert slow.cancelled


async def test_a_push_moves_the_prefix_once_and_keeps_its_key() -> None:
    registry = FileRegistry(config("pay"))
    await registry.refresh()
    first = (await registry.current("pay")).prefix
    registry.sources["pay"].commit = "b" * 40
    await registry.refresh()
    await registry.refresh()
    second = (await registry.current("pay")).prefix
    assert second.key == first.key
    assert registry.moves == [
        ("pay", None, first.fingerprint),
        ("pay", first.fingerprint, second.fingerprint),
    ]


async def test_forgetting_the_cache_changes_every_fingerprint() -> None:
    registry = FileRegistry(config("pay"))
    await registry.refresh()
    before = (await registry.current("pay")).prefix
    await registry.forget_cache("grain")
    assert (await registry.current("pay")).prefix.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://github.com/acme/pay/blob/main/a.py#L3", "pay"),
        ("https://GitHub.com/Acme/Pay", "pay"),
        ("https://github.com/acme/payments/pull/3", None),
        ("https://github.com.evil.example/acme/pay", None),
        ("https://git.example.com/team/web/-/blob/main/b.ts", "web"),
        ("not a link", None),
    ],
)
def test_a_link_means_the_context_whose_repository_it_points_into(
    link: str, name: str | None
) -> None:
    web = "https://git.example.com/team/web/-/blob/{sha}/{path}#L{start}"
    registry = FileRegistry(
        config("pay"),
        ContextConfig.model_validate(
            {"name": "web", "repositories": [{"url": "/srv/git/web", "web": web}]}
        ),
    )
    found = registry.for_link(link)
    assert (found.name if found else None) == name


async def test_a_warm_ups_reply_says_how_large_the_live_prefix_is() -> None:
    """Only of the very bytes that are live, and only where the reply came."""
    registry = FileRegistry(config("pay"))
    await registry.refresh()
    live = registry.live("pay")
    assert live is not None
    assert live.prefix is not None
    record = RequestEnded(
        at=20.0,
        request="r1",
        purpose="warm",
        prefix=live.prefix.key,
        fingerprint=live.prefix.fingerprint,
        context="pay",
        model="claude-sonnet-5-5",
        usage=Usage(input=8, write_5m=1200),
        usd=0.01,
        seconds=3.0,
        complete=True,
        started_at=1.0,
        ttl="5m",
    )
    registry.learn(replace(record, fingerprint="other"))
    registry.learn(replace(record, error="overloaded"))
    registry.learn(replace(record, purpose="question"))
    registry.learn(replace(record, context="gone"))
    assert registry.sources["pay"].learned == []
    registry.learn(record)
    assert registry.sources["pay"].learned == [(live.prefix.tokens, 1208)]


@pytest.mark.parametrize(
    ("state", "why", "told"),
    [
        (
            "warm",
            "warm: the last request wrote the entry",
            "warm: the last request wrote the entry",
        ),
        ("cold", "stay cold: a question is unlikely", "cold: a question is unlikely"),
        ("cold", "lapse: a question is unlikely", "cold: lapse: a question is unlikely"),
    ],
)
def test_a_state_is_not_told_twice(state: str, why: str, told: str) -> None:
    assert state_and_reason(state, why) == told
