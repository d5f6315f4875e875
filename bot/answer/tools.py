"""What the model may look up beyond the prefix: on the pinned commit, inside the context's globs.

`DECLARATIONS` are part of the warm prefix: constant, always sent, the same bytes for everybody.
What a tool returns is bounded in lines and characters and says so where it was cut, so that the
model can ask for the rest. Files that the pack left out as secret stay unreadable here, since the
snapshot does not have them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from bot.context.files.text import text_lines
from bot.context.pack import Change, Match, Snapshot
from bot.delivery.slack_api import JsonObject
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)

MAX_MATCHES: Final = 60
MAX_LINES: Final = 400
MAX_PATHS: Final = 200
MAX_CHANGES: Final = 20
MAX_CHARACTERS: Final = 20_000
MAX_LINE: Final = 400
MAX_PATTERN: Final = 300

_REPOSITORY = {
    "type": "string",
    "description": "Name of the repository; needed only where there are several.",
}
_PATH = {"type": "string", "description": "Path of the file from the repository's root."}


def _tool(
    name: str, description: str, properties: Mapping[str, Any], required: Sequence[str]
) -> JsonObject:
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return {"name": name, "description": description, "input_schema": schema}


DECLARATIONS: Final[tuple[JsonObject, ...]] = (
    _tool(
        "search",
        "Find lines in the repositories at their pinned commits, also in files not shown above. "
        f"Returns path:line and the line, at most {MAX_MATCHES} of them.",
        {
            "pattern": {"type": "string", "description": "What to look for."},
            "regex": {
                "type": "boolean",
                "description": "Read the pattern as a regular expression; literal by default.",
            },
            "under": {"type": "string", "description": "Only in this directory or file."},
            "repository": _REPOSITORY,
        },
        ["pattern"],
    ),
    _tool(
        "read",
        f"Read a file at its pinned commit with line numbers, at most {MAX_LINES} lines at once.",
        {
            "path": _PATH,
            "start": {"type": "integer", "description": "First line, from 1."},
            "end": {"type": "integer", "description": "Last line, included."},
            "repository": _REPOSITORY,
        },
        ["path"],
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
class ToolResult:
    """What a tool returned. `error` tells the model that it must ask differently."""

    text: str
    error: bool = False


class _Refused(Exception):
    """The call cannot be carried out as it stands; the text tells the model why."""


def title(name: str, wanted: Mapping[str, Any]) -> str:
    """Return what people see of a look-up, at most 120 characters; not escaped."""
    match name:
        case "search":
            text = f"Searching for {_word(wanted, 'pattern')}"
        case "read":
            lines = f", line {wanted['start']} on" if isinstance(wanted.get("start"), int) else ""
            text = f"Reading {_word(wanted, 'path')}{lines}"
        case "list":
            text = f"Listing {_word(wanted, 'under') or 'the files'}"
        case "history":
            text = f"Reading the history of {_word(wanted, 'path')}"
        case _:
            text = "Looking something up"
    return text if len(text) <= 120 else text[:119] + "…"


def look_up(snapshot: Snapshot, name: str, wanted: Mapping[str, Any]) -> ToolResult:
    """Carry out one call of the model. Blocking and bounded; never raises.

    What goes wrong is the model's news: it can ask in another way, and the answer goes on.
    """
    tool = _TOOLS.get(name)
    if tool is None:
        return ToolResult(f"There is no tool {name!r}.", error=True)
    try:
        return ToolResult(_bounded(tool(snapshot, wanted)))
    except _Refused as refused:
        return ToolResult(str(refused), error=True)
    except ForewarmError as error:
        return ToolResult(error.user_message, error=True)
    except Exception:
        log.exception("look_up_broke", tool=name)
        return ToolResult("This look-up failed; try another one.", error=True)


async def look_up_in(
    executor: Executor, seconds: float, snapshot: Snapshot, name: str, wanted: Mapping[str, Any]
) -> ToolResult:
    """Carry out a call in a thread, waiting at most `seconds`.

    A thread cannot be killed: the executor must be one of a few threads of its own, and the
    snapshot bounds its searches by time, so that none of them hangs for good.
    """
    # A thread knows nothing of the question that it works for, unless it is handed the context.
    work = partial(copy_context().run, look_up, snapshot, name, wanted)
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.wait_for(running, seconds)
    except TimeoutError:
        return ToolResult(f"This took longer than {seconds:.0f} s; ask for less.", error=True)


# --- the tools ----------------------------------------------------------------------------------


def _search(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str:
    pattern = _text(wanted, "pattern")
    if not pattern or len(pattern) > MAX_PATTERN:
        raise _Refused(f"`pattern` must have 1 to {MAX_PATTERN} characters.")
    repository = _optional_repository(snapshot, wanted)
    under = _text(wanted, "under").strip("/") or None
    found = snapshot.search(
        pattern,
        regex=wanted.get("regex") is True,
        repository=repository,
        under=under,
        limit=MAX_MATCHES + 1,
    )
    if not found:
        return "Nothing was found."
    several = len(snapshot.repositories()) > 1
    lines = [_match(one, several) for one in found[:MAX_MATCHES]]
    more = ["[… there are more; narrow the pattern or the directory …]"]
    return "\n".join(lines + (more if len(found) > MAX_MATCHES else []))


def _match(one: Match, several: bool) -> str:
    place = f"{one.repository}:{one.path}" if several else one.path
    return f"{place}:{one.line}: {_line(one.text.strip())}"


def _read(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str:
    repository, path = _repository(snapshot, wanted), _path(wanted)
    text = snapshot.read(repository, path)
    if text is None:
        near = _like(snapshot, repository, path)
        raise _Refused(f"There is no readable file {path!r} in {repository}.{near}")
    lines = text_lines(text)
    start = max(1, _number(wanted, "start", 1))
    end = min(len(lines), start + MAX_LINES - 1, max(start, _number(wanted, "end", len(lines))))
    if start > len(lines):
        raise _Refused(f"{path} has only {len(lines)} lines.")
    shown = [f"{at}\t{_line(lines[at - 1])}" for at in range(start, end + 1)]
    rest = f"[lines {start}-{end} of {len(lines)}]"
    return "\n".join([*shown, rest])


def _list(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str:
    repository, under = _repository(snapshot, wanted), _text(wanted, "under").strip("/")
    inside = f"{under}/" if under else ""
    paths = [path for path in snapshot.paths(repository) if path.startswith(inside)]
    if not paths:
        raise _Refused(f"There is no directory {under!r} in {repository}.")
    if len(paths) <= MAX_PATHS:
        return "\n".join(paths)
    return "\n".join(_one_level(paths, inside)[:MAX_PATHS])


def _one_level(paths: Sequence[str], inside: str) -> list[str]:
    counts: dict[str, int] = {}
    for path in paths:
        name, slash, _ = path[len(inside) :].partition("/")
        counts[inside + name + slash] = counts.get(inside + name + slash, 0) + 1
    return [f"{name} ({n} files)" if name.endswith("/") else name for name, n in counts.items()]


def _history(snapshot: Snapshot, wanted: Mapping[str, Any]) -> str:
    repository, path = _repository(snapshot, wanted), _path(wanted)
    changes = snapshot.history(repository, path, MAX_CHANGES)
    return "\n".join(map(_change, changes)) or "No commit that touched it is known."


def _change(one: Change) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(one.at))
    return f"{one.commit[:12]} {day} {_line(one.author)}: {_line(one.subject)}"


_TOOLS: Final[Mapping[str, Callable[[Snapshot, Mapping[str, Any]], str]]] = {
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


def _word(wanted: Mapping[str, Any], key: str) -> str:
    return " ".join(_text(wanted, key).split())


def _number(wanted: Mapping[str, Any], key: str, default: int) -> int:
    value = wanted.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _line(text: str) -> str:
    return text if len(text) <= MAX_LINE else text[:MAX_LINE] + "…"


def _bounded(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    whole = text[:MAX_CHARACTERS].rpartition("\n")[0]
    return f"{whole}\n[… cut here, at {MAX_CHARACTERS:,} characters …]"
