"""Present places of lines of an earlier commit: a link to a commit means lines of that commit."""

from __future__ import annotations

from collections.abc import Sequence

from bot.context.asking import run_in
from bot.context.errors import RepositoryError
from bot.context.files.select import LARGEST_READABLE
from bot.context.files.text import normalize, split_lines
from bot.context.files.tree import Survey
from bot.context.git.repository import GitRepository, TreeChange
from bot.context.pack import SMALL_BYTES
from bot.context.reader import Reader
from bot.context.update.diff import Hunk, diff_lines
from bot.retrieval.excerpts import LinesOf
from bot.retrieval.index import MoveLines

MOVE_SECONDS = 2.0
_MOST_CHANGES = 20_000
"""Files that may differ between two commits which are compared."""
_MOST_COMMITS = 3
"""Commits of one question that are compared with ours; links to others are read as they stand."""


def line_mover(
    repository: GitRepository, survey: Survey, reader: Reader | None = None
) -> MoveLines:
    """Return a function that maps lines of a commit to the survey's commit.

    It returns None if the commit or the path is not known there, or if too much differs: then the
    lines are taken as they stand. It blocks for some milliseconds per commit. `reader` compares
    large files in another process; without one they are compared here.
    """
    bounded = repository.with_time_limit(MOVE_SECONDS)
    known: dict[str, dict[str, TreeChange] | None] = {}

    def move(commit: str, lines: LinesOf) -> LinesOf | None:
        if survey.commit.startswith(commit):
            return lines
        if commit not in known:
            if len(known) == _MOST_COMMITS:
                return None
            known[commit] = _changes(bounded, commit, survey.commit)
        changes = known[commit]
        if changes is None:
            return None
        change = changes.get(lines.path)
        return lines if change is None else _through(bounded, change, lines, reader)

    return move


def _changes(repository: GitRepository, commit: str, ours: str) -> dict[str, TreeChange] | None:
    """Return what changed since a commit by the path that it had there; None if it is unknown."""
    try:
        found = repository.changes(repository.resolve(commit), ours, _MOST_CHANGES)
    except RepositoryError:
        return None
    return {change.source or change.path: change for change in found if change.old is not None}


def _through(
    repository: GitRepository, change: TreeChange, lines: LinesOf, reader: Reader | None
) -> LinesOf | None:
    if change.old is None or change.new is None:
        return None
    if change.old.oid == change.new.oid:
        return lines._replace(path=change.path)
    oids = (change.old.oid, change.new.oid)
    try:
        sizes = repository.sizes(oids)
        if min(sizes) < 0 or max(sizes) > LARGEST_READABLE:
            return None
        asked = None if max(sizes) <= SMALL_BYTES else reader
        first, last = run_in(asked, _moved, repository, oids, lines.first, lines.last)
    except RepositoryError:
        return None
    return LinesOf(change.path, first, last)


def _moved(
    repository: GitRepository, oids: tuple[str, str], first: int, last: int
) -> tuple[int, int]:
    old, new = repository.blobs(oids)
    hunks = diff_lines(split_lines(normalize(old)), split_lines(normalize(new)))
    return move_range(hunks, first, last)


def move_range(hunks: Sequence[Hunk], first: int, last: int) -> tuple[int, int]:
    """Return the new numbers of lines `first` to `last`, which count from 1.

    Lines that were changed become the lines in their place.
    """
    low = _move(hunks, first, end=False)
    return low, max(low, _move(hunks, last, end=True))


def _move(hunks: Sequence[Hunk], number: int, *, end: bool) -> int:
    shift = 0
    for hunk in hunks:
        if number <= hunk.old_start:
            break
        if number <= hunk.old_end:
            return max(1, hunk.new_end if end else hunk.new_start + 1)
        shift = hunk.new_end - hunk.old_end
    return max(1, number + shift)
