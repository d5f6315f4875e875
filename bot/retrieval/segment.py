"""Inverted index of a set of files, in arrays. Pure and immutable.

NumPy arrays score a query's postings in microseconds a term. They also take about six bytes per
posting in memory, so a repository of ten million tokens fits into tens of megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.retrieval.document import Counts, Document, Ids, Ints, path_terms
from bot.retrieval.terms import term_id

Floats = NDArray[np.float32]
Item = TypeVar("Item", bound=np.generic)

DEFINED_WEIGHT = 4.0
"""Occurrences in the text that one occurrence in a defined name counts for."""


class Postings(NamedTuple):
    """Postings of one term: `place` holds chunks or files, the others count by place."""

    place: Ints
    body: Counts
    defined: Counts
    path: Counts


@dataclass(frozen=True, eq=False)
class Table:
    """Postings of all terms, by term id and place."""

    vocabulary: Ids
    starts: NDArray[np.int64]
    place: Ints
    body: Counts
    defined: Counts
    path: Counts

    @classmethod
    def build(cls, term: Ids, place: Ints, *counts: Counts) -> Table:
        """Sort postings by term and place; those of the same term and place are added up."""
        if not len(term):
            empty = np.empty(0, dtype=np.uint8)
            starts = np.zeros(1, dtype=np.int64)
            return cls(np.empty(0, np.uint32), starts, np.empty(0, np.int32), empty, empty, empty)
        key = (term.astype(np.uint64) << np.uint64(32)) | place.astype(np.uint64)
        order = np.argsort(key, kind="stable")
        key = key[order]
        firsts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        merged = [
            np.minimum(np.add.reduceat(count[order].astype(np.int32), firsts), 255).astype(np.uint8)
            for count in counts
        ]
        key = key[firsts]
        vocabulary, starts = np.unique((key >> np.uint64(32)).astype(np.uint32), return_index=True)
        places = (key & np.uint64(0xFFFFFFFF)).astype(np.int32)
        return cls(vocabulary, np.append(starts, len(key)).astype(np.int64), places, *merged)

    def find(self, term: int) -> Postings | None:
        """Return a term's postings, or None if no place holds it."""
        at = int(np.searchsorted(self.vocabulary, np.uint32(term)))
        if at == len(self.vocabulary) or self.vocabulary[at] != term:
            return None
        span = slice(self.starts[at], self.starts[at + 1])
        return Postings(self.place[span], self.body[span], self.defined[span], self.path[span])

    @property
    def nbytes(self) -> int:
        arrays = (self.vocabulary, self.starts, self.place, self.body, self.defined, self.path)
        return sum(array.nbytes for array in arrays)


class IndexedFile(NamedTuple):
    """A file to index. `weight` is the share of its score that its group keeps.

    `ratio` is the bytes that make one token in it.
    """

    path: str
    document: Document
    weight: float
    ratio: float


@dataclass(frozen=True, eq=False)
class Segment:
    """Some files of a repository. Chunks and files are numbered from 0 within the segment."""

    paths: tuple[str, ...]
    lines: Ints
    weight: Floats
    file_of: Ints
    first: Ints
    last: Ints
    tokens: Floats
    length: Floats
    file_length: Floats
    chunks: Table
    files: Table
    by_chunk: Ints
    """Positions of `chunks`, ordered by chunk."""
    chunk_starts: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"<Segment {len(self.paths)} files, {len(self.first)} chunks>"

    @property
    def nbytes(self) -> int:
        """Return the memory of the arrays in bytes."""
        own = (self.lines, self.weight, self.file_of, self.first, self.last, self.tokens)
        more = (self.length, self.file_length, self.by_chunk, self.chunk_starts)
        return sum(a.nbytes for a in (*own, *more)) + self.chunks.nbytes + self.files.nbytes

    def terms_of(self, chunk: int) -> tuple[Ids, Counts, Counts]:
        """Return the ids of a chunk's terms and their counts in its text and defined names."""
        at = self.by_chunk[self.chunk_starts[chunk] : self.chunk_starts[chunk + 1]]
        row = np.searchsorted(self.chunks.starts, at, side="right") - 1
        return self.chunks.vocabulary[row], self.chunks.body[at], self.chunks.defined[at]


def build_segment(indexed: Sequence[IndexedFile]) -> Segment:
    """Put the entries of files together."""
    documents = [one.document for one in indexed]
    counts = [len(document.first) for document in documents]
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    total = int(offsets[-1])
    file_of = np.repeat(np.arange(len(indexed), dtype=np.int32), counts)
    own = _own_postings(documents, offsets)
    named, times = _path_terms(indexed)
    chunks = _table(own, named, times, _each_chunk(counts, offsets))
    by_file = own._replace(place=file_of[own.place])
    files = _table(by_file, named, times, [np.array([at]) for at in range(len(indexed))])
    by_chunk = np.argsort(chunks.place, kind="stable").astype(np.int32)
    starts = np.searchsorted(chunks.place[by_chunk], np.arange(total + 1))
    length = np.bincount(chunks.place, weights=chunks.body, minlength=total)
    ratio = np.array([one.ratio for one in indexed], dtype=np.float32)
    size = _joined([document.size for document in documents], np.int32)
    return Segment(
        paths=tuple(one.path for one in indexed),
        lines=np.array([document.lines for document in documents], dtype=np.int32),
        weight=np.array([one.weight for one in indexed], dtype=np.float32),
        file_of=file_of,
        first=_joined([document.first for document in documents], np.int32),
        last=_joined([document.last for document in documents], np.int32),
        tokens=(size / ratio[file_of]).astype(np.float32),
        length=length.astype(np.float32),
        file_length=np.bincount(file_of, weights=length, minlength=len(indexed)).astype(np.float32),
        chunks=chunks,
        files=files,
        by_chunk=by_chunk,
        chunk_starts=starts.astype(np.int64),
    )


def _joined(arrays: Iterable[NDArray[Any]], dtype: type[Item]) -> NDArray[Item]:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype, copy=False)


class _Columns(NamedTuple):
    """Postings that are not sorted yet."""

    term: Ids
    place: Ints
    body: Counts
    defined: Counts


def _own_postings(documents: Sequence[Document], offsets: NDArray[np.int64]) -> _Columns:
    """Put the postings of the documents together; `offsets` number their chunks anew."""
    places = [one.chunk + np.int32(at) for one, at in zip(documents, offsets, strict=False)]
    return _Columns(
        _joined([one.term for one in documents], np.uint32),
        _joined(places, np.int32),
        _joined([one.body for one in documents], np.uint8),
        _joined([one.defined for one in documents], np.uint8),
    )


def _path_terms(indexed: Sequence[IndexedFile]) -> tuple[list[Ids], list[Counts]]:
    """Return the ids of each path's terms, and how often the path holds each of them."""
    counted = [path_terms(one.path) for one in indexed]
    ids = [np.array([term_id(term) for term in one], dtype=np.uint32) for one in counted]
    times = [np.array([min(255, n) for n in one.values()], dtype=np.uint8) for one in counted]
    return ids, times


def _each_chunk(counts: Sequence[int], offsets: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [np.arange(at, at + count) for count, at in zip(counts, offsets, strict=False)]


def _table(
    own: _Columns,
    named: Sequence[Ids],
    times: Sequence[Counts],
    places: Sequence[NDArray[np.int64]],
) -> Table:
    """Sort postings; every place of a file also gets the terms of the file's path."""
    repeated = [np.repeat(ids, len(at)) for ids, at in zip(named, places, strict=True)]
    paths = [np.repeat(count, len(at)) for count, at in zip(times, places, strict=True)]
    where = [np.tile(at, len(ids)) for ids, at in zip(named, places, strict=True)]
    path = _joined([np.zeros(len(own.term), np.uint8), *paths], np.uint8)
    none = np.zeros(len(path) - len(own.term), np.uint8)
    return Table.build(
        _joined([own.term, *repeated], np.uint32),
        _joined([own.place, *where], np.int32),
        _joined([own.body, none], np.uint8),
        _joined([own.defined, none], np.uint8),
        path,
    )
