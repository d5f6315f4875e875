"""The filter's output: links that hold, no other link, no text lost, little held back."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.context.pack import RepositoryState, Snapshot
from bot.delivery.citations.filter import HELD, PAUSE, READING, CitationFilter, check_text
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import FileKey, PathIndex, Source, source_of
from bot.delivery.markdown.escape import escape
from bot.errors import ForewarmError

WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "b" * 40, WEB)
PAGE = f"https://github.com/acme/app/blob/{'a' * 40}"
R = TypeVar("R")
CODE = "import os\n\ndef login(user):\n    token = make_token(user)\n    return token\n"
PATHS = ["src/auth.py", "app/[slug]/page.tsx", "src/odd (1).py", "src/__init__.py", "README.md"]
INDEX = PathIndex([STATE], {"app": PATHS})
SOURCES: dict[FileKey, Source] = {("app", path): source_of(path, CODE, CODE) for path in PATHS}
HOSTS = Hosts([STATE], ["docs.example.com"])
COMMON = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def whole(text: str) -> str:
    """Return what a text becomes that comes in one piece."""
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    check.feed(text, 0.0)
    return check.settled(0.0, final=True)


def in_pieces(
    pieces: Sequence[str], gaps: Sequence[float], sources: dict[FileKey, Source]
) -> tuple[str, CitationFilter]:
    check, now, out = CitationFilter(HOSTS, INDEX, sources), 0.0, []
    for piece, gap in zip(pieces, gaps, strict=False):
        check.feed(piece, now)
        now += gap
        out.append(check.settled(now))
    out.append(check.settled(now, final=True))
    return "".join(out), check


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See `src/auth.py:3`.", f"See [`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)."),
        ("See src/auth.py:3-5, and", f"See [`src/auth.py:3-5`]({PAGE}/src/auth.py#L3-L5), and"),
        ("[login](src/auth.py#L3)", f"[login]({PAGE}/src/auth.py#L3-L3)"),
        ("[`login`](src/auth.py:3)", f"[`login`]({PAGE}/src/auth.py#L3-L3)"),
        ("`auth.py#login`", f"[`src/auth.py#login`]({PAGE}/src/auth.py#L3-L3)"),
        (f"[x]({PAGE.replace('a' * 40, 'main')}/src/auth.py#L3)", f"[x]({PAGE}/src/auth.py#L3-L3)"),
        (
            "`make_token` (`src/auth.py:2`)",
            f"`make_token` ([`src/auth.py:4`]({PAGE}/src/auth.py#L4-L4))",
        ),
        (
            "```py\ndef login(user):\n```\n`src/auth.py:5`",
            f"```py\ndef login(user):\n```\n[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)",
        ),
        (
            "`app/[slug]/page.tsx:3`",
            f"`app/[slug]/page.tsx:3` [↗]({PAGE}/app/%5Bslug%5D/page.tsx#L3-L3)",
        ),
        ("`src/__init__.py:3`", f"[`src/__init__.py:3`]({PAGE}/src/__init__.py#L3-L3)"),
        ("[line 4](src/auth.py#L3)", f"[line 4]({PAGE}/src/auth.py#L4-L4)"),
        ("[lines 3\u20135](src/auth.py#L3-L5)", f"[lines 3\u20135]({PAGE}/src/auth.py#L3-L5)"),
        ("[line 99](src/auth.py#L3)", "line 99"),
        ("[lines 3-99](src/auth.py#L3)", f"[`src/auth.py:3-5`]({PAGE}/src/auth.py#L3-L5)"),
        ("[it](src/auth.py#lines-3-5)", f"[it]({PAGE}/src/auth.py#L3-L5)"),
        (
            "origin/main:src/auth.py:3",
            f"origin/main:[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)",
        ),
        (
            "`src/auth.py::login[a-1]`",
            f"`src/auth.py::login[a-1]` [\u2197]({PAGE}/src/auth.py#L3-L3)",
        ),
        ("file:src/auth.py:3", f"file:[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)"),
        ("[the login](src/auth.py)", f"[the login]({PAGE}/src/auth.py)"),
        ("[`src/auth.py`](src/auth.py)", f"[`src/auth.py`]({PAGE}/src/auth.py)"),
        ("[readme](README.md)", f"[readme]({PAGE}/README.md)"),
        ("[`README.md`](src/auth.py)", "`README.md` (src/auth.py)"),
        ("[**login**](src/auth.py#L3)", f"[login]({PAGE}/src/auth.py#L3-L3)"),
        ("[`keys[0]`](src/auth.py#L3)", f"`keys[0]` [\u2197]({PAGE}/src/auth.py#L3-L3)"),
        (
            "[`app/[slug]/page.tsx:3`](app/[slug]/page.tsx#L3)",
            f"`app/[slug]/page.tsx:3` [\u2197]({PAGE}/app/%5Bslug%5D/page.tsx#L3-L3)",
        ),
        (
            "[`src/auth.py:3`, `README.md:1` too](src/auth.py#L3)",
            f"[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3), "
            f"[`README.md:1`]({PAGE}/README.md?plain=1#L1-L1) too",
        ),
        ("`src/auth.py#login:3`", f"[`src/auth.py#login:3`]({PAGE}/src/auth.py#L3-L3)"),
        ("`src/auth.py:login:3-5`", f"[`src/auth.py:login:3-5`]({PAGE}/src/auth.py#L3-L3)"),
        ("`acme/app/src/auth.py:3`", f"[`acme/app/src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)"),
        (f"`{PAGE}/src/auth.py#L3`", f"[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)"),
        (f"`{PAGE}/src/auth.py#L99`", f"`{PAGE}/src/auth.py#L99`"),
        ("`src/nope.py:3` and `src/auth.py:99`", "`src/nope.py:3` and `src/auth.py:99`"),
        ("[x](https://evil.example/?d=1)", "x (`https://evil.example/?d=1`)"),
        ("see https://evil.example/a?b=1&c=2.", "see `https://evil.example/a?b=1&c=2`."),
        ("https://docs.example.com/a", "[https://docs.example.com/a](https://docs.example.com/a)"),
        ("![a picture](https://evil.example/p.png) here", "a picture here"),
        ("[1]: https://evil.example", "[1] : `https://evil.example`"),
        ("- [ ] open\n- [x] done", "- [ ] open\n- [x] done"),
        ("`a < b` and List<int>", "`a < b` and List<int>"),
        ("a `lonely tick\nnext", "a `lonely tick`\nnext"),
        ("```\n[x](https://in.code)\n```\n", "```\n[x](https://in.code)\n```\n"),
    ],
)
def test_what_becomes_of_a_text(text: str, shown: str) -> None:
    """Each kind of citation and link, and what it must become."""
    assert whole(text) == shown


@pytest.mark.parametrize("text", ["`src/auth.py:3-5`", "[login](src/auth.py#L3)", "**bold** `x`"])
def test_the_pieces_in_which_a_text_comes_make_no_difference(text: str) -> None:
    """Tokens end anywhere: within a path, a link, a number."""
    for cut in range(1, len(text)):
        shown, _ = in_pieces([text[:cut], text[cut:]], [0.02, 0.02], SOURCES)
        assert shown == whole(text)


@pytest.mark.parametrize(
    "text",
    [
        "`make_token` is called by [login](src/auth.py#L5)",
        "`make_token` is called by `src/auth.py` (line 5)",
        f"`make_token` is read by the caller, {PAGE}/src/auth.py#L5",
        "`import` and `make_token` (`src/auth.py:1`, `src/auth.py:4`)",
        "`make_token`, `login` (`src/auth.py:1-2`)",
    ],
)
def test_a_name_farther_off_corrects_no_lines(text: str) -> None:
    """Right citations led to the definition of a name that another word stood behind."""
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    check.feed(text, 0.0)
    check.settled(0.0, final=True)
    assert {one.verdict for one in check.checked} == {"good"}


def test_first_words_are_not_held_back() -> None:
    """Only what could still become a citation, a link or a fence waits."""
    for words in ("The", "The answer", "Yes.", "**Yes", "In short, `main", "1. First", "#"):
        check = CitationFilter(HOSTS, INDEX, SOURCES)
        check.feed(words, 0.0)
        if "`" not in words:
            assert check.settled(0.0) == words


@pytest.mark.parametrize(
    "tail", ["`src/auth.py:1", "[a link](https://gi", "src/auth.p", "&am", "``"]
)
def test_an_open_tail_waits_no_longer_than_its_time(tail: str) -> None:
    """A model that pauses in a path must not keep the words before it off the screen."""
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    check.feed(f"Look at {tail}", 10.0)
    assert check.settled(10.0) == "Look at "
    assert check.due == 10.0 + PAUSE
    released = check.settled(10.0 + PAUSE)
    assert released
    assert check.due is None
    assert "](" not in released


def test_a_tail_is_never_longer_than_its_bound() -> None:
    """However long a link's text grows, most of it is on screen."""
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    fed = shown = 0
    for _ in range(100):
        check.feed("[some words ", 1.0)
        fed += len("[some words ")
        shown += len(check.settled(1.0))
        assert fed - shown <= HELD


def test_a_citation_waits_for_its_file_but_not_for_long() -> None:
    """Files are read in threads; what has not come in time is shown without its link."""
    check = CitationFilter(HOSTS, INDEX)
    check.feed("See `src/auth.py:3` there", 0.0)
    assert check.settled(0.0) == "See "
    assert check.files_to_read() == [("app", "src/auth.py")]
    assert check.files_to_read() == []
    check.supply(("app", "src/auth.py"), SOURCES["app", "src/auth.py"])
    assert check.settled(0.01) == f"[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3) there"
    late = CitationFilter(HOSTS, INDEX)
    late.feed("See `src/auth.py:3` there", 0.0)
    assert late.settled(0.0) == "See "
    assert late.due == READING
    assert late.settled(READING - 0.001) == ""
    assert late.settled(READING) == "`src/auth.py:3` there"
    assert late.counts == (0, 0, 1)


@pytest.mark.parametrize("index", [INDEX, None])
def test_first_words_that_are_a_citation_wait_for_their_file(index: PathIndex | None) -> None:
    """After a push the first reading may take seconds; its link must not be lost."""
    check = CitationFilter(HOSTS, index)
    check.feed("`src/auth.py:3` says so", 0.0)
    assert check.settled(0.0) == ""
    check.know(INDEX)
    assert check.settled(READING - 0.1) == ""
    check.supply(("app", "src/auth.py"), SOURCES["app", "src/auth.py"])
    assert check.settled(READING - 0.1).startswith("[`src/auth.py:3`](")
    assert check.counts == (1, 0, 0)


@pytest.mark.parametrize("tail", ["`src/auth.py:1", "[a link](https://gi", "src/auth.py:1"])
def test_an_open_tail_is_held_no_longer_because_a_file_is_being_read(tail: str) -> None:
    """It waits for the model, whose pause is no reason to keep words off the screen."""
    check = CitationFilter(HOSTS, INDEX)
    check.feed(f"Look at {tail}", 0.0)
    assert check.settled(0.0) == "Look at "
    check.files_to_read()
    assert check.due == PAUSE
    assert check.settled(PAUSE)


def test_a_tail_that_grows_is_held_until_the_model_pauses() -> None:
    """The limit is on the pause, not on the time that a long citation takes to arrive."""
    check, now = CitationFilter(HOSTS, INDEX, SOURCES), 0.0
    for letter in "`src/auth.py:3-5`":
        check.feed(letter, now)
        now += PAUSE - 0.1
        assert check.settled(now) == ""
    check.feed(".", now)
    assert check.settled(now).startswith("[`src/auth.py:3-5`](")


def test_before_the_paths_are_known_text_flows_and_citations_wait() -> None:
    """The list of paths is read once for a snapshot, while the first words go out."""
    check = CitationFilter(HOSTS)
    check.feed("First words, then `src/auth.py:3` here", 0.0)
    assert check.settled(0.0) == "First words, then "
    check.know(INDEX)
    check.settled(0.0)
    check.supply(("app", "src/auth.py"), SOURCES["app", "src/auth.py"])
    assert check.settled(0.01).startswith("[`src/auth.py:3`](")


def test_citations_are_counted_by_their_fate() -> None:
    """The counts go to the receipt and the store."""
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    check.feed("`src/auth.py:3`, `auth.py:3`, `src/nope.py:3`, `just_code`, https://a.example", 0.0)
    check.settled(0.0, final=True)
    assert check.counts == (1, 1, 1)


ATOMS = [
    *("`", "``", "```", "```py\n", "```\n", "~~~\n", "\t```", "[", "]", "(", ")", "](", "!", "!["),
    *("](https://evil.com/?q=1)", "[x](https://evil.com)", "![a](https://evil.com/p.png)"),
    *("https://evil.com/", "http://evil.com", "www.evil.com/x", "https://", "://", "evil.com"),
    *("\\", "\\`", "\n", "\n\n", "  ", "    ", "- ", "1. ", "> ", "# ", "\t", '"', "'", "*", "_"),
    *("| a | b |\n|---|---|\n", "src/auth.py", ":3", "-5", "#login", "src/auth.py:3", "a&b", "&"),
    *("`src/auth.py:3-5`", "[l](src/auth.py#L3)", "https://github.com/o/r?x=(1)", "&lt;", "|"),
    *("[l](https://github.com/acme/app/blob/main/src/auth.py#L3-L4)", "&#104;ttps://evil.com"),
    *("<https://evil.com>", "<!channel>", "[1]: https://evil.com\n", "[1]: <//evil.com>\n", "[1]"),
    *("[x](javascript:alert(1))", "[x](//evil.com)", "[x](<https://evil.com>)", " word ", "[x]"),
    *("[x](https&#58;//evil.com)", "[x](https://github.com@evil.com)", "javascript:alert(1)"),
    *(
        "[x](https://github.com\\@evil.com)",
        "[x](https://github.com.evil.com/)",
        "def login(user):\n",
    ),
]
ALLOWED = re.compile(r"https://(?:github\.com|docs\.example\.com|(?:\w+\.)?slack\.com)(?:[/?#]|\Z)")


def alive(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Yield what a Markdown parser would let live: links, images, and bare addresses in prose."""
    depth = 0
    for token in tokens:
        if token.type == "link_open":
            yield "link", str(token.attrs["href"])
        elif token.type == "image":
            yield "image", str(token.attrs["src"])
        depth += token.nesting if token.type.startswith("link_") else 0
        if token.type == "text" and not depth:
            for found in re.finditer(r"(?:https?://|www\.)[^\s<>]*", token.content):
                yield "bare", found[0]
        if token.children:
            yield from alive(token.children)


@settings(max_examples=600, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 25),
    cuts=st.lists(st.floats(0, 1), max_size=8),
    gaps=st.lists(st.sampled_from([0.0, 0.02, 0.2, 1.0]), min_size=9, max_size=9),
    known=st.booleans(),
)
def test_no_link_comes_alive_but_those_that_are_allowed(
    seed: int, size: int, cuts: list[float], gaps: list[float], known: bool
) -> None:
    """Repository and thread are hostile: what they make the model say must lead nowhere."""
    text = "".join(random.Random(seed).choices(ATOMS, k=size))
    places = sorted(int(cut * len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    shown, _ = in_pieces(pieces, gaps, SOURCES if known else {})
    for kind, address in alive(COMMON.parse(escape(shown))):
        # An address that only an entity makes one is shown as text, not read again.
        if kind == "bare" and address not in shown:
            continue
        assert kind != "image"
        assert ALLOWED.match(address), (kind, address, shown)


SAID = [
    *("word", "a_b", "`code`", "`src/auth.py:3`", "src/auth.py:3", "x[0]", "it's", "**b**", "e.g."),
    *("\n", "\n\n", "- item", "1:1", "50%", "a/b", "`f(x)[0]`", "(see)", "&amp;", "C#", "~2"),
]
PROSE = st.lists(st.sampled_from(SAID), max_size=60).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(text=PROSE, cuts=st.lists(st.floats(0, 1), max_size=12))
def test_no_character_is_lost_or_doubled(text: str, cuts: list[float]) -> None:
    """Links are added around what the model said; what it said stays."""
    places = sorted(int(cut * len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    shown, _ = in_pieces(pieces, [0.01] * len(pieces), SOURCES)
    unlinked = re.sub(r"\[(`[^`]*`)\]\(https://github[^)]*\)", r"\1", shown)
    assert unlinked.replace("`", "") == text.replace("`", "")


@settings(max_examples=300, deadline=None)
@given(
    text=PROSE,
    cuts=st.lists(st.floats(0, 1), max_size=12),
    gaps=st.lists(st.sampled_from([0.0, 0.05, 0.2, 0.4]), min_size=13, max_size=13),
    arrives=st.integers(0, 13),
)
def test_files_that_come_late_lose_no_character_and_hold_none_for_long(
    text: str, cuts: list[float], gaps: list[float], arrives: int
) -> None:
    """A slow disk may cost a link, and half a second within an answer; nothing else."""
    places = sorted(int(cut * len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    check, now, shown = CitationFilter(HOSTS, INDEX), 0.0, ""
    for number, (piece, gap) in enumerate(zip(pieces, gaps, strict=False)):
        if number == arrives:
            for key, source in SOURCES.items():
                check.supply(key, source)
        check.feed(piece, now)
        shown += check.settled(now)
        if check.due is not None:
            assert now < check.due <= now + READING
        now += gap
    shown += check.settled(now, final=True)
    unlinked = re.sub(r"\[(`[^`]*`)\]\(https://github[^)]*\)", r"\1", shown)
    # An entity that was cut in two is shown as it was written.
    told = unlinked.replace("`", "").replace("&amp;amp;", "&amp;")
    assert told == text.replace("`", "")


class Other:
    """The files of an older commit."""

    def __init__(self, commit: str) -> None:
        self._commit = commit

    def repositories(self) -> Sequence[RepositoryState]:
        return [replace(STATE, commit=self._commit)]

    def has(self, repository: str, path: str) -> bool:
        return path in PATHS

    def ask_versions(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        text = self.read(repository, path)
        return None if text is None else function(path, text, None, *arguments)

    def read(self, repository: str, path: str) -> str | None:
        return {"src/auth.py": "# old\n" + CODE, "src/gone.py": "a = 1\n"}.get(path)


class Head(Other):
    """The files of the head, and one older commit."""

    def paths(self, repository: str) -> Sequence[str]:
        return PATHS

    def read(self, repository: str, path: str) -> str | None:
        return CODE

    def at(self, repository: str, ref: str) -> Other:
        if ref != "c" * 12:
            raise ForewarmError("no such commit")
        return Other("c" * 40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"`src/auth.py@{'c' * 12}:4`", "src/auth.py#L4-L4"),
        (f"`src/auth.py@{'c' * 12}#login`", "src/auth.py#L4-L4"),
        (f"`src/gone.py@{'c' * 12}:1`", "src/gone.py#L1-L1"),
        (f"[it](src/auth.py@{'c' * 12}#L2)", "src/auth.py#L2-L2"),
    ],
)
def test_a_citation_at_another_commit_is_checked_and_linked_there(text: str, shown: str) -> None:
    """The tools mark the paths that they read at another commit."""
    head = cast(Snapshot, Head("a" * 40))
    linked, checked = check_text(text, head)
    assert f"(https://github.com/acme/app/blob/{'c' * 40}/{shown})" in linked
    assert [one.verdict for one in checked] == ["good"]
    for wrong in (f"`src/auth.py@{'d' * 12}:4`", f"`src/auth.py@{'c' * 12}:99`"):
        linked, checked = check_text(wrong, head)
        assert (linked, [one.verdict for one in checked]) == (wrong, ["wrong"])


@pytest.mark.parametrize(
    "after",
    [
        "It is called in `src/auth.py:5`.",
        "See `src/auth.py:5` for the end.",
        "`src/auth.py:5` ends it.",
        "\nThe token (`src/auth.py:5`) is returned.",
        "- `src/auth.py:5`, which returns",
    ],
)
def test_a_quotation_changes_no_citation_in_a_sentence(after: str) -> None:
    """The quoted lines stand elsewhere; the sentence cites other lines, and rightly."""
    for text in (f"```py\ndef login(user):\n```\n{after}\n", f"```\nimport os\n```\n{after}\n"):
        for cut in range(0, len(text), 3):
            shown, check = in_pieces([text[:cut], text[cut:]], [0.02, 0.02], SOURCES)
            assert f"[`src/auth.py:5`]({PAGE}/src/auth.py#L5-L5)" in shown
            assert check.counts == (1, 0, 0)


@pytest.mark.parametrize(
    "below",
    ["`src/auth.py:5`", "(`src/auth.py:5`)", "\u2014 `src/auth.py:5`", "Source: `src/auth.py:5`."],
)
def test_a_citation_alone_below_a_quotation_is_that_of_the_quoted_lines(below: str) -> None:
    """The rule that the model is told."""
    shown = whole(f"```py\ndef login(user):\n```\n{below}\n\nMore.")
    assert f"[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)" in shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("`make_token` (`src/auth.py:3`)", "L4-L4"),
        ("`make_token` is defined at `src/auth.py:3`", "L4-L4"),
        ("`make_token`: `src/auth.py:3`", "L4-L4"),
        ("`make_token` is used by the function at `src/auth.py:3`", "L3-L3"),
        ("`make_token` and `login`'s head, `src/auth.py:3`", "L3-L3"),
        ("unlike `make_token`, the function in `src/auth.py:3`", "L3-L3"),
    ],
)
def test_only_a_name_directly_before_a_citation_corrects_it(text: str, lines: str) -> None:
    """A name elsewhere in the sentence says nothing about the lines."""
    assert f"({PAGE}/src/auth.py#{lines})" in whole(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "[src/auth.py:3](https://docs.example.com/x)",
            f"[src/auth.py:3]({PAGE}/src/auth.py#L3-L3)",
        ),
        (
            f"[`src/auth.py:3`]({PAGE}/README.md#L1)",
            f"[`src/auth.py:3`]({PAGE}/src/auth.py#L3-L3)",
        ),
        ("[src/auth.py:99](https://docs.example.com/x)", "src/auth.py:99"),
        ("[src/auth.py:99](src/auth.py#L99)", "src/auth.py:99"),
        (
            "[app/[slug]/page.tsx:2-99](app/[slug]/page.tsx#L2-L99)",
            f"`app/[slug]/page.tsx:2-5` [\u2197]({PAGE}/app/%5Bslug%5D/page.tsx#L2-L5)",
        ),
        (
            "[src/auth.py](https://docs.example.com/x)",
            "src/auth.py ([`https://docs.example.com/x`](https://docs.example.com/x))",
        ),
    ],
)
def test_a_link_that_looks_like_a_citation_is_one(text: str, shown: str) -> None:
    """A label like a checked place leads to that place or nowhere."""
    assert whole(text) == shown


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("\u898bsrc/auth.py:3\u3002", 1),
        ("src/auth.py:3\u3067\u3059", 1),
        ("src/auth.py:3rd", 0),
        ("(src/auth.py:3), then", 1),
        ("src/auth.py:3, 4 users", 1),
        ("src/auth.py:2,4", 1),
        ("app/[slug]/page.tsx:3 here", 1),
        ("in src/odd (1).py:3, and", 1),
    ],
)
def test_citations_in_running_text_end_where_a_reader_ends_them(text: str, linked: int) -> None:
    """Other scripts have no blanks; a comma may belong to the sentence."""
    for cut in range(len(text)):
        shown, check = in_pieces([text[:cut], text[cut:]], [0.02, 0.02], SOURCES)
        assert check.counts[0] == linked, (cut, shown)
        assert shown.count(f"]({PAGE}/") == linked


def test_an_odd_path_behind_another_script_is_found_at_any_cut() -> None:
    """The letter before it may have left already."""
    for text in ("\u898bsrc/odd (1).py:3\u3002", "\u898b\u898bapp/[slug]/page.tsx:3"):
        for cut in range(len(text)):
            _, check = in_pieces([text[:cut], text[cut:]], [0.02, 0.02], SOURCES)
            assert check.counts == (1, 0, 0), cut


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_citations_before_the_models_words_are_linked_and_not_counted(size: int) -> None:
    """A list of places that stands above an answer proves nothing about the answer."""
    before = (
        "These places match:\n\n`src/auth.py:3-5`\n\n```\ndef login\n```\n\n**The answer:**\n\n"
    )
    answer = "It is in `src/auth.py:3`."
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    shown = ""
    check.feed(before, 0.0, counted=False)
    for at in range(0, len(answer), size):
        check.feed(answer[at : at + size], 0.0)
        shown += check.settled(0.0)
    shown += check.settled(9.0, final=True)
    assert shown.count(PAGE) == 2
    assert check.counts == (1, 0, 0)
    assert [one.text for one in check.checked] == ["src/auth.py:3"]


def test_files_that_only_the_list_of_places_names_are_not_used() -> None:
    check = CitationFilter(HOSTS, INDEX, SOURCES)
    check.feed("`src/auth.py:3`\n\n", 0.0, counted=False)
    check.feed("I do not know.", 0.0)
    check.settled(9.0, final=True)
    assert check.counts == (0, 0, 0)
    assert check.used == frozenset()
