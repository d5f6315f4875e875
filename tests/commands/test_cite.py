"""`forewarm cite` gives the bot's own verdicts, in the order of the text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LONG = (
    "def charge(card):\n    return card\n\n\nclass Till:\n    def close(self):\n        return 1\n"
)


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "app/(auth)").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / "till.py").write_text(LONG)
    (folder / "app/(auth)/page.tsx").write_text("export default function Page() {}\n")
    (folder / "Makefile").write_text("all:\n\techo\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "v1")
    git(folder, "remote", "add", "origin", "https://github.com/acme/shop.git")
    (folder / "till.py").write_text("import os\n\n" + LONG)
    git(folder, "commit", "-qam", "two")
    return folder


def run(
    repository: Path, text: str, tmp_path: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "bot", "cite", str(repository), *more],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def checked(repository: Path, text: str, tmp_path: Path, *more: str) -> list[dict[str, Any]]:
    done = run(repository, text, tmp_path, "--json", *more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_each_citation_has_a_verdict(repository: Path, tmp_path: Path) -> None:
    """One object each, in the order of the text, with the lines as they are."""
    text = """\
`till.py#charge` is called in `till.py:99`, see [close](till.py#L8) and `app/(auth)/page.tsx:1`.
`till.py:3-4, 7`, `Makefile#all`, `Makefile:9`, `./till.py:4-99`, `till.py#nothing` and `just_code`.
`nope.py:3`.
"""
    found = checked(repository, text, tmp_path)
    assert [tuple(one.values()) for one in found] == [
        ("till.py#charge", "till.py", 3, 3, "good"),
        ("till.py:99", "till.py", 99, 99, "wrong"),
        ("till.py#L8", "till.py", 8, 8, "good"),
        ("app/(auth)/page.tsx:1", "app/(auth)/page.tsx", 1, 1, "good"),
        ("till.py:3-4, 7", "till.py", 3, 7, "good"),
        ("Makefile#all", "Makefile", None, None, "unchecked"),
        ("Makefile:9", "Makefile", 9, 9, "wrong"),
        ("./till.py:4-99", "till.py", 4, 9, "corrected"),
        ("till.py#nothing", "till.py", None, None, "wrong"),
        ("nope.py:3", "nope.py", 3, 3, "wrong"),
    ]
    assert list(found[0]) == ["text", "path", "first", "last", "verdict"]


def test_another_commit_has_other_lines(repository: Path, tmp_path: Path) -> None:
    """`--at` names a tag, a branch or a commit."""
    (found,) = checked(repository, "`till.py#charge`", tmp_path, "--at", "v1")
    assert (found["first"], found["verdict"]) == (1, "good")


def test_the_text_is_printed_with_links(repository: Path, tmp_path: Path) -> None:
    """As Slack would get it; the counts are on the error stream."""
    (tmp_path / "answer.md").write_text("See `till.py:3`, not `till.py:99`.\n")
    done = run(repository, "", tmp_path, str(tmp_path / "answer.md"))
    assert done.returncode == 0
    assert done.stdout.startswith("See [`till.py:3`](https://github.com/acme/shop/blob/")
    assert done.stdout.endswith(", not `till.py:99`.\n")
    assert done.stderr == "2 citations: 1 good, 1 wrong\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "nowhere"], "nowhere"),
        (["missing.md"], "missing.md cannot be read"),
    ],
)
def test_an_error_is_one_sentence(
    repository: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    """The sentence says the fault and the fix."""
    done = run(repository, "", tmp_path, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_a_repository_is_told(tmp_path: Path) -> None:
    """Not a traceback."""
    for folder in (tmp_path, tmp_path / "absent"):
        done = run(folder, "", tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("forewarm: ")


def test_many_citations_in_one_line_are_each_checked(repository: Path, tmp_path: Path) -> None:
    """Nothing is let go for its length when the whole text is there."""
    found = checked(repository, ", ".join(["`till.py:3`", "`Makefile:1`"] * 500), tmp_path)
    assert [one["verdict"] for one in found] == ["good"] * 1000
