"""The contexts as they live: each with its code base, its current pack and its current prefix.

A context that cannot be built keeps its problem and is tried again at the next round; the others
are unharmed. A question for a context that is still being built waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bot.claude.events import RequestEnded
from bot.claude.prefix import Prefix
from bot.context.codebase import Codebase, Stale
from bot.context.config.load import ContextConfig, RepositoryConfig
from bot.context.pack import Pack, Snapshot
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)


class NotReady(ForewarmError):
    """A context cannot be answered from now. `problem` is why, for people."""

    def __init__(self, name: str, problem: str, for_askers: str | None = None) -> None:
        begun = f"I can't answer about {name} at the moment"
        super().__init__(f"{begun}: {problem}", asker_message=f"{begun}: {for_askers or problem}")
        self.name = name
        self.problem = problem


_FAULT = "packing it met a fault of Forewarm itself; the log has the details"

TRIES = 3
"""Attempts to build a context at start before questions are told that it cannot be built."""


@dataclass(slots=True)
class ContextState:
    """One context, alive. `prefix` is what warm-ups and questions are made from right now.

    `failures` counts attempts to build it since the last that succeeded. `stale` are the
    repositories whose newest fetch failed. `update` is the work under way that brings it up to
    date; it ends with the context.
    """

    config: ContextConfig
    source: Codebase
    pack: Pack | None = None
    prefix: Prefix | None = None
    snapshot: Snapshot | None = None
    problem: str | None = None
    failures: int = 0
    stale: dict[str, Stale] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    update: asyncio.Future[None] | None = None
    is_dropped: bool = False

    def __repr__(self) -> str:
        state = repr(self.prefix) if self.prefix else (self.problem or "being built")
        return f"<ContextState {self.config.name}: {state}>"


@dataclass(frozen=True, slots=True)
class Current:
    """One prefix and the files at the very same commit: an answer is made from both."""

    prefix: Prefix
    pack: Pack
    snapshot: Snapshot


class OpenSource(Protocol):
    """Opens the code of a context. `by_operator`: an operator names its addresses now."""

    def __call__(self, config: ContextConfig, *, by_operator: bool = False) -> Codebase: ...


BuildPrefix = Callable[[ContextConfig, Pack, str], Awaitable[Prefix]]
"""Makes a context's prefix from its pack and the salt of the installation."""


@dataclass(frozen=True, slots=True)
class PrefixChanged:
    """A context's prefix has changed. `old` is None for the first; `seconds` is what it took."""

    config: ContextConfig
    pack: Pack
    old: Prefix | None
    new: Prefix
    seconds: float


@dataclass(slots=True)
class _Contents:
    """The state that a registry and its views of single workspaces share."""

    salt: str
    lives: dict[str, ContextState] = field(default_factory=dict)
    moved: list[Callable[[PrefixChanged], None]] = field(default_factory=list)
    packed: list[Callable[[str, Codebase], None]] = field(default_factory=list)
    ending: set[asyncio.Future[None]] = field(default_factory=set)


class ContextRegistry:
    """Every context of the installation. Implements `bot.slack.interfaces.Contexts`.

    A view (`of`) has the contexts of one workspace alone.
    """

    def __init__(
        self,
        open_source: OpenSource,
        build: BuildPrefix,
        *,
        salt: str = "",
    ) -> None:
        self._open = open_source
        self._build = build
        self._contents = _Contents(salt)
        self._workspace: str | None = None

    def of(self, workspace: str) -> ContextRegistry:
        """Return a view that has only the contexts of a workspace."""
        view = copy(self)
        view._workspace = workspace
        return view

    def subscribe(self, subscriber: Callable[[PrefixChanged], None]) -> None:
        """Call `subscriber` with every prefix that is built or moves from now on."""
        self._contents.moved.append(subscriber)

    def subscribe_packs(self, subscriber: Callable[[str, Codebase], None]) -> None:
        """Call `subscriber` with a context's name and its code after every pack from now on."""
        self._contents.packed.append(subscriber)

    # --- what the Slack edge asks ---------------------------------------------------------------

    def all(self) -> Sequence[ContextConfig]:
        return [live.config for live in self.lives()]

    def named(self, name: str) -> ContextConfig | None:
        live = self.live(name)
        return live.config if live else None

    def for_channel(self, channel: str) -> ContextConfig | None:
        return next((c for c in self.all() if channel in c.channels), None)

    def for_link(self, url: str) -> ContextConfig | None:
        """Return the context with the repository that a link points into, the longest match."""
        best: tuple[int, ContextConfig] | None = None
        for config in self.all():
            for repository in config.repositories:
                place = _repository_path(repository)
                if place and _points_into(url, place) and (best is None or len(place) > best[0]):
                    best = (len(place), config)
        return best[1] if best else None

    def learn(self, record: RequestEnded) -> None:
        """Compare a warm-up's token count with the estimate for the live prefix."""
        if record.purpose != "warm" or record.error:
            return
        live = self.live(record.context)
        prefix = live.prefix if live is not None else None
        if live is not None and prefix is not None and prefix.fingerprint == record.fingerprint:
            live.source.learn(prefix.tokens, record.usage.total_input)

    # --- building -------------------------------------------------------------------------------

    def put(self, config: ContextConfig) -> None:
        """Add a context or replace the one of its name; it is built at the next refresh."""
        known = self._contents.lives.get(config.name)
        if known is None or known.config != config:
            if known is not None:
                self._end(known)
            self._contents.lives[config.name] = ContextState(config, self._open(config))

    def drop(self, name: str) -> None:
        """Take a context away; a build that is under way is cancelled."""
        live = self.live(name)
        if live is not None:
            del self._contents.lives[name]
            self._end(live)

    def _end(self, live: ContextState) -> None:
        """End the work on a context that is not used any more, and wake those who wait for it."""
        live.is_dropped = True
        live.ready.set()
        if live.update is not None and not live.update.done():
            live.update.cancel()
            self._contents.ending.add(live.update)
            live.update.add_done_callback(self._contents.ending.discard)

    async def wait_for_ends(self) -> None:
        """Return when nothing works any more on contexts that were taken away or replaced."""
        if self._contents.ending:
            await asyncio.wait(tuple(self._contents.ending))

    def live(self, name: str) -> ContextState | None:
        found = self._contents.lives.get(name)
        return found if found is not None and self._holds(found) else None

    def lives(self) -> Iterable[ContextState]:
        return tuple(live for live in self._contents.lives.values() if self._holds(live))

    def _holds(self, live: ContextState) -> bool:
        return self._workspace in (None, live.config.workspace)

    async def refresh(self, names: Sequence[str] | None = None) -> None:
        """Sync, pack and build the contexts (all by default), beside each other."""
        wanted = [live for live in self.lives() if names is None or live.config.name in names]
        await asyncio.gather(*(self._refresh(live) for live in wanted))

    @property
    def complete(self) -> bool:
        """Whether every context can be answered from."""
        return all(live.prefix is not None for live in self.lives())

    async def _refresh(self, live: ContextState) -> None:
        async with live.lock:
            if live.is_dropped:
                return
            # Work of its own: what takes the context away cancels it, and not its caller.
            live.update = asyncio.ensure_future(self._update(live))
            try:
                await asyncio.wait([live.update])
            finally:
                live.update.cancel()
                await asyncio.wait([live.update])

    async def _update(self, live: ContextState) -> None:
        began = asyncio.get_running_loop().time()
        try:
            moved = await live.source.sync()
            if _has_news_of_fetches(live) or moved or live.pack is None or live.prefix is None:
                live.pack = await live.source.pack()
                live.snapshot = live.source.snapshot()
                for packed in self._contents.packed:
                    packed(live.config.name, live.source)
                await self._rebuild(live, began)
            live.problem, live.failures = None, 0
            live.ready.set()
        except ForewarmError as error:
            _note_failure(live, error.user_message)
            log.warning("context_not_refreshed", context=live.config.name, why=str(error))
        except Exception:
            # A fault of ours in one repository must not end the work on all the others.
            _note_failure(live, _FAULT)
            log.exception("context_refresh_crashed", context=live.config.name)

    async def _rebuild(self, live: ContextState, began: float) -> None:
        assert live.pack is not None
        old = live.prefix
        live.prefix = await self._build(live.config, live.pack, self._contents.salt)
        if old is None or old.fingerprint != live.prefix.fingerprint:
            seconds = asyncio.get_running_loop().time() - began
            change = PrefixChanged(live.config, live.pack, old, live.prefix, seconds)
            for subscriber in self._contents.moved:
                subscriber(change)

    async def forget_cache(self, salt: str) -> None:
        """Give every prefix a new salt: nothing that Claude has cached is read again."""
        self._contents.salt = salt
        for live in self.lives():
            async with live.lock:
                if live.pack is not None:
                    await self._rebuild(live, asyncio.get_running_loop().time())

    async def try_out(self, config: ContextConfig, *, by_operator: bool = False) -> Current:
        """Build a context without using it. Raises a `ForewarmError` if it cannot be built."""
        source = self._open(config, by_operator=by_operator)
        await source.sync()
        pack = await source.pack()
        prefix = await self._build(config, pack, self._contents.salt)
        return Current(prefix, pack, source.snapshot())

    async def current(self, name: str) -> Current:
        """Return the prefix and files to answer from. Raises `NotReady` if there are none."""
        live = self.live(name)
        if live is None:
            raise NotReady(name, "it has been taken away.")
        await live.ready.wait()
        if live.is_dropped:
            return await self.current(name)
        if live.prefix is None or live.pack is None or live.snapshot is None:
            if live.problem:
                raise NotReady(
                    name, live.problem, "its code cannot be read. The operators see why."
                )
            raise NotReady(name, "it is still being built; ask again in a minute.")
        return Current(live.prefix, live.pack, live.snapshot)


def _note_failure(live: ContextState, problem: str) -> None:
    """Keep the problem; after some tries, questions are told of it instead of waiting."""
    live.problem, live.failures = problem, live.failures + 1
    if live.prefix is not None or live.failures >= TRIES:
        live.ready.set()


def _has_news_of_fetches(live: ContextState) -> bool:
    """Tell whether a repository has become stale, or can be fetched again; log it."""
    before, live.stale = live.stale, live.source.stale()
    for name in live.stale.keys() - before.keys():
        why = live.stale[name].reason
        log.warning("context_stale", context=live.config.name, repository=name, why=why)
    for name in before.keys() - live.stale.keys():
        log.info("context_fetched_again", context=live.config.name, repository=name)
    return live.stale != before


def _repository_path(repository: RepositoryConfig) -> str | None:
    """Return `host/owner/name`, in lower case, of a repository that has a web page."""
    if repository.web is not None:
        # Permalinks of every known host name the repository first: /blob/, /-/blob/, /src/.
        page = repository.web.split("{", 1)[0]
        for mark in ("/-/", "/blob/", "/src/"):
            page = page.split(mark, 1)[0]
        return page.removeprefix("https://").strip("/").lower()
    address = repository.address
    return None if address.scheme == "local" else address.identity


def _points_into(link: str, place: str) -> bool:
    bare = link.split("://", 1)[-1].lower()
    return bare == place or bare.startswith((place + "/", place + "?", place + "#"))
