"""The map of what is not shown in full: every file by name, the most useful with signatures. Pure.

A map is written once, with its base. A push that changes what a mapped file declares is told in an
update; one that does not touch it leaves the map as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from posixpath import dirname

from bot.context.files.select import File
from bot.context.render.blocks import escaped, marker, plural
from bot.context.render.signatures import Signature

SIGNATURE_SHARE = 0.6
_MOST_SIGNATURES = 40
_LONG_LISTING = 60

Cost = Callable[[int], int]
"""Tokens of so many bytes of a map's text."""


def entry(file: File, found: Sequence[Signature]) -> bytes:
    """Return one file's signatures under its path."""
    head = f"{file.path} ({plural(file.lines, 'line')})"
    return _lines([head, *(f" {s.line} {'  ' * s.depth}{s.text}" for s in _kept(found))])


def _kept(found: Sequence[Signature]) -> Sequence[Signature]:
    """Keep the outermost where there are many."""
    for deepest in (9, 1, 0):
        kept = [signature for signature in found if signature.depth <= deepest]
        if len(kept) <= _MOST_SIGNATURES:
            return kept
    return [signature for signature in found if signature.depth == 0][:_MOST_SIGNATURES]


def declares(found: Sequence[Signature]) -> tuple[tuple[int, str], ...]:
    """Return what a mapped file declares, whatever its lines: news only when this changes."""
    return tuple((signature.depth, signature.text) for signature in _kept(found))


def detailed(
    files: Iterable[File], look: Callable[[File], Sequence[Signature]], cost: Cost, room: int
) -> dict[str, bytes]:
    """Return entries with signatures for the first files whose entries fit the room, by path."""
    chosen: dict[str, bytes] = {}
    left = room
    misses = 0
    for file in files:
        found = look(file) if file.kind in {"code", "prose"} else ()
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


def overview(
    hidden: Mapping[str, File], entries: Mapping[str, bytes], cost: Cost, room: int
) -> bytes:
    """Return the map's text within the room: entries first, then names, then mere numbers."""
    if not hidden:
        return b""
    head = marker(f"map of {plural(len(hidden), 'file')} not shown in full")
    body = b"".join(entries[path] for path in sorted(entries))
    others = sorted(path for path in hidden if path not in entries)
    for listing in (_by_name(others), _by_folder(others), _by_top(others)):
        if cost(len(head) + len(body) + len(listing)) <= room:
            return head + body + listing
    return head + body if cost(len(head) + len(body)) <= room else head


def _by_name(paths: Sequence[str]) -> bytes:
    lines: list[str] = []
    for folder, names in _folders(paths).items():
        named = ", ".join(names[:_LONG_LISTING])
        more = len(names) - _LONG_LISTING
        lines.append(f"{folder}: {named}" + (f" and {more} more" if more > 0 else ""))
    return _lines(lines)


def _by_folder(paths: Sequence[str]) -> bytes:
    return _lines(
        f"{folder}: {plural(len(names), 'file')}" for folder, names in _folders(paths).items()
    )


def _by_top(paths: Sequence[str]) -> bytes:
    counts: dict[str, int] = {}
    for path in paths:
        top = path.partition("/")[0] + "/" if "/" in path else "./"
        counts[top] = counts.get(top, 0) + 1
    return _lines(f"{top}: {plural(count, 'file')}" for top, count in counts.items())


def _folders(paths: Sequence[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder = dirname(path)
        folders.setdefault(f"{folder}/" if folder else "./", []).append(path.rpartition("/")[2])
    return folders


def _lines(lines: Iterable[str]) -> bytes:
    """Put lines together; one that begins with a path may look like a marker."""
    return escaped("".join(f"{line}\n" for line in lines).encode())


def news(file: File, found: Sequence[Signature]) -> bytes:
    """Return what an update says of a mapped file that declares something else now."""
    return marker(f"map now: {file.path}") + entry(file, found)
