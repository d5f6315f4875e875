"""The changes of a push to the files that a prefix shows. Pure: no text is read here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from bot.context.files.select import File
from bot.context.git.repository import TreeChange, encode_path


class Move(NamedTuple):
    """One shown path before and after: added, changed, gone, or gone to another path."""

    status: Literal["added", "changed", "deleted", "renamed"]
    old: File | None
    new: File | None

    @property
    def path(self) -> str:
        file = self.new or self.old
        assert file is not None
        return file.path


def moves(
    shown: Mapping[str, File],
    files: Mapping[str, File],
    changes: Iterable[TreeChange],
    admit: Callable[[File], bool],
) -> list[Move]:
    """Tell how what is shown must change to show `files`, in the order of the paths' bytes.

    `admit` decides on a file that was not shown before: a budget may have no room for it.
    """
    renamed = _renames(shown, files, changes)
    moved_away = {old.path for old in renamed.values()}
    found: list[Move] = []
    for path, old in shown.items():
        new = files.get(path)
        if new is None and path not in moved_away:
            found.append(Move("deleted", old, None))
        elif new is not None and (new.oid, new.spans) != (old.oid, old.spans):
            found.append(Move("changed", old, new))
    for path in files.keys() - shown.keys():
        new = files[path]
        if path in renamed:
            found.append(Move("renamed", renamed[path], new))
        elif admit(new):
            found.append(Move("added", None, new))
    return sorted(found, key=lambda move: encode_path(move.path))


def _renames(
    shown: Mapping[str, File], files: Mapping[str, File], changes: Iterable[TreeChange]
) -> dict[str, File]:
    """Map new paths to the shown files that became them."""
    return {
        change.path: shown[change.source]
        for change in changes
        if change.source is not None
        and change.source in shown
        and change.source not in files
        and change.path in files
        and change.path not in shown
    }


def after(shown: Mapping[str, File], made: Iterable[Move]) -> dict[str, File]:
    """Return what is shown once the moves are told."""
    result = dict(shown)
    for move in made:
        if move.old is not None:
            result.pop(move.old.path, None)
        if move.new is not None:
            result[move.new.path] = move.new
    return result
