"""What a repository says of its own files in `.gitattributes`: binary, generated, vendored.

Read at the packed commit, from every folder, as git would. `git check-attr --source` does the same
but is younger than the gits that are in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bot.context.config.globs import glob_regex
from bot.context.errors import GlobError

NAME = ".gitattributes"
_KNOWN = ("binary", "linguist-generated", "linguist-vendored")
_FALSE = {"false", "0", "no", "off"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')
_LARGEST = 200_000
_MOST_RULES = 1_000
"""Each path is held against each rule, and rules are a stranger's: the outermost count."""


class Marks(NamedTuple):
    """True or False where the repository says so, None where it is silent."""

    binary: bool | None = None
    generated: bool | None = None
    vendored: bool | None = None


_SILENT = Marks()


class _Rule(NamedTuple):
    folder: str
    matches: re.Pattern[str]
    values: tuple[tuple[int, bool | None], ...]


class Attributes:
    """The rules of all `.gitattributes` files of one tree."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` maps the path of each `.gitattributes` to its content."""
        self._rules: list[_Rule] = []
        for path in sorted(files, key=lambda path: (path.count("/"), path)):
            folder = path.removesuffix(NAME)
            self._rules += _parse(folder, files[path][:_LARGEST])
        del self._rules[_MOST_RULES:]
        sources = [f"(?:{re.escape(rule.folder)}{rule.matches.pattern})" for rule in self._rules]
        self._any = re.compile("|".join(sources), re.DOTALL) if sources else None

    def __repr__(self) -> str:
        return f"<Attributes {len(self._rules)} rules>"

    def marks(self, path: str) -> Marks:
        """Return what the repository says of one path; deeper and later rules win."""
        if self._any is None or not self._any.fullmatch(path):
            return _SILENT
        values: list[bool | None] = [None, None, None]
        for rule in self._rules:
            below = path.startswith(rule.folder)
            if below and rule.matches.fullmatch(path, len(rule.folder)):
                for index, value in rule.values:
                    values[index] = value
        return Marks(*values)


def _parse(folder: str, content: bytes) -> list[_Rule]:
    rules: list[_Rule] = []
    for line in content.decode("utf-8", "surrogateescape").splitlines():
        pattern, words = _split(line.strip())
        if not pattern or pattern.startswith(("#", "[attr]", "!")):
            continue
        values = tuple(_values(words))
        if not values:
            continue
        try:
            regex = glob_regex(pattern, directories=False)
        except GlobError:
            continue
        rules.append(_Rule(folder, re.compile(regex, re.DOTALL), values))
    return rules


def _split(line: str) -> tuple[str, Sequence[str]]:
    if quoted := _QUOTED.fullmatch(line):
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted[2].split()
    pattern, *words = line.split() or [""]
    return pattern, words


def _values(words: Sequence[str]) -> list[tuple[int, bool | None]]:
    values: list[tuple[int, bool | None]] = []
    for word in words:
        name, _, value = word.lstrip("-!").partition("=")
        if name not in _KNOWN:
            continue
        said = None if word.startswith("!") else not word.startswith("-")
        if value.lower() in _FALSE:
            said = False
        values.append((_KNOWN.index(name), said))
    return values
