"""The files that citations name: which paths there are, what their lines say. Pure once read."""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from itertools import islice
from typing import TypeAlias
from urllib.parse import unquote

from bot.context.files.select import printable
from bot.context.files.text import text_lines
from bot.context.pack import SMALL_BYTES, SMALL_LINES, RepositoryState, Snapshot
from bot.context.render.definitions import Definitions, definitions, is_known
from bot.delivery.citations.citation import MARKED
from bot.errors import ForewarmError
from bot.garbage_collection import set_aside

FileKey: TypeAlias = tuple[str, str]
"""Repository and path. The path has a mark (`PATH@COMMIT`) if it is at another commit."""

_FEW = 4
_PIECE = 1_000
"""Paths that are sorted at once."""
_SECONDS = 0.05
_GROWTH = 20_000_000
_MOST_DEFINITIONS = 1_000
"""The most that the definitions of a file take which is checked in the bot's own process."""
_MOST_NAMESAKES = 5_000
"""Files of one name among which the end of a path is looked for."""
_MOST_OWNERS = 5
"""Parts of a repository's address that may stand before a path: its host and groups."""
_REMEMBERED = 4_000
"""Answers of `find` that are kept: a text that is still growing is looked up with each piece."""
_PLAIN = re.compile(r"[^\s:#`'\"<>|*?\\(){}\[\]!&~,;@]+")
_ESCAPED = re.compile(r"\\([^\w\s])")


@dataclass(frozen=True)
class Source:
    """One file at the head commit and at the base; None if it is not there or not readable.

    `base` is None as well if the base is the head: no line can have moved. `found` holds the file's
    definitions; None: they are not known. `commit` is set if `head` is from another commit.
    """

    head: str | None
    base: str | None
    found: Definitions | None = None
    commit: str | None = None

    @cached_property
    def lines(self) -> list[str]:
        return text_lines(self.head or "")

    @cached_property
    def base_lines(self) -> list[str]:
        return text_lines(self.base or "")

    @property
    def moved(self) -> bool:
        return self.base is not None and self.base != self.head


@dataclass(frozen=True)
class LargeFile:
    """A file that another process checks citations of: see `Source` for `commit`."""

    commit: str | None = None


def read_source(snapshot: Snapshot, key: FileKey) -> Source | LargeFile:
    """Read a file at both commits, if it is small enough. Blocks: run it in a thread.

    Each reading starts a git, and a citation waits for it: if both are one commit, one is read.
    """
    found = locate(snapshot, key)
    if found is None:
        return Source(None, None)
    snapshot, path, commit = found
    texts = snapshot.ask_versions(key[0], path, _small_texts)
    if texts is None:
        return Source(None, None)
    head, base = texts
    if head is None:
        return LargeFile(commit)
    known = definitions(path, head.encode("utf-8", "surrogatepass"), _SECONDS, _GROWTH)
    is_too_much = known is None and is_known(path)
    if is_too_much or (known is not None and len(known.items) > _MOST_DEFINITIONS):
        return LargeFile(commit)
    return Source(head, base, known, commit)


def locate(snapshot: Snapshot, key: FileKey) -> tuple[Snapshot, str, str | None] | None:
    """Return the snapshot that has a file, its path there, and the commit if that is another one.

    None: there is no such commit.
    """
    repository, path = key
    mark = MARKED.fullmatch(path)
    if mark is None or snapshot.has(repository, path):
        return snapshot, path, None
    try:
        other = snapshot.at(repository, mark["commit"])
    except ForewarmError:
        return None
    return other, mark["path"], other.repositories()[0].commit


def _small_texts(path: str, head: str, base: str | None) -> tuple[str | None, str | None]:
    """Return both texts; None in place of each if one is large."""
    if any(
        len(text) > SMALL_BYTES or text.count("\n") > SMALL_LINES
        for text in (head, base)
        if text is not None
    ):
        return None, None
    return head, base


def source_of(path: str, head: str | None, base: str | None = None) -> Source:
    """Return a file with its definitions."""
    if head is None:
        return Source(head, base)
    return Source(head, base, definitions(path, head.encode("utf-8", "surrogatepass")))


def normalize_path(path: str) -> str:
    """Return a path as paths are compared: one Unicode form, no leading `./` or `/`."""
    path = path.removeprefix("./").lstrip("/")
    return path if path.isascii() else unicodedata.normalize("NFC", path)


class PathIndex:
    """Every path of a snapshot that can be cited. Built once, in a thread; its answers share it."""

    def __init__(
        self, states: Sequence[RepositoryState], paths: Mapping[str, Sequence[str]]
    ) -> None:
        self.states = {state.name: state for state in states}
        self._prefixes = _prefixes(states)
        self._prefix_firsts = {prefix[0] for prefix, _ in self._prefixes}
        self._keys: dict[str, list[FileKey]] = defaultdict(list)
        self._by_name: dict[str, list[FileKey]] = defaultdict(list)
        for repository, names in paths.items():
            for path in names:
                key = (repository, path)
                shown = normalize_path(path)
                self._keys[shown].append(key)
                self._by_name[shown.rsplit("/", 1)[-1]].append(key)
                # The prompt shows a path with control characters escaped.
                if not path.isprintable() and (escaped := printable(path)) != shown:
                    self._keys[escaped].append(key)
        self._found: dict[str, tuple[list[FileKey], bool]] = {}
        self._sorted = _sorted({*self._keys, *self._by_name})
        self._odd = [text for text in self._sorted if _is_odd(text)]
        self._odd_firsts = {text[0] for text in self._odd}
        self._endings = {name.rsplit(".", 1)[-1] for name in self._by_name if "." in name}

    def __repr__(self) -> str:
        return f"<PathIndex of {', '.join(self.states)}: {len(self._keys)} paths>"

    @property
    def count(self) -> int:
        """The number of paths."""
        return len(self._keys)

    @classmethod
    def of(cls, snapshot: Snapshot) -> PathIndex:
        """Blocks: run it in a thread."""
        states = snapshot.repositories()
        with set_aside():
            return cls(states, {state.name: snapshot.paths(state.name) for state in states})

    def knows(self, text: str) -> bool:
        """Return whether a path may mean a file."""
        return bool(self.find(text)[0])

    def find(self, text: str) -> tuple[list[FileKey], bool]:
        """Return the files that a path may mean, and whether it was given in full."""
        if text not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[text] = self._find(text)
        return self._found[text]

    def _find(self, text: str) -> tuple[list[FileKey], bool]:
        near: list[FileKey] = []
        for path in _readings(text):
            exact = self._within_named(path) or self._keys.get(path, [])
            if exact:
                return list(exact), True
            near = near or self._ending_with(path)
        return near, False

    def _ending_with(self, path: str) -> list[FileKey]:
        tail = "/" + path
        near = self._by_name.get(path.rsplit("/", 1)[-1], [])[:_MOST_NAMESAKES]
        return list(
            islice((key for key in near if ("/" + normalize_path(key[1])).endswith(tail)), _FEW)
        )

    def _within_named(self, path: str) -> list[FileKey]:
        """Return the file whose path is given with its repository's name before it."""
        for prefix, name in self._prefixes:
            if path.startswith(prefix):
                rest = path[len(prefix) :]
                if found := [key for key in self._keys.get(rest, []) if key[0] == name]:
                    return found
        return []

    def begins(self, text: str) -> bool:
        """Return whether a known path, or the name of a file, begins so."""
        text = normalize_path(text) if text else text
        if _has_beginning(self._sorted, text) or _has_accented(self._sorted, text):
            return True
        if text[:1] not in self._prefix_firsts:
            return False
        return any(
            prefix.startswith(text)
            or (text.startswith(prefix) and self.begins(text[len(prefix) :]))
            for prefix, _ in self._prefixes
        )

    def odd_at(self, raw: str, at: int) -> str | None:
        """Return the longest path that stands at a place and that no pattern could find, if any.

        Such a path has a blank, a bracket or a quotation mark in it, or neither a slash nor a dot.
        """
        text = raw[at : at + 300] if raw[at] in self._odd_firsts else ""
        known = self._longest_odd(text if text.isascii() else unicodedata.normalize("NFC", text))
        if known is None or text.startswith(known):
            return known
        # The text is in the other Unicode form, which is longer.
        ends = range(len(known), len(text) + 1)
        return next((text[:end] for end in ends if normalize_path(text[:end]) == known), None)

    def _longest_odd(self, text: str) -> str | None:
        while text:
            place = bisect_right(self._odd, text) - 1
            if place < 0:
                return None
            known = self._odd[place]
            if text.startswith(known):
                return known
            text = text[: _common(known, text)]
        return None

    def odd_begins(self, text: str) -> bool:
        """Return whether such a path begins with a text."""
        if text[:1] not in self._odd_firsts:
            return False
        text = text if text.isascii() else unicodedata.normalize("NFC", text)
        return _has_beginning(self._odd, text) or _has_accented(self._odd, text)

    @property
    def has_odd(self) -> bool:
        return bool(self._odd)

    def looks_like_file(self, path: str) -> bool:
        """Return whether a path that is not known ends as known files do."""
        name = path.rsplit("/", 1)[-1]
        return "." in name and name.rsplit(".", 1)[-1] in self._endings


def _prefixes(states: Sequence[RepositoryState]) -> list[tuple[str, str]]:
    """Return what may stand before a path to name its repository, each with that name."""
    found = []
    for state in states:
        parts = re.split(r"[/:]+", state.url.rstrip("/").removesuffix(".git"))
        owned = ("/".join(parts[-many:]) for many in range(2, min(len(parts), _MOST_OWNERS) + 1))
        for name in dict.fromkeys((state.name, *owned)):
            found += [(name + sign, state.name) for sign in "/:"]
    return found


def _sorted(texts: Iterable[str]) -> list[str]:
    """Sort, and let other threads run meanwhile: `sorted` keeps the interpreter's lock."""
    left = iter(texts)
    pieces: list[list[str]] = []
    while piece := sorted(islice(left, _PIECE)):
        pieces.append(piece)
    return list(merge(*pieces))


def _has_beginning(names: Sequence[str], text: str) -> bool:
    at = bisect_left(names, text)
    return at < len(names) and names[at].startswith(text)


def _has_accented(names: Sequence[str], text: str) -> bool:
    """Return whether a name goes on with the text's last letter and an accent, not yet there."""
    at = bisect_left(names, text[:-1] + _FIRST_FOREIGN)
    if not text[-1:].isalpha() or at >= len(names) or not names[at].startswith(text[:-1]):
        return False
    following = unicodedata.normalize("NFD", names[at][len(text) - 1 : len(text)])
    return following[:1] == text[-1]


_FIRST_FOREIGN = "\x80"


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_odd(path: str) -> bool:
    return ("/" not in path and "." not in path) or _PLAIN.fullmatch(path) is None


def _readings(text: str) -> Iterator[str]:
    """Yield the paths that a text may mean: as written, then without escapes."""
    path = normalize_path(text)
    yield path
    if "%" in path and (decoded := normalize_path(unquote(path))) != path:
        yield decoded
    if "\\" in path:
        yield _ESCAPED.sub(r"\1", path)
        yield path.replace("\\", "/")
    if "&" in path and (decoded := html.unescape(path)) != path:
        yield decoded
