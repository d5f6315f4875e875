"""A link to a commit means lines of that commit: they must be found where they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.context.update.diff import diff_lines
from bot.retrieval import move_lines
from bot.retrieval.excerpts import LinesOf
from bot.retrieval.move_lines import line_mover, move_range

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

OLD = [b"line %d" % n for n in range(1, 31)]


@pytest.mark.parametrize(
    ("new", "asked", "now"),
    [
        (OLD, (5, 7), (5, 7)),
        ([b"new", *OLD], (5, 7), (6, 8)),
        (OLD[2:], (5, 7), (3, 5)),
        ([*OLD[:10], b"a", b"b", *OLD[10:]], (9, 12), (9, 14)),
        ([*OLD[:4], b"x", b"y", *OLD[5:]], (5, 5), (5, 6)),
        ([*OLD[:4], *OLD[8:]], (5, 6), (5, 5)),
        ([], (5, 6), (1, 1)),
    ],
)
def test_a_range_moves_with_its_lines(
    new: list[bytes], asked: tuple[int, int], now: tuple[int, int]
) -> None:
    assert move_range(diff_lines(OLD, new), *asked) == now


def test_lines_are_followed_through_edits_and_renames(bench: Bench, repo: Repo) -> None:
    text = b"\n".join(OLD) + b"\n"
    first = repo.commit({"a.py": text, "same.py": text, "gone.py": b"x = 1\n"})
    repo.commit({"a.py": None, "b.py": b"# more\n" + text, "gone.py": None})
    move = line_mover(repo.repository(), bench.look(repo))
    for commit in (first, first[:10]):
        assert move(commit, LinesOf("a.py", 5, 6)) == LinesOf("b.py", 6, 7)
        assert move(commit, LinesOf("same.py", 5, 6)) == LinesOf("same.py", 5, 6)
        assert move(commit, LinesOf("gone.py", 1, 1)) is None


def test_a_commit_that_is_not_known_leaves_the_lines(bench: Bench, repo: Repo) -> None:
    head = repo.commit({"a.py": b"x = 1\n"})
    move = line_mover(repo.repository(), bench.look(repo))
    assert move("0123456789", LinesOf("a.py", 1, 1)) is None
    assert move(head[:8], LinesOf("a.py", 1, 1)) == LinesOf("a.py", 1, 1)


def test_large_blobs_and_many_changes_are_not_compared(
    bench: Bench, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link to a commit made the bot read a blob of any size, and list 400,000 changes."""
    monkeypatch.setattr(move_lines, "LARGEST_READABLE", 1_000)
    monkeypatch.setattr(move_lines, "_MOST_CHANGES", 3)
    first = repo.commit({"a.py": b"x = 1\n" * 200, "b.py": b"x = 1\n" * 9})
    second = repo.commit({"a.py": b"x = 2\n" * 9, "b.py": b"y = 0\n" + b"x = 1\n" * 9})
    move = line_mover(repo.repository(), bench.look(repo))
    assert move(first, LinesOf("a.py", 5, 6)) is None
    assert move(first, LinesOf("b.py", 5, 6)) == LinesOf("b.py", 6, 7)
    repo.commit({f"f{n}.py": b"x = 1\n" for n in range(4)})
    move = line_mover(repo.repository(), bench.look(repo))
    assert move(second, LinesOf("b.py", 5, 6)) is None
