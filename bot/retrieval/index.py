"""Index of one repository: kept up to date from commit to commit, and searched.

Several contexts share one index of a repository, each with a view of its own: the files that the
context shows at its commit. A view never changes. An update returns a new one that shares with the
old what a push did not touch, so a query that runs meanwhile is not disturbed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot.context.files.kinds import kind_of
from bot.context.files.select import File
from bot.context.git.repository import GitRepository
from bot.context.render.groups import group_of
from bot.context.render.references import MOST_RESOLVED, Resolver
from bot.context.render.token_estimate import Ratios
from bot.garbage_collection import set_aside
from bot.retrieval.build import Progress, build_rows
from bot.retrieval.document import Document
from bot.retrieval.excerpts import Excerpt, LinesOf, choose_excerpts
from bot.retrieval.locations import Location, PathResolver, find_locations
from bot.retrieval.ranking import (
    Corpus,
    best_files,
    favour_files,
    question_terms,
    score_chunks,
)
from bot.retrieval.row_store import RowKey, RowStore
from bot.retrieval.segment import Floats, IndexedFile, Segment, build_segment
from bot.retrieval.terms import term_id, terms

GROUP_WEIGHTS: Mapping[str, float] = {
    "documentation": 0.6,
    "top-level documentation": 0.6,
    "manifest": 0.6,
    "configuration": 0.6,
    "test": 0.8,
    "example": 0.7,
    "fixture": 0.7,
    "changelog": 0.3,
    "translation": 0.3,
    "legal text": 0.2,
}
"""Shares of the score that files of a group keep; source keeps all."""

_MOST_SEGMENTS = 12
"""Segments beyond this slow a query: those of pushes are then put together."""
_SEGMENT_FILES = 10_000
_SEGMENT_BYTES = 10_000_000
"""Files of one segment of a new view, and their bytes: more are put together in several."""
_WHOLE_SEGMENTS = 10
"""The most segments of a new view."""
_MOST_BYTES = 64_000_000
"""Memory of a view's arrays. Some 70 MB of code take as much. Of a repository that has more, the
largest files are not indexed: the tools still search and read them.
"""
_POSTING_BYTES = 42
"""Memory of a posting whose term comes once."""
_MOST_LINKS = 300
"""Files that one file is linked with: one that everything imports tells nothing of any of them."""
_WORTH_MERGING = 0.2
"""Share of files that are no more, beyond which a view is put together anew."""


MOST_QUESTION = 40_000
MOST_THREAD = 20_000
"""Characters of a question, and of the end of a thread, that are looked at."""
THREAD_WEIGHT = 0.3
"""Weight of a term that only the thread holds."""

_SETTING = re.compile(
    r"(?<![\w/.@:-])[a-z][\w-]{0,60}(?:\.[a-z][\w-]{0,60}){2,12}(?![\w(/@-])(?!\.[A-Z(])", re.ASCII
)
"""The key of a setting, `spring.datasource.url`, or the like. The name of a class has capitals."""

MoveLines = Callable[[str, LinesOf], LinesOf | None]
"""Returns where lines of a file at a commit are now; None if the commit or file is unknown."""


@dataclass(frozen=True)
class Query:
    """A question to find excerpts for.

    `thread` is earlier text of the conversation, `excluded` the files that the prompt holds in
    full, `shown` the excerpts that it holds, `tokens` the most that new excerpts may take.
    """

    question: str
    tokens: int
    thread: str = ""
    excluded: frozenset[str] = frozenset()
    shown: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, eq=False)
class View:
    """The files of one context at one commit, searchable."""

    files: Mapping[str, File]
    segments: tuple[Segment, ...]
    alive: tuple[NDArray[np.bool_], ...]
    place: Mapping[str, tuple[int, int]] = field(repr=False)
    """Segment and number of each file."""
    references: Mapping[str, tuple[str, ...]] = field(repr=False)
    built: int = 1
    """The first segments, which were built together; the others came with pushes."""

    def __repr__(self) -> str:
        return f"<View of {len(self.files)} files in {len(self.segments)} segments>"

    @property
    def nbytes(self) -> int:
        """Return the memory of the arrays in bytes."""
        return sum(segment.nbytes for segment in self.segments)

    @cached_property
    def links(self) -> Links:
        """Return the files that each file imports or is imported by."""
        return Links.of(self.references)

    @cached_property
    def corpus(self) -> Corpus:
        return Corpus(self.segments, self.alive, self.links.by_path)

    @cached_property
    def resolver(self) -> PathResolver:
        return PathResolver(self.files)

    def search(self, query: Query, move: MoveLines | None = None) -> list[Excerpt]:
        """Return excerpts for a question, the best file first. Safe in any thread.

        `move` tells where lines of an earlier commit are now; without it, a link to a commit is
        read as one to ours.
        """
        return self.match(query.question, query.thread, move).choose(
            query.tokens, query.excluded, query.shown
        )

    def match(
        self,
        question: str,
        thread: str = "",
        move: MoveLines | None = None,
        others: Collection[str] = (),
    ) -> Matches:
        """Score every chunk for a question and the thread before it.

        `others` are the names of the context's other repositories: their places are none of ours.
        """
        shares = self._shares_with_settings() if _SETTING.search(question[:MOST_QUESTION]) else None
        scores = score_chunks(self.corpus, _weigh_terms(question, thread), shares=shares)
        named: list[LinesOf] = []
        files: list[str] = []
        for location in find_locations(f"{question}\n{thread}", self.resolver.resolve):
            is_ours = location.project is None and location.path in self.files
            if not is_ours and location.is_in_one_of(others):
                continue
            for path, lines in self._resolve(location, move):
                if lines is None:
                    files.append(path)
                else:
                    named.append(lines)
        return Matches(self.corpus, favour_files(self.corpus, scores, files), named)

    def _shares_with_settings(self) -> Floats:
        """Return the shares of the score for a question about a setting: all of it for data."""
        shares = self.corpus.weight.copy()
        for number in np.flatnonzero(shares == np.float32(GROUP_WEIGHTS["configuration"])):
            if kind_of(self.corpus.path(int(number))) == "data":
                shares[number] = 1.0
        return shares

    def defining_files(self, name: str, limit: int) -> list[str]:
        """Return the files that define a name, those of the highest weight first."""
        found: dict[str, float] = {}
        for term in list(terms(name))[-1:]:
            for path, weight in self.corpus.defining(term_id(term)):
                found[path] = max(weight, found.get(path, 0.0))
        return sorted(found, key=lambda path: (-found[path], path))[:limit]

    def _resolve(
        self, location: Location, move: MoveLines | None
    ) -> Iterator[tuple[str, LinesOf | None]]:
        """Yield the files that a location means, with its lines in our commit if it has any."""
        if location.first is None or location.last is None:
            yield from ((path, None) for path in self.resolver.resolve(location.path))
            return
        lines = LinesOf(location.path, location.first, location.last)
        if move is not None and location.ref is not None and location.is_at_commit:
            moved = move(location.ref, lines)
            if moved is not None and moved.path in self.files:
                yield moved.path, moved
                return
        for path in self.resolver.resolve(location.path):
            yield path, lines._replace(path=path)


@dataclass(frozen=True, eq=False)
class Matches:
    """The chunks of a view as a question ranks them, and the lines that it names."""

    corpus: Corpus
    scores: Floats
    named: Sequence[LinesOf]

    def __repr__(self) -> str:
        return f"<Matches in {self.corpus!r}>"

    def choose(
        self,
        tokens: int,
        excluded: Set[str] = frozenset(),
        shown: Sequence[Excerpt] = (),
    ) -> list[Excerpt]:
        """Return excerpts of at most so many tokens, the best file first."""
        return choose_excerpts(self.corpus, self.scores, tokens, excluded, shown, self.named)

    def files(self, count: int) -> list[tuple[str, float]]:
        """Return the paths of the best files and their scores."""
        found = best_files(self.corpus, self.scores, count)
        return [(self.corpus.path(file), score) for file, score in found]


def _weigh_terms(question: str, thread: str) -> dict[int, float]:
    wanted = question_terms(question[:MOST_QUESTION])
    for term, weight in question_terms(thread[-MOST_THREAD:]).items():
        wanted.setdefault(term, weight * THREAD_WEIGHT)
    return wanted


@dataclass(frozen=True, eq=False)
class Links:
    """The files that each file imports or is imported by."""

    resolver: Resolver
    by_path: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, references: Mapping[str, Sequence[str]]) -> Links:
        """Resolve all references: about 20 microseconds each."""
        return cls(Resolver(references), {}).with_files(references)

    def with_files(self, references: Mapping[str, Sequence[str]]) -> Links:
        """Return the links with those of some files added.

        Links that a push has taken away stay until all are resolved anew, and files that it has
        added are found by those that changed with it: both matter little to a ranking, and a push
        must not cost a second.
        """
        added: dict[str, set[str]] = {}
        pairs = (
            (path, target)
            for path, wanted in references.items()
            for reference in wanted
            for target in self.resolver.resolve(path, reference)
        )
        for path, target in islice(pairs, MOST_RESOLVED):
            for one, other in ((path, target), (target, path)):
                own = added.setdefault(one, set())
                if len(own) < _MOST_LINKS:
                    own.add(other)
        by_path = dict(self.by_path)
        for path, linked in added.items():
            both = sorted(linked.union(by_path.get(path, ())) - {path})
            by_path[path] = both[:_MOST_LINKS]
        return Links(self.resolver, by_path)


class RepositoryIndex:
    """Index of one repository. Every method blocks and is meant for a thread.

    `path` is the file that keeps it, None for memory alone. `ratios` are bytes per token by kind of
    file.
    """

    def __init__(self, repository: GitRepository, path: Path | None, ratios: Ratios) -> None:
        self._repository = repository
        self._path = path
        self._ratios = ratios
        self._store: RowStore | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<RepositoryIndex of {self._repository.name}>"

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def update(
        self,
        files: Mapping[str, File],
        last: View | None = None,
        progress: Progress | None = None,
    ) -> View:
        """Return a view of these files. `last` is an earlier view to start from.

        Raises:
            RepositoryError: the repository cannot be read.
        """
        with self._lock:
            if self._store is None:
                self._store = RowStore(self._path)
            return self._update(self._store, files, last, progress)

    def _update(
        self,
        store: RowStore,
        files: Mapping[str, File],
        last: View | None,
        progress: Progress | None,
    ) -> View:
        known = last.files if last is not None else {}
        changed = [file for path, file in files.items() if known.get(path) != file]
        gone = [path for path in known if path not in files]
        if last is not None and not changed and not gone:
            return last
        if last is None or self._is_worn(last, changed, gone):
            return self._build_view(store, files, progress)
        if len(last.segments) >= _MOST_SEGMENTS:
            last = self._gathered(store, last)
        documents = self._documents(store, changed, len(files), progress)
        return self._advanced(last, files, documents, gone)

    @staticmethod
    def _is_worn(last: View, changed: Sequence[File], gone: Sequence[str]) -> bool:
        dead = sum(int((~alive).sum()) for alive in last.alive) + len(gone)
        most = _WORTH_MERGING * max(100, len(last.files))
        return dead > most or len(changed) > most

    def _documents(
        self, store: RowStore, files: Iterable[File], live: int, progress: Progress | None
    ) -> dict[str, Document]:
        """Return the entry of each file, from the store or computed."""
        by_key = {_key(file): file for file in files}
        documents = _loaded(store.load(by_key))
        missing = [file for file in by_key.values() if file.path not in documents]
        rows = build_rows(self._repository, missing, progress)
        fresh = {_key(file): row for file, row in rows}
        documents |= _loaded(fresh)
        if fresh:
            store.save(fresh, live)
        return documents

    def _segment(self, files: Iterable[File], documents: Mapping[str, Document]) -> Segment:
        return build_segment(
            [
                IndexedFile(
                    file.path,
                    documents[file.path],
                    GROUP_WEIGHTS.get(group_of(file), 1.0),
                    self._ratios[file.kind],
                )
                for file in files
            ]
        )

    def _build_view(
        self, store: RowStore, files: Mapping[str, File], progress: Progress | None
    ) -> View:
        """Build all segments anew. One of them at a time has its entries in memory."""
        segments: list[Segment] = []
        place: dict[str, tuple[int, int]] = {}
        references: dict[str, tuple[str, ...]] = {}
        room = _MOST_BYTES
        for part in _parts(list(files.values())):
            documents = _within(room, self._documents(store, part, len(files), progress))
            chosen = [file for file in part if file.path in documents]
            segment = self._segment(chosen, documents)
            place.update({path: (len(segments), at) for at, path in enumerate(segment.paths)})
            references.update({file.path: documents[file.path].references for file in chosen})
            segments.append(segment)
            room -= segment.nbytes
            if len(chosen) < len(part) or len(segments) == _WHOLE_SEGMENTS:
                break
        alive = tuple(np.ones(len(segment.paths), np.bool_) for segment in segments)
        return View(dict(files), tuple(segments), alive, place, references, len(segments))

    def _gathered(self, store: RowStore, last: View) -> View:
        """Put the segments of pushes together. The others, with most of the files, stay."""
        kept = last.built
        files = {path: last.files[path] for path, at in last.place.items() if at[0] >= kept}
        documents = self._documents(store, files.values(), len(last.files), None)
        pushed = self._segment(files.values(), documents)
        place = {path: at for path, at in last.place.items() if at[0] < kept}
        place.update({path: (kept, at) for at, path in enumerate(pushed.paths)})
        alive = (*last.alive[:kept], np.ones(len(pushed.paths), np.bool_))
        segments = (*last.segments[:kept], pushed)
        view = replace(last, segments=segments, alive=alive, place=place)
        if "links" in vars(last):
            vars(view)["links"] = last.links
        return view

    def _advanced(
        self,
        last: View,
        files: Mapping[str, File],
        documents: Mapping[str, Document],
        gone: Sequence[str],
    ) -> View:
        alive = [mask.copy() for mask in last.alive]
        place, references = dict(last.place), dict(last.references)
        for path in (*gone, *documents):
            references.pop(path, None)
            if path in place:
                segment, number = place.pop(path)
                alive[segment][number] = False
        segments = list(last.segments)
        used = sum(segment.nbytes for segment in segments)
        documents = _within(_MOST_BYTES - used, documents)
        if documents:
            added = self._segment([files[path] for path in documents], documents)
            place.update({path: (len(segments), at) for at, path in enumerate(added.paths)})
            references.update({path: document.references for path, document in documents.items()})
            segments.append(added)
            alive.append(np.ones(len(added.paths), np.bool_))
        view = View(dict(files), tuple(segments), tuple(alive), place, references, last.built)
        if "links" in vars(last):
            changed = {path: document.references for path, document in documents.items()}
            vars(view)["links"] = last.links.with_files(changed)
        return view


def _parts(files: list[File]) -> Iterator[list[File]]:
    """Yield the files of each segment of a new view; the smallest files first if they are many."""
    size = sum(file.size for file in files)
    most_files = max(_SEGMENT_FILES, -(-len(files) // _WHOLE_SEGMENTS))
    most_bytes = _SEGMENT_BYTES
    if size > most_bytes:
        files.sort(key=lambda file: (file.size, file.path))
    part: list[File] = []
    left = most_bytes
    for file in files:
        if part and (len(part) == most_files or file.size > left):
            yield part
            part, left = [], most_bytes
        part.append(file)
        left -= file.size
    yield part


def _within(room: int, documents: Mapping[str, Document]) -> Mapping[str, Document]:
    """Return the documents, or the smallest of them that surely take so many bytes of memory."""
    room //= _POSTING_BYTES
    if sum(len(document.term) for document in documents.values()) <= room:
        return documents
    kept: dict[str, Document] = {}
    for path, document in sorted(documents.items(), key=lambda item: len(item[1].term)):
        room -= len(document.term)
        if room < 0:
            break
        kept[path] = document
    return kept


def _loaded(rows: Mapping[RowKey, bytes]) -> dict[str, Document]:
    """Return the entries by path. A damaged row is left out, so it is computed again.

    Entries hold a million objects. A garbage collection would stop the event loop to look at them.
    """
    documents: dict[str, Document] = {}
    with set_aside():
        for key, row in rows.items():
            with suppress(ValueError):
                documents[key.path] = Document.load(row)
    return documents


def _key(file: File) -> RowKey:
    return RowKey(file.oid, file.path, crc32(repr(file.spans).encode()) if file.spans else 0)
