"""References from code and documents to documents: each one exists, none leads out of the tree."""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THIS = "tests/docs/test_references.py"
PENDING = frozenset({"docs/evidence.md"})
"""Documents that are cited already and still being written."""
REFERENCE = re.compile(r"(?<![\w/.])docs/[\w./-]*\w(?:#[\w-]+)?")
PLATFORM = re.compile(r"docs/platform/[\w./-]*\w(?:#[\w-]+)?")
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
SECTION = "§"
SEED = "seed"
FORBIDDEN = re.compile(
    rf"(?<![\w/])facts/|\bdesign {SECTION}|\bhouse\.md\b|(?<![\w/])findings/"
    rf"|\bthe {SEED}'s\b|\b(?:as|by|like|than|of) the {SEED}\b(?! of)"
)
"""Notes that are not in the repository, and the old name of Anthropic's notebook."""


@cache
def tracked() -> dict[str, str]:
    """Return the text of every tracked text file by its path."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    found = {}
    for name in names.split("\0"):
        path = ROOT / name
        if not name or not path.is_file():
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    kept = (c for c in text if c in "-_ " or unicodedata.category(c)[0] in "LN")
    return "".join(kept).replace(" ", "-")


@cache
def anchors(name: str) -> frozenset[str]:
    text = re.sub(r"^```.*?^```", "", tracked()[name], flags=re.DOTALL | re.MULTILINE)
    return frozenset(anchor_of(h) for h in re.findall(r"^#{1,6} +(.+?)\s*$", text, re.MULTILINE))


def problem_of(reference: str) -> str | None:
    """Say what is wrong with a reference to a document of this repository."""
    path, _, anchor = reference.partition("#")
    if path in PENDING:
        return None
    if not (ROOT / path).exists():
        return f"{path} does not exist"
    if anchor and anchor not in anchors(path):
        return f"{path} has no heading for #{anchor}"
    return None


def references() -> Iterator[tuple[str, str]]:
    """Yield every file with each document of the tree that it cites."""
    for name, text in tracked().items():
        # Tests hold made-up repositories with documents of their own.
        pattern = PLATFORM if name.startswith("tests/") else REFERENCE
        for reference in pattern.findall(text) if name != THIS else ():
            yield name, reference
        if name.endswith(".md") and not name.startswith("tests/"):
            for link in LINK.findall(text):
                path, hash_, anchor = link.partition("#")
                target = name if not path else str((ROOT / name).parent / path)
                target = str(Path(target).resolve().relative_to(ROOT)) if path else name
                yield name, f"{target}{hash_}{anchor}"


def test_every_document_and_heading_that_is_cited_exists() -> None:
    """A reader who follows a citation finds the fact."""
    wrong = {
        f"{name}: {reference}: {problem}"
        for name, reference in references()
        if (problem := problem_of(reference)) is not None
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_nothing_cites_a_note_that_is_not_in_the_repository() -> None:
    """A citation that only its author can follow teaches nothing."""
    wrong = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in tracked().items()
        if name != THIS
        for match in FORBIDDEN.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Streaming limits", "streaming-limits"),
        ("Anthropic's notebook", "anthropics-notebook"),
        ("`forewarm pack`", "forewarm-pack"),
        ("1. The app in Slack (three minutes)", "1-the-app-in-slack-three-minutes"),
        ("A [link](x.md), and 4 more", "a-link-and-4-more"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    """The check is worth as much as its idea of an anchor."""
    assert anchor_of(heading) == anchor


@pytest.mark.parametrize(
    "reference",
    [
        "docs/nothing.md",
        "docs/governor.md#no-such-heading",
        "docs/platform/slack.md#streaming-limit",
        "docs/platform/claude.md#Cache-life",
    ],
)
def test_a_wrong_reference_is_found(reference: str) -> None:
    assert problem_of(reference) is not None


@pytest.mark.parametrize(
    "text",
    [
        f"see facts/slack.txt {SECTION}2",
        f"(design {SECTION}4)",
        "house.md says",
        "findings/field.md",
        f"the {SEED}'s clock",
        f"as the {SEED} does",
    ],
)
def test_a_note_outside_the_repository_is_found(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize(
    "text", ["artifacts/run.log", f"the {SEED} and the run", "design, 4", "src/findings/x"]
)
def test_ordinary_words_are_no_such_note(text: str) -> None:
    assert not FORBIDDEN.search(text)
