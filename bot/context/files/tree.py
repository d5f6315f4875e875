"""One repository at one commit: its tree, what of it may be shown, and why not the rest.

A survey of the next commit looks only at what a push touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.context.files.blob_cache import FactsCache, Progress, Wanted, gather
from bot.context.files.gitattributes import LARGEST as LARGEST_ATTRIBUTES
from bot.context.files.gitattributes import MOST_BYTES as MOST_ATTRIBUTE_BYTES
from bot.context.files.gitattributes import NAME as ATTRIBUTES
from bot.context.files.gitattributes import Attributes
from bot.context.files.heuristics import look_of
from bot.context.files.select import (
    LARGEST_READABLE,
    MOST_MASKED_IN_ALL,
    Claims,
    File,
    Rules,
    Selection,
    file_of,
    printable,
    settle,
    shortlist,
)
from bot.context.files.text import render_text
from bot.context.files.vendored import VendoredFolders, may_change_folders
from bot.context.git.repository import (
    SUBMODULE,
    SYMLINK,
    Entry,
    GitRepository,
    Tree,
    TreeChange,
    decode_path,
    encode_path,
)
from bot.context.git.urls import without_credentials

_MODULES = ".gitmodules"
_LARGEST_MODULES = 200_000
_GENERATOR_LIST = ".openapi-generator/FILES"
_LARGEST_LIST = 1_000_000
_MOST_LISTS = 50
_WORTH_WRITING = 50
"""A push's few blobs are not worth writing the whole cache again: they can be looked at again."""


@dataclass(frozen=True)
class Survey:
    """The contents of a commit. `files` and `omitted` are the selection's, by path."""

    rules: Rules
    commit: str
    committed_at: float
    tree: Tree
    attributes: Attributes
    selection: Selection
    vendored: VendoredFolders = field(default_factory=VendoredFolders)
    generated: frozenset[str] = frozenset()
    """Paths that a generator lists as its own in a file beside them."""
    submodules: dict[str, str] = field(default_factory=dict)
    """The addresses of submodules, by path, as far as `.gitmodules` tells them."""

    def __repr__(self) -> str:
        return f"<Survey of {self.rules.name}@{self.commit[:7]}: {self.selection!r}>"

    @property
    def files(self) -> dict[str, File]:
        return self.selection.files

    @property
    def omitted(self) -> dict[str, str]:
        return self.selection.omitted

    @property
    def readable(self) -> dict[str, Wanted]:
        return self.selection.readable

    def ordered(self) -> list[File]:
        """Return the files in the order of their paths' bytes."""
        return in_order(self.files)


def in_order(files: Mapping[str, File]) -> list[File]:
    return sorted(files.values(), key=lambda file: encode_path(file.path))


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
    tree = repository.tree(commit, rules.max_files)
    attributes = _attributes(repository, tree)
    vendored = VendoredFolders.of(tree)
    listed = _listed_as_generated(repository, tree)
    claims = Claims(attributes, vendored, listed)
    selection = _select(repository, tree, rules, claims, cache, progress)
    cache.save()
    return Survey(
        rules,
        commit,
        repository.commit_time(commit),
        tree,
        attributes,
        selection,
        vendored,
        listed,
        _submodules(repository, tree),
    )


def survey_next(
    repository: GitRepository, last: Survey, commit: str, cache: FactsCache
) -> tuple[Survey, list[TreeChange]]:
    """Look at what differs from the last survey, and at nothing else.

    Raises:
        TooLargeError: the commit tracks more files than the bound.
    """
    changes = repository.changes(last.commit, commit)
    if any(_decides_on_others(change) for change in changes):
        return survey(repository, commit, last.rules, cache), changes
    entries = [entry for change in changes for entry in (change.old, change.new) if entry]
    blobs = [entry.oid for entry in entries if entry.mode != SUBMODULE]
    repository.prefetch(commit, blobs, last.rules.max_file_bytes)
    tree = dict(last.tree)
    files, omitted, readable = dict(last.files), dict(last.omitted), dict(last.readable)
    touched: Tree = {}
    for change in changes:
        for path in (change.path, change.source):
            if path is not None:
                tree.pop(path, None)
                files.pop(path, None)
                omitted.pop(path, None)
                readable.pop(path, None)
        if change.new is not None:
            touched[change.path] = change.new
    tree.update(touched)
    repository.bound_tree(len(tree), sum(map(len, tree)), last.rules.max_files)
    vendored = last.vendored
    if any(map(may_change_folders, _paths(changes))):
        vendored = VendoredFolders.of(tree)
        if vendored != last.vendored:
            return survey(repository, commit, last.rules, cache), changes
    claims = Claims(last.attributes, vendored, last.generated)
    part = _select(repository, touched, last.rules, claims, cache, None)
    files.update(part.files)
    omitted.update(part.omitted)
    readable.update(part.readable)
    if sum(len(file.spans) for file in files.values()) > MOST_MASKED_IN_ALL:
        return survey(repository, commit, last.rules, cache), changes
    cache.save(at_least=_WORTH_WRITING)
    committed_at = repository.commit_time(commit)
    selection = Selection(files, omitted, readable)
    found = replace(last, commit=commit, committed_at=committed_at, tree=tree, selection=selection)
    return found, changes


def _paths(changes: Sequence[TreeChange]) -> Iterator[str]:
    for change in changes:
        yield change.path
        if change.source is not None:
            yield change.source


def _decides_on_others(change: TreeChange) -> bool:
    """Tell if the changed file says something about other files."""
    paths = (change.path, change.source or "")
    return any(
        path.rpartition("/")[2] == ATTRIBUTES or path == _MODULES or path.endswith(_GENERATOR_LIST)
        for path in paths
    )


def _listed_as_generated(repository: GitRepository, tree: Mapping[str, Entry]) -> frozenset[str]:
    """Return the paths that OpenAPI's generator lists as written by it.

    Most of its pages and models have no mark of their own. A README is edited afterwards.
    Source: https://openapi-generator.tech/docs/customization
    """
    lists = sorted(path for path in tree if path.endswith(_GENERATOR_LIST))[:_MOST_LISTS]
    lists = [path for path in lists if tree[path].mode not in (SUBMODULE, SYMLINK)]
    if not lists:
        return frozenset()
    sizes = repository.sizes([tree[path].oid for path in lists])
    lists = [path for path, size in zip(lists, sizes, strict=True) if 0 <= size <= _LARGEST_LIST]
    found: set[str] = set()
    for path, blob in zip(lists, repository.blobs([tree[path].oid for path in lists]), strict=True):
        folder = path.removesuffix(_GENERATOR_LIST)
        names = decode_path(blob).split("\n")
        found.update(folder + name for name in names if name and not name.startswith("README"))
    return frozenset(found & tree.keys())


def _submodules(repository: GitRepository, tree: Mapping[str, Entry]) -> dict[str, str]:
    """Read the addresses of submodules, short and without passwords."""
    entry = tree.get(_MODULES)
    if entry is None or entry.mode in (SUBMODULE, SYMLINK):
        return {}
    if not 0 <= repository.sizes([entry.oid])[0] <= _LARGEST_MODULES:
        return {}
    found: dict[str, str] = {}
    values: dict[str, str] = {}
    for line in next(repository.blobs([entry.oid])).decode("utf-8", "replace").split("\n"):
        if line.lstrip().startswith("["):
            values = {}
        key, equals, value = line.partition("=")
        if equals and key.strip() in {"path", "url"}:
            values[key.strip()] = value.strip()
        if len(values) == 2:
            address = printable(without_credentials(values["url"]))
            found[values["path"]] = address if len(address) <= 200 else address[:199] + "…"
    return found


def _attributes(repository: GitRepository, tree: Mapping[str, Entry]) -> Attributes:
    """Read the rules of every folder. A file that is too large, or missing, has none."""
    found = [path for path in tree if path.endswith(ATTRIBUTES)]
    paths = [
        path
        for path in sorted(found, key=lambda path: (path.count("/"), path))
        if path.rpartition("/")[2] == ATTRIBUTES and tree[path].mode not in (SUBMODULE, SYMLINK)
    ]
    sizes = repository.sizes([tree[path].oid for path in paths]) if paths else []
    taken: list[str] = []
    left = MOST_ATTRIBUTE_BYTES
    for path, size in zip(paths, sizes, strict=True):
        if 0 <= size <= min(LARGEST_ATTRIBUTES, left):
            taken.append(path)
            left -= size
    blobs = repository.blobs([tree[path].oid for path in taken])
    return Attributes(dict(zip(taken, blobs, strict=True)), len(tree))


def _select(
    repository: GitRepository,
    tree: Mapping[str, Entry],
    rules: Rules,
    claims: Claims,
    cache: FactsCache,
    progress: Progress | None,
) -> Selection:
    listed = shortlist(tree, rules.scope(), claims)
    limit = rules.max_file_bytes
    wanted = dict.fromkeys(listed.wanted.values())
    facts = gather(repository, wanted, limit, cache, progress)
    return settle(listed, facts, limit)


def read_left_out(
    repository: GitRepository, places: Mapping[str, Wanted], cache: FactsCache
) -> dict[str, File]:
    """Return those of the files, which the prompt leaves out, that a look-up may read.

    Their secrets are masked like those of every other file. They are looked for here and not at
    the survey: few of these files are ever read.
    """
    wanted = {path: item._replace(vouched=True, ours=True) for path, item in places.items()}
    facts = gather(repository, dict.fromkeys(wanted.values()), LARGEST_READABLE, cache)
    return {
        path: file_of(path, item, known)
        for path, item in wanted.items()
        if not isinstance(known := facts[item], int)
        and not (known.signs.binary or known.signs.pointer or known.signs.credentials)
    }


def texts(repository: GitRepository, files: Sequence[File]) -> Iterator[bytes]:
    """Yield the shown text of each file, in the order given."""
    blobs = repository.blobs([file.oid for file in files])
    for file, raw in zip(files, blobs, strict=True):
        notebook = file.shortened and look_of(file.path) == "notebook"
        yield render_text(raw, file.spans, shorten=file.shortened, notebook=notebook)


def uncut_texts(repository: GitRepository, files: Sequence[File]) -> Iterator[bytes]:
    """Yield each file's text with its secrets masked and its long lines whole."""
    blobs = repository.blobs([file.oid for file in files])
    for file, raw in zip(files, blobs, strict=True):
        yield render_text(raw, file.spans)
