"""Where citations hold: at the head, carried from the base, put right by what stands beside."""

from __future__ import annotations

from typing import Literal

import pytest

from bot.context.pack import RepositoryState
from bot.delivery.citations.check import (
    CITING_RULES,
    Evidence,
    Failure,
    Finding,
    carried,
    check,
    find_quote,
)
from bot.delivery.citations.citation import read
from bot.delivery.citations.path_index import FileKey, PathIndex, Source, source_of

HEAD = """\
import os


def login(user):
    token = make_token(user)
    return token


class Session:
    retries = 3

    def close(self):
        self.open = False
        return token
"""
BASE = HEAD.replace("import os\n", "# a licence\n# of three\n# lines\nimport os\n")
NOTHING = Evidence()


def state(name: str) -> RepositoryState:
    web = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
    return RepositoryState(name, "https://github.com/acme/app", "main", "a" * 40, 0, "b" * 40, web)


INDEX = PathIndex(
    [state("app"), state("lib")],
    {
        "app": ["src/auth.py", "src/db/session.py", "docs/a.md", "same.py", "gone.py"],
        "lib": ["lib/auth.py", "same.py"],
    },
)
SOURCES: dict[FileKey, Source] = {
    ("app", "src/auth.py"): source_of("src/auth.py", HEAD, BASE),
    ("app", "src/db/session.py"): source_of("src/db/session.py", HEAD, HEAD),
    ("app", "docs/a.md"): Source("one line", None),
    ("app", "same.py"): Source("a = 1\nb = 2\n", None),
    ("app", "gone.py"): Source(None, "a = 1\n"),
    ("lib", "lib/auth.py"): source_of("lib/auth.py", HEAD),
    ("lib", "same.py"): Source("a = 1\nb = 2\n", None),
}


def verdict(text: str, evidence: Evidence = NOTHING) -> Finding | Failure:
    citation = read(text, INDEX)
    assert citation is not None
    return check(citation, INDEX, SOURCES, evidence)


def found(text: str, evidence: Evidence = NOTHING) -> Finding | None:
    finding = verdict(text, evidence)
    return finding if isinstance(finding, Finding) else None


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("src/auth.py:4", 4, 4),
        ("src/auth.py:4-6", 4, 6),
        ("src/auth.py:4\u20136", 4, 6),
        ("src/auth.py:L4-L6", 4, 6),
        ("src/auth.py#L4-L6", 4, 6),
        ("src/auth.py#L4", 4, 4),
        ("src/auth.py:4:9", 4, 4),
        ("./src/auth.py:4", 4, 4),
        ("app/src/auth.py:4", 4, 4),
        ("src/auth.py#login", 4, 4),
        ("src/auth.py::Session", 9, 9),
        ("src/auth.py#Session.close", 12, 12),
        ("src/auth.py:Session.close()", 12, 12),
        ("src/auth.py#retries", 10, 10),
    ],
)
def test_every_way_to_cite_that_models_use_is_read(text: str, start: int, end: int) -> None:
    """A rule tells one way; the others come all the same."""
    finding = found(text)
    assert finding is not None
    assert (finding.fate, finding.key) == ("good", ("app", "src/auth.py"))
    assert (finding.first, finding.last) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        "src/auth.py:99",
        "src/nope.py:1",
        "src/auth.py#nope",
        "gone.py:1",
        "src/auth.py:0",
        "same.py:1",
    ],
)
def test_what_does_not_hold_has_no_link(text: str) -> None:
    """No file, no such line, no such name, deleted since, or in two repositories."""
    assert found(text) is None


@pytest.mark.parametrize(
    "text", ["12:30", "login", "std::vector", "a - b", "https://a/b:1", "x" * 300]
)
def test_what_only_looks_like_a_citation_is_none(text: str) -> None:
    """Code in backticks is mostly just code."""
    citation = read(text, INDEX)
    assert citation is None or not INDEX.knows(citation.path)


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u3000"])
def test_a_path_with_another_blank_means_one_file(blank: str) -> None:
    """Screenshots of macOS and files of Japanese teams have such names."""
    path = f"docs/order{blank}notes.md"
    index = PathIndex([state("app")], {"app": [path]})
    assert index.find(path) == ([("app", path)], True)


def test_a_repository_name_tells_equal_paths_apart() -> None:
    """Where two repositories hold the path, only its name makes a link honest."""
    finding = found("lib/same.py:2")
    assert finding is not None
    assert finding.key == ("lib", "same.py")


def test_a_short_path_that_is_unique_is_completed() -> None:
    """`session.py:4` can mean one file only."""
    finding = found("session.py:4")
    assert finding is not None
    assert (finding.fate, finding.label) == ("corrected", "src/db/session.py:4")
    assert found("auth.py:4") is None


def test_a_range_beyond_the_end_is_cut_to_the_file() -> None:
    """The lines that exist are what was meant."""
    finding = found("src/db/session.py:12-40")
    assert finding is not None
    assert (finding.fate, finding.first, finding.last) == ("corrected", 12, 14)


def test_lines_of_the_base_are_carried_to_the_head() -> None:
    """The model reads the base's numbers if a file has changed since."""
    beyond = found("src/auth.py:15-16")
    assert beyond is not None
    assert (beyond.fate, beyond.first, beyond.last) == ("corrected", 12, 13)
    named = found("src/auth.py:7", Evidence(names=("login",)))
    assert named is not None
    assert (named.fate, named.first) == ("corrected", 4)


def test_a_name_at_the_cited_line_keeps_it() -> None:
    """A citation whose line holds the name is not moved."""
    finding = found("src/auth.py:5", Evidence(names=("make_token",)))
    assert finding is not None
    assert (finding.fate, finding.first) == ("good", 5)


def test_a_name_near_the_cited_line_corrects_it_only_if_there_is_one() -> None:
    """Models count lines a little wrong; but a guess between two is no correction."""
    near = found("src/db/session.py:7", Evidence(names=("login",)))
    assert near is not None
    assert (near.fate, near.first) == ("corrected", 4)
    several = found("src/db/session.py:8", Evidence(names=("token",)))
    assert several is not None
    assert (several.fate, several.first) == ("good", 8)


QUOTE = ("def login(user):", "    token = make_token(user)")


@pytest.mark.parametrize(
    ("text", "fate", "start", "end"),
    [
        ("src/db/session.py:4-5", "good", 4, 5),
        ("src/db/session.py:3-7", "good", 3, 7),
        ("src/db/session.py:8-9", "corrected", 4, 5),
        ("src/db/session.py:5", "corrected", 4, 5),
        ("src/auth.py:7-8", "corrected", 4, 5),
    ],
)
def test_lines_follow_their_quoted_snippet(
    text: str, fate: Literal["good", "corrected"], start: int, end: int
) -> None:
    """The quoted text was read; its place is looked up, not believed."""
    finding = found(text, Evidence(quote=QUOTE))
    assert finding is not None
    assert (finding.fate, finding.first, finding.last) == (fate, start, end)


def test_a_quote_that_stands_twice_corrects_nothing() -> None:
    """Two places are one too many to be sure."""
    assert found("src/db/session.py:1", Evidence(quote=("return token",))) is None
    finding = found("src/db/session.py:6", Evidence(quote=("return token",)))
    assert finding is not None
    assert finding.fate == "good"


def test_a_quote_may_leave_lines_out() -> None:
    """Dots stand for anything, in a comment too."""
    quote = ("def login(user):", "    # ...", "    return token")
    assert find_quote(quote, HEAD.split("\n")) == [(4, 6)]


def test_lines_that_changed_are_not_carried() -> None:
    """A line that is no more has no place at the head."""
    source = Source("a\nx\nc\n", "a\nb\nc\n")
    assert carried(source, 2, 2) is None
    assert carried(source, 3, 3) == (3, 3)
    assert carried(Source("b\na\nb\n", "x\nb\ny\n"), 2, 2) is None


def test_the_rules_name_the_form_that_is_checked() -> None:
    """The rules for the model and the check must agree."""
    assert read("src/auth.py#verify_token", INDEX) is not None
    assert "`src/auth.py#verify_token`" in CITING_RULES
    assert len(CITING_RULES) < 800
