"""The text of an overlay block: what a push changed, as compact as is still clear. Pure.

Texts come in masked, so that a line that is gone cannot show a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from bot.context.files.select import File, printable
from bot.context.files.text import split_lines
from bot.context.render.blocks import NUMBER_EVERY, body, day, file_marker, marker
from bot.context.update.diff import Hunk, diff_lines

CONTEXT_LINES = 1
_GONE_HEAD, _GONE_TAIL = 2, 1
_GONE_LONG = 6
"""Of a run of more lines than this that are gone, only the ends are shown."""
_SCOPE_WIDTH = 60
_LOOKS_SHORTENED = re.compile(rb"\\*~ \d+ more")


class FileChange(NamedTuple):
    """The change of one path of the pack. Texts are as shown; `source` is a rename's old path.

    `reason` says why a path that still exists is shown no more.
    """

    status: Literal["added", "changed", "deleted", "renamed"]
    path: str
    file: File | None = None
    old: bytes = b""
    new: bytes = b""
    source: str | None = None
    reason: str | None = None


def overlay_block(
    name: str, commit: str, committed_at: float, changes: Sequence[FileChange], notes: bytes = b""
) -> bytes:
    """Return one update block. `notes` are further lines, such as the map's news.

    Changes that cannot be seen (a rename apart) leave nothing; with nothing to tell it is empty.
    """
    parts = [part for change in changes for part in _change(change)]
    if not parts and not notes:
        return b""
    head = marker(f"update of {name} to commit {commit[:12]} ({day(committed_at)})")
    return b"".join([head, *parts, notes, marker(f"end of update of {name}")])


def _change(change: FileChange) -> Iterator[bytes]:
    if change.status == "deleted":
        why = f" (left out as {change.reason})" if change.reason else ""
        yield marker(f"deleted {printable(change.path)}{why}")
        return
    assert change.file is not None
    if change.status == "added":
        yield file_marker(change.file, "added")
        yield body(change.new)
        return
    hunks = b"".join(_hunks(split_lines(change.old), split_lines(change.new)))
    if change.status == "renamed":
        yield marker(f"renamed {printable(change.source or '')}")
        yield file_marker(change.file, "to")
        yield hunks
    elif hunks:
        whole = body(change.new)
        if len(hunks) < len(whole):
            yield file_marker(change.file, "changed")
            yield hunks
        else:
            yield file_marker(change.file, "replaced")
            yield whole


def _hunks(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    for group in _grouped(diff_lines(old, new)):
        first, last = group[0], group[-1]
        lead = min(CONTEXT_LINES, first.new_start)
        at = first.new_start - lead
        writer = _Writer(at)
        writer.sync(_scope(new, at))
        for line in new[at : first.new_start]:
            writer.kept(line)
        for index, hunk in enumerate(group):
            writer.gone(old[hunk.old_start : hunk.old_end])
            for line in new[hunk.new_start : hunk.new_end]:
                writer.added(line)
            end = group[index + 1].new_start if hunk is not last else None
            stop = hunk.new_end + CONTEXT_LINES if end is None else end
            for line in new[hunk.new_end : stop]:
                writer.kept(line)
        yield b"".join(writer.parts)


def _grouped(hunks: Iterable[Hunk]) -> Iterator[list[Hunk]]:
    """Join hunks whose context touches or nearly does: a header costs more than a line."""
    group: list[Hunk] = []
    for hunk in hunks:
        if group and hunk.new_start - group[-1].new_end > 2 * CONTEXT_LINES + 1:
            yield group
            group = []
        group.append(hunk)
    if group:
        yield group


class _Writer:
    """Writes lines of a hunk and repeats the line number now and then."""

    def __init__(self, at: int) -> None:
        self.parts: list[bytes] = []
        self._at = at
        self._synced = at

    def sync(self, scope: bytes = b"") -> None:
        self.parts.append(b"@@ %d%b\n" % (self._at + 1, scope))
        self._synced = self._at

    def kept(self, line: bytes) -> None:
        self._new(b" ", line)

    def added(self, line: bytes) -> None:
        self._new(b"+", line)

    def _new(self, sign: bytes, line: bytes) -> None:
        if self._at - self._synced >= NUMBER_EVERY:
            self.sync()
        self.parts.append(sign + line + b"\n")
        self._at += 1

    def gone(self, lines: Sequence[bytes]) -> None:
        hidden = len(lines) - _GONE_HEAD - _GONE_TAIL
        if len(lines) <= _GONE_LONG:
            self.parts += [_gone(line) for line in lines]
            return
        self.parts += [_gone(line) for line in lines[:_GONE_HEAD]]
        self.parts.append(b"-~ %d more\n" % hidden)
        self.parts += [_gone(line) for line in lines[-_GONE_TAIL:]]


def _gone(line: bytes) -> bytes:
    return b"-" + (b"\\" if _LOOKS_SHORTENED.fullmatch(line) else b"") + line + b"\n"


def _scope(lines: Sequence[bytes], at: int) -> bytes:
    """Return the nearest line above that begins in the first column: what the hunk stands in."""
    for index in range(at - 1, max(-1, at - 400), -1):
        line = lines[index]
        if line[:1].isalpha() or line[:1] in (b"_", b"$", b"@"):
            text = line[:_SCOPE_WIDTH].decode("utf-8", "ignore").rstrip()
            return b" " + text.encode("utf-8")
    return b""
