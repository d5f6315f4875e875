"""One repository at one commit: its tree, what of it may be shown, and why not the rest.

A survey of the next commit looks only at what a push touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.context.errors import TooLargeError
from bot.context.files.blob_cache import FactsCache, Progress, gather
from bot.context.files.gitattributes import NAME as ATTRIBUTES
from bot.context.files.gitattributes import Attributes
from bot.context.files.select import (
    LARGEST_TREE,
    File,
    Rules,
    Selection,
    settle,
    shortlist,
)
from bot.context.files.text import shown
from bot.context.git.repository import SUBMODULE, Entry, GitRepository, Tree, TreeChange

_WORTH_WRITING = 50
"""A push's few blobs are not worth writing the whole cache again: they can be looked at again."""


@dataclass(frozen=True)
class Survey:
    """What a commit holds. `files` and `omitted` are the selection's, by path."""

    rules: Rules
    commit: str
    committed_at: float
    tree: Tree
    attributes: Attributes
    selection: Selection

    def __repr__(self) -> str:
        return f"<Survey of {self.rules.name}@{self.commit[:7]}: {self.selection!r}>"

    @property
    def files(self) -> dict[str, File]:
        return self.selection.files

    @property
    def omitted(self) -> dict[str, str]:
        return self.selection.omitted

    def ordered(self) -> list[File]:
        """Return the files in the order of their paths' bytes."""
        return in_order(self.files)


def in_order(files: Mapping[str, File]) -> list[File]:
    return sorted(files.values(), key=lambda file: file.path.encode("utf-8", "surrogateescape"))


def survey(
    repository: GitRepository,
    commit: str,
    rules: Rules,
    cache: FactsCache,
    progress: Progress | None = None,
) -> Survey:
    """Look at everything the commit holds.

    Raises:
        TooLargeError: it tracks more files than the bound.
    """
    tree = repository.tree(commit)
    if len(tree) > LARGEST_TREE:
        raise TooLargeError(rules.name, "files", f"{LARGEST_TREE:,}")
    attributes = _attributes(repository, tree)
    selection = _select(repository, tree, rules, attributes, cache, progress)
    cache.save()
    committed_at = repository.commit_time(commit)
    return Survey(rules, commit, committed_at, tree, attributes, selection)


def survey_next(
    repository: GitRepository, last: Survey, commit: str, cache: FactsCache
) -> tuple[Survey, list[TreeChange]]:
    """Look at what differs from the last survey, and at nothing else."""
    changes = repository.changes(last.commit, commit)
    if any(_is_attributes(change) for change in changes):
        return survey(repository, commit, last.rules, cache), changes
    entries = [entry for change in changes for entry in (change.old, change.new) if entry]
    blobs = [entry.oid for entry in entries if entry.mode != SUBMODULE]
    repository.prefetch(commit, blobs, last.rules.max_file_bytes)
    tree = dict(last.tree)
    files, omitted = dict(last.files), dict(last.omitted)
    touched: Tree = {}
    for change in changes:
        for path in (change.path, change.source):
            if path is not None:
                tree.pop(path, None)
                files.pop(path, None)
                omitted.pop(path, None)
        if change.new is not None:
            touched[change.path] = change.new
    tree.update(touched)
    part = _select(repository, touched, last.rules, last.attributes, cache, None)
    files.update(part.files)
    omitted.update(part.omitted)
    cache.save(at_least=_WORTH_WRITING)
    committed_at = repository.commit_time(commit)
    selection = Selection(files, omitted)
    return Survey(last.rules, commit, committed_at, tree, last.attributes, selection), changes


def _is_attributes(change: TreeChange) -> bool:
    paths = (change.path, change.source or "")
    return any(path.rpartition("/")[2] == ATTRIBUTES for path in paths)


def _attributes(repository: GitRepository, tree: Mapping[str, Entry]) -> Attributes:
    found = [path for path in tree if path.endswith(ATTRIBUTES)]
    paths = [path for path in found if path.rpartition("/")[2] == ATTRIBUTES]
    blobs = repository.blobs([tree[path].oid for path in paths])
    return Attributes(dict(zip(paths, blobs, strict=True)))


def _select(
    repository: GitRepository,
    tree: Mapping[str, Entry],
    rules: Rules,
    attributes: Attributes,
    cache: FactsCache,
    progress: Progress | None,
) -> Selection:
    listed = shortlist(tree, rules.scope(), attributes)
    limit = rules.max_file_bytes
    wanted = dict.fromkeys(listed.wanted.values())
    return settle(listed, gather(repository, wanted, limit, cache, progress), limit)


def texts(repository: GitRepository, files: Sequence[File]) -> Iterator[bytes]:
    """Yield the shown text of each file, in the order given."""
    blobs = repository.blobs([file.oid for file in files])
    for file, raw in zip(files, blobs, strict=True):
        yield shown(raw, file.spans)
