"""Facts by blob: looked up once, kept without secrets, the same wherever they are worked out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.context.files import blob_cache
from bot.context.files.blob_cache import FactsCache, Wanted, examine, gather
from bot.context.files.select import Rules
from bot.context.files.tree import survey, survey_next

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SECRET = b'password = "hunter2' + b'horse"\n'


def test_a_known_blob_is_not_read_again(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scanning is the slow part of a first start; it happens once per blob, not per start."""
    repo.commit({"a.py": SECRET, "b.py": b"x = 1\n"})
    path = tmp_path / "facts.json"
    first = survey(repo.repository(), repo.head, Rules("repo"), FactsCache(path))

    def unexpected(*_: object) -> blob_cache.Facts:
        raise AssertionError("a known blob was looked at again")

    monkeypatch.setattr(blob_cache, "examine", unexpected)
    again = survey(repo.repository(), repo.head, Rules("repo"), FactsCache(path))
    assert again.files == first.files
    assert again.files["a.py"].spans


def test_the_cache_holds_no_secret(repo: Repo, tmp_path: Path) -> None:
    """A masked value must not lie in a file beside the bot."""
    repo.commit({"a.py": SECRET})
    path = tmp_path / "facts.json"
    survey(repo.repository(), repo.head, Rules("repo"), FactsCache(path))
    assert path.exists()
    assert b"hunter2" not in path.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"version": "0", "blobs": {}}', b"[]", b"\xff"])
def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    """Losing it costs time, nothing else."""
    path = tmp_path / "facts.json"
    path.write_bytes(damage)
    assert repr(FactsCache(path)) == "<FactsCache 0 blobs>"


def test_children_find_what_this_process_finds(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much content is dealt out to child processes; the result must not depend on it."""
    repo.commit({f"f{n}.py": SECRET * (n + 1) + b"\0" * (n % 2) for n in range(12)})
    files = repo.repository().tree(repo.head)
    wanted = [Wanted(entry.oid, "code", "code") for entry in files.values()]
    here = gather(repo.repository(), wanted, 10**6, FactsCache(None))
    monkeypatch.setattr(blob_cache, "_PARALLEL_BYTES", 0)
    seen: list[tuple[int, int]] = []
    there = gather(repo.repository(), wanted, 10**6, FactsCache(None), lambda *at: seen.append(at))
    assert there == here
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_blob_is_known_by_what_it_is_read_as(repo: Repo) -> None:
    """The same bytes hold a password as configuration and a variable as code."""
    text = b"db_password = hunter2horse\n"
    assert examine(text, "data", "config").spans
    assert not examine(text, "code", "code").spans
    assert Wanted("0", "data", "config").key != Wanted("0", "code", "code").key


def test_the_next_survey_is_the_same_as_a_fresh_one(bench: Bench, repo: Repo) -> None:
    """Looking only at what a push touched must see what looking at everything sees."""
    repo.commit({"a.py": SECRET, "b.png": b"\0", "dir/c.py": b"x\n", ".gitattributes": b""})
    found = bench.look(repo)
    pushes: list[dict[str | bytes, bytes | str | None]] = [
        {"a.py": b"x = 1\n", "d.py": SECRET},
        {"dir/c.py": None, "dir2/c.py": b"x\n"},
        {"b.png": b"now text\n", "e": "link:a.py"},
        {"dir/.gitattributes": b"* linguist-generated\n", "dir/x.py": b"y\n"},
        {"dir/.gitattributes": None},
    ]
    for files in pushes:
        repo.commit(files)
        found, _ = survey_next(repo.repository(), found, repo.head, FactsCache(None))
        fresh = bench.look(repo)
        assert found.files == fresh.files
        assert found.omitted == fresh.omitted
        assert found.tree == fresh.tree
        assert found.committed_at == fresh.committed_at
