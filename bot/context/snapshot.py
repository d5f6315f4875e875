"""Reading a pack's repositories beyond what is packed: at its commits, inside its globs, masked."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from os.path import commonprefix
from typing import Any, TypeVar

from bot.context.asking import (
    Hit,
    LeftOut,
    MaskedLines,
    Place,
    ask_about,
    ask_file,
    ask_versions,
    base_text,
    is_small,
    place_in,
    run_in,
    search_rewritten,
    show_left_out,
    small_text,
    split_names,
    survey_at,
)
from bot.context.errors import GitMissingError, RefMissingError, RepositoryError
from bot.context.files.blob_cache import Wanted
from bot.context.files.select import File
from bot.context.files.tree import Survey
from bot.context.git.expression import read_expression
from bot.context.git.repository import GitRepository, encode_path, unix_time
from bot.context.git.safety import hardened_environment
from bot.context.pack import Change, Match, RepositoryState, Snapshot
from bot.context.pack_builder import Source
from bot.context.reader import Reader
from bot.context.secrets.find import find_secrets
from bot.context.secrets.mask import mask

R = TypeVar("R")

SEARCH_SECONDS = 10.0
HISTORY_SECONDS = 10.0
_LONGEST_LINE = 2_000
_MOST_SEARCHED_BYTES = 30_000_000
_MOST_REWRITTEN = 5_000
_MOST_REWRITTEN_BYTES = 100_000_000
"""Masked files that an expression looks into, and their bytes: they are written to a folder."""
_KEPT_SCOPES = 8
_MOST_LEFT_OUT_FILES = 50
_MOST_OF_ONE = 10
"""The files outside the prompt that a search looks into, and the lines that it takes of each."""
_LONGEST_HIT = 100_000
"""Bytes of a line of such a file that are looked at."""
_LONGEST_WORDS = 500
_MOST_HISTORY = 8_000_000
"""Bytes of a history that are looked through. Names and subjects are cut before that."""
_MOST_COMMITS = 1_000
"""How far back a folder's history is looked through for commits that may be shown."""
# No name is empty, so that two null bytes come before a record alone. `_NAMES` is its place.
_COMMIT = re.compile(rb"\0\0+h(?=[0-9a-f]{40,64}\0)")
_NAMES = 4
# A name of a ref or a commit, and how many commits before it: no search through the history.
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/@+-]{0,199}(?:[~^]\d{0,4}){0,3}")


@dataclass(frozen=True)
class _Scope:
    """The files that a search looks into. `common` is the deepest folder that holds all of them."""

    files: Mapping[str, File]
    differing: Mapping[str, File]
    common: str | None
    """None if there are no files at all."""

    @classmethod
    def of(cls, survey: Survey, folder: str) -> _Scope:
        files: Mapping[str, File] = survey.files
        readable: Iterable[str] = survey.readable
        if folder:
            files = {path: file for path, file in files.items() if _is_under(path, folder)}
            readable = [path for path in readable if _is_under(path, folder)]
        differing = {path: file for path, file in files.items() if file.differs}
        paths = [*files, *readable]
        return cls(files, differing, _common_folder(paths) if paths else None)


@dataclass(frozen=True)
class View:
    """One repository as a snapshot sees it.

    `reader` answers questions about large files in another process; without one they are answered
    here. `base` is the survey of the base commit if it is known.
    """

    source: Source
    state: RepositoryState
    head: Survey
    base_commit: str
    reader: Reader | None = field(default=None, repr=False)
    base: Survey | None = field(default=None, repr=False)
    _scopes: dict[str, _Scope] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def repository(self) -> GitRepository:
        return self.source.repository

    def run(self, function: Callable[..., R], /, *arguments: Any) -> R:
        """Call a function in the process that reads large files."""
        return run_in(self.reader, function, *arguments)

    def scope(self, folder: str) -> _Scope:
        """Return the files of a folder, "" for all. Those of the last few folders are kept."""
        # The look-ups of one answer run side by side, and would all do the same work.
        with self._lock:
            found = self._scopes.get(folder)
            if found is None:
                if len(self._scopes) >= _KEPT_SCOPES:
                    self._scopes.clear()
                found = self._scopes[folder] = _Scope.of(self.head, folder)
            return found

    def base_place(self, path: str) -> Place | str | None:
        """Return a file as the base has it, or the base's commit if its files are not known."""
        base = self.head if self.base_commit == self.head.commit else self.base
        return self.base_commit if base is None else place_in(base, path)


class GitSnapshot(Snapshot):
    """The files of a pack's commits. Safe to call from several threads."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = {view.state.name: view for view in views}

    def repositories(self) -> Sequence[RepositoryState]:
        return [view.state for view in self._views.values()]

    def paths(self, repository: str) -> Sequence[str]:
        """Return the paths that can be read, in the order of their bytes."""
        view = self._views.get(repository)
        if view is None:
            return []
        paths = [*view.head.files, *view.head.readable]
        return sorted(paths, key=encode_path)

    def has(self, repository: str, path: str) -> bool:
        view = self._views.get(repository)
        return view is not None and place_in(view.head, path) is not None

    def read(self, repository: str, path: str) -> str | None:
        return self.ask(repository, path, _whole)

    def read_base(self, repository: str, path: str) -> str | None:
        view = self._views.get(repository)
        place = None if view is None else view.base_place(path)
        if view is None or place is None:
            return None
        if isinstance(place, File) and is_small(place):
            return small_text(view.repository, place)
        return view.run(base_text, view.source, path, place)

    def ask(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        view = self._views.get(repository)
        place = None if view is None else place_in(view.head, path)
        if view is None or place is None:
            return None
        if isinstance(place, File):
            return ask_about(view.reader, view.repository, place, function, *arguments)
        return view.run(ask_file, view.repository, path, place, function, arguments)

    def ask_versions(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        view = self._views.get(repository)
        head = None if view is None else place_in(view.head, path)
        if view is None or head is None:
            return None
        moved = view.base_commit != view.head.commit
        base = view.base_place(path) if moved else None
        if isinstance(head, File) and is_small(head):
            if base is None:
                return function(path, small_text(view.repository, head), None, *arguments)
            if isinstance(base, File) and is_small(base):
                return function(
                    path,
                    small_text(view.repository, head),
                    small_text(view.repository, base),
                    *arguments,
                )
        return view.run(ask_versions, view.source, path, (head, base), function, arguments)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        """Find lines, in the order of repositories and paths; at most `limit`.

        A regular expression is git's extended one (Perl's if git has it). It is run by git in a
        process of its own with a bound on its time, since it comes from a model.

        Raises:
            RepositoryError: the expression cannot be read, or took too long.
        """
        if not pattern or "\n" in pattern or "\0" in pattern or limit <= 0:
            return []
        views = [
            view for name, view in self._views.items() if repository is None or name == repository
        ]
        found: list[Match] = []
        for view in views:
            if (left := limit - len(found)) > 0:
                found += islice(_search(view, under, pattern, regex, left), left)
        return found

    def at(self, repository: str, ref: str) -> Snapshot:
        """Return one repository at another branch, tag or commit of the followed history.

        The first look at a commit reads the files that differ from those seen before. A clone may
        hold what other contexts follow, whose people are others: that is not found here.

        Raises:
            RepositoryError: there is no such repository, or no such ref in its history.
        """
        view = self._views.get(repository)
        if view is None or _REF.fullmatch(ref) is None or ".." in ref:
            raise RefMissingError(repository, ref)
        commit = view.repository.resolve(ref)
        tips = {view.state.commit, view.base_commit}
        if not any(view.repository.is_ancestor(commit, tip) for tip in tips):
            raise RefMissingError(repository, ref)
        committed_at = view.repository.commit_time(commit)
        state = replace(
            view.state, ref=ref, commit=commit, base_commit=commit, committed_at=committed_at
        )
        return CommitSnapshot(view, state)

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        """Return the latest commits that touched a readable path or folder, newest first.

        A commit that touched nothing readable stays unsaid: its words may tell what is hidden.
        """
        view = self._views.get(repository)
        if view is None or limit <= 0 or not _knows(view, path):
            return []
        arguments = [
            "log",
            "--no-ext-diff",
            "--no-renames",
            "--no-show-signature",
            "--no-color",
            "--name-only",
            "-z",
            "--format=%x00%x00h%H%x00%ct%x00a%<(2000,trunc)%an%x00s%<(2000,trunc)%s",
            f"-n{min(limit, 200) if path in view.head.files else _MOST_COMMITS}",
            view.state.commit,
            *(["--", path] if path.strip("/.") else []),
        ]
        git = view.repository.with_time_limit(HISTORY_SECONDS)
        out = git.start_of_output("reading the history of", _MOST_HISTORY, arguments)
        shown = (_change(fields) for fields in _records(out) if _touches(view, fields[_NAMES:]))
        return list(islice(shown, min(limit, 200)))


class CommitSnapshot(Snapshot):
    """One repository at another commit. All of it is read in another process.

    `view` is the repository as the pack has it, `state` what it is at that commit.
    """

    def __init__(self, view: View, state: RepositoryState) -> None:
        self._view = view
        self._state = state

    def repositories(self) -> Sequence[RepositoryState]:
        return [self._state]

    def paths(self, repository: str) -> Sequence[str]:
        return self._call(GitSnapshot.paths, repository)

    def has(self, repository: str, path: str) -> bool:
        return self._call(GitSnapshot.has, repository, path)

    def read(self, repository: str, path: str) -> str | None:
        return self._call(GitSnapshot.read, repository, path)

    def read_base(self, repository: str, path: str) -> str | None:
        return self.read(repository, path)

    def ask(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        return self._call(GitSnapshot.ask, repository, path, function, *arguments)

    def ask_versions(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        return self._call(GitSnapshot.ask_versions, repository, path, function, *arguments)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        return self._call(_search_at, pattern, regex, repository, under, limit)

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return self._call(GitSnapshot.history, repository, path, limit)

    def at(self, repository: str, ref: str) -> Snapshot:
        return GitSnapshot([self._view]).at(repository, ref)

    def _call(self, method: Callable[..., R], /, *arguments: Any) -> R:
        found: R = self._view.run(_call_at, self._view.source, self._state, method, arguments)
        return found


def _call_at(
    source: Source, state: RepositoryState, method: Callable[..., R], arguments: Sequence[Any]
) -> R:
    return method(_snapshot_at(source, state), *arguments)


@lru_cache(maxsize=2)
def _snapshot_at(source: Source, state: RepositoryState) -> GitSnapshot:
    return GitSnapshot([View(source, state, survey_at(source, state.commit), state.commit)])


def _search_at(
    snapshot: GitSnapshot,
    pattern: str,
    regex: bool,
    repository: str | None,
    under: str | None,
    limit: int,
) -> Sequence[Match]:
    return snapshot.search(pattern, regex=regex, repository=repository, under=under, limit=limit)


def _records(out: bytes) -> Iterator[Sequence[bytes]]:
    """Yield the fields of each commit of a history; the last are its paths, not divided yet."""
    starts = [(found.start(), found.end()) for found in _COMMIT.finditer(out)]
    ends = [start for start, _ in starts[1:]]
    # A history that was cut ends within a commit.
    ends += [len(out)] if len(out) < _MOST_HISTORY else []
    for (_, start), end in zip(starts, ends, strict=False):
        yield out[start:end].split(b"\0", _NAMES)


def _touches(view: View, names: Sequence[bytes]) -> bool:
    paths = (path for raw in names for path in split_names(raw))
    return any(place_in(view.head, path) is not None for path in paths)


def _knows(view: View, path: str) -> bool:
    folder = path.strip("/")
    if not folder or folder == ".":
        return True
    known = (view.head.files, view.head.readable)
    if any(folder in paths for paths in known):
        return True
    return any(name.startswith(f"{folder}/") for paths in known for name in paths)


def _whole(path: str, text: str) -> str:
    return text


def _is_under(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _search(
    view: View, under: str | None, pattern: str, regex: bool, limit: int
) -> Iterator[Match]:
    """Yield the lines that match, as they may be shown: files of the prompt first, then the others.

    git finds the lines. A masked line must not tell if a hidden value matches: so a literal has to
    stand in the masked line too, and an expression is run over the masked text itself.
    """
    folder = "" if (under or "").strip("/") == "." else (under or "").strip("/")
    scope = view.scope(folder)
    files = scope.files
    if scope.common is None:
        return
    left_out: dict[str, list[Hit]] = {}
    masked = MaskedLines(view.repository)
    rewritten = _search_rewritten(view, scope.differing, pattern, regex, limit)
    for path, number, line in _grep(view, pattern, regex, scope.common):
        file = files.get(path)
        if file is None:
            _note_left_out(view, left_out, (path, number, line))
            continue
        while rewritten and _before(rewritten[0], path):
            yield rewritten.pop(0)
        if file.recoded or (file.spans and regex):
            continue
        text = masked.line(file, number, line, pattern) if file.spans else line
        if text is not None:
            yield Match(view.state.name, path, number, _cut_line(text))
    yield from rewritten
    yield from _search_left_out(view, left_out, pattern, regex)


def _before(match: Match, path: str) -> bool:
    return encode_path(match.path) < encode_path(path)


def _note_left_out(view: View, noted: dict[str, list[Hit]], hit: Hit) -> None:
    """Keep a line of a file that the prompt leaves out, if few are kept yet."""
    path, number, line = hit
    if path not in view.head.readable:
        return
    if path not in noted and len(noted) == _MOST_LEFT_OUT_FILES:
        return
    own = noted.setdefault(path, [])
    if len(own) < _MOST_OF_ONE:
        own.append((path, number, line[:_LONGEST_HIT]))


def _search_left_out(
    view: View, found: Mapping[str, Sequence[Hit]], pattern: str, regex: bool
) -> Iterator[Match]:
    if not found:
        return
    places: dict[str, Wanted] = {path: view.head.readable[path] for path in found}
    hits = [hit for own in found.values() for hit in own]
    for path, number, text in view.run(
        show_left_out, view.repository, LeftOut(places, hits), pattern, regex
    ):
        yield Match(view.state.name, path, number, _cut_line(text))


def _search_rewritten(
    view: View, files: Mapping[str, File], pattern: str, regex: bool, limit: int
) -> list[Match]:
    """Search the files whose shown text git does not have: masked ones and those in UTF-16.

    Raises:
        RepositoryError: they are too many, or the expression cannot be run.
    """
    chosen = [file for file in files.values() if regex or file.recoded]
    if not chosen:
        return []
    if len(chosen) > _MOST_REWRITTEN or sum(file.size for file in chosen) > _MOST_REWRITTEN_BYTES:
        raise RepositoryError(
            view.state.name,
            "Too many files hold masked values for this search: name a directory in `under`, or "
            "search for plain text.",
        )
    arguments = [*_GREP, "--no-index", *_pattern(view.repository, pattern, regex), "--", "."]
    repository = view.repository.with_time_limit(SEARCH_SECONDS)
    hits = view.run(search_rewritten, repository, chosen, arguments, _MOST_SEARCHED_BYTES, limit)
    return [Match(view.state.name, path, number, _cut_line(line)) for path, number, line in hits]


def _cut_line(text: bytes) -> str:
    shown = text[: _LONGEST_LINE * 4].decode("utf-8", "replace").rstrip("\r\n")
    return shown if len(shown) <= _LONGEST_LINE else shown[:_LONGEST_LINE] + "…"


_GREP = (
    "grep",
    "--no-color",
    # By default git takes eight: six searches at once would leave the bot no processor.
    "--threads=2",
    "--line-number",
    "--null",
    "--full-name",
    "-I",
    "--no-textconv",
    "--no-recurse-submodules",
)


def _grep(view: View, pattern: str, regex: bool, folder: str) -> Iterator[tuple[str, int, bytes]]:
    """Run git grep over the commit's folder and yield path, line number and raw line."""
    pathspec = ["--", folder] if folder else []
    wanted = _pattern(view.repository, pattern, regex)
    arguments = [*_GREP, *wanted, view.state.commit, *pathspec]
    repository = view.repository.with_time_limit(SEARCH_SECONDS)
    yield from repository.grep(arguments, _MOST_SEARCHED_BYTES)


def _pattern(repository: GitRepository, pattern: str, regex: bool) -> list[str]:
    """Return the options of `git grep` that name what is sought."""
    if not regex:
        return ["--fixed-strings", "-e", pattern]
    expression = read_expression(pattern, _dialect(repository))
    return [*expression.options, "-e", expression.text]


def _common_folder(paths: Collection[str]) -> str:
    """Return the deepest folder or file that holds every path."""
    low, high = min(paths), max(paths)
    if len(paths) == 1:
        return low
    # All that is sorted between two paths begins as both do.
    return commonprefix((low, high)).rpartition("/")[0]  # noqa: RUF071 - cut at a slash


_DIALECTS: dict[str, str] = {}


def _dialect(repository: GitRepository) -> str:
    """Tell which regular expressions this machine's git knows: Perl's if it was built so."""
    if "git" not in _DIALECTS:
        try:
            done = subprocess.run(
                ["git", "grep", "--no-index", "--quiet", "-P", "-e", "x(?=y)", "/dev/null"],
                env=hardened_environment(),
                capture_output=True,
                timeout=10,
                check=False,
            )
        except FileNotFoundError:
            raise GitMissingError(repository.name) from None
        _DIALECTS["git"] = "--perl-regexp" if done.returncode in (0, 1) else "--extended-regexp"
    return _DIALECTS["git"]


def _change(record: Sequence[bytes]) -> Change:
    commit, at, author, subject = record[:_NAMES]
    words = (_safe(text[1:].rstrip(b" ")) for text in (author, subject))
    return Change(commit.decode(), unix_time(at), *words)


def _safe(text: bytes) -> str:
    """Mask secrets in a commit's own words too.

    They are cut well behind the place at which git has cut them: half a secret is not recognized.
    """
    shown = mask(text, find_secrets(text, "prose")).decode("utf-8", "replace")
    return shown if len(shown) <= _LONGEST_WORDS else shown[:_LONGEST_WORDS] + "…"
