"""The map of what is not shown in full: every file by name, the most useful with signatures. Pure.

Names come before signatures: a model reads a file in one call if it knows the name, and needs a
search to find one that it does not know. Source and tests are named before all else. If even their
names do not fit, the most useful are named and the others counted by folder.

A map is written once, with its base. A push that changes what a mapped file declares is told in an
update; one that does not touch it leaves the map as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.context.files.kinds import extension_of
from bot.context.files.select import File
from bot.context.render.blocks import escaped, marker, plural
from bot.context.render.components import COMPONENTS
from bot.context.render.signatures import Signature

if TYPE_CHECKING:
    from bot.context.render.rank import Ranked

MAP_SHARE = 0.08
"""The share of a base's room that the map may take if the names leave so much."""
NAMES_SHARE = 0.35
"""The most that names may take. All names of a repository of two million tokens take 2 to 15
thousand tokens."""
LEAST_SIGNATURES = 0.02
"""The share that signatures get, however much the names take."""
_MOST_SIGNATURES = 40
_NAMED_FIRST: Mapping[str, int] = {
    "named by the context": 0,
    "entry point": 0,
    "source": 0,
    "manifest": 0,
    "test": 1,
}
_NAMED_LAST = 2

Cost = Callable[[int], int]
"""Tokens of so many bytes of a map's text."""


def entry(file: File, found: Sequence[Signature]) -> bytes:
    """Return one file's signatures under its path."""
    head = f"{file.path} ({plural(file.lines, 'line')})"
    return _lines([head, *(f" {s.line} {'  ' * s.depth}{s.text}" for s in _keep_outermost(found))])


def _keep_outermost(found: Sequence[Signature]) -> Sequence[Signature]:
    """Keep the outermost if there are many."""
    for deepest in (9, 1, 0):
        kept = [signature for signature in found if signature.depth <= deepest]
        if len(kept) <= _MOST_SIGNATURES:
            return kept
    return [signature for signature in found if signature.depth == 0][:_MOST_SIGNATURES]


def declares(found: Sequence[Signature]) -> tuple[tuple[int, str], ...]:
    """Return the declarations of a mapped file without their lines: news only when they change."""
    return tuple((signature.depth, signature.text) for signature in _keep_outermost(found))


def _may_declare(file: File) -> bool:
    return file.kind in {"code", "prose"} or extension_of(file.path) in COMPONENTS


def detailed(
    files: Iterable[File], look: Callable[[File], Sequence[Signature]], cost: Cost, room: int
) -> dict[str, bytes]:
    """Return entries with signatures for the first files whose entries fit the room, by path."""
    chosen: dict[str, bytes] = {}
    left = room
    misses = 0
    for file in files:
        found = look(file) if _may_declare(file) else ()
        if not found:
            continue
        text = entry(file, found)
        tokens = cost(len(text))
        if tokens <= left:
            chosen[file.path] = text
            left -= tokens
        else:
            misses += 1
            if misses > 20:
                break
    return chosen


def most_room(ranked: Sequence[Ranked], cost: Cost, room: int) -> int:
    """Return the tokens that the map of a repository may need of a base's room."""
    listed = cost(len(_listing([entry.file.path for entry in ranked], ())))
    names = min(listed, int(room * NAMES_SHARE))
    return names + _signature_room(names, room)


def _signature_room(names: int, room: int) -> int:
    return max(int(room * LEAST_SIGNATURES), int(room * MAP_SHARE) - names)


def build_map(
    hidden: Sequence[Ranked],
    look: Callable[[File], Sequence[Signature]],
    cost: Cost,
    map_room: int,
    room: int,
) -> tuple[bytes, frozenset[str], frozenset[str]]:
    """Return the map of hidden files, the paths with signatures and all paths that it names.

    `hidden` comes in the order of rank. The map takes at most `map_room` of a base's `room`.
    """
    files = {entry.file.path: entry.file for entry in hidden}
    most = min(map_room, int(room * NAMES_SHARE)) - cost(len(_head(len(files))))
    names = choose_names(naming_order(hidden), cost, most)
    taken = cost(len(overview(files, {}, names)))
    left = min(map_room - taken, _signature_room(taken, room))
    entries = detailed(files.values(), look, cost, left)
    text = overview(files, entries, names)
    return text, frozenset(entries), frozenset(entries) | frozenset(names)


def naming_order(ranked: Iterable[Ranked]) -> list[File]:
    """Return files in the order in which they are named: source, tests, all else.

    They come in the order of their rank, which is kept within each part.
    """
    ordered = sorted(ranked, key=lambda entry: _NAMED_FIRST.get(entry.group, _NAMED_LAST))
    return [entry.file for entry in ordered]


def choose_names(ordered: Sequence[File], cost: Cost, room: int) -> list[str]:
    """Return the paths whose names fit the room beside the counts of all others."""
    paths = [file.path for file in ordered]
    if cost(len(_listing(paths, ()))) <= room:
        return paths
    low, high = 0, len(paths)
    while low < high:
        middle = (low + high + 1) // 2
        if cost(len(_listing(paths[:middle], paths[middle:]))) <= room:
            low = middle
        else:
            high = middle - 1
    return paths[:low]


def overview(
    hidden: Mapping[str, File], entries: Mapping[str, bytes], named: Iterable[str]
) -> bytes:
    """Return the map's text: signatures first, then names, then counts of all other files."""
    if not hidden:
        return b""
    body = b"".join(entries[path] for path in sorted(entries))
    names = [path for path in named if path not in entries]
    known = {*names, *entries}
    return (
        _head(len(hidden)) + body + _listing(names, [path for path in hidden if path not in known])
    )


def _head(count: int) -> bytes:
    return marker(f"map of {plural(count, 'file')} not shown in full")


def _listing(named: Iterable[str], others: Iterable[str]) -> bytes:
    """Name files by folder; count the others by folder, or by top folder if those are many."""
    lines = [f"{folder}: {', '.join(names)}" for folder, names in _folders(sorted(named)).items()]
    counted = {folder: len(names) for folder, names in _folders(sorted(others)).items()}
    if len(counted) > _MOST_FOLDERS:
        counted = _by_top(counted)
    more = "more " if lines else ""
    lines += [
        f"{folder}: {count} {more}file{'' if count == 1 else 's'}"
        for folder, count in counted.items()
    ]
    return _lines(lines)


_MOST_FOLDERS = 40


def _by_top(counted: Mapping[str, int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for folder, count in counted.items():
        top = folder.partition("/")[0] + "/"
        counts[top] = counts.get(top, 0) + count
    return counts


def _folders(paths: Sequence[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, slash, name = path.rpartition("/")
        folders.setdefault(folder + slash or "./", []).append(name)
    return folders


def _lines(lines: Iterable[str]) -> bytes:
    """Put lines together; one that begins with a path may look like a marker."""
    return escaped("".join(f"{line}\n" for line in lines).encode())


def news(file: File, found: Sequence[Signature]) -> bytes:
    """Return what an update says of a mapped file that declares something else now."""
    return marker(f"map now: {file.path}") + entry(file, found)
