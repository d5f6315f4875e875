"""Small real repositories, and an independent reader of what the renderer writes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.files.text import split_lines
from bot.context.files.tree import Survey, survey, texts
from bot.context.git.repository import GitRepository
from bot.context.render.base_block import BasePlan, plan_base
from bot.context.render.token_estimate import Estimator
from bot.context.update.build import Standing, Update, build_update

Content = bytes | str | None
"""A file's bytes, the target of a symbolic link after `link:`, or None to delete the file."""


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git there, without this machine's configuration."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
        **{f"GIT_{who}_NAME": "T" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "t@example.org" for who in ("AUTHOR", "COMMITTER")},
    }
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, check=True, env=environment
    ).stdout


def quoted(path: bytes) -> bytes:
    """Quote a path the way fast-import wants it."""
    out = b""
    for byte in path:
        char = bytes([byte])
        plain = 32 <= byte < 127 and char not in b'"\\'
        out += char if plain else b"\\%03o" % byte
    return b'"' + out + b'"'


@dataclass
class Repo:
    """A bare repository that is written through fast-import: any name, any bytes, fast."""

    path: Path
    branch: str = "main"
    count: int = 0
    head: str = ""

    def commit(self, files: Mapping[str | bytes, Content], *, message: str = "change") -> str:
        """Commit changes on top of the branch and return the commit's id."""
        self.count += 1
        mark = self.count
        stream = b"commit refs/heads/%b\nmark :%d\n" % (self.branch.encode(), mark)
        stream += b"committer T <t@example.org> %d +0000\n" % (1_700_000_000 + 60 * self.count)
        body = message.encode()
        stream += b"data %d\n%b\n" % (len(body), body)
        if self.head:
            stream += b"from %b\n" % self.head.encode()
        for name, content in files.items():
            stream += _entry(name, content)
        git(self.path, "fast-import", "--quiet", "--force", stdin=stream + b"\n")
        self.head = self.resolve(f"refs/heads/{self.branch}")
        return self.head

    def resolve(self, ref: str) -> str:
        return git(self.path, "rev-parse", ref).decode().strip()

    def reset(self, commit: str) -> None:
        """Rewrite the branch: the next commit goes on top of this one."""
        git(self.path, "update-ref", f"refs/heads/{self.branch}", commit)
        self.head = commit

    def repository(self) -> GitRepository:
        return GitRepository(self.path, "repo")


def _entry(name: str | bytes, content: Content) -> bytes:
    path = quoted(name if isinstance(name, bytes) else name.encode())
    if content is None:
        return b"D %b\n" % path
    mode, data = b"100644", content
    if isinstance(data, str):
        if data.startswith("link:"):
            mode, data = b"120000", data.removeprefix("link:")
        data = data.encode()
    return b"M %b inline %b\ndata %d\n%b\n" % (mode, path, len(data), data)


@dataclass
class Bench:
    """Makes repositories, surveys them and builds what a prefix would hold."""

    folder: Path

    def repo(self, name: str = "repo") -> Repo:
        """Make an empty bare repository."""
        path = self.folder / f"{name}.git"
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--bare", "--initial-branch=main")
        return Repo(path)

    def look(self, repo: Repo, commit: str | None = None, rules: Rules | None = None) -> Survey:
        """Survey a commit without any cache on disk."""
        return survey(
            repo.repository(), commit or repo.head, rules or Rules("repo"), FactsCache(None)
        )

    def plan(self, repo: Repo, found: Survey, room: int | None = None) -> BasePlan:
        return plan_base(repo.repository(), found, Estimator.of("claude-sonnet-5-5"), room)

    def base(self, repo: Repo, found: Survey, room: int | None = None) -> bytes:
        """Build a base; of everything that may be shown by default."""
        return b"".join(self.plan(repo, found, room).parts(repo.repository()))

    def next(self, repo: Repo, standing: Standing, commit: str | None = None) -> Update:
        """Tell what leads from what stands to a commit."""
        found = self.look(repo, commit, standing.survey.rules)
        changes = repo.repository().changes(standing.survey.commit, found.commit)
        estimator = Estimator.of("claude-sonnet-5-5")
        return build_update(
            repo.repository(), standing, found, changes, lambda file: True, estimator
        )

    def shown(self, repo: Repo, found: Survey) -> dict[str, list[bytes]]:
        """Return what a reader should know of a commit: each file's shown lines."""
        files = list(found.files.values())
        return {
            file.path: split_lines(text)
            for file, text in zip(files, texts(repo.repository(), files), strict=True)
        }

    def reader(self) -> Reader:
        return Reader()

    def git(self, folder: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
        return git(folder, *arguments, stdin=stdin)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "repositories")


@pytest.fixture
def repo(bench: Bench) -> Repo:
    return bench.repo()


@dataclass
class Reader:
    """Reads blocks the way the reading rules tell a model to, knowing nothing of the renderer."""

    files: dict[str, list[bytes]] = field(default_factory=dict)
    markers: list[str] = field(default_factory=list)

    _FILE = re.compile(
        r"(file|added|replaced|changed|to) (.*) \((\d+) lines?(?:, \d+ values? masked)?\)", re.S
    )

    def read(self, block: bytes) -> Reader:
        """Take a block in; what a marker opens is taken by its number of lines."""
        lines = block.split(b"\n")
        assert lines.pop() == b"", "a block ends with a line end"
        at = 0
        source = ""
        while at < len(lines):
            line = lines[at]
            at += 1
            if not line.startswith(b"@@@ "):
                continue
            marker = line[4:].decode()
            self.markers.append(marker)
            if marker.startswith("deleted "):
                self.files.pop(re.sub(r" \(left out as .*\)$", "", marker[8:]), None)
            elif marker.startswith("renamed "):
                source = marker[8:]
            elif found := self._FILE.fullmatch(marker):
                word, path, count = found[1], found[2], int(found[3])
                if word in {"file", "added", "replaced"}:
                    self.files[path] = [
                        _plain(n, raw) for n, raw in enumerate(lines[at : at + count], 1)
                    ]
                    at += count
                else:
                    old = self.files.pop(source if word == "to" else path)
                    end = at
                    while end < len(lines) and not lines[end].startswith(b"@@@ "):
                        end += 1
                    self.files[path] = _patched(old, lines[at:end])
                    assert len(self.files[path]) == count, (path, count)
                    at = end
        return self


def _plain(number: int, raw: bytes) -> bytes:
    """Take a line's number and the escape off."""
    if number % 25 == 0:
        mark = b"%d|" % number
        assert raw.startswith(mark), (number, raw[:80])
        raw = raw[len(mark) :]
    return raw[1:] if re.match(rb"\\+@@@ ", raw) else raw


def _patched(old: list[bytes], hunks: list[bytes]) -> list[bytes]:
    """Apply hunks that give the new file's line numbers."""
    new: list[bytes] = []
    at = 0
    for line in hunks:
        if line.startswith(b"@@ "):
            start = int(line.split(b" ")[1]) - 1
            keep = start - len(new)
            new += old[at : at + keep]
            at += keep
        elif line.startswith(b"+"):
            new.append(line[1:])
        elif line.startswith(b" "):
            assert old[at] == line[1:], (old[at], line)
            new.append(old[at])
            at += 1
        elif hidden := re.fullmatch(rb"-~ (\d+) more", line):
            at += int(hidden[1])
        else:
            assert line.startswith(b"-"), line
            gone = line[1:]
            if re.fullmatch(rb"\\+~ \d+ more", gone):
                gone = gone[1:]
            assert old[at] == gone, (old[at], gone)
            at += 1
    return new + old[at:]
