"""Keeps an index of every context's repositories, and finds excerpts for questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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

log = structlog.get_logger(__name__)

FIND_SECONDS = 0.5
"""The longest that a question waits for its excerpts. Then it is answered without."""
PLACES_TOKENS = 3_000
"""Tokens of the places that a reply without Claude is chosen from."""


class _StoppedError(ForewarmError):
    """The bot stops while an index is being built."""


class ExcerptSearch:
    """Finds excerpts in the repositories of every context. Implements `ExcerptSource`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._indexes: dict[Path, RepositoryIndex] = {}
        self._views: dict[tuple[str, str], View] = {}
        self._searches: dict[str, tuple[tuple[str, ...], ContextSearch]] = {}
        self._sizes: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        # Threads of their own: neither a look-up nor a build keeps a question waiting.
        self._finding = ThreadPoolExecutor(2, "excerpts")
        self._building = ThreadPoolExecutor(1, "index")

    def __repr__(self) -> str:
        return f"<ExcerptSearch of {len(self._searches)} contexts>"

    def packed(self, context: str, codebase: object) -> None:
        """Bring a context's index to the commits of its new pack, in the background."""
        if isinstance(codebase, Codebase):
            self._sizes[context] = codebase.excerpt_tokens
            task = asyncio.ensure_future(self._follow(context, codebase))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def drop(self, context: str) -> None:
        """Forget a context that is gone."""
        self._searches.pop(context, None)
        for key in [key for key in self._views if key[0] == context]:
            del self._views[key]

    async def close(self) -> None:
        """Stop what is being built; what is built already is kept for the next start."""
        self._stopping = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for index in self._indexes.values():
            index.close()
        self._finding.shutdown(wait=False, cancel_futures=True)
        self._building.shutdown(wait=False, cancel_futures=True)

    async def find(self, pack: Pack, wanted: WantedExcerpts, most_tokens: int) -> Excerpts:
        """Return excerpts for a question; none if the index is not at the pack's commits."""
        search = self.index(wanted.context, pack)
        tokens = min(most_tokens, self._sizes.get(wanted.context, 0))
        if search is None or not search.is_needed or tokens <= 0:
            return Excerpts()
        found = await self._run(search.find, wanted.question, wanted.thread, tokens, wanted.sent)
        return Excerpts(render_excerpts(found), len(found))

    def index(self, context: str, pack: Pack) -> ContextSearch | None:
        """Return the index of the pack's commits, None if it is not built yet."""
        commits, search = self._searches.get(context, ((), None))
        return search if commits == tuple(state.commit for state in pack.repositories) else None

    async def places(self, context: str, question: str) -> Sequence[FoundExcerpt]:
        """Return the places that fit a question best, for a reply without Claude."""
        _, search = self._searches.get(context, ((), None))
        if search is None:
            return ()
        return await self._run(search.places, question, "", PLACES_TOKENS)

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

    async def _follow(self, context: str, codebase: Codebase) -> None:
        async with self._locks.setdefault(context, asyncio.Lock()):
            loop = asyncio.get_running_loop()
            try:
                commits, search = await loop.run_in_executor(
                    self._building, self._build, context, codebase
                )
            except ForewarmError as error:
                log.warning("retrieval_index_failed", context=context, why=error.user_message)
                return
            self._searches[context] = (commits, search)

    def _build(self, context: str, codebase: Codebase) -> tuple[tuple[str, ...], ContextSearch]:
        parts: list[Searchable] = []
        for source, member in codebase.members():
            found, shown = member.standing.survey, frozenset(member.standing.shown)
            index = self._index(source.repository, codebase.estimator.ratios)
            key = (context, found.rules.name)
            view = index.update(found.files, self._views.get(key), self._check)
            # The work of a first query is done here.
            _ = view.corpus, view.resolver
            self._views[key] = view
            complete = len(shown) == len(found.files)
            parts.append(
                Searchable(source.repository, found, shown, complete, view, codebase.reader)
            )
        return tuple(part.survey.commit for part in parts), ContextSearch(parts)

    def _check(self, done: int, total: int) -> None:
        """Stop a build that has no use any more: a thread cannot be killed."""
        if self._stopping:
            raise _StoppedError("The bot is stopping, so the index was not built.")

    def _index(self, repository: GitRepository, ratios: Ratios) -> RepositoryIndex:
        git_dir = repository.git_dir
        if git_dir not in self._indexes:
            clones = git_dir.parent
            own = clones.name if clones.parent.name == REPOSITORIES else ""
            path = self._home / INDEXES / own / f"{git_dir.stem}.db"
            self._indexes[git_dir] = RepositoryIndex(repository, path, ratios)
        return self._indexes[git_dir]
