"""Bounds on what a repository may make the bot keep, and results that are read in small steps."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from bot.context import child, limits, pack_builder, snapshot
from bot.context.child import dumps, loads
from bot.context.errors import RepositoryError, TooLargeError
from bot.context.files import blob_cache, select, tree
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.files.tree import survey_next
from bot.context.git import repository
from bot.context.limits import limit_started
from bot.context.pack import RepositoryState
from bot.context.render import definitions, references
from bot.context.snapshot import GitSnapshot, View
from bot.delivery.citations import filter as filter_module
from bot.delivery.citations.path_index import Source
from bot.garbage_collection import set_aside
from bot.retrieval import index

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SECRET = "xK9vQ2mPz7Lw4Rt8Ny"
CODE = b"def f():\n    return 1\n"


def test_a_push_passes_no_bound_that_a_first_look_keeps(bench: Bench, repo: Repo) -> None:
    """A repository that was small when it was attached grew without a bound."""
    rules = Rules("repo", max_files=20)
    repo.commit({f"f{n}.py": CODE for n in range(15)})
    found = bench.look(repo, rules=rules)
    commit = repo.commit({f"g{n}.py": CODE for n in range(15)})
    for look in (
        lambda: survey_next(repo.repository(), found, commit, FactsCache(None)),
        lambda: bench.look(repo, rules=rules),
    ):
        with pytest.raises(TooLargeError) as caught:
            look()
        assert "`max_files`" in caught.value.user_message


def test_names_are_bounded_with_their_number(bench: Bench, repo: Repo) -> None:
    """Forty thousand names of 4,000 bytes are 160 MB, several times over."""
    rules = Rules("repo", max_files=20)
    repo.commit({"/".join(["n" * 200] * 20) + f"/f{n}.py": CODE for n in range(2)})
    with pytest.raises(TooLargeError):
        bench.look(repo, rules=rules)


def test_an_expression_looks_into_a_bounded_number_of_masked_files(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is written to a folder first: a repository may mask a line in every file."""
    monkeypatch.setattr(snapshot, "_MOST_REWRITTEN", 2)
    secret = f'password = "{SECRET}"\n'.encode()
    repo.commit({**{f"src/f{n}.py": secret for n in range(3)}, "lib/g.py": secret})
    found = _snapshot(bench, repo)
    with pytest.raises(RepositoryError, match="`under`"):
        found.search("pass.*", regex=True, repository=None, under=None, limit=9)
    assert len(found.search("pass.*", regex=True, repository=None, under="lib", limit=9)) == 1
    assert len(found.search("password", regex=False, repository=None, under=None, limit=9)) == 4


def test_a_history_is_cut_before_it_is_read(bench: Bench, repo: Repo) -> None:
    """A subject or a name of megabytes went through the secret scan in the bot's own process."""
    repo.commit({"a.py": CODE}, message=f"password={SECRET} " * 100_000)
    (change,) = _snapshot(bench, repo).history("repo", "a.py", 5)
    assert len(change.subject) < 600
    assert SECRET[:8] not in change.subject
    assert change.author == "T"


def _snapshot(bench: Bench, repo: Repo) -> GitSnapshot:
    found = bench.look(repo)
    source = pack_builder.Source(Rules("repo"), repo.repository(), FactsCache(None))
    state = RepositoryState("repo", "x", "main", repo.head, 0.0, repo.head, None)
    return GitSnapshot([View(source, state, found, repo.head)])


def test_large_mappings_keep_their_order_and_what_they_share() -> None:
    """They cross in pieces, inner ones first."""
    names = [f"n{n}" for n in range(5 * child._PIECE)]
    inner = {name: (name, [n]) for n, name in enumerate(names)}
    outer = {name: {"inner": inner} for name in reversed(names)}
    read = loads(dumps({"outer": outer, "inner": inner, "few": {1: 2}}))
    assert list(read["outer"]) == list(outer)
    assert read["inner"] == inner
    assert read["few"] == {1: 2}
    assert read["outer"]["n0"]["inner"] is read["inner"]
    first = next(iter(read["inner"]))
    assert read["inner"][first][0] is first


def test_objects_that_are_set_aside_are_in_no_later_collection() -> None:
    """A collection that looks through a million of them stops the event loop for a second."""
    with set_aside(), set_aside():
        assert not gc.isenabled()
        kept = [[n] for n in range(10_000)]
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    assert frozen >= len(kept)
    del kept
    assert gc.get_freeze_count() <= frozen - 10_000
    gc.unfreeze()


def test_masked_values_are_bounded(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each masked value is kept with its place: a repository of nothing else filled the memory."""
    monkeypatch.setattr(blob_cache, "MOST_MASKED", 5)
    monkeypatch.setattr(select, "MOST_MASKED_IN_ALL", 6)
    monkeypatch.setattr(tree, "MOST_MASKED_IN_ALL", 6)
    line = f'password = "{SECRET}"\n'.encode()
    repo.commit({"a.py": line * 4, "b.py": line * 4, "c.py": CODE, "many.py": line * 6})
    found = bench.look(repo)
    assert sorted(found.files) == ["a.py", "c.py"]
    assert found.omitted["many.py"] == "credentials"
    assert "too many masked values" in found.omitted["b.py"]
    assert not found.readable
    repo.commit({"a2.py": line * 4})
    pushed, _ = survey_next(repo.repository(), found, repo.head, FactsCache(None))
    assert "a2.py" in pushed.omitted


def test_parsing_ends_when_it_takes_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """`a<a<a<` of 400 kB took half a gigabyte in a second, in the bot's own process."""
    text = b"def f():\n    return 1\n" * 2_000
    assert definitions.definitions("a.py", text) is not None
    sizes = iter(range(0, 10**12, definitions.GROWTH // 2))
    monkeypatch.setattr(definitions, "resident_bytes", lambda: next(sizes))
    assert definitions.definitions("a.py", text) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
def test_the_memory_of_a_git_that_the_bot_starts_is_limited() -> None:
    """An expression or a chain of deltas may ask for any amount."""
    program = "import sys; sys.stdin.read(1); bytearray(500_000_000)"
    command = [sys.executable, "-S", "-c", program]
    for most, ends_well in ((200_000_000, False), (2_000_000_000, True)):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            limit_started(process.pid, most)
            process.communicate(b"x")
        assert (process.returncode == 0) is ends_well


async def test_files_that_are_kept_for_citations_are_bounded_in_their_text(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen snapshots with 256 files of a megabyte each are four gigabytes."""
    monkeypatch.setattr(filter_module, "KEPT_CHARACTERS", 3 * len(CODE))
    repo.commit({f"f{n}.py": CODE for n in range(9)})
    checker = filter_module.Checker(_snapshot(bench, repo))
    for n in range(9):
        source = await checker.source(("repo", f"f{n}.py"))
        assert isinstance(source, Source)
        assert source.head == CODE.decode()
    assert len(checker._sources) == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", b"from m" + b"abc.def" * 100_000 + b" import " + b"n, " * 60),
        ("a.py", b"import m" + b"abc.def" * 100_000),
        ("a.rs", b"use m" + b"::abc" * 100_000 + b";"),
        ("a.java", b"import m" + b".abc" * 100_000 + b";"),
        ("a.go", b'import "m' + b"/abc" * 100_000 + b'"'),
        ("a.c", b'#include "m' + b"/abc" * 100_000 + b'"'),
        ("a.rb", b"require 'm" + b"/abc" * 100_000 + b"'"),
    ],
)
def test_a_reference_is_no_longer_than_a_path(path: str, text: bytes) -> None:
    """Sixty names from a module whose name has a megabyte were sixty megabytes of each file."""
    assert sum(map(len, references.references(path, text + b"\n"))) < 2_000


def test_a_reference_among_many_files_of_one_name_is_looked_up_whole() -> None:
    """Of 40,000 files that end alike each looked through all the others."""
    paths = [f"a{n}/b/c/mod.py" for n in range(2_000)]
    found = references.Resolver([*paths, "x/y.py", "z/x/y.py"])
    assert found.resolve("m.py", "c/mod") == []
    assert found.resolve("m.py", "a7/b/c/mod") == ["a7/b/c/mod.py"]
    assert found.resolve("m.py", "x/y") == ["x/y.py", "z/x/y.py"]


def test_the_references_of_a_repository_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred of each of 40,000 files would take minutes, and a gigabyte for the links."""
    monkeypatch.setattr(references, "MOST_RESOLVED", 50)
    paths = [f"p/m{n}.py" for n in range(20)]
    found = references.Resolver(paths)
    meant = [found.resolve(one, f"p/m{n}") for one in paths for n in range(20)]
    assert sum(map(bool, meant)) == 50 - 3
    monkeypatch.setattr(index, "_MOST_LINKS", 4)
    links = index.Links.of({path: ["p/m0"] for path in paths})
    assert len(links.by_path["p/m0.py"]) == 4
    assert links.by_path["p/m9.py"] == ["p/m0.py"]


def test_a_history_divides_no_more_names_than_it_needs(bench: Bench, repo: Repo) -> None:
    """A commit of a million files was a list of a million names for each look-up."""
    repo.commit({"a.py": CODE})
    found = _snapshot(bench, repo)
    names = b"\0".join(b"d/f%d" % n for n in range(200_000))
    head = b"\0\0h" + b"a" * 40 + b"\x001\0aT\0sx"
    out = head + b"\0" + names + head + b"\0\na.py\0"
    (view,) = found._views.values()
    tracemalloc.start()
    try:
        touched = [snapshot._touches(view, record[4:]) for record in snapshot._records(out)]
        assert tracemalloc.get_traced_memory()[1] < 3 * len(out)
    finally:
        tracemalloc.stop()
    assert touched == [False, True]


def test_a_search_keeps_the_beginning_of_a_long_line(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is left out may be one line of any length, which came into the bot whole."""
    monkeypatch.setattr(repository, "_LONGEST_RECORD", 300)
    monkeypatch.setattr(repository, "_PIECE", 1_000)
    line = b"x = '" + b"ab" * 20_000 + b"'"
    repo.commit({"a.py": line + b"\nab = 2\n", "b.py": b"ab = 3\n", "c.py": line})
    hits = list(
        repo.repository().grep(
            ("grep", "--line-number", "--null", "-e", "ab", repo.head), 1_000_000
        )
    )
    assert [(path, number) for path, number, _ in hits] == [
        ("a.py", 1),
        ("a.py", 2),
        ("b.py", 1),
        ("c.py", 1),
    ]
    assert all(len(text) <= 300 for _, _, text in hits)
    assert hits[1][2] == b"ab = 2"
    stopped = repo.repository().grep(
        ("grep", "--line-number", "--null", "-e", "ab", repo.head), len(line) // 2
    )
    assert [(path, number) for path, number, _ in stopped] == [("a.py", 1)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's files")
def test_a_search_gives_way_to_the_bot(bench: Bench, repo: Repo) -> None:
    """Six expressions at once, each with eight threads, kept the event loop waiting for seconds."""
    repo.commit({"a.txt": b"a" * 30_000 + b"!\n"})
    found = repo.repository().with_time_limit(2.0)
    with found._process(("cat-file", "--batch"), b"x\n", background=True) as process:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        nice = os.getpriority(os.PRIO_PROCESS, process._popen.pid)
    assert nice == max(own, limits.BACKGROUND)
    assert "--threads=2" in snapshot._GREP
