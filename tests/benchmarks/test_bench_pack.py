"""The benchmarks: they measure what they say, on repositories whose sums are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.bench_pack import pack, push
from benchmarks.push_replay import PlainDiffs, first_parents, replay
from bot.context.files.blob_cache import FactsCache

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SOURCE = b"".join(b"def function_%d() -> int: return %d\n" % (n, n) for n in range(200))


def _pushes(repo: Repo, count: int) -> None:
    repo.commit({f"src/m{n}.py": SOURCE for n in range(10)})
    for number in range(count):
        repo.commit({f"src/m{number % 10}.py": SOURCE + b"x = %d\n" % number})


async def test_a_replay_adds_up(bench: Bench, repo: Repo) -> None:
    """Every figure must be what a bot would have written, no more and no less."""
    _pushes(repo, 20)
    result = await replay(repo.repository(), FactsCache(None), 20, "local", lambda *_: None)
    document = result.document()
    fresh = len(bench.base(repo, bench.look(repo)))
    assert result.pushes == 20
    assert abs(result.repacked / 20 - fresh) < 0.03 * fresh
    assert sum(result.ours.acts.values()) == 20
    assert 100 < sum(result.ours.written) / 20 < 1_000
    assert result.ratio > 30
    assert 0 <= float(str(document["mean_growth"])) < 0.1
    orders = document["orders"]
    assert isinstance(orders, dict)
    assert all(0 < size <= fresh * 1.1 for size in orders.values())
    json.dumps(document)


async def test_pushes_that_show_nothing_write_nothing(repo: Repo) -> None:
    """A repository of pictures must not look expensive."""
    repo.commit({"a.py": SOURCE, "b.png": b"\0"})
    for number in range(5):
        repo.commit({"b.png": b"\0%d" % number})
    result = await replay(repo.repository(), FactsCache(None), 5, "local", lambda *_: None)
    assert result.repacked == sum(result.ours.written) == 0
    assert set(result.orders.values()) == {0}


def test_plain_diffs_are_no_larger_than_gits(bench: Bench, repo: Repo) -> None:
    """The rival that we compare with must not be made weaker than it is."""
    repo.commit({"a.py": SOURCE})
    plain = PlainDiffs(repo.repository(), bench.look(repo))
    repo.commit({"a.py": SOURCE.replace(b"return 7\n", b"return 77\n") + b"x = 1\n"})
    plain.step(bench.look(repo))
    bound, written, rebuilds = plain.best(1.0)
    theirs = bench.git(repo.path, "diff-tree", "-p", f"{repo.head}~", repo.head)
    index_line = next(line for line in theirs.split(b"\n") if line.startswith(b"index "))
    assert rebuilds == 0
    assert 0 < bound < 1
    assert 0.8 * len(theirs) < written <= len(theirs) - len(index_line)


def test_the_walk_is_the_first_parents_oldest_first(repo: Repo) -> None:
    """Merged side branches are one push each."""
    _pushes(repo, 4)
    walk = first_parents(repo.repository(), 3)
    assert len(walk) == 4
    assert walk[-1] == repo.head


def test_the_commands_print_json_and_tables(
    repo: Repo, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For machines and for people, from the same run of whole processes."""
    monkeypatch.setenv("COLUMNS", "120")
    _pushes(repo, 6)
    push(repo.path, commits=5, model="local", as_json=True)
    assert json.loads(capsys.readouterr().out)["pushes"] == 5
    push(repo.path, commits=5, model="local", as_json=False)
    assert "growth against a fresh pack" in capsys.readouterr().out
    pack([repo.path], runs=1, patience=60.0, as_json=True)
    (document,) = json.loads(capsys.readouterr().out)
    ours = document["tools"][0]
    assert ours["tool"] == "forewarm"
    assert ours["times_ours"] == 1.0
    assert ours["bytes"] > 10 * len(SOURCE)
    assert 10 < ours["peak_megabytes"] < 400
    assert document["one_file_push_milliseconds"]["median"] > 0
