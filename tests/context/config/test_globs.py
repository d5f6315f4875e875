"""Globs mean what they mean in `.gitignore`; git itself is the judge."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.context.config.globs import glob_regex, matcher
from bot.context.errors import GlobError

PATHS = [
    "a.py",
    "src/a.py",
    "src/deep/er/a.py",
    "src/a.pyc",
    "docs/guide.md",
    "docs/x/guide.md",
    "test/testdata/x.json",
    "x/testdata/y/z.json",
    "testdata/q",
    "we ird/[x].txt",
    "src.py/inner",
    "Makefile",
]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*.py", {"a.py", "src/a.py", "src/deep/er/a.py", "src.py/inner"}),
        ("/a.py", {"a.py"}),
        ("src/*.py", {"src/a.py"}),
        ("src/**", {"src/a.py", "src/deep/er/a.py", "src/a.pyc"}),
        ("src", {"src/a.py", "src/deep/er/a.py", "src/a.pyc"}),
        ("src/", {"src/a.py", "src/deep/er/a.py", "src/a.pyc"}),
        ("**/testdata/**", {"test/testdata/x.json", "x/testdata/y/z.json", "testdata/q"}),
        ("docs/**/guide.md", {"docs/guide.md", "docs/x/guide.md"}),
        ("we ird/\\[x\\].txt", {"we ird/[x].txt"}),
        ("[Mm]akefile", {"Makefile"}),
        ("[!a].py", set()),
        ("?.py", {"a.py", "src/a.py", "src/deep/er/a.py"}),
    ],
)
def test_a_pattern_matches_what_gitignore_would(pattern: str, matched: set[str]) -> None:
    """People know these rules; others would let in files that they meant to keep out."""
    match = matcher([pattern])
    assert {path for path in PATHS if match(path)} == matched


def _ignored_by_git(folder: Path, pattern: str, paths: list[str]) -> set[str]:
    (folder / ".gitignore").write_text(pattern + "\n")
    done = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(paths).encode(),
        capture_output=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        check=False,
    )
    return set(done.stdout.decode().split("\0")) - {""}


pieces = st.sampled_from(["a", "b", "*", "?", "**", "/", "[ab]", "[!a]", ".py", "src", "x y"])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(parts=st.lists(pieces, min_size=1, max_size=5))
def test_git_agrees(tmp_path: Path, parts: list[str]) -> None:
    """Git's own matcher is the reference for every pattern that both can read."""
    pattern = "".join(parts)
    stripped = pattern.strip("/")
    # Git gives `a**b` and lone slashes no meaning of their own; no one writes them.
    if not stripped or "***" in pattern or "//" in pattern:
        return
    if any("**" in part and part != "**" for part in pattern.split("/")):
        return
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    paths = ["a", "b", "a/b", "src/a.py", "src/b/a.py", "x y/a", "b.py", "a/src/b", "ab", "a/b/a"]
    match = matcher([pattern])
    assert {path for path in paths if match(path)} == _ignored_by_git(tmp_path, pattern, paths)


@pytest.mark.parametrize("pattern", ["", "  ", "!src", "src/[a", "a\0b", "/", "[z-a]"])
def test_a_pattern_that_cannot_be_read_says_so(pattern: str) -> None:
    """A glob with a typo must not silently match nothing."""
    with pytest.raises(GlobError) as caught:
        glob_regex(pattern)
    assert caught.value.pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "*b", "a" * 250),
        ("**/a/" * 20 + "b", "a/" * 500 + "c"),
        ("*?" * 40 + "x", "y" * 250),
        ("[a]*" * 30 + "b", "a" * 250),
    ],
)
def test_a_pattern_of_many_stars_is_matched_in_reasonable_work(pattern: str, path: str) -> None:
    """Patterns come from repositories: one of them must not hold the interpreter for hours."""
    assert not matcher([pattern])(path)
