"""The words of a repository about its own files in `.gitattributes`: text, generated, vendored.

Read at the packed commit, from every folder, as git would. `git check-attr --source` does the same
but is younger than the gits that are in use.

The rules are a stranger's, and every path is matched against them. So their number and their bytes
are bounded before any is compiled, and the usual forms (`*.ext`, a bare name) are looked up, not
tried one by one.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bot.context.config.globs import glob_regex
from bot.context.errors import GlobError

NAME = ".gitattributes"
LARGEST = 200_000
"""Bytes of one file. A larger file has no effect."""
MOST_BYTES = 1_000_000
"""Bytes of all the files of one tree."""
_KNOWN = ("binary", "linguist-generated", "linguist-vendored", "text")
_FALSE = {"false", "0", "no", "off"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')
_MOST_RULES = 1_000
_MOST_TRIALS = 4_000_000
"""Matches of a pattern against a path, over all paths of a tree: a few seconds at most."""
_LONGEST_LINE = 2_048
"""git ignores a longer line as well."""
_NAME_ONLY = re.compile(r"[^/*?\[\\]+")
_ENDING = re.compile(r"\*(\.[^/*?\[\\.]+)")


class Marks(NamedTuple):
    """True or False if the repository says so, None if it is silent."""

    binary: bool | None = None
    generated: bool | None = None
    vendored: bool | None = None
    text: bool | None = None

    @property
    def is_text(self) -> bool:
        """Whether the repository declares the file a text."""
        return self.binary is False or (self.binary is None and self.text is True)


_SILENT = Marks()
_Values = tuple[tuple[int, bool | None], ...]


class _Rule(NamedTuple):
    order: int
    folder: str
    values: _Values


class _Glob(NamedTuple):
    rule: _Rule
    matches: re.Pattern[str]


class Attributes:
    """The rules of all `.gitattributes` files of one tree. Deeper and later rules win."""

    def __init__(self, files: Mapping[str, bytes], paths: int = 0) -> None:
        """`files` maps the path of each `.gitattributes` to its content.

        `paths` is how many paths the tree has: with more paths, fewer patterns are tried on each.
        """
        self._files = dict(files)
        self._paths = paths
        most_globs = _MOST_TRIALS // max(1, paths)
        self._by_name: dict[str, list[_Rule]] = {}
        self._by_ending: dict[str, list[_Rule]] = {}
        self._globs: list[_Glob] = []
        self._count = 0
        for order, (folder, pattern, values) in enumerate(_rules(files)):
            if order >= _MOST_RULES:
                break
            self._add(_Rule(order, folder, values), pattern, most_globs)
        sources = [f"(?:{re.escape(g.rule.folder)}{g.matches.pattern})" for g in self._globs]
        self._any = re.compile("|".join(sources), re.DOTALL) if sources else None

    def __repr__(self) -> str:
        return f"<Attributes {self._count} rules>"

    def __reduce__(self) -> tuple[type[Attributes], tuple[dict[str, bytes], int]]:
        return Attributes, (self._files, self._paths)

    def _add(self, rule: _Rule, pattern: str, most_globs: int) -> None:
        """Take a rule in. Patterns beyond the first `most_globs` have no effect."""
        if _NAME_ONLY.fullmatch(pattern):
            self._by_name.setdefault(pattern, []).append(rule)
        elif ending := _ENDING.fullmatch(pattern):
            self._by_ending.setdefault(ending[1], []).append(rule)
        elif len(self._globs) < most_globs:
            try:
                regex = re.compile(glob_regex(pattern, directories=False), re.DOTALL)
            except GlobError:
                return
            self._globs.append(_Glob(rule, regex))
        self._count += 1

    def marks(self, path: str) -> Marks:
        """Return the repository's words about one path."""
        found = [rule for rule in self._looked_up(path) if path.startswith(rule.folder)]
        if self._any is not None and self._any.fullmatch(path):
            found += [
                rule
                for rule, matches in self._globs
                if path.startswith(rule.folder) and matches.fullmatch(path, len(rule.folder))
            ]
        if not found:
            return _SILENT
        values: list[bool | None] = [None] * len(_KNOWN)
        for rule in sorted(found):
            for index, value in rule.values:
                values[index] = value
        return Marks(*values)

    def _looked_up(self, path: str) -> Iterator[_Rule]:
        if not self._by_name and not self._by_ending:
            return
        name = path.rpartition("/")[2]
        yield from self._by_name.get(name, ())
        dot = name.rfind(".")
        if dot >= 0:
            yield from self._by_ending.get(name[dot:], ())


def _rules(files: Mapping[str, bytes]) -> Iterator[tuple[str, str, _Values]]:
    """Yield folder, pattern and values of each rule that says something, in git's order."""
    macros: dict[str, Sequence[str]] = {}
    left = MOST_BYTES
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        folder = path.removesuffix(NAME)
        content = files[path]
        left -= len(content)
        if len(content) > LARGEST or left < 0:
            continue
        for raw in content.removeprefix(codecs.BOM_UTF8).split(b"\n"):
            if len(raw) > _LONGEST_LINE:
                continue
            line = raw.decode("utf-8", "surrogateescape").strip()
            if line.startswith("[attr]"):
                # git takes macros from the top folder alone.
                name, *words = line.removeprefix("[attr]").split() or [""]
                if not folder and len(macros) < _MOST_RULES:
                    macros[name] = words
                continue
            pattern, given = _split(line)
            if not pattern or pattern.startswith(("#", "!")):
                continue
            if values := tuple(_values(given, macros)):
                yield folder, pattern, values


def _split(line: str) -> tuple[str, Sequence[str]]:
    if quoted := _QUOTED.fullmatch(line):
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted[2].split()
    pattern, *words = line.split() or [""]
    return pattern, words


def _values(
    words: Sequence[str], macros: Mapping[str, Sequence[str]] = {}
) -> Iterator[tuple[int, bool | None]]:
    for word in words[:50]:
        name, _, value = word.lstrip("-!").partition("=")
        if word in macros:
            yield from _values(macros[word])
        if name not in _KNOWN:
            continue
        declared = None if word.startswith("!") else not word.startswith("-")
        if value.lower() in _FALSE:
            declared = False
        if name == "text" and (value or declared is False):
            # `-text` and `text=auto` speak of line ends only.
            declared = None
        yield _KNOWN.index(name), declared
