"""Checks a citation against the files at the head commit, then at the base. Pure.

Lines that have moved since the base are found again at the head. Lines beside a quoted snippet are
corrected if there is one place for it. A name is looked up among the file's definitions. If those
are not known, the citation is not checked, and a reader is told nothing about it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, TypeAlias

from bot.context.pack import Snapshot
from bot.delivery.citations.citation import Citation
from bot.delivery.citations.path_index import (
    FileKey,
    LargeFile,
    PathIndex,
    Source,
    locate,
    source_of,
)
from bot.delivery.citations.symbols import find_definition, last_name

CITING_RULES = """\
How to cite: right after the words that it supports, in backticks, as `PATH:LINE` or \
`PATH:START-END`; a definition better by its name, as `PATH#NAME` (`src/auth.py#verify_token`). \
Write PATH in full, as in the file's marker, with the repository's name and a slash before it if \
several repositories are shown. After a quoted block, cite it alone on the line below its closing \
fence. Each citation is checked against the commit and turned into a link, so write no addresses \
of the repository yourself, and cite only lines that you have read."""
"""The rules that the model is told: a part of the prefix's preamble."""

NEAR = 25
"""Lines within which a thing named beside a citation is looked for."""
_MOST_QUOTED = 200
_TOGETHER = 40
"""Lines that a link to several ranges spans at most; else it leads to the first range."""
_ELISION = re.compile(r"\s*(?:(?:#|//|--|/\*)\s*)?(?:\.\.\.|…)")

Failure: TypeAlias = Literal["wrong", "unchecked"]
"""Why a citation gets no link: it does not hold, or that cannot be told."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence beside a citation: the lines of a quoted block, the names of definitions."""

    quote: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A citation that holds: the file, and the ranges of lines at the head commit."""

    fate: Literal["good", "corrected"]
    key: FileKey
    ranges: tuple[tuple[int, int], ...]
    symbol: str | None = None

    @property
    def first(self) -> int:
        return self.ranges[0][0]

    @property
    def last(self) -> int:
        return self.ranges[-1][1]

    @property
    def linked(self) -> tuple[int, int]:
        """The lines that the link marks: all of them if they lie together, else the first range."""
        if self.last - self.first < _TOGETHER:
            return self.first, self.last
        return self.ranges[0]

    @property
    def label(self) -> str:
        """The citation as it should have been written."""
        if self.symbol:
            return f"{self.key[1]}#{self.symbol}"
        lines = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.ranges)
        return f"{self.key[1]}:{lines}"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A citation of a large file with what stands beside it: another process checks it."""

    key: FileKey
    citation: Citation
    evidence: Evidence


Findings: TypeAlias = Mapping[Inquiry, Finding | Failure]


def candidates(citation: Citation, index: PathIndex) -> tuple[list[FileKey], bool]:
    """Return the files a citation may mean, and whether it names them in full."""
    keys, exact = index.find(citation.path)
    if citation.repository is not None:
        keys = [key for key in keys if key[0] == citation.repository]
    if citation.commit is None:
        return keys, exact
    if not keys:
        # The file may be gone at the head.
        return [(name, f"{citation.path}@{citation.commit}") for name in index.states], True
    return [(name, f"{path}@{citation.commit}") for name, path in keys], exact


def check(
    citation: Citation,
    index: PathIndex,
    sources: Mapping[FileKey, Source | LargeFile],
    evidence: Evidence,
    findings: Findings = MappingProxyType({}),
) -> Finding | Failure:
    """Return the place at which the citation holds, or why it gets no link.

    A citation that may mean several files holds only if it holds in exactly one. `sources` has
    every file of `candidates`, `findings` the answers to `inquiries`.
    """
    keys, exact = candidates(citation, index)
    checked: list[Finding | Failure] = []
    for key in keys:
        source = sources[key]
        if isinstance(source, LargeFile):
            checked.append(findings[Inquiry(key, citation, evidence)])
        else:
            checked.append(_check_in(citation, key, source, evidence))
    found = [one for one in checked if isinstance(one, Finding)]
    if len(found) != 1:
        return "unchecked" if not found and "unchecked" in checked else "wrong"
    return found[0] if exact else replace(found[0], fate="corrected")


def inquire(snapshot: Snapshot, inquiry: Inquiry) -> Finding | Failure:
    """Check a citation of a large file in another process. Blocks: run it in a thread."""
    found = locate(snapshot, inquiry.key)
    if found is None:
        return "wrong"
    owner, path, _ = found
    return owner.ask_versions(inquiry.key[0], path, check_texts, inquiry) or "wrong"


def check_texts(path: str, head: str, base: str | None, inquiry: Inquiry) -> Finding | Failure:
    """Check a citation against the texts of its file at the head and at the base."""
    source = _known_source(path, head, base)
    return _check_in(inquiry.citation, inquiry.key, source, inquiry.evidence)


@lru_cache(maxsize=2)
def _known_source(path: str, head: str, base: str | None) -> Source:
    """Return a file that is cited again and again, parsed once."""
    return source_of(path, head, base)


def _check_in(
    citation: Citation, key: FileKey, source: Source, evidence: Evidence
) -> Finding | Failure:
    if source.head is None:
        return "wrong"
    if citation.symbol is not None:
        return _check_name(citation.symbol, key, source, evidence)
    ranges = []
    for start, end in citation.ranges:
        # Evidence beside a list does not tell which of its ranges it belongs to.
        beside = evidence if len(citation.ranges) == 1 else Evidence()
        lines = _check_lines(source, min(start, end), max(start, end), beside)
        if lines is None:
            return "wrong"
        ranges.append(lines)
    same = tuple(ranges) == citation.ranges
    return Finding("good" if same else "corrected", key, tuple(ranges))


def _check_name(symbol: str, key: FileKey, source: Source, evidence: Evidence) -> Finding | Failure:
    if source.found is not None and (
        chosen := find_definition(source.found, symbol, evidence.names)
    ):
        item, qualified = chosen
        if qualified:
            return Finding("good", key, ((item.line, item.line),), symbol)
        return Finding("corrected", key, ((item.line, item.line),), item.qualified)
    # A word that is nowhere in the file is defined nowhere in it. Of another word that is not
    # known: it may be local, or in a language or a piece of code that has no syntax tree here.
    return "unchecked" if last_name(symbol) in (source.head or "") else "wrong"


def _check_lines(
    source: Source, start: int, end: int, evidence: Evidence
) -> tuple[int, int] | None:
    if evidence.quote:
        places = find_quote(evidence.quote, source.lines)
        if places:
            return _nearest_quote(places, start, end)
    count = len(source.lines)
    if evidence.names and not _names_in(evidence.names, source.lines, start, end):
        if source.moved and _names_in(evidence.names, source.base_lines, start, end):
            return carried(source, start, end)
        # Of several names it is not known which one the citation belongs to.
        near = _near(evidence.names[0], source.lines, start) if len(evidence.names) == 1 else None
        if near is not None:
            return near, min(near + end - start, count)
    if 1 <= start <= count:
        return start, min(end, count)
    return carried(source, start, end) if source.moved else None


def _nearest_quote(
    places: Sequence[tuple[int, int]], start: int, end: int
) -> tuple[int, int] | None:
    """Return the cited lines if they hold the quote, else the quote's lines if it stands once."""
    overlapping = [place for place in places if place[0] <= end and place[1] >= start]
    if any(start <= low and high <= end for low, high in overlapping):
        return start, end
    if len(overlapping) == 1:
        return overlapping[0]
    return places[0] if len(places) == 1 else None


def find_quote(quote: Sequence[str], lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first and last line of every place that holds a quoted block.

    Indentation is not compared, and a line of dots stands for anything between.
    """
    parts: list[list[str]] = [[]]
    for line in quote[:_MOST_QUOTED]:
        if _ELISION.fullmatch(line):
            parts.append([])
        elif line.strip():
            parts[-1].append(line.strip())
    parts = [part for part in parts if part]
    if not parts or (len(parts) == 1 and len("".join(parts[0])) < 4):
        return []
    filled = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    texts = [text for _, text in filled]
    later = [_starts(part, texts) for part in parts[1:]]
    places = []
    for at in _starts(parts[0], texts):
        if (last := _follow(parts, later, at)) is not None:
            places.append((filled[at][0], filled[last][0]))
    return places


def _starts(part: Sequence[str], texts: Sequence[str]) -> list[int]:
    size, first, wanted = len(part), part[0], list(part)
    return [
        at
        for at in range(len(texts) - size + 1)
        if texts[at] == first and list(texts[at : at + size]) == wanted
    ]


def _follow(parts: Sequence[Sequence[str]], later: Sequence[list[int]], at: int) -> int | None:
    """Return the index of the last line when the parts follow one another from `at`.

    `later` are the places of each part but the first, in their order.
    """
    last = at + len(parts[0]) - 1
    for part, starts in zip(parts[1:], later, strict=True):
        place = bisect_left(starts, last + 1)
        if place == len(starts):
            return None
        last = starts[place] + len(part) - 1
    return last


def carried(source: Source, start: int, end: int) -> tuple[int, int] | None:
    """Return the place of the base's lines at the head; None if they changed or are ambiguous."""
    base, head = source.base_lines, source.lines
    if not 1 <= start <= end <= len(base):
        return None
    if head[:end] == base[:end]:
        return start, end
    shift = len(head) - len(base)
    if start + shift >= 1 and head[start - 1 + shift :] == base[start - 1 :]:
        return start + shift, end + shift
    block = base[start - 1 : end]
    places = _starts(block, head)
    if len(places) != 1 or not any(line.strip() for line in block):
        return None
    return places[0] + 1, places[0] + len(block)


def _names_in(names: Sequence[str], lines: Sequence[str], start: int, end: int) -> bool:
    part = lines[start - 1 : end]
    return any(_word_pattern(name).search(line) for name in names for line in part)


def _near(name: str, lines: Sequence[str], start: int) -> int | None:
    """Return the one line near `start` that holds a name; None if none or several do."""
    low, high = max(1, start - NEAR), min(len(lines), start + NEAR)
    word = _word_pattern(name)
    found = [number for number in range(low, high + 1) if word.search(lines[number - 1])]
    return found[0] if len(found) == 1 else None


def _word_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
