"""Search the repositories of one context, and write excerpts as they stand in a prompt.

Excerpts stand in the user's message, behind everything that questions share, so a warm prefix stays
warm. Their text is read from the repository with its secrets masked, like that of the prefix. It is
marked like the prefix's text too, and every excerpt says its lines, so that it can be cited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from bot.context.asking import ask_about
from bot.context.files.text import split_lines
from bot.context.files.tree import Survey, texts
from bot.context.git.repository import GitRepository
from bot.context.reader import Reader
from bot.context.render.blocks import NUMBER_EVERY, escaped, marker, plural
from bot.context.render.definitions import definitions
from bot.retrieval.excerpts import Excerpt
from bot.retrieval.index import View
from bot.retrieval.move_lines import line_mover

_HEAD = "excerpts of"
_OPEN = re.compile(r"^@@@ excerpts of (.+) at commit ([0-9a-f]{7,64}):", re.MULTILINE)
_LINES = re.compile(r"^@@@ lines (\d+)-(\d+) of (.+) \(\d+ lines?\)$", re.MULTILINE)
_MOST_HERE = 1_000_000
"""Bytes of a file whose lines are read in the bot's own process."""
_SHORT = 12
"""Digits of a commit's id in a marker."""


@dataclass(frozen=True, eq=False)
class Searchable:
    """One repository of a context at the commit of its pack.

    `shown` are the files that the prefix shows in full, `complete` tells that these are all.
    """

    repository: GitRepository
    survey: Survey
    shown: frozenset[str]
    complete: bool
    view: View = field(repr=False)
    reader: Reader | None = field(default=None, repr=False)
    """Reads large files in another process; without one they are read here."""

    @property
    def name(self) -> str:
        return self.survey.rules.name


@dataclass(frozen=True, slots=True)
class FoundExcerpt:
    """An excerpt of one repository with its text, one item a line."""

    repository: str
    commit: str
    excerpt: Excerpt
    file_lines: int
    lines: tuple[bytes, ...] = field(repr=False)


class DefinedName(NamedTuple):
    """A definition: lines `first` to `last` of a file."""

    repository: str
    path: str
    first: int
    last: int


class ContextSearch:
    """Finds excerpts in a context's repositories. Its methods block and are meant for a thread."""

    def __init__(self, parts: Sequence[Searchable]) -> None:
        self._parts = tuple(parts)
        self._names = frozenset(part.name for part in self._parts)

    def __repr__(self) -> str:
        return f"<ContextSearch of {', '.join(part.name for part in self._parts)}>"

    @property
    def is_needed(self) -> bool:
        """Return whether any file is not in the prefix in full."""
        return not all(part.complete for part in self._parts)

    def find(
        self, question: str, thread: str, tokens: int, before: Iterable[str] = ()
    ) -> list[FoundExcerpt]:
        """Return excerpts of at most so many tokens, the best file first.

        `before` are the texts of earlier excerpts in the conversation: their lines are not
        repeated.

        Raises:
            RepositoryError: a repository cannot be read.
        """
        if tokens <= 0 or not self.is_needed:
            return []
        shown = parse_excerpts(before)
        chosen: list[tuple[int, Excerpt]] = []
        for at, part in enumerate(self._parts):
            if part.complete:
                continue
            mover = line_mover(part.repository, part.survey, part.reader)
            matches = part.view.match(question, thread, mover, self._names - {part.name})
            known = shown.get((part.name, part.survey.commit[:_SHORT]), ())
            chosen += [(at, one) for one in matches.choose(tokens, part.shown, known)]
        return self._read(_fit(chosen, tokens))

    def places(self, question: str, thread: str, tokens: int) -> list[FoundExcerpt]:
        """Return the best places for a question, files that the prefix shows included."""
        chosen: list[tuple[int, Excerpt]] = []
        for at, part in enumerate(self._parts):
            mover = line_mover(part.repository, part.survey, part.reader)
            matches = part.view.match(question, thread, mover, self._names - {part.name})
            chosen += [(at, one) for one in matches.choose(tokens)]
        return self._read(_fit(chosen, tokens))

    def rank_files(self, words: str, limit: int) -> list[tuple[str, str]]:
        """Return the files whose code fits the words best: repository and path, the best first."""
        rated: list[tuple[float, str, str]] = []
        for part in self._parts:
            matches = part.view.match(words)
            rated += [(score, part.name, path) for path, score in matches.files(limit)]
        rated.sort(key=lambda one: (-one[0], one[1], one[2]))
        return [(name, path) for _, name, path in rated[:limit]]

    def define(self, name: str, limit: int) -> list[DefinedName]:
        """Return the places that define a name, source before tests."""
        found: list[DefinedName] = []
        for part in self._parts:
            paths = part.view.defining_files(name, limit)
            files = [part.survey.files[path] for path in paths]
            for file in files:
                lines = ask_about(part.reader, part.repository, file, _lines_of, name, limit)
                found += [DefinedName(part.name, file.path, *pair) for pair in lines or ()]
        return found[:limit]

    def _read(self, chosen: Sequence[tuple[int, Excerpt]]) -> list[FoundExcerpt]:
        found: list[FoundExcerpt] = []
        for at, part in enumerate(self._parts):
            own = [one for owner, one in chosen if owner == at]
            ranges: dict[str, list[tuple[int, int]]] = {}
            for one in own:
                ranges.setdefault(one.path, []).append((one.first, one.last))
            read = _read_ranges(part, ranges)
            for one in own:
                count, lines = read[one.path]
                text = lines[one.first, one.last]
                found.append(FoundExcerpt(part.name, part.survey.commit, one, count, text))
        return found


Ranges = Sequence[tuple[int, int]]
_Read = tuple[int, Mapping[tuple[int, int], tuple[bytes, ...]]]
"""The number of a file's lines, and the lines of some ranges."""


def _read_ranges(part: Searchable, ranges: Mapping[str, Ranges]) -> dict[str, _Read]:
    """Read ranges of lines of files. One file at a time is in memory."""
    files = [part.survey.files[path] for path in ranges]
    here = [file for file in files if file.size <= _MOST_HERE and not file.shortened]
    found: dict[str, _Read] = {}
    for file, raw in zip(here, texts(part.repository, here), strict=True):
        found[file.path] = _pick(raw, ranges[file.path])
    for file in files:
        if file.path not in found:
            arguments = (part.repository, file, _pick_text, ranges[file.path])
            found[file.path] = ask_about(part.reader, *arguments) or (0, {})
    return found


def _pick_text(path: str, text: str, ranges: Ranges) -> _Read:
    return _pick(text.encode("utf-8", "surrogatepass"), ranges)


def _pick(text: bytes, ranges: Ranges) -> _Read:
    lines = split_lines(text)
    return len(lines), {(first, last): tuple(lines[first - 1 : last]) for first, last in ranges}


def _lines_of(path: str, text: str, name: str, limit: int) -> list[tuple[int, int]]:
    """Return the first and last lines of what defines a name."""
    found = definitions(path, text.encode("utf-8", "surrogatepass"))
    own = (one for one in (found.items if found is not None else ()) if one.name == name)
    return [(one.first, one.last) for one in islice(own, limit)]


def _fit(chosen: Sequence[tuple[int, Excerpt]], tokens: int) -> list[tuple[int, Excerpt]]:
    """Return the best excerpts of all repositories that fit, file by file as they came."""
    left = tokens
    kept: set[int] = set()
    for at in sorted(range(len(chosen)), key=lambda at: (-chosen[at][1].score, at)):
        if chosen[at][1].tokens <= left:
            kept.add(at)
            left -= chosen[at][1].tokens
    return [pair for at, pair in enumerate(chosen) if at in kept]


# --- in the prompt -------------------------------------------------------------------------------


def render_excerpts(found: Sequence[FoundExcerpt]) -> str:
    """Return the excerpts as one text, an empty one if there are none."""
    parts: list[bytes] = []
    for name in dict.fromkeys(one.repository for one in found):
        own = [one for one in found if one.repository == name]
        head = f"{_HEAD} {name} at commit {own[0].commit[:_SHORT]}: found for this question"
        parts.append(marker(head))
        parts += [piece for one in own for piece in _render(one)]
    if parts:
        parts.append(marker("end of excerpts"))
    return b"".join(parts).decode("utf-8", "replace").rstrip("\n")


def _render(one: FoundExcerpt) -> Iterable[bytes]:
    excerpt = one.excerpt
    place = f"lines {excerpt.first}-{excerpt.last} of {excerpt.path}"
    yield marker(f"{place} ({plural(one.file_lines, 'line')})")
    for number, line in enumerate(one.lines, excerpt.first):
        numbered = number == excerpt.first or number % NUMBER_EVERY == 0
        yield (b"%d|" % number if numbered else b"") + escaped(line) + b"\n"


def is_excerpts(text: str) -> bool:
    """Return whether a text of a stored turn is one that `render_excerpts` wrote."""
    return text.startswith(f"@@@ {_HEAD} ")


def parse_excerpts(sent: Iterable[str]) -> dict[tuple[str, str], list[Excerpt]]:
    """Read back which lines were sent, by repository and the first digits of the commit.

    The texts themselves are the record: a second one could disagree with them.
    """
    found: dict[tuple[str, str], list[Excerpt]] = {}
    for text in sent:
        opened = list(_OPEN.finditer(text))
        ends = [match.start() for match in opened[1:]] + [len(text)]
        for match, end in zip(opened, ends, strict=True):
            own = found.setdefault((match[1], match[2]), [])
            for place in _LINES.finditer(text, match.end(), end):
                own.append(Excerpt(place[3], int(place[1]), int(place[2]), 0, 0.0))
    return found
