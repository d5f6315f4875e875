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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, NamedTuple

from bot.context.errors import (
    EmptyRepositoryError,
    GitFailedError,
    GitMissingError,
    GitTimeoutError,
    RefMissingError,
    RepositoryError,
)
from bot.context.git.safety import SAFE_OPTIONS, hardened_environment, last_line

_FEW = 4
_RECENT_BYTES = 16_000_000
_COMMITTER = re.compile(rb"^committer .* (\d+) [+-]\d{4}$", re.MULTILINE)
_LAST_SECOND = 253_402_300_799  # the end of the year 9999
READ_SECONDS = 120.0
"""The longest that reading a repository of the largest allowed size may take."""

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

    def __repr__(self) -> str:
        return f"<GitRepository {self.name} at {self.git_dir}>"

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
        try:
            done = subprocess.run(
                self.command(*arguments),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._seconds,
                check=False,
            )
        except FileNotFoundError:
            raise GitMissingError(self.name) from None
        except subprocess.TimeoutExpired:
            raise GitTimeoutError(self.name, doing, self._seconds) from None
        if done.returncode not in ok:
            raise GitFailedError(self.name, doing, last_line(done.stderr))
        return done.stdout

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
        if not self.run("listing the refs of", "for-each-ref", "--count=1"):
            raise EmptyRepositoryError(self.name)
        raise RefMissingError(self.name, ref)

    def has(self, commit: str) -> bool:
        """Tell whether the commit is in this repository."""
        kind = self.run("looking for a commit of", "cat-file", "-t", commit, ok=(0, 1, 128))
        return kind.strip() == b"commit"

    def commit_time(self, commit: str) -> float:
        """Return the committer's time in Unix seconds."""
        if commit in self._times:
            return self._times[commit]
        raw = self._recent.get(commit)
        if raw is not None and (said := _COMMITTER.search(raw.partition(b"\n\n")[0])):
            return unix_time(said.group(1))
        out = self.run("reading a commit of", "rev-list", "-1", "--timestamp", commit)
        return unix_time(out.split()[0])

    def tree(self, commit: str) -> Tree:
        """Return everything that is tracked at the commit."""
        out = self.run("listing", "ls-tree", "-r", "-z", "--full-tree", commit)
        tree: Tree = {}
        for record in out.split(b"\0"):
            if record:
                meta, _, raw = record.partition(b"\t")
                mode, _, oid = meta.split(b" ")
                tree[decode_path(raw)] = Entry(int(mode, 8), oid.decode("ascii"))
        return tree

    def changes(self, old: str, new: str) -> list[TreeChange]:
        """Return what differs between two commits' trees, renames found by likeness."""
        if (old, new) in self._compared:
            return self._compared[old, new]
        out = self.run(
            "comparing two commits of",
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
        found = self._compared[old, new] = list(_parse_raw_diff(out))
        return found

    def within(self, seconds: float) -> GitRepository:
        """Return the same repository with another bound on time."""
        return GitRepository(self.git_dir, self.name, seconds=seconds)

    def grep(self, arguments: Sequence[str], most_bytes: int) -> Iterator[tuple[str, int, bytes]]:
        """Run `git grep --null --line-number` on a commit; yield path, line number, raw line.

        Stops after `most_bytes` of output.

        Raises:
            RepositoryError: the pattern cannot be read, or the search took too long.
        """
        with self._stream(arguments) as (stream, process):
            seen = 0
            while seen < most_bytes and (record := stream.readline()):
                seen += len(record)
                head, _, rest = record.partition(b"\0")
                number, _, line = rest.partition(b"\0")
                if number.isdigit():
                    path = head.partition(b":")[2]
                    yield decode_path(path), int(number), line.rstrip(b"\n")
            if seen < most_bytes and process.wait() > 1:
                raise RepositoryError(
                    self.name,
                    "The search could not be run: write the pattern as an extended regular "
                    "expression, or search for plain text.",
                )

    @contextlib.contextmanager
    def _stream(
        self, arguments: Sequence[str], asked: bytes = b""
    ) -> Iterator[tuple[IO[bytes], subprocess.Popen[bytes]]]:
        """Run git and read what it prints; stop it when it takes too long or is left."""
        try:
            process = subprocess.Popen(
                self.command(*arguments),
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=1 << 20,
            )
        except FileNotFoundError:
            raise GitMissingError(self.name) from None
        expired = threading.Event()

        def stop() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(self._seconds, stop)
        timer.daemon = True
        timer.start()
        threading.Thread(target=_feed, args=(process.stdin, asked), daemon=True).start()
        assert process.stdout is not None
        try:
            yield process.stdout, process
        except (OSError, RepositoryError):
            if not expired.is_set():
                raise
        finally:
            timer.cancel()
            process.kill()
            process.stdout.close()
            process.wait()
        if expired.is_set():
            raise GitTimeoutError(self.name, "reading", self._seconds)

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
        out = self.run(
            "reading the history of",
            "log",
            "--first-parent",
            "-m",
            "--raw",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--format=%x01",
            f"-n{limit}",
            commit,
        )
        commits: list[list[str]] = []
        for record in out.split(b"\x01")[1:]:
            fields = record.split(b"\0")
            commits.append([decode_path(path) for path in fields[2::2]])
        return commits

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
        with self._stream(("cat-file", "--batch", "--buffer"), asked) as (stream, _):
            for oid in oids:
                header = stream.readline().split(b" ")
                if len(header) != 3:
                    raise GitFailedError(
                        self.name, "reading", f"the object {oid} is missing; fetch it anew"
                    )
                size = int(header[2])
                data = stream.read(size + 1)
                if len(data) != size + 1:
                    raise GitFailedError(self.name, "reading", f"the object {oid} is cut short")
                yield data[:-1]

    def sizes(self, oids: Sequence[str]) -> list[int]:
        """Return the size in bytes of each blob; -1 for one that is missing."""
        recent = self._recent
        if all(oid in recent for oid in oids):
            return [len(recent[oid]) for oid in oids]
        done = subprocess.run(
            self.command("cat-file", "--batch-check=%(objectsize)", "--buffer"),
            env=self._environment,
            input="".join(f"{oid}\n" for oid in oids).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=self._seconds,
            check=False,
        )
        return [int(line) if line.isdigit() else -1 for line in done.stdout.splitlines()]


def _feed(stdin: IO[bytes], asked: bytes) -> None:
    """Ask without waiting for the answers; a git that was stopped no longer listens."""
    with contextlib.suppress(OSError, ValueError), stdin:
        stdin.write(asked)


def _parse_raw_diff(out: bytes) -> Iterator[TreeChange]:
    fields = iter(out.split(b"\0"))
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
