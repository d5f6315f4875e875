"""Reading beyond the pack: at its commit, inside its globs, without secrets, in bounded time."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from bot.context.errors import RepositoryError
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.pack import Match, RepositoryState, Snapshot
from bot.context.pack_builder import Source
from bot.context.snapshot import GitSnapshot, View

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SECRET = "hunter2" + "horse"
SOURCE = b"def send(x):\n    return x\n\n\ndef receive(y):\n    return y\n"
FILES: Mapping[str | bytes, bytes | str | None] = {
    "src/a.py": SOURCE,
    "src/deep/b.py": f'password = "{SECRET}"\nsend(1)\n'.encode(),
    "docs/c.md": "send … später\n".encode(),
    "logo.png": b"\0send",
    ".env": b"send=1\n",
    "out/d.py": b"send(2)\n",
}


def _snapshot(
    bench: Bench, repo: Repo, base: str | None = None, rules: Rules | None = None
) -> GitSnapshot:
    rules = rules or Rules("repo", exclude=("out/",))
    found = bench.look(repo, rules=rules)
    state = RepositoryState("repo", "x", "main", found.commit, 0.0, base or found.commit, None)
    source = Source(rules, repo.repository(), FactsCache(None))
    return GitSnapshot([View(source, state, found, base or found.commit)])


@pytest.fixture
def snapshot(bench: Bench, repo: Repo) -> GitSnapshot:
    repo.commit(FILES)
    return _snapshot(bench, repo)


def _search(snapshot: Snapshot, pattern: str, *, regex: bool = False, **where: str) -> list[Match]:
    under, repository = where.get("under"), where.get("repository")
    found = snapshot.search(pattern, regex=regex, repository=repository, under=under, limit=50)
    return list(found)


def test_only_readable_files_are_listed_and_read(snapshot: GitSnapshot) -> None:
    """What the pack left out as secret, binary or excluded stays unreadable here."""
    assert snapshot.paths("repo") == ["docs/c.md", "src/a.py", "src/deep/b.py"]
    assert snapshot.read("repo", "src/a.py") == SOURCE.decode()
    for path in ("logo.png", ".env", "out/d.py", "nope", "src"):
        assert snapshot.read("repo", path) is None
    assert snapshot.paths("other") == []
    assert snapshot.read("other", "src/a.py") is None


def test_a_search_finds_lines_in_order(snapshot: GitSnapshot) -> None:
    """Path and line are what an answer cites."""
    assert _search(snapshot, "send") == [
        Match("repo", "docs/c.md", 1, "send … später"),
        Match("repo", "src/a.py", 1, "def send(x):"),
        Match("repo", "src/deep/b.py", 2, "send(1)"),
    ]
    assert [m.path for m in _search(snapshot, "send", under="src")] == ["src/a.py", "src/deep/b.py"]
    assert [m.path for m in _search(snapshot, "send", under="src/a.py")] == ["src/a.py"]
    assert _search(snapshot, "send", under="src/de") == []
    assert _search(snapshot, "send", repository="other") == []


def test_a_literal_is_no_expression(snapshot: GitSnapshot) -> None:
    """Code is full of characters that expressions give a meaning."""
    assert [m.line for m in _search(snapshot, "send(x)")] == [1]
    assert _search(snapshot, "s.nd") == []
    assert [m.line for m in _search(snapshot, r"^def \w+\(y\)", regex=True)] == [5]


def test_a_limit_is_kept(bench: Bench, repo: Repo) -> None:
    """Results go into a prompt that costs money."""
    repo.commit({f"f{n}.py": b"x = 1\n" * 50 for n in range(20)})
    found = _snapshot(bench, repo).search("x", regex=False, repository=None, under=None, limit=7)
    assert len(found) == 7


@pytest.mark.parametrize("pattern", [SECRET, SECRET[:4], "hunter", "masked: secret"])
def test_a_masked_value_cannot_be_searched_for(snapshot: GitSnapshot, pattern: str) -> None:
    """Whether a guess matches a hidden value must not be learnt from what is found."""
    hits = _search(snapshot, pattern)
    assert hits == []


@pytest.mark.parametrize("pattern", ["hunter[0-9]", "password = .h", "horse.$", "^password"])
def test_no_expression_tells_of_a_masked_line(snapshot: GitSnapshot, pattern: str) -> None:
    """An expression is an oracle: one guess a call, a letter at a time."""
    assert _search(snapshot, pattern, regex=True) == []


def test_a_masked_line_is_found_by_what_is_shown_of_it(snapshot: GitSnapshot) -> None:
    """The name of a setting is no secret."""
    (hit,) = _search(snapshot, "password =")
    assert hit == Match("repo", "src/deep/b.py", 1, 'password = "[masked: secret]"')


def test_an_expression_that_never_ends_is_stopped(bench: Bench, repo: Repo) -> None:
    """A model may be talked into asking for one."""
    repo.commit({"a.txt": b"a" * 3_000 + b"!\n"})
    snapshot = _snapshot(bench, repo)
    hits: list[Match] = []
    with contextlib.suppress(RepositoryError):
        hits = _search(snapshot, "(a*)*(a*)*(a*)*b", regex=True)
    assert hits == []


def test_a_senseless_expression_is_a_sentence(snapshot: GitSnapshot) -> None:
    """The model is told what to do instead."""
    with pytest.raises(RepositoryError) as caught:
        _search(snapshot, "(unclosed", regex=True)
    assert "regular expression" in caught.value.user_message
    for pattern in ("", "a\nb", "a\0b"):
        assert _search(snapshot, pattern) == []


@pytest.mark.parametrize("pattern", ["--open-files-in-pager=touch", "-e", "--", "-O/bin/sh"])
def test_a_pattern_is_never_an_option(snapshot: GitSnapshot, pattern: str) -> None:
    """git grep has options that run programs."""
    assert _search(snapshot, pattern) == []
    assert _search(snapshot, "send", under=pattern) == []


def test_the_base_is_read_as_it_was(bench: Bench, repo: Repo) -> None:
    """A citation of a line that has moved is checked against what the model saw."""
    base = repo.commit({"a.py": b"old\n", "gone.py": b"x\n"})
    repo.commit({"a.py": b"new\n", "gone.py": None})
    snapshot = _snapshot(bench, repo, base)
    assert snapshot.read("repo", "a.py") == "new\n"
    assert snapshot.read_base("repo", "a.py") == "old\n"
    assert snapshot.read("repo", "gone.py") is None
    assert snapshot.read_base("repo", "gone.py") == "x\n"


def test_history_names_the_commits_of_a_path(bench: Bench, repo: Repo) -> None:
    """Who changed what, and when, answers half of the questions about code."""
    repo.commit({"a.py": b"1\n"}, message="Add a")
    repo.commit({"b.py": b"1\n"}, message="Add b")
    last = repo.commit({"a.py": b"2\n"}, message=f'Rotate: password = "{SECRET}"\n\nmore')
    snapshot = _snapshot(bench, repo)
    changes = snapshot.history("repo", "a.py", 10)
    assert [change.subject for change in changes] == [
        'Rotate: password = "[masked: secret]"',
        "Add a",
    ]
    assert changes[0].commit == last
    assert changes[0].at == 1_700_000_180
    assert len(snapshot.history("repo", "", 10)) == 3
    assert len(snapshot.history("repo", "a.py", 1)) == 1
    assert snapshot.history("repo", "nope.py", 10) == []
    assert snapshot.history("other", "a.py", 10) == []


def test_history_of_what_may_not_be_read_is_not_told(snapshot: GitSnapshot) -> None:
    """A commit that touched an excluded file tells about that file."""
    assert snapshot.history("repo", "out/d.py", 5) == []
    assert snapshot.history("repo", ".env", 5) == []


def test_windows_line_ends_are_searched_too(bench: Bench, repo: Repo) -> None:
    """A line end is no part of a line."""
    repo.commit({"a.txt": b"one\r\ntwo\r\n"})
    assert [m.text for m in _search(_snapshot(bench, repo), "two")] == ["two"]
