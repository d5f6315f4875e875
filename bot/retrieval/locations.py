"""Find places in code that a text names: links, `path:line`, stack frames, bare paths. Pure.

A stack frame of Python, JavaScript, Java, Go or Rust names a file on the machine where it ran:
`/srv/app/src/pay/retry.py` is the repository's `src/pay/retry.py`. So a path is resolved by the
longest end that it shares with a file of the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

MOST_LOCATIONS = 20
"""Places of a text that are looked up, in their order."""
MOST_TEXT = 200_000
"""Characters of a text that are searched for places."""
_MOST_FILES = 3
_MOST_NAMESAKES = 5_000
"""Files of one name among which one is looked for by the folders before it."""
"""A name that means more files than this means none."""
_MOST_LINES = 200

_EXTENSION = r"\.[A-Za-z][A-Za-z0-9+]{0,9}"
# Every quantifier is bounded or cannot overlap its neighbour: the text is not to be trusted.
_LINK = re.compile(
    r"https?://[\w.-]{1,200}(?::\d{1,5})?/(?P<project>[\w./~-]{1,200}?)/(?:-/)?"
    r"(?:blob|blame|raw|src/commit|src/branch|src/tag|src)/"
    r"(?P<ref>[\w.-]{1,100})/(?P<path>[^\s#?<>|)\]\"']{1,400})(?:\?[^\s#<>|)]{0,200})?"
    r"(?:#(?:L|lines-)?(?P<first>\d{1,7})(?:C\d{1,5})?(?:[-:](?:L)?(?P<last>\d{1,7}))?)?"
)
_PYTHON = re.compile(r'File "(?P<path>[^"\n]{1,400})", line (?P<first>\d{1,7})')
_JAVA = re.compile(
    r"\bat (?:[\w.@-]{1,100}/)?(?P<name>[\w.$]{1,300})\((?P<file>[\w$-]{1,100}"
    rf"{_EXTENSION}):(?P<first>\d{{1,7}})\)"
)
_PLACE = re.compile(
    rf"(?<![\w/.@+~-])(?P<path>(?:[A-Za-z]:)?/?(?:[\w@.+~-]{{1,100}}/){{0,20}}[\w@.+~-]{{1,100}}?"
    rf"{_EXTENSION})(?::(?P<first>\d{{1,7}})(?:-(?P<last>\d{{1,7}}))?|#L(?P<from>\d{{1,7}})"
    rf"(?:-L?(?P<to>\d{{1,7}}))?|,? lines? (?P<line>\d{{1,7}}))?(?![\w/])"
)
_SCHEME = re.compile(r"\b(?:file|webpack|webpack-internal|vscode)://")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in code as a text names it.

    `first` and `last` are None if only the file is named. `ref` is the commit, branch or tag of a
    link, None if the text does not tell.
    """

    path: str
    first: int | None = None
    last: int | None = None
    ref: str | None = None

    @property
    def is_at_commit(self) -> bool:
        """Return whether `ref` looks like a commit's id."""
        return self.ref is not None and _COMMIT.fullmatch(self.ref) is not None


def find_locations(text: str) -> list[Location]:
    """Return the places that a text names, in order, each once."""
    text = _SCHEME.sub(_blank, text[:MOST_TEXT])
    found: list[tuple[int, Location]] = []
    for pattern, read in ((_LINK, _from_link), (_PYTHON, _from_frame), (_JAVA, _from_java)):
        for match in pattern.finditer(text):
            found.append((match.start(), read(match)))
        # Text that one pattern has read is not read again by the next.
        text = pattern.sub(_blank, text)
    found += [(match.start(), _from_place(match)) for match in _PLACE.finditer(text)]
    ordered = (location for _, location in sorted(found, key=lambda pair: pair[0]))
    return list(dict.fromkeys(ordered))[:MOST_LOCATIONS]


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _from_link(match: re.Match[str]) -> Location:
    path = unquote(match["path"]).strip("/.,;:")
    return _location(path, match["first"], match["last"], match["ref"])


def _from_frame(match: re.Match[str]) -> Location:
    return _location(match["path"], match["first"])


def _from_java(match: re.Match[str]) -> Location:
    """Read `at com.acme.pay.Retry$Inner.run(Retry.java:12)`: the package gives the folder."""
    package = [part for part in match["name"].split(".") if part[:1].islower()]
    folder = "/".join(package[:-1] if match["name"].split(".")[-1] in package else package)
    return _location(f"{folder}/{match['file']}".lstrip("/"), match["first"])


def _from_place(match: re.Match[str]) -> Location:
    first = match["first"] or match["from"] or match["line"]
    return _location(match["path"], first, match["last"] or match["to"])


def _location(
    path: str, first: str | None, last: str | None = None, ref: str | None = None
) -> Location:
    path = path.replace("\\", "/").removeprefix("./")
    if first is None or int(first) < 1:
        return Location(path, ref=ref)
    low = int(first)
    high = max(low, int(last)) if last else low
    return Location(path, low, min(high, low + _MOST_LINES), ref)


class PathResolver:
    """Resolves a path as a text names it to the files of a repository."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._by_name: dict[str, list[str]] = {}
        for path in self._paths:
            self._by_name.setdefault(path.rpartition("/")[2], []).append(path)

    def resolve(self, named: str) -> list[str]:
        """Return the files that a name can mean, none if it could be many."""
        named = named.strip("/")
        if named in self._paths:
            return [named]
        candidates = self._by_name.get(named.rpartition("/")[2], ())
        if not candidates or len(candidates) > _MOST_NAMESAKES:
            return []
        shared = {path: _shared_end(path, named) for path in candidates}
        longest = max(shared.values())
        found = sorted(path for path in candidates if shared[path] == longest)
        if longest == 1 and "/" in named:
            # `lib/a.py` is not `src/a.py`, but `/app/a.py` may be the `a.py` at the top.
            found = [path for path in found if "/" not in path]
        return found if len(found) <= _MOST_FILES else []


def _shared_end(one: str, other: str) -> int:
    """Count the parts that two paths share at their ends."""
    count = 0
    for mine, theirs in zip(reversed(one.split("/")), reversed(other.split("/")), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
