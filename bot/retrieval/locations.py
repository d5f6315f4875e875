"""Find places in code that a text names: links, `path:line`, stack frames, bare paths. Pure.

A stack frame names a file on the machine where it ran: `/srv/app/src/pay/retry.py` is the
repository's `src/pay/retry.py`. So a path is resolved by the longest end that it shares with a file
of the repository. Compilers, interpreters and people write the lines behind a path, or before it,
in many forms. These are read apart from the path, so that each form works behind each path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from bot.retrieval.page_links import ADDRESS, read_page, without_tail

MOST_LOCATIONS = 20
"""Places of a text that are looked up, in their order."""
MOST_TEXT = 200_000
"""Characters of a text that are searched for places."""
_MOST_FOUND = 2_000
"""Places of each form that are read in a text."""
_MOST_TRIED = 100
"""Paths of a text that are compared with the files of a repository."""
_MOST_FILES = 3
"""A name that means more files than this means none."""
_MOST_NAMESAKES = 5_000
"""Files of one name among which one is looked for by the folders before it."""
_MOST_LINES = 200

# Every quantifier is bounded or cannot overlap its neighbour: the text is not to be trusted.
_ENDING = r"\.[A-Za-z][A-Za-z0-9+]{0,9}"
_NUMBER = r"\d{1,7}"
_PIECE = r"(?:[\w@.+~$-]|\[[\w.$-]{1,60}\]|\([\w.$-]{1,60}\))"
"""A letter of a name, or a name in brackets, as routes of web frameworks are called."""
_NO_LETTER = r"(?![A-Za-z0-9_/\\])"
_PLACE = re.compile(
    rf"(?<![\w/\\.@+~$)\]-])(?P<path>(?:[A-Za-z]:(?=[\\/]))?[\\/]{{0,2}}"
    rf"(?:{_PIECE}{{1,100}}[\\/]{{1,2}}){{0,20}}(?:{_PIECE}{{0,100}}{_ENDING}"
    # Names without an ending: by their lines, their folder or their form (`Makefile`, `LICENSE`).
    r"|(?=[^\W\d])[\w.+-]{1,60}(?=:\d|: line \d)|(?<=[\\/])(?=[^\W\d])[\w.+-]{1,60}"
    rf"|[A-Z]\w{{0,40}}file|[A-Z]{{4,40}}){_NO_LETTER})"
    r"(?:@(?P<ref>[0-9a-f]{7,64})\b)?(?:\?[\w=&.%-]{0,100})?"
)
_QUOTED = re.compile(
    rf"(?<!\w)(?P<quote>[`\"])(?P<path>[^\s`\"][^`\"\n]{{0,200}} [^`\"\n]{{0,200}}{_ENDING})"
    r"(?=(?P=quote)|[:#])"
)
"""A path with a blank in it."""
_FILE = re.compile(r'\b(?i:file) "(?P<path>[^"\n]{1,400})"')
_JAVA = re.compile(
    r"\bat (?:[\w.@-]{0,100}/){0,2}(?P<name>[\w.$<>-]{1,300}) ?\((?P<file>[\w$-]{1,100}"
    rf"{_ENDING}):(?P<first>{_NUMBER})\)"
)
_WORD = (
    r"(?:lines?|ln\.?|L|zeilen?|z\.|lignes?|l[ií]neas?|linhas?|rig(?:a|he)|regels?|rad(?:en)?"
    r"|linj(?:a|e)n?|lini[aięe]|wiersz\w?|стр(?:\.|ок\w{1,2})|ряд(?:ок|к\w{1,2})|řád\w{1,3}"
    r"|sat[i\u0131]r\w{0,3}|baris|dòng|บรรทัด|γραμμή|שורה|السطر|سطر|पंक्ति|लाइन|第|行)"
)
"""The word for a line in the languages in which people ask."""
_AND = r"(?:\s?(?:[-\u2010-\u2015~\u301c\uff5e到至]|\.\.|to|bis|à|a|по)\s?L?)"
_COLON, _COMMA, _OPENING = "[:\uff1a]", "[,:\u3001\uff0c\uff1a]", "[(\uff08]"
_BEHIND = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # `a.py:12`, `a.py:12-15`, `a.py:12:5`.
        rf"{_COLON}(?P<first>{_NUMBER})(?:(?:[-\u2013]|\.\.)(?P<last>{_NUMBER}))?(?!\w)",
        # Maven's `a.java:[12,5]`, GHC's `a.hs:(12,5)-(14,3)`.
        rf":[\[(](?P<first>{_NUMBER}),{_NUMBER}[\])](?:-\((?P<last>{_NUMBER}),)?",
        # `a.py#L12-L15` of links, `a.R#12` of R.
        rf"#L?(?P<first>{_NUMBER})(?:C\d{{1,5}})?(?:-L?(?P<last>{_NUMBER}))?(?:C\d{{1,5}})?(?!\w)",
        # PHP's `a.php(12)`, TypeScript's and Microsoft's `a.ts(12,5)`, Kotlin's `a.kt: (12, 5)`.
        rf"(?:: )?\((?P<first>{_NUMBER})(?:[,:-] ?{_NUMBER}){{0,3}}\)(?P<last>)",
        # Erlang's `"a.erl"},{line,12}`, JSON's `"a.php","line":12`.
        rf"\"?\}},\s?\{{line,(?P<first>{_NUMBER})\}}(?P<last>)",
        rf"\",\s{{0,8}}\"line(?:no|number)?\":\s?\"?(?P<first>{_NUMBER})(?P<last>)",
        # ESLint's report below the path.
        rf"\s?\n[ ]{{1,6}}(?P<first>{_NUMBER}):{_NUMBER}\s{{1,4}}(?:error|warning)(?P<last>)",
        # `a.cs:line 12`, `"a.py", line 12`, `a.php on line 12`, `a.py (Zeile 12)`.
        rf"[`\"'*_]{{0,3}}{_COMMA}?\s{{0,2}}(?:(?:in|on|at|an|in der|auf|à la|en la|na|alla|на|в|op"
        rf"|på|in \S{{1,80}} at|の|的|의)\s?)?{_OPENING}?{_WORD}[\s:,#№.]{{0,2}}"
        rf"(?:(?:no|number|nr)\.?\s)?(?P<first>{_NUMBER})(?:{_AND}(?P<last>{_NUMBER}))?"
        r"(?![A-Za-z0-9])",
        # `a.py の 12 行目`, `a.py 12번째 줄`, `a.py 12-15行`.
        rf"[`\"'」』]{{0,2}}{_COMMA}?\s?(?:の|的|의)?\s?{_OPENING}?第?\s?(?P<first>{_NUMBER})"
        rf"(?:{_AND}(?P<last>{_NUMBER}))?\s?(?:行|번째\s?줄|줄|행)",
    )
)
_BEFORE = re.compile(
    rf"\b{_WORD}\s(?P<first>{_NUMBER})(?:{_AND}(?P<last>{_NUMBER}))?,?\s"
    r"(?:(?:of|in|from|von|der|de|du|dans|del|do|da|di|van|av|i|w|в|из)\s)?"
    r"(?:(?:the|der|la|le|el|o)\s)?(?:(?:file|datei|fichier|archivo|arquivo|файла?)\s)?"
    r"[`\"'*_]{0,3}\Z",
    re.IGNORECASE,
)
_MOST_BEFORE = 80
_SCHEME = re.compile(r"\b(?:file|webpack|webpack-internal|vscode|res|package)://?")
_COLOUR = re.compile(r"(?:\x1b|\u241b)?\[\d{1,3}(?:;\d{1,3}){0,5}m")
_ESCAPED_BREAK = re.compile(r"\\[nrt](?=\s|\\[nrt\"]|(?:at|from|in|File) |#\d|[\"'])")
_ESCAPED_MARK = re.compile(r"\\(?=[\"/])")
_LIBRARY = re.compile(
    r"(?:^|/)(?:node_modules|(?:site|dist)-packages|__pypackages__|lib/python\d[\d.]*|\.pyenv"
    r"|pkg/mod|\.cargo/(?:registry|git)|\.rustup|rustc/[0-9a-f]{40}|gems/[^/]+-\d[^/]*|\.m2"
    r"|\.gradle/caches|\.pub-cache|\.nuget|\.nvm|\.deno|vendor|usr/(?:local/)?(?:lib|lib64|go|include)"
    r"|(?:node:)?internal/(?:process|modules|timers))/"
)
"""Folders in which a machine keeps the code of others."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_FOREIGN = re.compile(r"[^\x00-\x7f]+(?=[\x21-\x7f])")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in code as a text names it.

    `first` and `last` are None if only the file is named. `ref` is the commit, branch or tag of a
    link, `project` the name of the repository that it leads to. They are None if the text does not
    tell.
    """

    path: str
    first: int | None = None
    last: int | None = None
    ref: str | None = None
    project: str | None = None

    def is_in_one_of(self, repositories: Collection[str]) -> bool:
        """Return whether the text says that the place is in one of these repositories.

        A citation of one of several repositories has its name before the path.
        """
        if not repositories:
            return False
        named = self.project if self.project is not None else self.path.partition("/")[0]
        return named.lower() in {name.lower() for name in repositories}

    @property
    def is_at_commit(self) -> bool:
        """Return whether `ref` looks like a commit's id."""
        return self.ref is not None and _COMMIT.fullmatch(self.ref) is not None


def find_locations(text: str, known: Callable[[str], object] | None = None) -> list[Location]:
    """Return the places that a text names, in order, each once.

    `known` tells if a path can mean a file: other paths are then left out, so that the names of
    libraries in a trace take no place of the repository's files.
    """
    text = _plain(text[:MOST_TEXT])
    found: list[tuple[int, Location]] = []
    for pattern, read in ((ADDRESS, _from_address), (_JAVA, _from_java), (_FILE, _from_file)):
        text = _take(pattern, read, text, found)
    # The rest of a quotation may hold a path of its own.
    for pattern, read in ((_QUOTED, _from_file), (_PLACE, _from_place)):
        _take(pattern, read, text, found)
    ordered = (location for _, location in sorted(found, key=lambda pair: pair[0]))
    return list(_chosen(dict.fromkeys(ordered), known))


def _plain(text: str) -> str:
    """Return a text without the colours of a terminal and the escapes of JSON."""
    text = _COLOUR.sub("", text)
    if "\\" in text:
        text = _ESCAPED_MARK.sub("", _ESCAPED_BREAK.sub("\n", text))
    return _SCHEME.sub(lambda match: " " * len(match[0]), text)


def _take(
    pattern: re.Pattern[str],
    read: Callable[[re.Match[str]], Location | None],
    text: str,
    found: list[tuple[int, Location]],
) -> str:
    """Add the places that one pattern finds; return the text without them."""

    def blank(match: re.Match[str]) -> str:
        location = read(match)
        if location is None:
            return match[0]
        found.append((match.start(), location))
        return " " * len(match[0])

    return pattern.sub(blank, text, count=_MOST_FOUND)


def _chosen(found: Iterable[Location], known: Callable[[str], object] | None) -> Iterator[Location]:
    left = MOST_LOCATIONS
    tried: dict[str, bool] = {}
    for location in found:
        if known is not None:
            if location.path not in tried:
                if len(tried) == _MOST_TRIED:
                    return
                tried[location.path] = bool(known(location.path))
            if not tried[location.path]:
                continue
        yield location
        left -= 1
        if not left:
            return


def _from_address(match: re.Match[str]) -> Location | None:
    page = read_page(without_tail(match[0]))
    if page is None:
        return None
    return replace(_location(page.path, page.first, page.last, page.ref), project=page.project)


def _from_file(match: re.Match[str]) -> Location:
    return _location(match["path"], *_lines_beside(match))


def _from_java(match: re.Match[str]) -> Location:
    """Read `at com.acme.pay.Retry$Inner.run(Retry.java:12)`: the package gives the folder."""
    name, file = match["name"], match["file"]
    if file.rpartition(".")[2].startswith("clj"):
        # A namespace is a file: `at acme.pay$charge.invoke(pay.clj:12)`.
        package = name.partition("$")[0].split(".")[:-1]
    else:
        package = [part for part in name.split(".") if part[:1].islower()]
        if name.split(".")[-1] in package:
            package = package[:-1]
    first = int(match["first"])
    return _location("/".join([*package, file]), first, first)


def _from_place(match: re.Match[str]) -> Location:
    return _location(match["path"], *_lines_beside(match), match["ref"])


def _lines_beside(match: re.Match[str]) -> tuple[int | None, int | None]:
    """Return the lines that stand behind a path or, in words, before it."""
    text, end = match.string, match.end()
    for pattern in _BEHIND:
        if found := pattern.match(text, end):
            return _numbers(found)
    start = match.start("path")
    before = _BEFORE.search(text[max(0, start - _MOST_BEFORE) : start])
    return (None, None) if before is None else _numbers(before)


def _numbers(found: re.Match[str]) -> tuple[int, int]:
    first = int(found["first"])
    return first, int(found["last"] or first)


def _location(path: str, first: int | None, last: int | None, ref: str | None = None) -> Location:
    path = re.sub(r"[\\/]+", "/", path).removeprefix("./")
    if first is None or first < 1:
        return Location(path, ref=ref)
    high = max(first, last or first)
    return Location(path, first, min(high, first + _MOST_LINES), ref)


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
        found = self._resolve(named)
        if not found and (foreign := _FOREIGN.match(named)):
            # Some scripts put no blank between a word and the path behind it.
            found = self._resolve(named[foreign.end() :].strip("/"))
        return found

    def _resolve(self, named: str) -> list[str]:
        if named in self._paths:
            return [named]
        candidates = self._by_name.get(named.rpartition("/")[2], [])
        if _LIBRARY.search(named):
            # `site-packages/flask/app.py` is not the repository's own `app.py`.
            candidates = [path for path in candidates if _LIBRARY.search(path)]
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
