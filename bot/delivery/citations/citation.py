"""Recognises citations: a path, and behind it lines or a name. Pure.

A path may hold any character, so a text is not split by a pattern. Each place at which lines or a
name could begin is tried, and the longest path that the index knows counts. A text whose path is
not known is a citation only if it has the shape of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

LONGEST = 400
"""Characters of the longest citation."""

_LINE = r"L?\d{1,7}(?:C\d{1,5}|:\d{1,5})?"
_RANGE = rf"{_LINE}(?:\s?(?:[-\u2013\u2014\u301c\uff5e]|\.\.)\s?{_LINE})?"
_DASH = r"\s?(?:[-\u2013\u2014~\u301c\uff5e\u2026]|\.\.\.?)\s?|\sto\s"
_CODE_RANGE = rf"{_LINE}(?:(?:{_DASH}){_LINE})?"
_LINES = re.compile(
    rf"[:#]\s?(?:lines?[\s-])?{_CODE_RANGE}(?:(?:\s?[,;&]\s?(?:and\s)?|\sand\s){_CODE_RANGE})*\Z"
)
_PROSE_LINES = re.compile(rf"[:#]{_RANGE}(?:,{_RANGE})*")
_NUMBERS = re.compile(r"L?(\d{1,7})(?:C\d{1,5}|:\d{1,5})?")
_ITEM = re.compile(_CODE_RANGE)
_PROSE_NAME = re.compile(r"#[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*")
_MORE = re.compile(r"(?:[,:C.]|::|\s?(?:[-\u2013\u2014\u301c\uff5e]|\.\.)\s?)?L?\Z|\s\Z")
_GOES_ON = re.compile(r"_*[A-Za-z0-9]")
_IDENTIFIER = re.compile(
    r"::?([A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$~][\w$]*)*[?!]?(?:\(\))?)"
    r"(?:\[[^\]]*\])?\Z"
)
_NAME = re.compile(
    r"#(operator\s\S.*|\(\w+ \*?\w+\) ?\w+|[\w:]*\w<[\w\s,.:&*'?<>]*>\S*"
    r"|\"[^\"]+\"|'[^']+'|\[[^\]]+\]|[^\s/][^\s]*(?:\([^()]*\)\S*)?)\Z"
)
_LINES_OF_NAME = re.compile(rf"(?<=[\w)?!]):{_RANGE}\Z")
"""The lines of a definition that is named already."""
_TITLE = re.compile(r"#(\S.*)\Z")
_NAMES_WITH_BLANKS = (".md", ".mdx", ".markdown", ".kt", ".kts", ".scala")
"""Headings, and the names that Kotlin and Scala write between backticks."""

_SLUG_GOES_ON = re.compile(r"(?:-+\w+)+")

MARKED = re.compile(r"(?P<path>.+)@(?P<commit>[0-9a-f]{7,64})")
"""A path at another commit than the head."""
SHAPE = re.compile(
    r"(?P<path>[^\s:#`'\"<>|*?\\(){}]*[^\s:#`'\"<>|*?\\(){}./,])"
    rf"(?P<rest>{_PROSE_LINES.pattern}"
    r"|(?:#|::?)[A-Za-z_$][\w$.]*(?:::[A-Za-z_$][\w$]*)*(?:\(\))?)"
)
"""A citation in running text. A path in it has a slash or a dot, and no blank."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A path with ranges of lines or with a name, as the model wrote it. Lines count from 1.

    `commit` is the beginning of a commit's id if the path is marked with one (`PATH@COMMIT`).
    """

    path: str
    ranges: tuple[tuple[int, int], ...] = ()
    symbol: str | None = None
    repository: str | None = None
    commit: str | None = None
    text: str = field(default="", compare=False)

    @property
    def first(self) -> int | None:
        return self.ranges[0][0] if self.ranges else None

    @property
    def last(self) -> int | None:
        return self.ranges[-1][1] if self.ranges else None


class Paths(Protocol):
    """The part of an index that reading needs."""

    def knows(self, path: str) -> bool: ...

    def looks_like_file(self, path: str) -> bool: ...


def read(text: str, paths: Paths | None) -> Citation | None:
    """Return the citation that a whole text is, None if it is none.

    Without `paths` each text that ends like a citation is one, until the paths are known.
    """
    text = text.strip()
    if not 3 <= len(text) <= LONGEST or "\n" in text:
        return None
    for path, locator in _splits(text):
        if (paths is None or paths.knows(path)) and (found := _located(path, locator, text)):
            return found
    return _marked(text, paths) or shaped(text)


def _marked(text: str, paths: Paths | None) -> Citation | None:
    """Return the citation of a path at another commit; the path need not exist at the head."""
    for path, locator in _splits(text) if paths is not None else ():
        mark = MARKED.fullmatch(path)
        if mark is None or paths is None:
            continue
        known = paths.knows(mark["path"]) or paths.looks_like_file(mark["path"])
        if known and (found := _located(mark["path"], locator, text)):
            return replace(found, commit=mark["commit"])
    return None


def shaped(text: str) -> Citation | None:
    """Return the citation that a text has the shape of, though its path need not exist."""
    found = SHAPE.fullmatch(text)
    if found is None or ("/" not in found["path"] and "." not in found["path"]):
        return None
    return _located(found["path"], found["rest"], text)


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield each way to split a text into a path and the rest, the longest path first."""
    for at in range(len(text) - 1, 0, -1):
        if text[at] in ":#" and not text[at - 1].isspace():
            yield text[:at], text[at:]


def _located(path: str, locator: str, text: str) -> Citation | None:
    if _LINES.match(locator):
        return Citation(path, ranges_of(locator), text=text)
    locator = _LINES_OF_NAME.sub("", locator)
    found = _IDENTIFIER.match(locator) or _NAME.match(locator)
    if found is None and path.lower().endswith(_NAMES_WITH_BLANKS):
        found = _TITLE.match(locator)
    return Citation(path, symbol=found[1], text=text) if found else None


def ranges_of(locator: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges of lines that a locator names, as they are written."""
    ranges = []
    for item in _ITEM.finditer(locator, 1):
        numbers = [int(found[1]) for found in _NUMBERS.finditer(item[0])]
        ranges.append((numbers[0], numbers[-1]))
    return tuple(ranges)


def prose_end(raw: str, at: int, *, final: bool) -> int | None:
    """Return the end of a citation whose path ends at `at`; -1: later text decides; None: none.

    In running text lines are listed without blanks, since a number may follow a comma there.
    """
    if at < len(raw) and raw[at] not in ":#":
        return None
    if at + 1 >= len(raw):
        return None if final else -1
    found = _PROSE_LINES.match(raw, at) or _PROSE_NAME.match(raw, at)
    if found is None:
        return None
    more = _MORE.match(raw, found.end())
    if (more is not None or not raw[found.end() :].strip("_")) and not final:
        return -1
    return None if _GOES_ON.match(raw, found.end()) else found.end()


def heading_end(text: str, begin: int, end: int) -> int:
    """Return the end of a citation in running text: the name of a heading holds hyphens."""
    path, mark, _ = text[begin:end].partition("#")
    if not mark or not path.lower().endswith(_NAMES_WITH_BLANKS[:3]):
        return end
    more = _SLUG_GOES_ON.match(text, end)
    return more.end() if more is not None else end


def without_emphasis(text: str) -> str:
    """Return a citation in running text without the underscores that emphasise it.

    They end it, unless its name begins with as many.
    """
    name = re.split(r"[#:.]", text)[-1]
    bare = name.rstrip("_")
    lead = len(bare) - len(bare.lstrip("_"))
    return text[: len(text) - max(0, len(name) - len(bare) - lead)]


def may_locate(text: str) -> bool:
    """Return whether a text may be the beginning of lines or of a name behind a path."""
    return not text or (
        text[0] in ":#" and len(text) < LONGEST and _GROWING.match(text) is not None
    )


_GROWING = re.compile(
    r"(?:[:#]\s?(?:lines?[\s-])?[L\d,;:C.\s\u2013\u2014~\u301c\uff5e\u2026&adnot-]*"
    r"|#.*|::?[\w$.:~?!()]*)\Z"
)
