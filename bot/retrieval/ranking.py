"""Score the chunks of a repository for a question. Pure.

The score is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) over three
fields: the text of a chunk, the names that it defines, and its path. The score of the whole file is
added in part, since a file that is about the question makes each of its chunks more likely. Then:

1. A second pass adds the rarest terms that the best chunks share with each other but not with the
   question: a question says "registration", the code says `record_once`.
2. Files that the best files import, or that import them, gain a share of their score.
3. Tests, examples, fixtures and prose lose a share: they repeat the words of the code.

The constants are chosen on commits of fourteen repositories in six languages and on questions about
five Python repositories. `docs/evidence.md` has the figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.retrieval.segment import DEFINED_WEIGHT, Floats, Segment
from bot.retrieval.stop_words import stop_terms
from bot.retrieval.terms import count_terms, is_identifier, term_id

MOST_TERMS = 120
"""Terms of a question that are looked up: the rarest ones."""


@dataclass(frozen=True)
class Weights:
    """Constants of the score."""

    saturation: float = 2.0
    file_saturation: float = 1.2
    length: float = 0.5
    file_length: float = 0.4
    path: float = 3.0
    identifier: float = 1.5
    repeated: float = 0.5
    """Exponent of how often the question holds a term."""
    file: float = 0.35
    """Share of the file's score that each of its chunks gains."""
    feedback_chunks: int = 5
    feedback_terms: int = 30
    feedback: float = 0.3
    feedback_share: float = 0.4
    """The most weight of all feedback terms, as a share of the question's own."""
    neighbours: float = 0.15
    neighbour_files: int = 10


WEIGHTS = Weights()

Links = Mapping[str, Sequence[str]]
"""Files that a file imports or that import it, by path."""


class Corpus:
    """Segments that are searched as one. Chunks and files are numbered through all of them.

    `alive` tells which files of each segment still stand.
    """

    def __init__(
        self, segments: Sequence[Segment], alive: Sequence[NDArray[np.bool_]], links: Links
    ) -> None:
        self.segments = tuple(segments)
        self.links = links
        self.file_offsets = _offsets([len(one.paths) for one in segments])
        self.chunk_offsets = _offsets([len(one.first) for one in segments])
        self.files = self.file_offsets[-1]
        self.chunks = self.chunk_offsets[-1]
        self.alive = np.concatenate([np.empty(0, np.bool_), *alive])
        self.file_of = np.concatenate(
            [np.empty(0, np.int32)]
            + [
                one.file_of + np.int32(at)
                for one, at in zip(segments, self.file_offsets, strict=False)
            ]
        )
        self.weight = _column([one.weight for one in segments])
        self.tokens = _column([one.tokens for one in segments])
        self.length = _column([one.length for one in segments])
        self.file_length = _column([one.file_length for one in segments])
        self.number = {
            path: at + offset
            for one, offset in zip(segments, self.file_offsets, strict=False)
            for at, path in enumerate(one.paths)
            if self.alive[at + offset]
        }

    def __repr__(self) -> str:
        return f"<Corpus of {len(self.number)} files, {self.chunks} chunks>"

    def place(self, chunk: int) -> tuple[str, int, int]:
        """Return path, first and last line of a chunk."""
        at = _segment_at(self.chunk_offsets, chunk)
        segment, local = self.segments[at], chunk - self.chunk_offsets[at]
        path = segment.paths[segment.file_of[local]]
        return path, int(segment.first[local]), int(segment.last[local])

    def chunks_of(self, path: str) -> range:
        """Return the numbers of a file's chunks; none if the file is not known."""
        file = self.number.get(path)
        if file is None:
            return range(0)
        low, high = np.searchsorted(self.file_of, [file, file + 1])
        return range(int(low), int(high))

    def terms_of(self, chunk: int) -> Iterator[tuple[int, int, int]]:
        """Yield the terms of a chunk: id, count in the text, count in defined names."""
        at = _segment_at(self.chunk_offsets, chunk)
        ids, body, defined = self.segments[at].terms_of(chunk - self.chunk_offsets[at])
        yield from zip(ids.tolist(), body.tolist(), defined.tolist(), strict=True)

    def path(self, file: int) -> str:
        at = _segment_at(self.file_offsets, file)
        return self.segments[at].paths[file - self.file_offsets[at]]

    def defining(self, term: int) -> Iterator[tuple[str, float]]:
        """Yield the files that define a term, with their weights."""
        for segment, offset in zip(self.segments, self.file_offsets, strict=False):
            postings = segment.files.find(term)
            if postings is not None:
                for file in postings.place[postings.defined > 0].tolist():
                    if self.alive[file + offset]:
                        yield segment.paths[file], float(segment.weight[file])

    def chunk_count(self, term: int) -> int:
        """Count the chunks that hold a term."""
        found = (segment.chunks.find(term) for segment in self.segments)
        return sum(len(postings.place) for postings in found if postings)


def _offsets(counts: Sequence[int]) -> list[int]:
    offsets = [0]
    for count in counts:
        offsets.append(offsets[-1] + count)
    return offsets


def _column(arrays: Sequence[Floats]) -> Floats:
    return np.concatenate([np.empty(0, np.float32), *arrays]).astype(np.float32)


def _segment_at(offsets: Sequence[int], number: int) -> int:
    return next(at for at, high in enumerate(offsets[1:]) if number < high)


def favour_files(corpus: Corpus, scores: Floats, paths: Iterable[str]) -> Floats:
    """Return the scores with the chunks of the given files raised above all others."""
    named = [corpus.number[path] for path in paths if path in corpus.number]
    if not named or not len(scores):
        return scores
    raised = np.zeros(corpus.files, np.float32)
    raised[named] = max(float(scores.max()), 1.0)
    found: Floats = scores + raised[corpus.file_of]
    return found


def question_terms(text: str, weights: Weights = WEIGHTS) -> dict[int, float]:
    """Return the weight of each term of a text by term id."""
    left_out = stop_terms(text)
    return {
        term_id(term): count**weights.repeated
        * (weights.identifier if is_identifier(term) else 1.0)
        for term, count in count_terms(text).items()
        if term not in left_out
    }


def rarest_terms(corpus: Corpus, text: str, count: int) -> dict[int, float]:
    """Return the rarest terms of a text that the repository holds, with their weights."""
    wanted = question_terms(text)
    counted = {term: corpus.chunk_count(term) for term in wanted}
    known = [term for term in wanted if counted[term]]
    return {term: wanted[term] for term in sorted(known, key=lambda t: (counted[t], t))[:count]}


def score_chunks(
    corpus: Corpus,
    wanted: Mapping[int, float],
    weights: Weights = WEIGHTS,
    shares: Floats | None = None,
) -> Floats:
    """Return the score of each chunk for the weighted terms of a question.

    `shares` are the shares of the score that each file keeps, those of its group by default.
    """
    wanted = _rarest(corpus, wanted)
    chunk, file = _match(corpus, wanted, weights)
    shares = corpus.weight if shares is None else shares
    keep = (shares * corpus.alive)[corpus.file_of]
    scores = (chunk + weights.file * file[corpus.file_of]) * keep
    more = _feedback(corpus, wanted, scores, weights)
    if more:
        chunk_more, file_more = _match(corpus, more, weights)
        chunk, file = chunk + chunk_more, file + file_more
        scores = (chunk + weights.file * file[corpus.file_of]) * keep
    bonus = _neighbours(corpus, scores, weights)
    found = scores + weights.neighbours * bonus[corpus.file_of] * (chunk > 0)
    return np.where(corpus.alive[corpus.file_of], found, 0).astype(np.float32)


def _rarest(corpus: Corpus, wanted: Mapping[int, float]) -> dict[int, float]:
    if len(wanted) <= MOST_TERMS:
        return dict(wanted)
    counted = {term: corpus.chunk_count(term) for term in wanted}
    known = [term for term in wanted if counted[term]]
    kept = sorted(known, key=lambda term: counted[term] / wanted[term])[:MOST_TERMS]
    return {term: wanted[term] for term in kept}


def _match(corpus: Corpus, wanted: Mapping[int, float], weights: Weights) -> tuple[Floats, Floats]:
    """Return BM25 of each chunk and of each file."""
    chunk = np.zeros(corpus.chunks, np.float32)
    file = np.zeros(corpus.files, np.float32)
    if not corpus.chunks:
        return chunk, file
    by_chunk = _normal(corpus.length, weights.length)
    by_file = _normal(corpus.file_length, weights.file_length)
    for term, weight in wanted.items():
        found = [(one.chunks.find(term), one.files.find(term)) for one in corpus.segments]
        in_chunks = sum(len(one.place) for one, _ in found if one)
        in_files = sum(len(one.place) for _, one in found if one)
        if not in_chunks:
            continue
        chunk_idf = weight * _idf(in_chunks, corpus.chunks)
        file_idf = weight * _idf(in_files, corpus.files)
        for at, (chunks, files) in enumerate(found):
            if chunks:
                place = chunks.place + corpus.chunk_offsets[at]
                count = (
                    chunks.body / by_chunk[place]
                    + DEFINED_WEIGHT * chunks.defined
                    + weights.path * chunks.path
                )
                chunk[place] += chunk_idf * count / (weights.saturation + count)
            if files:
                place = files.place + corpus.file_offsets[at]
                count = (files.body + DEFINED_WEIGHT * files.defined) / by_file[place]
                count = count + weights.path * files.path
                file[place] += file_idf * count / (weights.file_saturation + count)
    return chunk, file


def _normal(length: Floats, share: float) -> Floats:
    average = float(length.mean()) or 1.0
    return (1 - share + share * length / average).astype(np.float32)


def _idf(count: int, total: int) -> float:
    return math.log(1 + (total - count + 0.5) / (count + 0.5))


def _feedback(
    corpus: Corpus, wanted: Mapping[int, float], scores: Floats, weights: Weights
) -> dict[int, float]:
    """Return terms that the best chunks add to the question, with their weights."""
    found: Counter[int] = Counter()
    for number in best(scores, weights.feedback_chunks):
        for term, body, defined in corpus.terms_of(number):
            if body and term not in wanted:
                found[term] += 1 + math.log(body) + defined  # type: ignore[assignment]  # floats
    rated: dict[int, float] = {}
    for term, weight in found.items():
        count = corpus.chunk_count(term)
        if count > 1:
            rated[term] = weight * math.log(corpus.chunks / count)
    chosen = sorted(rated, key=lambda term: (-rated[term], term))[: weights.feedback_terms]
    highest = rated[chosen[0]] if chosen else 0.0
    if highest <= 0:
        return {}
    # A question of two words must not be drowned by thirty words that it does not hold.
    asked = sum(weight for term, weight in wanted.items() if corpus.chunk_count(term))
    added = weights.feedback * sum(rated[term] for term in chosen) / highest
    share = min(1.0, weights.feedback_share * asked / added)
    return {term: share * weights.feedback * rated[term] / highest for term in chosen}


def best(scores: Floats, count: int) -> list[int]:
    """Return the numbers of the highest positive scores, the highest first."""
    count = min(count, len(scores))
    if not count:
        return []
    top = np.argpartition(-scores, count - 1)[:count]
    ordered = top[np.lexsort((top, -scores[top]))]
    return [int(number) for number in ordered if scores[number] > 0]


def _neighbours(corpus: Corpus, scores: Floats, weights: Weights) -> Floats:
    """Return what each file gains from the best files that it is linked to."""
    bonus = np.zeros(corpus.files, np.float32)
    for file, score in best_files(corpus, scores, weights.neighbour_files):
        linked = [corpus.number.get(path) for path in corpus.links.get(corpus.path(file), ())]
        known = [number for number in linked if number is not None]
        for number in known:
            bonus[number] += score / math.sqrt(len(known))
    return bonus


def best_files(corpus: Corpus, scores: Floats, count: int) -> list[tuple[int, float]]:
    """Return the files with the best chunks and the scores of these, the best first."""
    highest = np.zeros(corpus.files, np.float32)
    np.maximum.at(highest, corpus.file_of, scores)
    return [(file, float(highest[file])) for file in best(highest, count)]
