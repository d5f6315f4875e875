"""Parts of a file that look-ups show: lines by number, definitions by name. Pure.

The functions that take a path and a text are called where the text is: for a large file that is in
another process, so they return the few lines that are shown and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Final

from bot.context.files.text import text_lines
from bot.context.render.definitions import Definition, Definitions, definitions
from bot.delivery.citations.symbols import find_definition

MAX_LINES: Final = 400
MAX_LINE: Final = 400
_MOST_NAMES = 2_000


@dataclass(frozen=True, slots=True)
class WantedPart:
    """Lines `start` to `end` of a file, or the definition of `name` if that is not empty.

    `end` may be behind the last line. `mark` cites another commit than the pinned one.
    """

    name: str
    start: int
    end: int
    mark: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """Lines `first` to `last` of a file's `count`, as the model reads them."""

    text: str
    first: int
    last: int
    count: int


def read_part(path: str, text: str, wanted: WantedPart) -> FilePart | str:
    """Return the part, or a sentence that says why there is none."""
    lines = text_lines(text)
    if wanted.name:
        found = _find_definition(path, text, wanted)
        if isinstance(found, str):
            return found
        start, end, note = found
    else:
        start = max(1, wanted.start)
        if start > len(lines):
            return f"{path} has only {len(lines)} lines."
        end = max(start, wanted.end)
        note = wanted.mark and f"; cite it as {path}{wanted.mark}:LINE"
    end = min(len(lines), start + MAX_LINES - 1, end)
    return FilePart(_numbered(lines, start, end, note), start, end, len(lines))


def _find_definition(path: str, text: str, wanted: WantedPart) -> tuple[int, int, str] | str:
    """Return first and last line of a definition, and a note on what is near it."""
    name, mark = wanted.name, wanted.mark
    known = _definitions(path, text)
    if known is None:
        return f"The definitions of {path}{mark} are not known here: read it by lines."
    chosen = find_definition(known, name)
    if chosen is None:
        return f"{path}{mark} has no definition {name!r}.{_close_names(known, name)}"
    item = chosen[0]
    beside = [one for one in known.items if one.parent == item.parent and one.kind != "field"]
    at = beside.index(item) if item in beside else 0
    around = [*beside[max(0, at - 2) : at], *beside[at + 1 : at + 3]]
    notes = [f"{cut_line(one.name)} (lines {one.first}-{one.last})" for one in around]
    others = (one for one in known.items if one.name == item.name and one != item)
    also = [str(one.line) for one in islice(others, 10)]
    note = f"; {cut_line(item.qualified)}" + (f"; beside it: {', '.join(notes)}" if notes else "")
    note += f"; {cut_line(item.name)} also on lines {', '.join(also)}" if also else ""
    note += f"; cite it as {path}{mark}#{cut_line(item.qualified)}" if mark else ""
    return item.first, item.last, note


def _close_names(known: Definitions, name: str) -> str:
    names = list(dict.fromkeys(item.qualified for item in known.items))[:_MOST_NAMES]
    last = name.rpartition(".")[2]
    near = get_close_matches(last, names, 5, 0.5) or names[:10]
    return f" It has: {', '.join(map(cut_line, near))}." if near else ""


def _numbered(lines: Sequence[str], start: int, end: int, note: str) -> str:
    """Return the lines with their numbers, then what was shown of how many."""
    shown = [f"{at}\t{cut_line(lines[at - 1])}" for at in range(start, end + 1)]
    return "\n".join([*shown, f"[lines {start}-{end} of {len(lines)}{note}]"])


def enclosing_definitions(path: str, text: str, lines: Sequence[int]) -> list[Definition | None]:
    """Return the innermost definition around each line, None for none."""
    known = _definitions(path, text)
    return [None if known is None else known.enclosing(line) for line in lines]


def _definitions(path: str, text: str) -> Definitions | None:
    return definitions(path, text.encode("utf-8", "surrogatepass"))


def cut_line(text: str) -> str:
    """Return a line, cut if it is long."""
    return text if len(text) <= MAX_LINE else text[:MAX_LINE] + "…"
