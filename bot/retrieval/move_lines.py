"""Present places of lines of an earlier commit: a link to a commit means lines of that commit."""

from __future__ import annotations

from collections.abc import Sequence

from bot.context.errors import RepositoryError
from bot.context.files.text import normalize, split_lines
from bot.context.files.tree import Survey
from bot.context.git.repository import GitRepository, TreeChange
from bot.context.update.diff import Hunk, diff_lines
from bot.retrieval.excerpts import LinesOf
from bot.retrieval.index import MoveLines

MOVE_SECONDS = 2.0
_MOST_COMMITS = 3
"""Commits of one question that are compared with ours; links to others are read as they stand."""


def line_mover(repository: GitRepository, survey: Survey) -> MoveLines:
    """Return a function that maps lines of a commit to the survey's commit.

    It returns None if the commit or the path is not known there: the caller then takes the lines
    as they stand. It blocks for some milliseconds per commit.
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
        return lines if change is None else _through(bounded, change, lines)

    return move


def _changes(repository: GitRepository, commit: str, ours: str) -> dict[str, TreeChange] | None:
    """Return what changed since a commit by the path that it had there; None if it is unknown."""
    try:
        found = repository.changes(repository.resolve(commit), ours)
    except RepositoryError:
        return None
    return {change.source or change.path: change for change in found if change.old is not None}


def _through(repository: GitRepository, change: TreeChange, lines: LinesOf) -> LinesOf | None:
    if change.old is None or change.new is None:
        return None
    if change.old.oid == change.new.oid:
        return lines._replace(path=change.path)
    try:
        old, new = repository.blobs([change.old.oid, change.new.oid])
    except RepositoryError:
        return None
    hunks = diff_lines(split_lines(normalize(old)), split_lines(normalize(new)))
    first, last = move_range(hunks, lines.first, lines.last)
    return LinesOf(change.path, first, last)


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
