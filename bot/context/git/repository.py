"""Reading a repository with git's plumbing: hardened, bounded, and never through a work tree.

Everything here blocks and is meant for a thread. Nothing here touches the network: fetching lives
in `bot.context.git.clone`. Paths are the bytes that git stores, decoded with `surrogateescape`.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

from bot.context.errors import (
    EmptyRepositoryError,
    GitFailedError,
    GitMissingError,
    GitTimeoutError,
    RefMissingError,
    RepositoryError,
    TooLargeError,
    too_many_files,
)
from bot.context.git.safety import SAFE_OPTIONS, hardened_environment, last_line
from bot.context.limits import limit_started, lower_priority

_FEW = 4
_RECENT_BYTES = 16_000_000
_COMMITTER = re.compile(rb"^committer .* (\d+) [+-]\d{4}$", re.MULTILINE)
_LAST_SECOND = 253_402_300_799  # the end of the year 9999
READ_SECONDS = 120.0
"""The longest that one git command may take, without the time that its reader takes."""
MOST_OUTPUT = 128_000_000
"""Bytes that one git command may print."""
MOST_MEMORY = 2_000_000_000
"""Bytes of memory that one git command may take: an expression or a delta can ask for any."""
_MOST_HISTORY = 30_000_000
_LONG_NAME = 300
"""Bytes that the paths of a tree may have, for each file that it may have."""
_MOST_CHANGES = 400_000
_PIECE = 1 << 20
_LONGEST_RECORD = 1 << 20
"""Bytes of a line that a search finds, with its path: a file may be one line of 400 MB."""

SYMLINK = 0o120000
SUBMODULE = 0o160000


class Entry(NamedTuple):
    """One tracked thing: `mode` as git stores it, `oid` the blob's id in hex."""

    mode: int
    oid: str


Tree = dict[str, Entry]
"""Path to entry, in the order of the paths' bytes."""


class TreeChange(NamedTuple):
    """One difference between two trees. For a rename `source` is the old path."""

    status: Literal["added", "deleted", "modified", "renamed"]
    path: str
    old: Entry | None
    new: Entry | None
    source: str | None = None


def unix_time(raw: bytes) -> float:
    """Read a commit's time, which may be anything: never one that no calendar holds."""
    return float(min(int(raw), _LAST_SECOND)) if raw.isdigit() else 0.0


_PLAIN_NAME = re.compile(r"[\w./+-]{1,100}")


def branch_names(refs: Iterable[str]) -> tuple[str, ...]:
    """Return the branches among refs, without names that could be more than a name in a message."""
    names = (ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/"))
    return tuple(name for name in names if _PLAIN_NAME.fullmatch(name))


def decode_path(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def encode_path(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


class GitRepository:
    """A git directory that is only read. `name` is what errors call it."""

    def __init__(self, git_dir: Path, name: str, *, seconds: float = READ_SECONDS) -> None:
        self.git_dir = git_dir
        self.name = name
        self._seconds = seconds
        self._environment = hardened_environment()
        self._recent: dict[str, bytes] = {}
        self._times: dict[str, float] = {}
        self._compared: dict[tuple[str, str], list[TreeChange]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return _opened, (self.git_dir, self.name, self._seconds)

    @classmethod
    def discover(cls, path: Path, name: str | None = None) -> GitRepository:
        """Open the repository that holds `path`, bare or with a work tree.

        Raises:
            RepositoryError: there is none.
        """
        name = name or path.resolve().name.removesuffix(".git") or "repository"
        for folder in (path, path / ".git"):
            if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
                return cls(folder.resolve(), name)
        try:
            done = subprocess.run(
                ["git", *SAFE_OPTIONS, "-C", str(path), "rev-parse", "--absolute-git-dir"],
                env=hardened_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=READ_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise GitMissingError(name) from None
        if done.returncode:
            raise RepositoryError(
                name, f"{path} is not a git repository: name a folder with one, or a context."
            )
        return cls(Path(os.fsdecode(done.stdout.rstrip(b"\n"))), name)

    def command(self, *arguments: str) -> list[str]:
        return ["git", *SAFE_OPTIONS, f"--git-dir={self.git_dir}", *arguments]

    def run(self, doing: str, *arguments: str, ok: Sequence[int] = (0,)) -> bytes:
        """Run git and return what it prints.

        Raises:
            GitFailedError: it ended with a code that is not in `ok`.
            GitTimeoutError: it took too long.
        """
        with self._process(arguments, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            errors = _Drain(process.stderr)
            out = bytearray()
            while piece := process.read(_PIECE):
                out += piece
                if len(out) > MOST_OUTPUT:
                    raise TooLargeError(
                        self.name, "bytes in one answer of git", f"{MOST_OUTPUT:,}", "ask for less"
                    )
            code = process.wait()
        if process.expired:
            raise GitTimeoutError(self.name, doing, self._seconds)
        if code not in ok:
            raise GitFailedError(self.name, doing, last_line(errors.text()))
        return bytes(out)

    def resolve(self, ref: str) -> str:
        """Return the commit that `ref` names.

        Raises:
            EmptyRepositoryError: there is no commit at all.
            RefMissingError: there is no such ref.
        """
        if not ref.startswith("-"):
            arguments = ("rev-list", "-1", "--timestamp", "--end-of-options", f"{ref}^{{commit}}")
            found = self.run("looking up a commit of", *arguments, ok=(0, 1, 128)).split()
            if len(found) == 2:
                commit = found[1].decode("ascii")
                self._times[commit] = unix_time(found[0])
                return commit
        listed = self.run(
            "listing the refs of", "for-each-ref", "--count=200", "--format=%(refname)"
        )
        if not listed:
            raise EmptyRepositoryError(self.name)
        raise RefMissingError(
            self.name, ref, branch_names(listed.decode("utf-8", "replace").split())
        )

    def has(self, commit: str) -> bool:
        """Tell whether the commit is in this repository."""
        kind = self.run("looking for a commit of", "cat-file", "-t", commit, ok=(0, 1, 128))
        return kind.strip() == b"commit"

    def is_ancestor(self, commit: str, tip: str) -> bool:
        """Tell whether a commit is in the history of another, or is that one."""
        if commit == tip:
            return True
        common = self.run("comparing commits of", "merge-base", commit, tip, ok=(0, 1, 128))
        return common.strip() == commit.encode()

    def commit_time(self, commit: str) -> float:
        """Return the committer's time in Unix seconds."""
        if commit in self._times:
            return self._times[commit]
        raw = self._recent.get(commit)
        if raw is not None and (said := _COMMITTER.search(raw.partition(b"\n\n")[0])):
            return unix_time(said.group(1))
        out = self.run("reading a commit of", "rev-list", "-1", "--timestamp", commit)
        return unix_time(out.split()[0])

    def tree(self, commit: str, most: int | None = None) -> Tree:
        """Return everything that is tracked at the commit.

        git is stopped at the first entry beyond `most`: a tree of a few bytes may name thousands of
        millions of files. So may its names be long.

        Raises:
            TooLargeError: the commit tracks more than `most` files, or their names are too long.
        """
        tree: Tree = {}
        names = 0
        for record in self._records(("ls-tree", "-r", "-z", "--full-tree", commit), "listing"):
            meta, _, raw = record.partition(b"\t")
            mode, _, oid = meta.split(b" ")
            tree[decode_path(raw)] = Entry(int(mode, 8), oid.decode("ascii"))
            names += len(raw)
            if most is not None:
                self.bound_tree(len(tree), names, most)
        return tree

    def bound_tree(self, files: int, names: int, most: int) -> None:
        """Raise `TooLargeError` if a tree has more than `most` files, or names as long as theirs.

        `names` is the length of all its paths together.
        """
        if files > most or names > most * _LONG_NAME:
            raise too_many_files(self.name, most)

    def _records(self, arguments: Sequence[str], doing: str) -> Iterator[bytes]:
        """Yield the NUL-terminated records that git prints, as they come."""
        with self._process(arguments) as process:
            rest = b""
            while piece := process.read(_PIECE):
                *records, rest = (rest + piece).split(b"\0")
                yield from records
            code = process.wait()
        if process.expired:
            raise GitTimeoutError(self.name, doing, self._seconds)
        if code:
            raise GitFailedError(self.name, doing, f"git {arguments[0]} ended with status {code}")

    def changes(self, old: str, new: str, most: int = _MOST_CHANGES) -> list[TreeChange]:
        """Return the differences between two commits' trees, renames found by likeness.

        Raises:
            TooLargeError: more than `most` files differ.
        """
        if (old, new) in self._compared:
            return self._compared[old, new]
        arguments = (
            "diff-tree",
            "-r",
            "-z",
            "-M50%",
            "-l400",
            "--raw",
            "--no-ext-diff",
            "--no-textconv",
            old,
            new,
        )
        if len(self._compared) > _FEW:
            self._compared.clear()
        found: list[TreeChange] = []
        for change in _parse_raw_diff(self._records(arguments, "comparing two commits of")):
            found.append(change)
            if len(found) > most:
                raise TooLargeError(
                    self.name, "changed files in one push", f"{most:,}", "attach it again"
                )
        self._compared[old, new] = found
        return found

    def with_time_limit(self, seconds: float) -> GitRepository:
        """Return the same repository with another bound on time."""
        return GitRepository(self.git_dir, self.name, seconds=seconds)

    def grep(
        self, arguments: Sequence[str], most_bytes: int, folder: Path | None = None
    ) -> Iterator[tuple[str, int, bytes]]:
        """Run `git grep --null --line-number` on a commit; yield path, line number, raw line.

        Stops after `most_bytes` of output. A very long line is cut. With `folder` the files of that
        folder are searched.

        Raises:
            RepositoryError: the pattern cannot be read, or the search took too long.
        """
        # To the plain locale, which is three times as fast, `ö` is two characters.
        locale = None if all(map(str.isascii, arguments)) else "C.UTF-8"
        with self._process(arguments, folder=folder, background=True, locale=locale) as process:
            seen = 0
            while seen < most_bytes and (record := process.readline(_LONGEST_RECORD)):
                seen += len(record)
                if not record.endswith(b"\n"):
                    seen += process.skip_line()
                head, _, rest = record.partition(b"\0")
                number, _, line = rest.partition(b"\0")
                if number.isdigit():
                    path = head if folder else head.partition(b":")[2]
                    yield decode_path(path), int(number), line.rstrip(b"\n")
            code = process.wait() if seen < most_bytes else 0
        if process.expired:
            raise GitTimeoutError(self.name, "searching", self._seconds)
        if code > 1:
            raise RepositoryError(
                self.name,
                "The search could not be run: write the pattern as an extended regular "
                "expression, or search for plain text.",
            )

    @contextlib.contextmanager
    def _process(
        self,
        arguments: Sequence[str],
        asked: bytes = b"",
        *,
        stderr: int = subprocess.DEVNULL,
        folder: Path | None = None,
        background: bool = False,
        locale: str | None = None,
    ) -> Iterator[_Process]:
        """Run git and read its output. It is stopped when it takes too long or is left.

        In the `background` it gives way to everything else.
        """
        environment = (
            self._environment if locale is None else {**self._environment, "LC_ALL": locale}
        )
        try:
            popen = subprocess.Popen(
                self.command(*arguments),
                env=environment,
                stdin=subprocess.PIPE if asked else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=_PIECE,
                cwd=folder,
            )
        except FileNotFoundError:
            raise GitMissingError(self.name) from None
        limit_started(popen.pid, MOST_MEMORY)
        if background:
            lower_priority(popen.pid)
        process = _Process(popen, self._seconds)
        if asked:
            threading.Thread(target=_feed, args=(popen.stdin, asked), daemon=True).start()
        try:
            yield process
        except (OSError, RepositoryError):
            if not process.expired:
                raise
        finally:
            process.stop()

    def is_shallow(self) -> bool:
        return (self.git_dir / "shallow").exists() or (self._common_dir() / "shallow").exists()

    def _common_dir(self) -> Path:
        """The directory that linked work trees share."""
        try:
            return self.git_dir / (self.git_dir / "commondir").read_text().strip()
        except OSError:
            return self.git_dir

    def touched(self, commit: str, limit: int) -> list[list[str]]:
        """Return the paths that each of the last first-parent commits touched, newest first."""
        arguments = (
            "log",
            "--first-parent",
            "-m",
            "--raw",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-show-signature",
            "--format=%x01",
            f"-n{limit}",
            commit,
        )
        out = self.start_of_output("reading the history of", _MOST_HISTORY, arguments)
        commits: list[list[str]] = []
        for record in out.split(b"\x01")[1:]:
            fields = record.split(b"\0")
            commits.append([decode_path(path) for path in fields[2::2]])
        return commits

    def start_of_output(self, doing: str, most_bytes: int, arguments: Sequence[str]) -> bytes:
        """Run git and return the first `most_bytes` of what it prints.

        Raises:
            GitTimeoutError: it took too long.
        """
        out = bytearray()
        with self._process(arguments, background=True) as process:
            while len(out) < most_bytes and (piece := process.read(min(_PIECE, most_bytes))):
                out += piece
        if process.expired:
            raise GitTimeoutError(self.name, doing, self._seconds)
        return bytes(out[:most_bytes])

    def blobs(self, oids: Sequence[str]) -> Iterator[bytes]:
        """Yield the content of each blob, in the order asked.

        Raises:
            GitFailedError: an object is missing, as in a partial clone.
        """
        recent = dict(self._recent)
        missing = [oid for oid in oids if oid not in recent] if recent else oids
        if not missing:
            yield from (recent[oid] for oid in oids)
            return
        read = self._batch(missing)
        for oid in oids:
            yield recent[oid] if oid in recent else next(read)

    def prefetch(self, commit: str, oids: Sequence[str], limit: int) -> None:
        """Read a commit and its blobs of at most `limit` bytes at once: each git costs time."""
        sizes = self.sizes(oids)
        wanted = [oid for oid, size in zip(oids, sizes, strict=True) if 0 <= size <= limit]
        self._recent = {}
        if sum(size for size in sizes if size <= limit) <= _RECENT_BYTES:
            objects = [commit, *dict.fromkeys(wanted)]
            self._recent = dict(zip(objects, self._batch(objects), strict=True))

    def _batch(self, oids: Sequence[str]) -> Iterator[bytes]:
        asked = "".join(f"{oid}\n" for oid in oids).encode("ascii")
        with self._process(("cat-file", "--batch", "--buffer"), asked) as process:
            for oid in oids:
                header = process.readline().split(b" ")
                if len(header) != 3:
                    raise GitFailedError(
                        self.name, "reading", f"the object {oid} is missing; fetch it anew"
                    )
                size = int(header[2])
                data = process.read(size + 1)
                if len(data) != size + 1:
                    raise GitFailedError(self.name, "reading", f"the object {oid} is cut short")
                yield data[:-1]
        if process.expired:
            raise GitTimeoutError(self.name, "reading", self._seconds)

    def sizes(self, oids: Sequence[str]) -> list[int]:
        """Return the size in bytes of each blob; -1 for one that is missing."""
        recent = self._recent
        if all(oid in recent for oid in oids):
            return [len(recent[oid]) for oid in oids]
        asked = "".join(f"{oid}\n" for oid in oids).encode("ascii")
        arguments = ("cat-file", "--batch-check=%(objectsize)", "--buffer")
        sizes: list[int] = []
        with self._process(arguments, asked) as process:
            while len(sizes) < len(oids) and (line := process.readline()):
                text = line.strip()
                sizes.append(int(text) if text.isdigit() else -1)
        if process.expired:
            raise GitTimeoutError(self.name, "reading the sizes of", self._seconds)
        return sizes + [-1] * (len(oids) - len(sizes))


@lru_cache(maxsize=64)
def _opened(git_dir: Path, name: str, seconds: float) -> GitRepository:
    """Return one object for all the calls of a child process: it remembers what it has read."""
    return GitRepository(git_dir, name, seconds=seconds)


class _Process:
    """A running git whose clock counts the waits for its output, not the use of it.

    A reader may take minutes over one file, while git waits for room in the pipe.
    """

    def __init__(self, popen: subprocess.Popen[bytes], seconds: float) -> None:
        assert popen.stdout is not None
        self.stderr = popen.stderr
        self.expired = False
        self._popen = popen
        self._stdout = popen.stdout
        self._left = seconds
        self._waiting_since: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end of the output."""
        with self._waiting():
            return self._stdout.read(size)

    def readline(self, most: int = -1) -> bytes:
        """Return the next line, or its first `most` bytes."""
        with self._waiting():
            return self._stdout.readline(most)

    def skip_line(self) -> int:
        """Read the rest of a line; return how many bytes that were."""
        skipped = 0
        while piece := self.readline(_PIECE):
            skipped += len(piece)
            if piece.endswith(b"\n"):
                break
        return skipped

    def wait(self) -> int:
        """Wait for git's end and return its status."""
        with self._waiting():
            return self._popen.wait()

    def stop(self) -> None:
        self._ended.set()
        self._popen.kill()
        self._stdout.close()
        self._popen.wait()

    def _waiting(self) -> _Wait:
        return _Wait(self)

    def begin_wait(self) -> None:
        self._waiting_since = time.monotonic()

    def end_wait(self) -> None:
        since = self._waiting_since
        self._waiting_since = None
        if since is not None:
            self._left -= time.monotonic() - since

    def _watch(self) -> None:
        while not self._ended.wait(min(_WATCH_EVERY, max(0.01, self._left))):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._left:
                self.expired = True
                self._popen.kill()
                return


_WATCH_EVERY = 0.25


class _Wait:
    """A span of time in which a reader waits for git."""

    __slots__ = ("_process",)

    def __init__(self, process: _Process) -> None:
        self._process = process

    def __enter__(self) -> Self:
        self._process.begin_wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.end_wait()


class _Drain:
    """Reads what git writes to its standard error, and keeps the end of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> bytes:
        self._thread.join(timeout=5)
        return self._kept

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._stream:
            while piece := self._stream.read(65_536):
                self._kept = (self._kept + piece)[-65_536:]


def _feed(stdin: IO[bytes], asked: bytes) -> None:
    """Ask without waiting for the answers; a git that was stopped no longer listens."""
    with contextlib.suppress(OSError, ValueError), stdin:
        stdin.write(asked)


def _parse_raw_diff(fields: Iterator[bytes]) -> Iterator[TreeChange]:
    for meta in fields:
        if not meta.startswith(b":"):
            continue
        old_mode, new_mode, old_oid, new_oid, status = meta[1:].decode("ascii").split(" ")
        old, new = Entry(int(old_mode, 8), old_oid), Entry(int(new_mode, 8), new_oid)
        path = decode_path(next(fields))
        if status[0] == "A":
            yield TreeChange("added", path, None, new)
        elif status[0] == "D":
            yield TreeChange("deleted", path, old, None)
        elif status[0] == "R":
            yield TreeChange("renamed", decode_path(next(fields)), old, new, path)
        else:
            yield TreeChange("modified", path, old, new)
