"""Checks what an answer cites against the packed files. Pure.

A citation is checked at the head commit, then at the base; lines that have moved since are found
again at the head, and lines beside a quoted snippet are put right where that is unambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bot.delivery.citations.path_index import FileKey, PathIndex, Source

CITING_RULES = """\
How to cite: right after what it supports, in backticks, as `PATH:LINE` or `PATH:START-END`; where \
a definition is meant, better by its name, as `PATH#NAME` (`src/auth.py#verify_token`). PATH is \
written in full, as in the file's marker, with the repository's name and a slash before it where \
several repositories are shown. After a quoted block, cite it on the line below its closing fence. \
Each citation is checked against the commit and turned into a link, so write no addresses of the \
repository yourself, and cite nothing that you have not read."""
"""What the model is told; belongs into the prefix's preamble."""

NEAR = 25
"""Lines within which a thing named beside a citation is looked for."""
_MOST_QUOTED = 200

CITATION = re.compile(
    r"(?P<path>[^\s:#`'\"<>|*?\\(){}]*[^\s:#`'\"<>|*?\\(){}./,])"
    r"(?:(?::|#)L?(?P<start>\d{1,7})(?::\d{1,5})?(?:\s?[-\u2013]\s?L?(?P<end>\d{1,7}))?"
    r"|(?:#|::?)(?P<symbol>[A-Za-z_$][\w$.]*(?:::[A-Za-z_$][\w$]*)*)(?:\(\))?)"
)
_ELISION = re.compile(r"\s*(?:(?:#|//|--|/\*)\s*)?(?:\.\.\.|…)")
_DEFINES = (
    r"(?:def|class|func|function|fn|fun|interface|type|struct|enum|trait|impl|module|namespace|"
    r"const|let|var|val|static|macro_rules!|record|object|protocol|message|service|table|view)"
)


@dataclass(frozen=True, slots=True)
class Citation:
    """What the model wrote: a path with lines or with a name. Lines count from 1."""

    path: str
    start: int | None = None
    end: int | None = None
    symbol: str | None = None
    repository: str | None = None

    @classmethod
    def parse(cls, text: str) -> Citation | None:
        found = CITATION.fullmatch(text.strip())
        return cls.of(found) if found else None

    @classmethod
    def of(cls, found: re.Match[str]) -> Citation | None:
        path = found["path"]
        if "/" not in path and "." not in path:
            return None
        if found["symbol"]:
            return cls(path, symbol=found["symbol"])
        start = int(found["start"])
        return cls(path, start, int(found["end"] or start))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands beside a citation: the lines of a quoted block, names of things."""

    quote: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A citation that holds: the file and the lines at the head commit."""

    fate: Literal["good", "corrected"]
    key: FileKey
    start: int
    end: int
    symbol: str | None = None

    @property
    def label(self) -> str:
        """The citation as it should have been written."""
        if self.symbol:
            return f"{self.key[1]}#{self.symbol}"
        lines = str(self.start) if self.start == self.end else f"{self.start}-{self.end}"
        return f"{self.key[1]}:{lines}"


def candidates(citation: Citation, index: PathIndex) -> tuple[list[FileKey], bool]:
    """Return the files a citation may mean, and whether it names them in full."""
    if citation.repository is not None:
        keys, exact = index.find(citation.path)
        return [key for key in keys if key[0] == citation.repository], exact
    return index.find(citation.path)


def check(
    citation: Citation, index: PathIndex, sources: Mapping[FileKey, Source], evidence: Evidence
) -> Finding | None:
    """Return where the citation holds, None where it does not or where that is ambiguous.

    `sources` holds every file of `candidates`.
    """
    keys, exact = candidates(citation, index)
    found = [
        finding
        for key in keys
        if (finding := _check_in(citation, key, sources[key], evidence)) is not None
    ]
    if len(found) != 1:
        return None
    return found[0] if exact else replace(found[0], fate="corrected")


def _check_in(
    citation: Citation, key: FileKey, source: Source, evidence: Evidence
) -> Finding | None:
    if source.head is None:
        return None
    if citation.symbol is not None or citation.start is None:
        line = definition(source.lines, citation.symbol or "")
        return Finding("good", key, line, line, citation.symbol) if line else None
    start, end = citation.start, citation.end or citation.start
    lines = _check_lines(source, min(start, end), max(start, end), evidence)
    if lines is None:
        return None
    return Finding("good" if lines == (start, end) else "corrected", key, *lines)


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
        if (near := _near(evidence.names, source.lines, start)) is not None:
            return near, min(near + end - start, count)
    if 1 <= start <= count:
        return start, min(end, count)
    return carried(source, start, end) if source.moved else None


def _nearest_quote(
    places: Sequence[tuple[int, int]], start: int, end: int
) -> tuple[int, int] | None:
    """Return the cited lines if they hold the quote, else where the quote stands if only once."""
    overlapping = [place for place in places if place[0] <= end and place[1] >= start]
    if any(start <= low and high <= end for low, high in overlapping):
        return start, end
    if len(overlapping) == 1:
        return overlapping[0]
    return places[0] if len(places) == 1 else None


def find_quote(quote: Sequence[str], lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return every place where a quoted block stands, by its first and last line.

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
    places = []
    for at in _starts(parts[0], texts):
        if (last := _follow(parts, texts, at)) is not None:
            places.append((filled[at][0], filled[last][0]))
    return places


def _starts(part: Sequence[str], texts: Sequence[str], begin: int = 0) -> list[int]:
    size, first = len(part), part[0]
    return [
        at
        for at in range(begin, len(texts) - size + 1)
        if texts[at] == first and list(texts[at : at + size]) == list(part)
    ]


def _follow(parts: Sequence[Sequence[str]], texts: Sequence[str], at: int) -> int | None:
    """Return the index of the last line when the parts follow one another from `at`."""
    last = at + len(parts[0]) - 1
    for part in parts[1:]:
        later = _starts(part, texts, last + 1)
        if not later:
            return None
        last = later[0] + len(part) - 1
    return last


def carried(source: Source, start: int, end: int) -> tuple[int, int] | None:
    """Return where lines of the base stand at the head; None if they changed or it is unclear."""
    base, head = source.base_lines, source.lines
    if not 1 <= start <= end <= len(base):
        return None
    if head[:end] == base[:end]:
        return start, end
    shift = len(head) - len(base)
    if start + shift >= 1 and head[start - 1 + shift :] == base[start - 1 :]:
        return start + shift, end + shift
    block = base[start - 1 : end]
    places = [at for at in range(len(head) - len(block) + 1) if head[at : at + len(block)] == block]
    if len(places) != 1 or not any(line.strip() for line in block):
        return None
    return places[0] + 1, places[0] + len(block)


def _names_in(names: Sequence[str], lines: Sequence[str], start: int, end: int) -> bool:
    part = lines[start - 1 : end]
    return any(_word(name).search(line) for name in names for line in part)


def _near(names: Sequence[str], lines: Sequence[str], start: int) -> int | None:
    """Return the one line near `start` that holds a name; None if none or several do."""
    low, high = max(1, start - NEAR), min(len(lines), start + NEAR)
    words = [_word(name) for name in names]
    found = [
        number
        for number in range(low, high + 1)
        if any(word.search(lines[number - 1]) for word in words)
    ]
    return found[0] if len(found) == 1 else None


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")


def definition(lines: Sequence[str], symbol: str) -> int | None:
    """Return the line that defines a symbol, else the first that has it, else None.

    Of a dotted name the last part is looked for behind the definition of the first.
    """
    *outer, name = [part for part in re.split(r"\.|::", symbol) if part] or [symbol]
    begin = 0
    for part in outer:
        line = _defined(lines, part, begin)
        begin = line if line else begin
    return _defined(lines, name, begin) or (_defined(lines, name, 0) if begin else None)


def _defined(lines: Sequence[str], name: str, begin: int) -> int | None:
    word = _word(name)
    keyword = re.compile(rf"(?<![\w$]){_DEFINES}\b[^=;]*?(?<![\w$]){re.escape(name)}(?![\w$])")
    bound = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*(?::|=(?!=)|\()")
    seen: list[int] = []
    loose: list[int] = []
    for number in range(begin, len(lines)):
        line = lines[number]
        if name not in line or not word.search(line):
            continue
        if keyword.search(line):
            return number + 1
        seen.append(number + 1)
        if bound.match(line):
            loose.append(number + 1)
    if loose:
        return loose[0]
    return seen[0] if seen else None
