"""Hostile repositories: bounded time and memory, a stated omission, nothing else lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.context.errors import GitTimeoutError, TooLargeError
from bot.context.files import gitattributes
from bot.context.git import repository as git_repository
from bot.context.git.repository import GitRepository

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

CODE = b"def f():\n    return 1\n"


def _fake_git(folder: Path, script: str) -> Path:
    """Put a program called git first in the path of its own folder."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(0o755)
    return folder


def test_the_tree_is_stopped_at_its_bound(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git would name files for ever: it is stopped at the first one beyond the bound."""
    script = (
        "import sys\nn = 0\n"
        "while True:\n"
        "    sys.stdout.write('100644 blob ' + 'a' * 40 + '\\tf%d\\0' % n)\n    n += 1\n"
    )
    monkeypatch.setenv("PATH", f"{_fake_git(tmp_path / 'bin', script)}:{os.environ['PATH']}")
    with pytest.raises(TooLargeError):
        GitRepository(repo.path, "x").tree("HEAD", 1_000)


def test_the_time_of_the_reader_is_not_gits(repo: Repo) -> None:
    """A secret scan of a minute must not end as a slow git."""
    repo.commit({f"f{n}.txt": b"x" * 100_000 for n in range(20)})
    repository = GitRepository(repo.path, "x", seconds=1.0)
    oids = [entry.oid for entry in repository.tree(repo.head).values()]
    read = repository.blobs(oids)
    next(read)
    time.sleep(1.5)
    assert len(list(read)) == len(oids) - 1


def test_a_git_that_does_not_answer_is_stopped(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own time is bounded for any question."""
    path = _fake_git(tmp_path / "bin", "import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    repository = GitRepository(repo.path, "x", seconds=0.5)
    for ask in (
        lambda: repository.tree("HEAD"),
        lambda: repository.run("asking", "status"),
        lambda: list(repository.blobs(["a" * 40])),
        lambda: repository.sizes(["a" * 40]),
        lambda: repository.touched("HEAD", 5),
        lambda: list(repository.grep(["grep", "x"], 1_000)),
    ):
        with pytest.raises(GitTimeoutError):
            ask()


def test_an_answer_without_end_is_refused(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _fake_git(tmp_path / "bin", "import sys\nwhile True: sys.stdout.write('x' * 100_000)\n")
    monkeypatch.setenv("PATH", f"{path}:{os.environ['PATH']}")
    monkeypatch.setattr(git_repository, "MOST_OUTPUT", 1_000_000)
    with pytest.raises(TooLargeError):
        GitRepository(repo.path, "x").run("asking", "log")


@pytest.mark.parametrize(
    "content",
    [
        b"*.py linguist-generated\n" * 100_000,
        b"a" * 3_000_000,
        b"*" * 2_000 + b" binary\n" + b"*.py binary\n" * 30_000,
    ],
)
def test_rules_of_any_size_cost_little(bench: Bench, repo: Repo, content: bytes) -> None:
    """They are cut before a rule is compiled, and a file over the limit is not even read."""
    repo.commit({".gitattributes": content, "src/.gitattributes": content, "src/a.txt": CODE})
    began = time.thread_time()
    found = bench.look(repo)
    assert time.thread_time() - began < 5
    assert "src/a.txt" in found.files
    assert ".gitattributes" in {**found.files, **found.omitted}


def test_many_attribute_files_share_one_bound(bench: Bench, repo: Repo) -> None:
    """Forty folders with 200 kB each: eight megabytes of rules would be compiled."""
    rules = b"".join(b"*a?b%d*.c binary\n" % n for n in range(11_000))[:190_000]
    repo.commit({**{f"d{n}/.gitattributes": rules for n in range(40)}, "d1/a.py": CODE})
    began = time.thread_time()
    found = bench.look(repo)
    assert time.thread_time() - began < 10
    assert "d1/a.py" in found.files
    assert repr(found.attributes) == "<Attributes 1000 rules>"


def test_patterns_are_tried_less_often_on_many_paths() -> None:
    """A thousand patterns on two hundred thousand paths would take minutes."""
    rules = (
        b"".join(b"*a*b*c%d*d binary\n" % n for n in range(1_000)) + b"*.gen linguist-generated\n"
    )
    attributes = gitattributes.Attributes({".gitattributes": rules}, 200_000)
    began = time.thread_time()
    for n in range(10_000):
        attributes.marks(f"src/aaa/bbb/ccc/some_longer_name_{n}.py")
    assert time.thread_time() - began < 10
    few = gitattributes.Attributes({".gitattributes": rules}, 100)
    assert few.marks("xaxbxc999xd").binary
    assert attributes.marks("xaxbxc1xd").binary


NAMES = [
    b"../../etc/passwd",
    b"a/../b.py",
    b".git/config",
    b"new\nline.py",
    b"bell\x07.py",
    b"esc\x1b[31m.py",
    b"bad\xff.py",
    "rtl\u202e.py".encode(),
    "zero\u200bwidth.py".encode(),
    b"x" * 2_000 + b".py",
    b"con\tab.py",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_strange_path_is_named_and_never_used(
    bench: Bench, repo: Repo, tmp_path: Path, name: bytes
) -> None:
    """git refuses some of them; objects that were made by hand can hold them all the same."""
    blob = bench.git(repo.path, "hash-object", "-w", "--stdin", stdin=CODE).decode().strip()
    tree = _tree_of(bench, repo, name, blob)
    commit = bench.git(repo.path, "commit-tree", "-m", "x", tree).decode().strip()
    found = bench.look(repo, commit)
    text = bench.base(repo, found)
    assert b"\x1b" not in text
    assert b"\x07" not in text
    listed = [*found.files, *found.omitted]
    assert len(listed) == 1
    assert "passwd" not in os.listdir(tmp_path)


def _tree_of(bench: Bench, repo: Repo, name: bytes, blob: str) -> str:
    """Write the trees that hold the blob at this path, level by level; return the top one."""
    mode, oid = b"100644", blob
    for part in reversed(name.split(b"/")):
        raw = mode + b" " + part + b"\0" + bytes.fromhex(oid)
        arguments = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
        oid = bench.git(repo.path, *arguments, stdin=raw).decode().strip()
        mode = b"40000"
    return oid


PROGRAMS = {
    "log.showSignature": [("log.showSignature", "true"), ("gpg.program", "{program}")],
    "ssh signatures": [
        ("log.showSignature", "true"),
        ("gpg.format", "ssh"),
        ("gpg.ssh.program", "{program}"),
    ],
    "fsmonitor": [("core.fsmonitor", "{program}")],
    "hooks": [("core.hooksPath", "{folder}")],
    "pager": [("core.pager", "{program}"), ("pager.log", "{program}")],
    "external diff": [("diff.external", "{program}"), ("diff.x.command", "{program}")],
    "textconv": [("diff.x.textconv", "{program}")],
    "filters": [("filter.x.smudge", "{program}"), ("filter.x.process", "{program}")],
    "promisor": [
        ("remote.origin.url", "ext::{program}"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", "blob:none"),
        ("extensions.partialClone", "origin"),
        ("protocol.ext.allow", "always"),
        ("protocol.allow", "always"),
        ("core.repositoryformatversion", "1"),
    ],
    "promisor by ssh": [
        ("remote.origin.url", "ssh://host/x"),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("core.sshCommand", "{program}"),
        ("protocol.ssh.allow", "always"),
        ("core.repositoryformatversion", "1"),
    ],
    "upload pack": [
        ("remote.origin.url", "file://{folder}"),
        ("remote.origin.uploadpack", "{program}"),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
        ("protocol.file.allow", "always"),
        ("core.repositoryformatversion", "1"),
    ],
    "alternate refs": [("core.alternateRefsCommand", "{program}")],
    "aliases": [("alias.ls-tree", "!{program}"), ("alias.log", "!{program}")],
    "editor and askpass": [("core.askPass", "{program}"), ("core.editor", "{program}")],
}


@pytest.mark.parametrize("attack", PROGRAMS)
def test_packing_a_folder_runs_nothing_that_it_names(
    bench: Bench, tmp_path: Path, attack: str
) -> None:
    """A folder from the internet is packed to be read, not to be trusted."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    ran, program = tmp_path / "ran", tmp_path / "programs" / "program"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\nexit 1\n")
    program.chmod(0o755)
    for hook in ("post-index-change", "pre-auto-gc", "reference-transaction"):
        (program.parent / hook).symlink_to(program)
    bench.git(folder, "init", "-q")
    (folder / "a.py").write_bytes(CODE * 40)
    (folder / "b.py").write_bytes(CODE * 40)
    (folder / ".gitattributes").write_text("*.py diff=x filter=x\n")
    bench.git(folder, "add", "-A")
    bench.git(folder, "commit", "-qm", "x")
    head = bench.git(folder, "rev-parse", "HEAD").strip()
    raw = bench.git(folder, "cat-file", "commit", "HEAD")
    top, _, message = raw.partition(b"\n\n")
    signature = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----"
    signed = bench.git(
        folder,
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--stdin",
        stdin=top + signature + b"\n\n" + message,
    )
    bench.git(folder, "update-ref", "HEAD", signed.decode().strip(), head.decode())
    if attack.startswith(("promisor", "upload")):
        blob = bench.git(folder, "rev-parse", "HEAD:b.py").decode().strip()
        (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in PROGRAMS[attack]:
        bench.git(folder, "config", key, value.format(program=program, folder=program.parent))
    environment = {**os.environ, "FOREWARM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "bot", "pack", str(folder), "--budget", "600"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert not ran.exists(), done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    assert "b.py" in done.stdout or "files" in done.stdout


def test_a_blob_over_the_limit_is_not_read(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gigabyte of zeros is a kilobyte in a pack: its size is asked first."""
    repo.commit({"a.py": CODE, "big.txt": b"y\n" * 6_000_000})
    read: list[str] = []
    blobs = GitRepository._batch

    def noted(self: GitRepository, oids: list[str]) -> object:
        read.extend(oids)
        return blobs(self, oids)

    monkeypatch.setattr(GitRepository, "_batch", noted)
    found = bench.look(repo)
    assert found.omitted == {"big.txt": "larger than 1,000,000 bytes"}
    assert found.tree["big.txt"].oid not in read
    assert "big.txt" not in found.readable
