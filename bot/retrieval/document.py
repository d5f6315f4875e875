"""Entry of one file in the index: its chunks, its terms and the files that it refers to. Pure.

An entry depends on the file's shown text and its path alone, so it is computed once per blob. It
holds no text: excerpts are read from the repository again, masked as ever.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import splitext
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.context.files.text import split_lines
from bot.context.render.definitions import Definition
from bot.context.render.references import references
from bot.retrieval.chunks import LineRange, cut_chunks, find_definitions
from bot.retrieval.terms import count_terms, term_id

MOST_CHUNKS = 2_000
"""Chunks of a file beyond this are left out of the index: they are data, not code."""
MOST_REFERENCES = 300
_FEW_POSTINGS = 500
_BYTES_PER_POSTING = 8
"""The most postings of a file. Code has one for 20 bytes, a text that was made for it one for 3."""
_MOST_COUNT = 255

Ints = NDArray[np.int32]
Ids = NDArray[np.uint32]
Counts = NDArray[np.uint8]
Item = TypeVar("Item", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Document:
    """The index's record of one file.

    `first`, `last` and `size` (bytes) have one item per chunk. The postings `term`, `chunk`, `body`
    and `defined` have one item per term of a chunk: `body` counts the term in the chunk's text,
    `defined` counts it in the names that the chunk defines.
    """

    lines: int
    first: Ints
    last: Ints
    size: Ints
    term: Ids
    chunk: Ints
    body: Counts
    defined: Counts
    references: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Document {len(self.first)} chunks, {len(self.term)} postings>"

    def dump(self) -> bytes:
        """Return bytes that `load` reads."""
        arrays = (self.first, self.last, self.size, self.term, self.chunk, self.body, self.defined)
        head = [self.lines, len(self.first), len(self.term), list(self.references)]
        text = json.dumps(head, separators=(",", ":")).encode()
        # The fastest level: the rows of a repository of ten million tokens are 10 MB this way.
        return zlib.compress(b"\n".join([text, b"".join(a.tobytes() for a in arrays)]), 1)

    @classmethod
    def load(cls, data: bytes) -> Document:
        """Read what was dumped.

        Raises:
            ValueError: the bytes are damaged.
        """
        try:
            head, _, rest = zlib.decompress(data).partition(b"\n")
            lines, chunks, postings, found = json.loads(head)
        except (zlib.error, UnicodeDecodeError) as error:
            raise ValueError("A row of the index is damaged.") from error
        if len(rest) != chunks * 12 + postings * 10:
            raise ValueError("A row of the index has the wrong length.")
        at = 0

        def column(kind: type[Item], count: int) -> NDArray[Item]:
            nonlocal at
            array = np.frombuffer(rest, dtype=kind, count=count, offset=at)
            at += array.nbytes
            return array

        return cls(
            lines,
            column(np.int32, chunks),
            column(np.int32, chunks),
            column(np.int32, chunks),
            column(np.uint32, postings),
            column(np.int32, postings),
            column(np.uint8, postings),
            column(np.uint8, postings),
            tuple(found),
        )


def build_document(path: str, text: bytes) -> Document:
    """Return the entry of a file from its shown text."""
    lines = split_lines(text)
    found = find_definitions(path, text)
    chunks = cut_chunks(lines, found)[:MOST_CHUNKS]
    postings = [
        (number, *posting)
        for number, chunk in enumerate(chunks)
        for posting in _postings(lines, chunk, found)
    ][: _FEW_POSTINGS + len(text) // _BYTES_PER_POSTING]
    columns = list(zip(*postings, strict=True)) or [()] * 4
    return Document(
        len(lines),
        np.array([chunk.first for chunk in chunks], dtype=np.int32),
        np.array([chunk.last for chunk in chunks], dtype=np.int32),
        np.array([_size(lines, chunk) for chunk in chunks], dtype=np.int32),
        np.array(columns[1], dtype=np.uint32),
        np.array(columns[0], dtype=np.int32),
        np.array(columns[2], dtype=np.uint8),
        np.array(columns[3], dtype=np.uint8),
        tuple(references(path, text)[:MOST_REFERENCES]),
    )


def _size(lines: Sequence[bytes], chunk: LineRange) -> int:
    return sum(len(line) + 1 for line in lines[chunk.first - 1 : chunk.last])


def _postings(
    lines: Sequence[bytes], chunk: LineRange, found: Sequence[Definition]
) -> list[tuple[int, int, int]]:
    """Return term id, count in the text and count in defined names, for each term of a chunk."""
    text = b"\n".join(lines[chunk.first - 1 : chunk.last]).decode("utf-8", "replace")
    body = count_terms(text)
    defined: Counter[str] = Counter()
    for definition in found:
        if chunk.first <= definition.first <= chunk.last:
            defined.update(count_terms(definition.name))
    return [
        (term_id(term), min(_MOST_COUNT, body[term]), min(_MOST_COUNT, defined[term]))
        for term in sorted(body.keys() | defined.keys())
    ]


def path_terms(path: str) -> Counter[str]:
    """Count the terms of a path, without the extension."""
    return count_terms(splitext(path)[0])
