"""The model's look-ups beyond the prefix: inside the context's globs, at the pinned commit.

`DECLARATIONS` are part of the warm prefix: constant, always sent, the same bytes in each request. A
result is bounded in lines and characters, and says if it was cut, so that the model can ask for the
rest. A look-up at another `ref` marks each path with the commit (`PATH@COMMIT`): a citation that
carries the mark is checked and linked there. Files that the pack left out as secret stay unreadable
here, since the snapshot does not have them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import Any, Final

import structlog

from bot.answer.look_ups.file_parts import (
    MAX_LINES,
    FilePart,
    WantedPart,
    cut_line,
    enclosing_definitions,
    read_part,
)
from bot.context.errors import LookUpLimitError
from bot.context.pack import Change, Match, Snapshot
from bot.context.render.blocks import plural
from bot.context.render.definitions import Definition, is_known
from bot.delivery.citations.links import permalink
from bot.delivery.slack_api import JsonObject
from bot.errors import ForewarmError
from bot.retrieval.search import ContextSearch

log = structlog.get_logger(__name__)

MAX_RANKED: Final = 150
MAX_DEFINED: Final = 5
MAX_MATCHES: Final = 60
MAX_PATHS: Final = 200
MAX_CHANGES: Final = 20
MAX_CHARACTERS: Final = 20_000
MAX_PATTERN: Final = 300
DEFINITIONS_SECONDS: Final = 2.0
"""Seconds after which a search no longer looks up the definitions around its lines."""

_LAST: Final = 1 << 40
"""Stands for the last line of a file."""

_REPOSITORY = {
    "type": "string",
    "description": "Name of the repository; needed only if there are several.",
}
_PATH = {"type": "string", "description": "Path of the file from the repository's root."}
_REF = {
    "type": "string",
    "description": "Another branch, tag or commit; the pinned commit by default.",
}


def _tool(
    name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]
) -> JsonObject:
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return {"name": name, "description": description, "input_schema": schema}


DECLARATIONS: Final[tuple[JsonObject, ...]] = (
    _tool(
        "search",
        "Find lines in the repositories, also in files not shown above. Returns the lines by file, "
        f"each with its number and the definition that it is in, at most {MAX_MATCHES} lines. For "
        f"several words it also names the files that fit them best, at most {MAX_RANKED}.",
        {
            "pattern": {"type": "string", "description": "An identifier, a phrase or words."},
            "regex": {
                "type": "boolean",
                "description": "Read the pattern as a regular expression; literal by default.",
            },
            "under": {"type": "string", "description": "Only in this directory or file."},
            "repository": _REPOSITORY,
            "ref": _REF,
        },
        ["pattern"],
    ),
    _tool(
        "read",
        "Read a file, or one definition in it, with line numbers, "
        f"at most {MAX_LINES} lines at once. A definition needs no path.",
        {
            "path": _PATH,
            "name": {
                "type": "string",
                "description": "Only this function, class or other definition (`Class.method`).",
            },
            "start": {"type": "integer", "description": "First line, from 1."},
            "end": {"type": "integer", "description": "Last line, included."},
            "repository": _REPOSITORY,
            "ref": _REF,
        },
        [],
    ),
    _tool(
        "list",
        "List the files of a directory, with those of its directories counted when they are many.",
        {
            "under": {"type": "string", "description": "The directory; the root by default."},
            "repository": _REPOSITORY,
        },
        [],
    ),
    _tool(
        "history",
        f"Show the most recent commits that touched a file or directory, at most {MAX_CHANGES}.",
        {"path": _PATH, "repository": _REPOSITORY},
        ["path"],
    ),
)


@dataclass(frozen=True, slots=True)
class ShownLines:
    """Lines of a file that a look-up has shown. `url` is their page, None if none shows them."""

    repository: str
    path: str
    first: int
    last: int
    mark: str
    url: str | None

    @classmethod
    def of(
        cls, snapshot: Snapshot, repository: str, path: str, first: int, last: int, mark: str = ""
    ) -> ShownLines:
        states = (state for state in snapshot.repositories() if state.name == repository)
        url = next((permalink(state, path, first, last) for state in states), None)
        return cls(repository, path, first, last, mark, url)

    @property
    def key(self) -> tuple[str, str]:
        return self.repository, self.path

    @property
    def is_head(self) -> bool:
        """Whether the lines are those of the pinned commit."""
        return not self.mark

    @property
    def label(self) -> str:
        lines = f"{self.first}-{self.last}" if self.last > self.first else str(self.first)
        return f"{self.path}{self.mark}:{lines}"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a look-up. `error` means that the model must ask differently.

    `output` says in a few words what was found, `shown` are the lines of it, for people.
    """

    text: str
    error: bool = False
    output: str = ""
    shown: tuple[ShownLines, ...] = ()


class _Refused(Exception):
    """The call cannot be carried out as it stands; the text tells the model why."""


def title(name: str, wanted: Mapping[str, Any]) -> str:
    """Return what people see of a look-up, at most 120 characters; not escaped."""
    match name:
        case "search":
            text = f"Searching for {_read_word(wanted, 'pattern')}"
        case "read":
            start = _number(wanted, "start", 0)
            lines = f", line {start} on" if start > 0 else ""
            both = (_read_word(wanted, "name"), _read_word(wanted, "path"))
            text = f"Reading {' in '.join(filter(None, both))}{lines}"
        case "list":
            text = f"Listing {_read_word(wanted, 'under') or 'the files'}"
        case "history":
            text = f"Reading the history of {_read_word(wanted, 'path')}"
        case _:
            text = "Looking something up"
    return text if len(text) <= 120 else text[:119] + "…"


def look_up(
    snapshot: Snapshot, name: str, wanted: Mapping[str, Any], code: ContextSearch | None = None
) -> ToolResult:
    """Carry out one call of the model. Blocking and bounded; never raises.

    `code` is the index of the same commits, None if there is none yet.

    An error is told to the model: it can ask in another way, and the answer goes on.
    """
    tool = _TOOLS.get(name)
    if tool is None:
        return ToolResult(f"There is no tool {name!r}.", error=True)
    try:
        found = tool(snapshot, wanted, code)
        return replace(found, text=_bounded(found.text))
    except _Refused as refused:
        return ToolResult(str(refused), error=True)
    except ForewarmError as error:
        return ToolResult(error.user_message, error=True)
    except Exception:
        log.exception("look_up_crashed", tool=name)
        return ToolResult("This look-up failed; try another one.", error=True)


async def look_up_in(
    executor: Executor,
    seconds: float,
    snapshot: Snapshot,
    name: str,
    wanted: Mapping[str, Any],
    code: ContextSearch | None = None,
) -> ToolResult:
    """Carry out a call in a thread, waiting at most `seconds`.

    A thread cannot be killed: the executor must be one of a few threads of its own, and the
    snapshot bounds its searches by time, so that none of them hangs for good.
    """
    # A thread knows nothing of the question that it works for, unless it is handed the context.
    work = partial(copy_context().run, look_up, snapshot, name, wanted, code)
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.wait_for(running, seconds)
    except TimeoutError:
        return ToolResult(f"This took longer than {seconds:.0f} s; ask for less.", error=True)


# --- the tools ----------------------------------------------------------------------------------


def _search(
    snapshot: Snapshot, wanted: Mapping[str, Any], code: ContextSearch | None
) -> ToolResult:
    pattern = _text(wanted, "pattern")
    if not pattern or len(pattern) > MAX_PATTERN:
        raise _Refused(f"`pattern` must have 1 to {MAX_PATTERN} characters.")
    repository = _optional_repository(snapshot, wanted)
    several = len(snapshot.repositories()) > 1
    snapshot, mark = _at(snapshot, wanted)
    under = _text(wanted, "under").strip("/") or None
    found = snapshot.search(
        pattern,
        regex=wanted.get("regex") is True,
        repository=repository,
        under=under,
        limit=MAX_MATCHES + 1,
    )
    by_file: dict[tuple[str, str], list[Match]] = {}
    for one in found[:MAX_MATCHES]:
        by_file.setdefault((one.repository, one.path), []).append(one)
    until = time.monotonic() + DEFINITIONS_SECONDS
    parts = []
    for (name, path), matches in by_file.items():
        shown = f"{name}/{path}{mark}" if several else f"{path}{mark}"
        around = _around(snapshot, name, path, matches) if time.monotonic() < until else []
        parts.append("\n".join([shown, *_matches(matches, around)]))
    if len(found) > MAX_MATCHES:
        parts.append("[… there are more; narrow the pattern or the directory …]")
    if code is not None and wanted.get("regex") is not True and not mark:
        parts += _ranked(code, pattern, repository, under, several)
    places = tuple(
        ShownLines.of(snapshot, name, path, matches[0].line, matches[0].line, mark)
        for (name, path), matches in by_file.items()
    )
    output = f"{plural(len(found[:MAX_MATCHES]), 'line')} in {plural(len(by_file), 'file')}"
    return ToolResult("\n\n".join(parts) or "Nothing was found.", output=output, shown=places)


def _ranked(
    code: ContextSearch, words: str, repository: str | None, under: str | None, several: bool
) -> list[str]:
    """Name the files that fit several words best, by folder, the folder of the best file first."""
    if len(words.split()) < 2:
        return []
    folders: dict[str, list[str]] = {}
    for name, path in code.rank_files(words, MAX_RANKED):
        inside = under is None or path == under or path.startswith(f"{under}/")
        if inside and repository in (None, name):
            folder, slash, file = path.rpartition("/")
            place = f"{name}/{folder}{slash}" if several else f"{folder}{slash}" or "./"
            folders.setdefault(place, []).append(file)
    if not folders:
        return []
    names = [f"{folder}: {', '.join(files)}" for folder, files in folders.items()]
    return ["\n".join(["[files that fit these words best]", *names])]


def _matches(matches: Sequence[Match], around: Sequence[Definition | None]) -> list[str]:
    """Return the lines found in one file, each definition before the first line in it.

    `around` holds the definition around each line, or nothing if they are not known.
    """
    shown: list[str] = []
    last: Definition | None = None
    for one, inside in zip_longest(matches, around):
        if inside is not None and inside != last and inside.line != one.line:
            shown.append(f"  in {cut_line(inside.qualified)}, lines {inside.first}-{inside.last}:")
        last = inside
        shown.append(f"  {one.line}: {cut_line(one.text.strip())}")
    return shown


def _around(
    snapshot: Snapshot, repository: str, path: str, matches: Sequence[Match]
) -> Sequence[Definition | None]:
    if not is_known(path):
        return []
    lines = [one.line for one in matches]
    try:
        return snapshot.ask(repository, path, enclosing_definitions, lines) or []
    except LookUpLimitError:
        return []


def _read(snapshot: Snapshot, wanted: Mapping[str, Any], code: ContextSearch | None) -> ToolResult:
    name = _text(wanted, "name").strip()
    if name and not _text(wanted, "path").strip():
        return _read_anywhere(snapshot, wanted, name, code)
    return _read_file(snapshot, wanted)


def _read_anywhere(
    snapshot: Snapshot, wanted: Mapping[str, Any], name: str, code: ContextSearch | None
) -> ToolResult:
    """Read what defines a name, wherever it is defined."""
    repository = _optional_repository(snapshot, wanted)
    known = code.define(name.rpartition(".")[2], MAX_DEFINED) if code is not None else []
    places = [one for one in known if repository in (None, one.repository)]
    if not places:
        raise _Refused(f"No definition of {name!r} was found: search for it.")
    several = len(snapshot.repositories()) > 1
    parts: list[str] = []
    read: list[ShownLines] = []
    for owner, path, first, last in places:
        lines = {"repository": owner, "path": path, "start": first, "end": last}
        shown = f"{owner}/{path}" if several else path
        found = _read_file(snapshot, lines)
        parts.append(f"{shown}\n{found.text}")
        read += found.shown
    output = plural(len(places), "definition")
    return ToolResult("\n\n".join(parts), output=output, shown=tuple(read))


def _read_file(snapshot: Snapshot, wanted: Mapping[str, Any]) -> ToolResult:
    repository, path = _repository(snapshot, wanted), _path(wanted)
    snapshot, mark = _at(snapshot, {**wanted, "repository": repository})
    wanted_part = WantedPart(
        _text(wanted, "name").strip(),
        _number(wanted, "start", 1),
        _number(wanted, "end", _LAST),
        mark,
    )
    part = snapshot.ask(repository, path, read_part, wanted_part)
    if part is None:
        near = _like(snapshot, repository, path)
        raise _Refused(f"There is no readable file {path!r} in {repository}{mark}.{near}")
    if not isinstance(part, FilePart):
        raise _Refused(part)
    place = ShownLines.of(snapshot, repository, path, part.first, part.last, mark)
    output = f"lines {part.first}-{part.last} of {part.count}"
    return ToolResult(part.text, output=output, shown=(place,))


def _at(snapshot: Snapshot, wanted: Mapping[str, Any]) -> tuple[Snapshot, str]:
    """Return the files at the commit that was asked for, and the mark that cites it."""
    ref = _text(wanted, "ref").strip()
    if not ref:
        return snapshot, ""
    other = snapshot.at(_repository(snapshot, wanted), ref)
    return other, f"@{other.repositories()[0].commit[:12]}"


def _list(snapshot: Snapshot, wanted: Mapping[str, Any], _: ContextSearch | None) -> ToolResult:
    repository, under = _repository(snapshot, wanted), _text(wanted, "under").strip("/")
    inside = f"{under}/" if under else ""
    paths = [path for path in snapshot.paths(repository) if path.startswith(inside)]
    if not paths:
        raise _Refused(f"There is no directory {under!r} in {repository}.")
    shown = paths if len(paths) <= MAX_PATHS else _one_level(paths, inside)[:MAX_PATHS]
    return ToolResult("\n".join(shown), output=plural(len(paths), "file"))


def _one_level(paths: Sequence[str], inside: str) -> list[str]:
    counts: dict[str, int] = {}
    for path in paths:
        name, slash, _ = path[len(inside) :].partition("/")
        counts[inside + name + slash] = counts.get(inside + name + slash, 0) + 1
    return [f"{name} ({n} files)" if name.endswith("/") else name for name, n in counts.items()]


def _history(snapshot: Snapshot, wanted: Mapping[str, Any], _: ContextSearch | None) -> ToolResult:
    repository, path = _repository(snapshot, wanted), _path(wanted)
    changes = snapshot.history(repository, path, MAX_CHANGES)
    text = "\n".join(map(_change, changes)) or "No commit that touched it is known."
    return ToolResult(text, output=plural(len(changes), "commit"))


def _change(one: Change) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(one.at))
    return f"{one.commit[:12]} {day} {cut_line(one.author)}: {cut_line(one.subject)}"


_TOOLS: Final[
    Mapping[str, Callable[[Snapshot, Mapping[str, Any], ContextSearch | None], ToolResult]]
] = {
    "search": _search,
    "read": _read,
    "list": _list,
    "history": _history,
}


# --- what the model handed in -------------------------------------------------------------------


def _repository(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str:
    named = _optional_repository(snapshot, wanted)
    if named is not None:
        return named
    names = [state.name for state in snapshot.repositories()]
    if len(names) != 1:
        raise _Refused(f"Name the `repository`: {', '.join(names)}.")
    return names[0]


def _optional_repository(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str | None:
    name = _text(wanted, "repository")
    names = [state.name for state in snapshot.repositories()]
    if name and name not in names:
        raise _Refused(f"There is no repository {name!r}; there are: {', '.join(names)}.")
    return name or None


def _path(wanted: Mapping[str, Any]) -> str:
    path = _text(wanted, "path").strip().removeprefix("./").strip("/")
    if not path:
        raise _Refused("`path` is missing.")
    return path


def _like(snapshot: Snapshot, repository: str, path: str) -> str:
    """Models misremember directories more often than names."""
    name = path.rpartition("/")[2]
    near = [p for p in snapshot.paths(repository) if p.rpartition("/")[2] == name][:5]
    return f" Did you mean: {', '.join(near)}?" if near else ""


def _text(wanted: Mapping[str, Any], key: str) -> str:
    value = wanted.get(key)
    return value if isinstance(value, str) else ""


def _read_word(wanted: Mapping[str, Any], key: str) -> str:
    return " ".join(_text(wanted, key).split())


def _number(wanted: Mapping[str, Any], key: str, default: int) -> int:
    value = wanted.get(key)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        # Models write numbers as text now and then.
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    whole = text[:MAX_CHARACTERS].rpartition("\n")[0]
    return f"{whole}\n[… cut here, at {MAX_CHARACTERS:,} characters …]"
