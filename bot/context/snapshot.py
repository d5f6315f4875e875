"""Reading a pack's repositories beyond what is packed: at its commits, inside its globs, masked."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from bot.context.errors import GitMissingError, RefMissingError, RepositoryError
from bot.context.files.select import File
from bot.context.files.tree import MOST_HERE, Survey, read_left_out, survey, texts, uncut_texts
from bot.context.git.repository import GitRepository, decode_path, encode_path, unix_time
from bot.context.git.safety import hardened_environment
from bot.context.pack import Change, Match, RepositoryState
from bot.context.pack_builder import Source
from bot.context.secrets.find import find_secrets
from bot.context.secrets.mask import mask

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
_LONGEST_WORDS = 500
_MOST_HISTORY = 8_000_000
"""Bytes of a history that are looked through. Names and subjects are cut before that."""
_MOST_COMMITS = 1_000
"""How far back a folder's history is looked through for commits that may be shown."""
# No name is empty, so that two null bytes come before a record alone. `_NAMES` is its place.
_COMMIT = re.compile(rb"\0\0+h(?=[0-9a-f]{40,64}\0)")
_NAMES = 4
_LARGE_READ = 1_000_000
_large_reads = threading.Lock()
_MOST_OTHERS = 4
_MOST_OTHER_FILES = 50_000
"""Other commits that one snapshot keeps in memory, and the files in all of them."""
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
    """One repository as a snapshot sees it."""

    source: Source
    state: RepositoryState
    head: Survey
    base_commit: str
    _base: list[Survey] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _scopes: dict[str, _Scope] = field(default_factory=dict, repr=False, compare=False)

    @property
    def repository(self) -> GitRepository:
        return self.source.repository

    def base(self) -> Survey:
        """Survey the base commit, once."""
        if self.base_commit == self.head.commit:
            return self.head
        with self._lock:
            if not self._base:
                self._base.append(self.survey(self.base_commit))
            return self._base[0]

    def scope(self, folder: str) -> _Scope:
        """Return the files of a folder, "" for all. Those of the last few folders are kept."""
        found = self._scopes.get(folder)
        if found is None:
            if len(self._scopes) >= _KEPT_SCOPES:
                self._scopes.clear()
            found = self._scopes[folder] = _Scope.of(self.head, folder)
        return found

    def survey(self, commit: str) -> Survey:
        """Look at another commit by the same rules."""
        rules, cache = self.source.rules, self.source.cache
        return survey(self.repository, commit, rules, cache, in_children_from=MOST_HERE)


class GitSnapshot:
    """Implements `bot.context.pack.Snapshot`. Safe to call from several threads."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = {view.state.name: view for view in views}
        self._lock = threading.Lock()
        self._others: OrderedDict[tuple[str, str], GitSnapshot] = OrderedDict()

    def repositories(self) -> Sequence[RepositoryState]:
        return [view.state for view in self._views.values()]

    def paths(self, repository: str) -> Sequence[str]:
        """Return the paths that can be read, in the order of their bytes."""
        view = self._views.get(repository)
        if view is None:
            return []
        paths = [*view.head.files, *view.head.readable]
        return sorted(paths, key=encode_path)

    def read(self, repository: str, path: str) -> str | None:
        view = self._views.get(repository)
        return None if view is None else _read(view, view.head, path)

    def read_base(self, repository: str, path: str) -> str | None:
        view = self._views.get(repository)
        return None if view is None else _read(view, view.base(), path)

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
            if len(found) < limit:
                found += islice(_search(view, under, pattern, regex), limit - len(found))
        return found

    def at(self, repository: str, ref: str) -> GitSnapshot:
        """Return one repository at another branch, tag or commit that its clone has.

        The first look at a commit reads the files that differ from those seen before.

        Raises:
            RepositoryError: there is no such repository, or no such ref in its clone.
        """
        view = self._views.get(repository)
        if view is None or _REF.fullmatch(ref) is None or ".." in ref:
            raise RefMissingError(repository, ref)
        commit = view.repository.resolve(ref)
        with self._lock:
            key = (repository, commit)
            if key not in self._others:
                found = view.survey(commit)
                state = replace(
                    view.state,
                    ref=ref,
                    commit=commit,
                    base_commit=commit,
                    committed_at=found.committed_at,
                )
                other = View(view.source, state, found, commit)
                self._others[key] = GitSnapshot([other])
                while len(self._others) > 1 and self._keeps_too_many():
                    self._others.popitem(last=False)
            self._others.move_to_end(key)
            return self._others[key]

    def _keeps_too_many(self) -> bool:
        files = sum(len(v.head.tree) for o in self._others.values() for v in o._views.values())
        return len(self._others) > _MOST_OTHERS or files > _MOST_OTHER_FILES

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
        found = _COMMIT.split(out)[1:]
        whole = found if len(out) < _MOST_HISTORY else found[:-1]
        records = (record.split(b"\0") for record in whole)
        shown = (_change(record) for record in records if _touches(view, record[_NAMES:]))
        return list(islice(shown, min(limit, 200)))


def _touches(view: View, names: Sequence[bytes]) -> bool:
    paths = (decode_path(name.removeprefix(b"\n")) for name in names)
    return any(path in view.head.files or path in view.head.readable for path in paths)


def _knows(view: View, path: str) -> bool:
    folder = path.strip("/")
    if not folder or folder == ".":
        return True
    known = (view.head.files, view.head.readable)
    if any(folder in paths for paths in known):
        return True
    return any(name.startswith(f"{folder}/") for paths in known for name in paths)


def _read(view: View, found: Survey, path: str) -> str | None:
    file = found.files.get(path)
    if file is None and path in found.readable:
        left_out = read_left_out(view.repository, found, [path], view.source.cache)
        file = left_out.get(path)
    if file is None:
        return None
    # The text of a notebook of 10 MB takes five times as much while it is made: one at a time.
    with _large_reads if file.shortened or file.size > _LARGE_READ else nullcontext():
        return next(texts(view.repository, [file])).decode("utf-8")


def _is_under(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _search(view: View, under: str | None, pattern: str, regex: bool) -> Iterator[Match]:
    """Yield the lines that match, as they may be shown: files of the prompt first, then the others.

    git finds the lines. A masked line must not tell if a hidden value matches: so a literal has to
    stand in the masked line too, and an expression is run over the masked text itself.
    """
    folder = "" if (under or "").strip("/") == "." else (under or "").strip("/")
    scope = view.scope(folder)
    files = scope.files
    if scope.common is None:
        return
    left_out: list[tuple[str, int, bytes]] = []
    counts: dict[str, int] = {}
    masked = _MaskedLines(view)
    rewritten = _search_rewritten(view, scope.differing, pattern, regex)
    for path, number, line in _grep(view, pattern, regex, scope.common):
        file = files.get(path)
        if file is None:
            counts[path] = counts.get(path, 0) + 1
            if path in view.head.readable and counts[path] <= _MOST_OF_ONE:
                left_out.append((path, number, line))
            continue
        while rewritten and _before(rewritten[0], path):
            yield rewritten.pop(0)
        if file.recoded or (file.spans and regex):
            continue
        text = masked.line(file, number, line, pattern) if file.spans else line
        if text is not None:
            yield Match(view.state.name, path, number, _cut_line(text))
    yield from rewritten
    yield from _search_left_out(view, left_out, masked, pattern, regex)


def _before(match: Match, path: str) -> bool:
    return encode_path(match.path) < encode_path(path)


class _MaskedLines:
    """The lines of masked files, read when one of them is found."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lines: dict[str, list[bytes]] = {}

    def line(self, file: File, number: int, raw: bytes, pattern: str | None) -> bytes | None:
        """Return a found line as it may be shown, None if only its hidden value was found.

        `pattern` is the literal that was sought, None for an expression.
        """
        if file.path not in self._lines:
            self._lines[file.path] = next(uncut_texts(self._view.repository, [file])).split(b"\n")
        lines = self._lines[file.path]
        if number > len(lines):
            return None
        text = lines[number - 1]
        if text == raw.rstrip(b"\r") or (pattern is not None and pattern.encode() in text):
            return text
        return None


def _search_left_out(
    view: View,
    found: Sequence[tuple[str, int, bytes]],
    masked: _MaskedLines,
    pattern: str,
    regex: bool,
) -> Iterator[Match]:
    paths = list(dict.fromkeys(path for path, _, _ in found))[:_MOST_LEFT_OUT_FILES]
    if not paths:
        return
    files = read_left_out(view.repository, view.head, paths, view.source.cache)
    for path, number, line in found:
        file = files.get(path)
        if file is None or file.recoded:
            continue
        text: bytes | None = line
        if file.spans:
            text = masked.line(file, number, line, None if regex else pattern)
        if text is not None:
            yield Match(view.state.name, path, number, _cut_line(text))


def _search_rewritten(
    view: View, files: Mapping[str, File], pattern: str, regex: bool
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
    with tempfile.TemporaryDirectory(prefix="forewarm-search-") as name:
        folder = Path(name)
        for number, text in enumerate(uncut_texts(view.repository, chosen)):
            (folder / str(number)).write_bytes(text)
        kind = [_dialect(view.repository)] if regex else ["--fixed-strings"]
        arguments = [*_GREP, "--no-index", *kind, "-e", pattern, "--", "."]
        repository = view.repository.with_time_limit(SEARCH_SECONDS)
        hits = list(repository.grep(arguments, _MOST_SEARCHED_BYTES, folder))
    matches = [
        Match(view.state.name, chosen[int(at)].path, number, _cut_line(line))
        for at, number, line in hits
        if at.isdigit()
    ]
    return sorted(matches, key=lambda match: (encode_path(match.path), match.line))


def _cut_line(text: bytes) -> str:
    shown = text[: _LONGEST_LINE * 4].decode("utf-8", "replace").rstrip("\r\n")
    return shown if len(shown) <= _LONGEST_LINE else shown[:_LONGEST_LINE] + "…"


_GREP = (
    "grep",
    "--no-color",
    "--line-number",
    "--null",
    "--full-name",
    "-I",
    "--no-textconv",
    "--no-recurse-submodules",
)


def _grep(view: View, pattern: str, regex: bool, folder: str) -> Iterator[tuple[str, int, bytes]]:
    """Run git grep over the commit's folder and yield path, line number and raw line."""
    kind = [_dialect(view.repository)] if regex else ["--fixed-strings"]
    pathspec = ["--", folder] if folder else []
    arguments = [*_GREP, *kind, "-e", pattern, view.state.commit, *pathspec]
    repository = view.repository.with_time_limit(SEARCH_SECONDS)
    yield from repository.grep(arguments, _MOST_SEARCHED_BYTES)


def _common_folder(paths: Sequence[str]) -> str:
    """Return the deepest folder or file that holds every path."""
    if len(paths) == 1:
        return paths[0]
    split = [path.split("/")[:-1] for path in paths]
    if not split:
        return ""
    low, high = min(split), max(split)
    common = 0
    while common < min(len(low), len(high)) and low[common] == high[common]:
        common += 1
    return "/".join(low[:common])


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
