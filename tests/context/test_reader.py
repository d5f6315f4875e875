"""Large files and other commits are read in a child with limits; the bot gets the answer alone."""

from __future__ import annotations

import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from bot.context import asking, reader
from bot.context.asking import MaskedLines, is_small
from bot.context.child import Limits
from bot.context.errors import GitFailedError, LookUpLimitError
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.pack import RepositoryState
from bot.context.pack_builder import Source
from bot.context.reader import Reader, Readers
from bot.context.snapshot import GitSnapshot, View

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

QUICK = Limits(memory_bytes=400_000_000, processor_seconds=5, seconds=60.0)
SECRET = "xK9vQ2mPz7Lw4Rt8Ny"
SMALL = b"def f():\n    return 1\n"
LARGE = b"".join(b"def f%d(): return %d\n" % (n, n) for n in range(4_000))


@pytest.fixture
def readers() -> Iterator[Readers]:
    made = Readers()
    yield made
    made.close()


def _pid(path: str, text: str) -> int:
    return os.getpid()


def _pid_of_versions(path: str, head: str, base: str | None) -> int:
    return os.getpid()


def _length(path: str, head: str, base: str | None) -> tuple[int, int | None]:
    return len(head), None if base is None else len(base)


def _raise() -> None:
    raise GitFailedError("x", "reading", "no reason")


def _eat() -> int:
    return len([bytes(10_000_000) for _ in range(1_000)])


def _burn() -> None:
    while True:
        pass


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _snapshot(
    bench: Bench, repo: Repo, asked: Reader | None, base: str | None = None
) -> GitSnapshot:
    found = bench.look(repo)
    source = Source(Rules("repo"), repo.repository(), FactsCache(None))
    state = RepositoryState("repo", "x", "main", found.commit, 0.0, base or found.commit, None)
    return GitSnapshot([View(source, state, found, base or found.commit, asked)])


def test_one_child_answers_call_after_call(readers: Readers) -> None:
    asked = readers.of("x", QUICK)
    first = asked.run(os.getpid)
    assert first == asked.run(os.getpid) != os.getpid()
    assert asked.run(sum, [1, 2]) == 3
    with pytest.raises(GitFailedError):
        asked.run(_raise)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        asked.run(divmod, 1, 0)
    assert asked.run(os.getpid) == first


def test_a_child_that_ended_since_nothing_was_asked_is_replaced(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends by itself: a team of a hundred contexts would keep a hundred."""
    monkeypatch.setattr(reader, "IDLE_SECONDS", 1)
    asked = readers.of("x", QUICK)
    first = asked.run(os.getpid)
    (child,) = readers._children
    child._process.wait(30)
    assert asked.run(os.getpid) != first
    assert len(readers._children) == 1


@pytest.mark.parametrize("does_harm", [_eat, _burn, _die])
def test_a_call_that_takes_too_much_ends_with_its_child(
    readers: Readers, does_harm: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(memory_bytes=300_000_000, processor_seconds=1, seconds=60.0)
    asked = readers.of("x", limits)
    with pytest.raises(LookUpLimitError):
        asked.run(does_harm)  # type: ignore[arg-type]
    assert asked.run(sum, [1, 2]) == 3


def test_processor_time_is_counted_for_each_call(readers: Readers) -> None:
    """The child lives on: a limit on all of its time would end it in the midst of a call."""
    asked = readers.of("x", Limits(processor_seconds=2, seconds=60.0))
    first = asked.run(os.getpid)
    for _ in range(4):
        asked.run(_use_processor, 0.8)
    assert asked.run(os.getpid) == first


def _use_processor(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_call_ends_in_time(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CALL_SECONDS", 1.0)
    with pytest.raises(LookUpLimitError):
        readers.of("x", QUICK).run(time.sleep, 600)


def test_a_result_is_bounded(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_RESULT", 1_000)
    asked = readers.of("x", QUICK)
    with pytest.raises(LookUpLimitError):
        asked.run(bytes, 2_000)
    assert asked.run(bytes, 10) == bytes(10)


def test_the_children_are_few_and_each_context_has_its_own(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A context whose look-ups take long keeps none of the others waiting."""
    monkeypatch.setattr(reader, "_MOST", 3)
    busy, other = readers.of("busy", QUICK), readers.of("other", QUICK)
    waiting = [threading.Thread(target=busy.run, args=(time.sleep, 2.0)) for _ in range(4)]
    for thread in waiting:
        thread.start()
    while len(readers._children) < 2:
        time.sleep(0.01)
    assert other.run(sum, [1, 2]) == 3
    assert len(readers._children) == 3
    for thread in waiting:
        thread.join()
    for n in range(5):
        readers.of(f"c{n}", QUICK).run(sum, [])
    assert len(readers._children) == 3


def test_a_context_that_is_gone_leaves_no_child(readers: Readers) -> None:
    """It may hold a text of the repository."""
    readers.of("gone", QUICK).run(sum, [])
    readers.of("stays", QUICK).run(sum, [])
    readers.stop("gone")
    assert [child.owner.name for child in readers._children] == ["stays"]


def test_nothing_is_asked_of_a_bot_that_stops(readers: Readers) -> None:
    """Its exit would wait for every thread that waits for a child."""
    asked = readers.of("x", QUICK)
    ends: list[LookUpLimitError] = []

    def ask() -> None:
        try:
            asked.run(time.sleep, 30.0)
        except LookUpLimitError as error:
            ends.append(error)

    waiting = [threading.Thread(target=ask) for _ in range(4)]
    for thread in waiting:
        thread.start()
    while len(readers._children) < 2:
        time.sleep(0.01)
    readers.close()
    for thread in waiting:
        thread.join(20)
    assert len(ends) == 4
    assert not readers._children
    with pytest.raises(LookUpLimitError):
        asked.run(sum, [])


@pytest.mark.parametrize(
    ("text", "here"),
    [
        (SMALL, True),
        (b"a\n" * 1_999, True),
        (b"a\n" * 2_001, False),
        (LARGE, False),
        (b"x = 1\n" + b"y" * 9_000 + b"\n", False),
        (b"\xff\xfe" + ("a\n" * 40_000).encode("utf-16-le"), False),
    ],
)
def test_small_files_are_asked_here_and_large_ones_in_a_child(
    bench: Bench, repo: Repo, readers: Readers, text: bytes, here: bool
) -> None:
    repo.commit({"a.txt": text})
    found = _snapshot(bench, repo, readers.of("x", QUICK))
    pid = found.ask("repo", "a.txt", _pid)
    assert (pid == os.getpid()) is here
    assert pid is not None
    assert (found.ask_versions("repo", "a.txt", _pid_of_versions) == os.getpid()) is here
    assert (found.read("repo", "a.txt") or "").startswith(text[:1].decode("latin-1").strip("\xff"))


def test_files_that_the_prompt_leaves_out_are_asked_in_a_child(
    bench: Bench, repo: Repo, readers: Readers
) -> None:
    """Their secrets are sought when they are read, which holds the lock."""
    line = f'password = "{SECRET}"\n'.encode()
    repo.commit({"yarn.lock": b"# yarn lockfile v1\n" + line * 3 + b"a\n" * 9})
    found = _snapshot(bench, repo, readers.of("x", QUICK))
    assert found.ask("repo", "yarn.lock", _pid) not in (None, os.getpid())
    assert SECRET not in (found.read("repo", "yarn.lock") or SECRET)
    hits = found.search("password", regex=False, repository=None, under=None, limit=9)
    assert len(hits) == 3
    assert all(SECRET not in hit.text for hit in hits)
    assert not found.search(SECRET, regex=False, repository=None, under=None, limit=9)


def test_versions_are_those_of_head_and_base(bench: Bench, repo: Repo, readers: Readers) -> None:
    base = repo.commit({"a.py": SMALL, "b.py": LARGE, "gone.py": SMALL})
    repo.commit({"a.py": SMALL * 2, "b.py": LARGE * 2, "gone.py": None, "new.py": SMALL})
    for asked in (readers.of("x", QUICK), None):
        found = _snapshot(bench, repo, asked, base)
        small, large = len(SMALL), len(LARGE)
        assert found.ask_versions("repo", "a.py", _length) == (2 * small, small)
        assert found.ask_versions("repo", "b.py", _length) == (2 * large, large)
        assert found.ask_versions("repo", "new.py", _length) == (small, None)
        assert found.ask_versions("repo", "gone.py", _length) is None
        assert found.read_base("repo", "a.py") == SMALL.decode()
        assert found.read_base("repo", "b.py") == LARGE.decode()


def test_another_commit_is_looked_at_in_a_child(bench: Bench, repo: Repo, readers: Readers) -> None:
    """Its survey is as large as that of the head, and each `ref` of a look-up asked for one."""
    line = f'password = "{SECRET}"\n'.encode()
    first = repo.commit({"a.py": SMALL, "b.py": line, "c.py": LARGE})
    repo.commit({"a.py": b"new()\n"})
    other = _snapshot(bench, repo, readers.of("x", QUICK)).at("repo", first)
    assert other.repositories()[0].commit == first
    assert other.ask("repo", "a.py", _pid) not in (None, os.getpid())
    assert other.paths("repo") == ["a.py", "b.py", "c.py"]
    assert other.has("repo", "c.py")
    assert not other.has("repo", "d.py")
    assert other.read("repo", "a.py") == SMALL.decode()
    assert SECRET not in (other.read("repo", "b.py") or SECRET)
    (hit,) = other.search("f3999()", regex=False, repository=None, under=None, limit=9)
    assert hit.line == 4_000
    assert [change.commit for change in other.history("repo", "a.py", 5)] == [first]


def test_lines_of_a_masked_file_are_read_one_by_one(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of the lines of 3 MB takes 80 MB, and was kept for each file of a search."""
    secret = f'password = "{SECRET}"\n'.encode()
    repo.commit({"a.py": b"ab\n" * 300_000 + secret + b"ab\n" * 10 + b"last"})
    file = bench.look(repo).files["a.py"]
    masked = MaskedLines(repo.repository())
    masked.line(file, 1, b"ab", None)
    tracemalloc.start()
    try:
        for number, text in ((300_000, b"ab"), (300_002, b"ab"), (2, b"ab"), (300_012, b"last")):
            assert masked.line(file, number, text, None) == text
        assert masked.line(file, 300_001, secret.rstrip(), "password") is not None
        assert masked.line(file, 300_001, secret.rstrip(), SECRET) is None
        assert masked.line(file, 300_013, b"", None) is None
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_an_expression_keeps_only_the_lines_that_are_asked_for(
    bench: Bench, repo: Repo, readers: Readers
) -> None:
    """Each of 800,000 masked lines became an object before the first sixty were taken."""
    secret = f'password = "{SECRET}"\n'.encode()
    repo.commit({f"f{n}.py": secret + b"line\n" * 500 for n in range(12)})
    found = _snapshot(bench, repo, readers.of("x", QUICK))
    hits = found.search(".", regex=True, repository=None, under=None, limit=7)
    assert [(hit.path, hit.line) for hit in hits] == [("f0.py", n) for n in range(1, 8)]
    kept = asking.search_rewritten(
        repo.repository(),
        list(bench.look(repo).files.values()),
        ["grep", "--no-color", "--line-number", "--null", "--no-index", "-e", ".", "--", "."],
        30_000_000,
        7,
    )
    assert len(kept) == 7


def test_a_small_file_is_small_in_bytes_lines_and_cuts(bench: Bench, repo: Repo) -> None:
    cells = '{"cells": [], "x": "' + "A" * 5_000 + '"}'
    repo.commit({"a.py": SMALL, "b.py": LARGE, "c.ipynb": cells.encode()})
    files = bench.look(repo).files
    assert [is_small(files[path]) for path in ("a.py", "b.py", "c.ipynb")] == [True, False, False]
