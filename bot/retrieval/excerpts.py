"""Choose excerpts from scored chunks within a number of tokens. Pure.

A file's second chunk counts less than its first, so that an answer that needs several files finds
them all. Chunks that touch each other become one excerpt.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bot.context.git.repository import encode_path
from bot.retrieval.chunks import LineRange
from bot.retrieval.ranking import Corpus, best
from bot.retrieval.segment import Floats

NEXT_CHUNK = 0.6
"""Factor on the score of a file's next chunk for each that ranks before it."""
_MOST_CHUNKS = 600
HEADER_BYTES = 30
"""Bytes of the line that opens an excerpt, beside its path."""
_BYTES_PER_TOKEN = 2.75
_SMALLEST = 60
"""Tokens below which no further chunk is tried."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines `first` to `last` of a file. `tokens` is an estimate, header included."""

    path: str
    first: int
    last: int
    tokens: int
    score: float

    def __repr__(self) -> str:
        return f"<Excerpt {self.path}:{self.first}-{self.last}, {self.tokens} tokens>"


class LinesOf(NamedTuple):
    """Lines `first` to `last` of a file, both counted from 1."""

    path: str
    first: int
    last: int


def header_tokens(path: str) -> float:
    return (len(encode_path(path)) + HEADER_BYTES) / _BYTES_PER_TOKEN


def choose_excerpts(
    corpus: Corpus,
    scores: Floats,
    budget: float,
    excluded: Set[str] = frozenset(),
    shown: Sequence[Excerpt] = (),
    named: Sequence[LinesOf] = (),
) -> list[Excerpt]:
    """Return the excerpts worth their tokens, the best file first.

    `excluded` are files that the prompt holds anyway, `shown` excerpts that it holds: a chunk that
    lies within one of these is not taken again. `named` are lines that the question names: their
    chunks come before all others.
    """
    left = budget
    chosen: list[tuple[float, int]] = []
    held = set(_chunks_of(corpus, shown))
    first_of_all = [(math.inf, number) for number in _chunks_at(corpus, named, excluded)]
    for score, number in [*first_of_all, *_candidates(corpus, scores, excluded)]:
        if number in held:
            continue
        held.add(number)
        path, _, _ = corpus.place(number)
        tokens = float(corpus.tokens[number]) + header_tokens(path)
        if tokens <= left:
            chosen.append((score, number))
            left -= tokens
        if left < _SMALLEST:
            break
    return _put_together(corpus, chosen)


def _chunks_of(corpus: Corpus, shown: Sequence[Excerpt]) -> Iterator[int]:
    """Yield the chunks that lie within excerpts."""
    for one in shown:
        for number in corpus.chunks_of(one.path):
            _, first, last = corpus.place(number)
            if one.first <= first and last <= one.last:
                yield number


def _chunks_at(corpus: Corpus, named: Sequence[LinesOf], excluded: Container[str]) -> Iterator[int]:
    """Yield the chunks that hold the named lines, and the nearest one if a line is in none."""
    for path, low, high in named:
        numbers = corpus.chunks_of(path)
        if path in excluded or not numbers:
            continue
        places = {number: corpus.place(number) for number in numbers}
        touched = [n for n, (_, first, last) in places.items() if first <= high and low <= last]
        nearest = min(numbers, key=lambda n: min(abs(places[n][1] - low), abs(places[n][2] - low)))
        yield from touched or [nearest]


def _candidates(corpus: Corpus, scores: Floats, excluded: Set[str]) -> list[tuple[float, int]]:
    hidden = [corpus.number[path] for path in excluded if path in corpus.number]
    if hidden:
        kept = np.ones(corpus.files, np.bool_)
        kept[hidden] = False
        scores = scores * kept[corpus.file_of]
    seen: dict[int, int] = {}
    found: list[tuple[float, int]] = []
    for number in best(scores, _MOST_CHUNKS):
        file = int(corpus.file_of[number])
        before = seen.get(file, 0)
        seen[file] = before + 1
        found.append((float(scores[number]) * NEXT_CHUNK**before, number))
    return sorted(found, key=lambda one: (-one[0], one[1]))


def _put_together(corpus: Corpus, chosen: Sequence[tuple[float, int]]) -> list[Excerpt]:
    by_path: dict[str, list[tuple[LineRange, float, float]]] = {}
    for score, number in chosen:
        path, first, last = corpus.place(number)
        part = (LineRange(first, last), float(corpus.tokens[number]), score)
        by_path.setdefault(path, []).append(part)
    return [excerpt for path, parts in by_path.items() for excerpt in _joined(path, sorted(parts))]


def _joined(path: str, parts: Sequence[tuple[LineRange, float, float]]) -> Iterable[Excerpt]:
    """Yield the parts of a file, with those that follow each other put together."""
    header = header_tokens(path)
    lines, tokens, score = parts[0]
    for more, cost, value in parts[1:]:
        if more.first <= lines.last + 2:
            lines = LineRange(lines.first, max(lines.last, more.last))
            tokens += cost
            score = max(score, value)
        else:
            yield Excerpt(path, *lines, round(tokens + header), score)
            lines, tokens, score = more, cost, value
    yield Excerpt(path, *lines, round(tokens + header), score)
