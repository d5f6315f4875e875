"""Keeps an index of every context's repositories, and finds excerpts for questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bot.answer.interfaces import Excerpts, WantedExcerpts
from bot.app.home_folder import INDEXES, REPOSITORIES
from bot.context.codebase import Codebase
from bot.context.git.repository import GitRepository
from bot.context.pack import Pack
from bot.context.render.token_estimate import Ratios
from bot.errors import ForewarmError
from bot.retrieval.index import RepositoryIndex, View
from bot.retrieval.search import ContextSearch, FoundExcerpt, Searchable, render_excerpts
from bot.tasks import Tasks

log = structlog.get_logger(__name__)

FIND_SECONDS = 0.5
"""The longest that a question waits for its excerpts. Then it is answered without."""
PLACES_TOKENS = 3_000
"""Tokens of the places that a reply without Claude is chosen from."""


class _StoppedError(ForewarmError):
    """The index that is being built has no use any more."""


@dataclass(slots=True, eq=False)
class _ContextIndex:
    """The index of one context: the views of its repositories, and the search over them.

    `found` are the commits and the search over them, which change together. `git_dirs` are the
    clones that are indexed.
    """

    tokens: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    git_dirs: frozenset[Path] = frozenset()
    views: dict[str, View] = field(default_factory=dict)
    found: tuple[tuple[str, ...], ContextSearch | None] = ((), None)
    is_dropped: bool = False


class ExcerptSearch:
    """Finds excerpts in the repositories of every context. Implements `ExcerptSource`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._tasks, self._ending = Tasks(), Tasks()
        self._stopping = False
        self._indexes: dict[Path, RepositoryIndex] = {}
        self._contexts: dict[str, _ContextIndex] = {}
        # Threads of their own: neither a look-up nor a build keeps a question waiting.
        self._finding = ThreadPoolExecutor(2, "excerpts")
        self._building = ThreadPoolExecutor(1, "index")

    def __repr__(self) -> str:
        return f"<ExcerptSearch of {len(self._contexts)} contexts>"

    def packed(self, context: str, codebase: object) -> None:
        """Bring a context's index to the commits of its new pack, in the background."""
        if isinstance(codebase, Codebase):
            held = self._contexts.setdefault(context, _ContextIndex())
            held.tokens = codebase.excerpt_tokens
            self._tasks.start(self._follow(context, held, codebase))

    def drop(self, context: str) -> None:
        """Forget a context that is gone, and stop what is being built of it."""
        held = self._contexts.pop(context, None)
        if held is not None:
            held.is_dropped = True
            self._ending.start(self._release(held))

    async def wait_for_ends(self) -> None:
        """Return when no index of a context that is gone is open or being built."""
        await self._ending.drain()

    async def close(self) -> None:
        """Stop what is being built; what is built already is kept for the next start."""
        self._stopping = True
        await self._tasks.drain()
        await self._ending.drain()
        for index in self._indexes.values():
            index.close()
        self._finding.shutdown(wait=False, cancel_futures=True)
        self._building.shutdown(wait=False, cancel_futures=True)

    async def find(self, pack: Pack, wanted: WantedExcerpts, most_tokens: int) -> Excerpts:
        """Return excerpts for a question; none if the index is not at the pack's commits."""
        held = self._contexts.get(wanted.context)
        search = self.index(wanted.context, pack)
        tokens = 0 if held is None else min(most_tokens, held.tokens)
        if search is None or not search.is_needed or tokens <= 0:
            return Excerpts()
        found = await self._run(search.find, wanted.question, wanted.thread, tokens, wanted.sent)
        return Excerpts(render_excerpts(found), len(found))

    def index(self, context: str, pack: Pack) -> ContextSearch | None:
        """Return the index of the pack's commits, None if it is not built yet."""
        commits, search = self._found(context)
        return search if commits == tuple(one.commit for one in pack.repositories) else None

    async def places(self, context: str, question: str) -> Sequence[FoundExcerpt]:
        """Return the places that fit a question best, for a reply without Claude."""
        _, search = self._found(context)
        if search is None:
            return ()
        return await self._run(search.places, question, "", PLACES_TOKENS)

    def _found(self, context: str) -> tuple[tuple[str, ...], ContextSearch | None]:
        held = self._contexts.get(context)
        return ((), None) if held is None else held.found

    async def _run(
        self, find: Callable[..., list[FoundExcerpt]], *arguments: object
    ) -> list[FoundExcerpt]:
        running = asyncio.get_running_loop().run_in_executor(self._finding, find, *arguments)
        try:
            return await asyncio.wait_for(running, FIND_SECONDS)
        except TimeoutError:
            log.warning("excerpts_late", seconds=FIND_SECONDS)
        except ForewarmError as error:
            log.warning("excerpts_not_found", why=error.user_message)
        return []

    # --- the index -------------------------------------------------------------------------------

    async def _follow(self, context: str, held: _ContextIndex, codebase: Codebase) -> None:
        async with held.lock:
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._building, self._build, held, codebase)
            except _StoppedError:
                log.info("retrieval_index_stopped", context=context)
            except ForewarmError as error:
                log.warning("retrieval_index_failed", context=context, why=error.user_message)

    async def _release(self, held: _ContextIndex) -> None:
        """Close the indexes that no other context uses, once nothing builds them any more.

        Their files may be deleted afterwards: an open file would be written anew.
        """
        async with held.lock:
            others = {one for other in self._contexts.values() for one in other.git_dirs}
            for git_dir in held.git_dirs - others:
                index = self._indexes.pop(git_dir, None)
                if index is not None:
                    loop = asyncio.get_running_loop()
                    await loop.run_in_executor(self._building, index.close)

    def _build(self, held: _ContextIndex, codebase: Codebase) -> None:
        """Build the views of a context and its search, in a thread."""

        def check(done: int = 0, total: int = 0) -> None:
            # A thread cannot be cancelled.
            if self._stopping or held.is_dropped:
                raise _StoppedError("The index is not needed any more, so it was not built.")

        check()
        members = codebase.members()
        held.git_dirs = frozenset(source.repository.git_dir for source, _ in members)
        parts: list[Searchable] = []
        views: dict[str, View] = {}
        for source, member in members:
            found, shown = member.standing.survey, frozenset(member.standing.shown)
            name, index = (
                found.rules.name,
                self._index(source.repository, codebase.estimator.ratios),
            )
            view = index.update(found.files, held.views.get(name), check)
            # The work of a first query is done here.
            _ = view.corpus, view.resolver
            views[name] = view
            complete = len(shown) == len(found.files)
            parts.append(
                Searchable(source.repository, found, shown, complete, view, codebase.reader)
            )
        check()
        held.views = views
        held.found = tuple(part.survey.commit for part in parts), ContextSearch(parts)

    def _index(self, repository: GitRepository, ratios: Ratios) -> RepositoryIndex:
        git_dir = repository.git_dir
        if git_dir not in self._indexes:
            clones = git_dir.parent
            own = clones.name if clones.parent.name == REPOSITORIES else ""
            path = self._home / INDEXES / own / f"{git_dir.stem}.db"
            self._indexes[git_dir] = RepositoryIndex(repository, path, ratios)
        return self._indexes[git_dir]
