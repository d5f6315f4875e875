"""Citations of large files: another process checks them, and finds the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from bot.context.pack import SMALL_BYTES, Change, Match, RepositoryState, Snapshot
from bot.delivery.citations import filter as filter_module
from bot.delivery.citations.check import Evidence, Finding, Inquiry, check_texts, find_quote
from bot.delivery.citations.citation import Citation
from bot.delivery.citations.filter import Checker, Checkers, CitationFilter, check_text
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import LargeFile, PathIndex, Source, read_source

R = TypeVar("R")
WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "x", "main", "a" * 40, 0.0, "a" * 40, WEB)
HEAD = "def login(user):\n    return user\n\n\n"
FILLED = HEAD + "x = 1\n" * 9_000 + "def logout(user):\n    return None\n"
MANY = HEAD + "".join(f"def f{n}(): pass\n" for n in range(1_500))


class Files(Snapshot):
    """Some files; `asked` are the questions about them."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.asked: list[tuple[str, Callable[..., Any]]] = []

    def repositories(self) -> Sequence[RepositoryState]:
        return [STATE]

    def paths(self, repository: str) -> Sequence[str]:
        return sorted(self.texts)

    def read(self, repository: str, path: str) -> str | None:
        return self.texts.get(path)

    def read_base(self, repository: str, path: str) -> str | None:
        return self.texts.get(path)

    def ask_versions(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        self.asked.append((path, function))
        return super().ask_versions(repository, path, function, *arguments)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        return []

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return []

    def at(self, repository: str, ref: str) -> Snapshot:
        return self


@pytest.mark.parametrize(
    ("cited", "shown"),
    [
        ("`big.py:1`", "big.py#L1-L1"),
        ("`big.py:9005-9006`", "big.py#L9005-L9006"),
        ("`big.py:99999`", None),
        ("`big.py#login`", "big.py#L1-L1"),
        ("`big.py#logout`", "big.py#L9005-L9005"),
        ("`big.py#nowhere`", None),
        ("`logout` is at `big.py:9000`", "big.py#L9005-L9005"),
        ("```\ndef logout(user):\n    return None\n```\n`big.py:7`", "big.py#L9005-L9006"),
        ("`many.py#f1400`", "many.py#L1405-L1405"),
        ("`many.py:3`", "many.py#L3-L3"),
    ],
)
def test_a_citation_of_a_large_file_is_checked_as_any_other(cited: str, shown: str | None) -> None:
    """With its lines, its names, and what stands beside it."""
    files = Files({"big.py": FILLED, "many.py": MANY})
    text, _ = check_text(f"See:\n{cited}\n\nThat is all.", files)
    assert (f"/{shown}" in text) if shown else ("](" not in text)
    assert check_texts in {function for _, function in files.asked}


@pytest.mark.parametrize(
    "text",
    [
        FILLED,
        MANY,
        "a\n" * 2_001,
        "a" * (SMALL_BYTES + 1),
        "".join(f"# h{n}\n" for n in range(1_100)),
    ],
)
def test_a_large_file_does_not_stay_in_the_bots_memory(text: str) -> None:
    """Large in its bytes, its lines or its definitions: each is looked through on the loop."""
    assert read_source(Files({"a.md": text, "a.py": text}), ("app", "a.md")) == LargeFile() or (
        read_source(Files({"a.py": text}), ("app", "a.py")) == LargeFile()
    )


def test_a_small_file_stays() -> None:
    source = read_source(Files({"a.py": HEAD}), ("app", "a.py"))
    assert isinstance(source, Source)
    assert source.head == HEAD
    assert source.found is not None
    assert [item.name for item in source.found.items] == ["login"]


def test_a_file_whose_parsing_takes_long_is_checked_elsewhere() -> None:
    """`a<a<a<` takes seconds and a hundred megabytes; without a grammar nothing is parsed."""
    text = "a<" * 30_000
    assert isinstance(read_source(Files({"a.cpp": text}), ("app", "a.cpp")), LargeFile)
    assert isinstance(read_source(Files({"a.txt": text}), ("app", "a.txt")), Source)


def test_a_citation_waits_for_its_finding_and_is_asked_about_once() -> None:
    check = CitationFilter(Hosts([STATE]), PathIndex([STATE], {"app": ["big.py"]}))
    check.feed("See `login` at `big.py:2` and so on. ", 0.0)
    shown = check.settled(0.0)
    assert check.files_to_read() == [("app", "big.py")]
    check.supply(("app", "big.py"), LargeFile())
    shown += check.settled(0.1)
    (inquiry,) = check.inquiries()
    assert inquiry.evidence == Evidence((), ("login",))
    assert check.inquiries() == []
    assert check.settled(0.2) == ""
    check.supply_finding(inquiry, Finding("corrected", ("app", "big.py"), ((1, 1),)))
    shown += check.settled(0.3, final=True)
    assert "[`big.py:1`]" in shown
    assert check.counts == (0, 1, 0)


def test_a_finding_that_does_not_come_strikes_the_link() -> None:
    check = CitationFilter(Hosts([STATE]), PathIndex([STATE], {"app": ["big.py"]}))
    check.feed("`big.py:2` ", 0.0)
    check.settled(0.0)
    check.supply(("app", "big.py"), LargeFile())
    check.settled(0.1)
    assert check.inquiries()
    assert "](" not in check.settled(100.0, final=True)
    assert check.counts == (0, 0, 1)


@pytest.mark.parametrize(
    "quote",
    [
        ["f()", "f()", "...", "end"],
        ["f()", "...", "f()", "...", "f()", "...", "end"],
        ["f()"] * 150 + ["...", "end"],
    ],
)
def test_a_quote_that_begins_on_each_line_is_looked_for_in_bounded_time(quote: list[str]) -> None:
    """Each beginning looked through the rest of the file: ten seconds of the event loop."""
    began = time.process_time()
    assert find_quote(quote, ["f()"] * 8_000) == []
    assert find_quote(["f()", "f()", "...", "end"], ["f()"] * 3 + ["end"]) == [(1, 4), (2, 4)]
    assert time.process_time() - began < 3.0


async def test_the_snapshots_that_are_kept_are_bounded_in_their_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixteen pushes to a repository of 40,000 files kept half a gigabyte."""
    monkeypatch.setattr(filter_module, "KEPT_PATHS", 25)
    checkers, kept = Checkers(), []
    for _ in range(5):
        files = Files({f"f{n}.py": HEAD for n in range(10)})
        kept.append(files)
        checkers(files)
        checker: Checker = next(reversed(checkers._checkers.values()))
        await checker.index()
    checkers(kept[-1])
    assert len(checkers._checkers) == 3


def test_an_inquiry_finds_what_a_source_would() -> None:
    citation = Citation("big.py", ((2, 2),))
    inquiry = Inquiry(("app", "big.py"), citation, Evidence())
    assert check_texts("big.py", FILLED, None, inquiry) == Finding(
        "good", ("app", "big.py"), ((2, 2),)
    )
    assert check_texts("big.py", "one\n", "one\ntwo\n", inquiry) == "wrong"
