"""Reading a pack's repositories beyond what is packed: at its commits, inside its globs, masked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from bot.context.errors import GitMissingError
from bot.context.files.select import File
from bot.context.files.tree import Survey, in_order, survey, texts
from bot.context.git.repository import GitRepository, decode_path, unix_time
from bot.context.git.safety import hardened_environment
from bot.context.pack import Change, Match, RepositoryState
from bot.context.pack_builder import Source
from bot.context.secrets.find import find_secrets
from bot.context.secrets.mask import mask

SEARCH_SECONDS = 10.0
HISTORY_SECONDS = 10.0
_LONGEST_LINE = 2_000
_MOST_SEARCHED_BYTES = 30_000_000
_MOST_COMMITS = 1_000
"""How far back a folder's history is looked through for commits that may be shown."""
# No name is empty, so that two null bytes come before a record alone; `_NAMES` is where its begin.
_COMMIT = re.compile(rb"\0\0+h(?=[0-9a-f]{40,64}\0)")
_NAMES = 4


@dataclass(frozen=True)
class View:
    """One repository as a snapshot sees it."""

    source: Source
    state: RepositoryState
    head: Survey
    base_commit: str
    _base: list[Survey] = field(default_factory=list, repr=False)

    @property
    def repository(self) -> GitRepository:
        return self.source.repository

    def base(self) -> Survey:
        """Survey the base commit, once."""
        if self.base_commit == self.head.commit:
            return self.head
        if not self._base:
            source = self.source
            self._base.append(
                survey(source.repository, self.base_commit, source.rules, source.cache)
            )
        return self._base[0]


class GitSnapshot:
    """Implements `bot.context.pack.Snapshot`. Safe to call from several threads."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = {view.state.name: view for view in views}

    def __repr__(self) -> str:
        at = ", ".join(f"{name}@{view.state.commit[:7]}" for name, view in self._views.items())
        return f"<GitSnapshot {at}>"

    def repositories(self) -> Sequence[RepositoryState]:
        return [view.state for view in self._views.values()]

    def paths(self, repository: str) -> Sequence[str]:
        view = self._views.get(repository)
        return [file.path for file in in_order(view.head.files)] if view else []

    def read(self, repository: str, path: str) -> str | None:
        view = self._views.get(repository)
        return None if view is None else _read(view.repository, view.head.files.get(path))

    def read_base(self, repository: str, path: str) -> str | None:
        view = self._views.get(repository)
        return None if view is None else _read(view.repository, view.base().files.get(path))

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        """Find lines, in the order of repositories and paths; at most `limit`.

        A regular expression is git's extended one (Perl's where git has it). It is run by git in a
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
            files = _under(view.head.files, under)
            for match in _search(view, files, pattern, regex, limit - len(found)):
                found.append(match)
            if len(found) >= limit:
                break
        return found

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        """Return the latest commits that touched a readable path or folder, newest first.

        A commit that touched nothing readable stays unsaid: its words may tell what is hidden.
        """
        view = self._views.get(repository)
        if view is None or limit <= 0 or not _knows(view, path):
            return []
        out = view.repository.within(HISTORY_SECONDS).run(
            "reading the history of",
            "log",
            "--no-ext-diff",
            "--no-renames",
            "--no-color",
            "--name-only",
            "-z",
            "--format=%x00%x00h%H%x00%ct%x00a%an%x00s%s",
            f"-n{min(limit, 200) if path in view.head.files else _MOST_COMMITS}",
            view.state.commit,
            *(["--", path] if path.strip("/.") else []),
        )
        records = (record.split(b"\0") for record in _COMMIT.split(out)[1:])
        shown = (_change(record) for record in records if _touches(view, record[_NAMES:]))
        return list(islice(shown, min(limit, 200)))


def _touches(view: View, names: Sequence[bytes]) -> bool:
    return any(decode_path(name.removeprefix(b"\n")) in view.head.files for name in names)


def _knows(view: View, path: str) -> bool:
    folder = path.strip("/")
    if not folder or folder == ".":
        return True
    files = view.head.files
    return folder in files or any(name.startswith(f"{folder}/") for name in files)


def _read(repository: GitRepository, file: File | None) -> str | None:
    if file is None:
        return None
    return next(texts(repository, [file])).decode("utf-8")


def _under(files: Mapping[str, File], under: str | None) -> dict[str, File]:
    folder = (under or "").strip("/")
    if not folder or folder == ".":
        return dict(files)
    return {
        path: file
        for path, file in files.items()
        if path == folder or path.startswith(f"{folder}/")
    }


def _search(
    view: View, files: Mapping[str, File], pattern: str, regex: bool, limit: int
) -> Iterator[Match]:
    """Let git find the lines, then keep those that may be shown, as they may be shown.

    A file with masked values is searched again in its masked text, and a regular expression not at
    all in its masked lines: whether a hidden value matches must not be learnt from what is found.
    """
    masked: dict[str, list[bytes]] = {}
    count = 0
    for path, number, line in _grep(view, pattern, regex, files):
        file = files.get(path)
        if file is None:
            continue
        text = line
        if file.spans:
            if path not in masked:
                masked[path] = next(texts(view.repository, [file])).split(b"\n")
            if number > len(masked[path]):
                continue
            text = masked[path][number - 1]
            if text != line.rstrip(b"\r") and (regex or pattern.encode() not in text):
                continue
        yield Match(view.state.name, path, number, _line(text))
        count += 1
        if count >= limit:
            return


def _line(text: bytes) -> str:
    shown = text[: _LONGEST_LINE * 4].decode("utf-8", "replace").rstrip("\r\n")
    return shown if len(shown) <= _LONGEST_LINE else shown[:_LONGEST_LINE] + "…"


def _grep(
    view: View, pattern: str, regex: bool, files: Mapping[str, File]
) -> Iterator[tuple[str, int, bytes]]:
    """Run git grep over the commit and yield path, line number and raw line."""
    folder = _common_folder(files)
    kind = [_dialect(view.repository)] if regex else ["--fixed-strings"]
    arguments = [
        "grep",
        "--no-color",
        "--line-number",
        "--null",
        "--full-name",
        "-I",
        "--no-textconv",
        "--no-recurse-submodules",
        *kind,
        "-e",
        pattern,
        view.state.commit,
        *(["--", folder] if folder else []),
    ]
    repository = view.repository.within(SEARCH_SECONDS)
    yield from repository.grep(arguments, _MOST_SEARCHED_BYTES)


def _common_folder(files: Mapping[str, File]) -> str:
    """Return the deepest folder or file that holds every path."""
    if len(files) == 1:
        return next(iter(files))
    split = [path.split("/")[:-1] for path in files]
    if not split:
        return ""
    low, high = min(split), max(split)
    common = 0
    while common < min(len(low), len(high)) and low[common] == high[common]:
        common += 1
    return "/".join(low[:common])


_DIALECTS: dict[str, str] = {}


def _dialect(repository: GitRepository) -> str:
    """Tell which regular expressions this machine's git knows: Perl's where it was built so."""
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
    return Change(commit.decode(), unix_time(at), _safe(author[1:]), _safe(subject[1:]))


def _safe(text: bytes) -> str:
    """Mask secrets in a commit's own words too."""
    return mask(text, find_secrets(text, "quoted")).decode("utf-8", "replace")
