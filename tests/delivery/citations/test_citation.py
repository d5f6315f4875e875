"""Every path that the index knows can be cited, however it is written."""

from __future__ import annotations

import unicodedata

import pytest

from bot.context.pack import RepositoryState
from bot.delivery.citations.citation import may_locate, read
from bot.delivery.citations.path_index import PathIndex, source_of

STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "a" * 40, None)
PATHS = [
    *("Makefile", "Dockerfile", "bin/run", "src/db.py", "app/(auth)/login/page.tsx"),
    *("app/(auth)/[id]/route.ts", "app/@modal/(.)photo/[...slug]/page.tsx", "My App/main.swift"),
    *("it's/odd.py", 'quo"te.py', "a#b/c.md", "tmpl/{{name}}.go", "C#/Program.cs", "x:y/z.py"),
    *("docs/caf\u00e9.md", "\u6587\u66f8/\u8aad.md", "README.md", "we <b>/a&b.html", "tab\there.c"),
    *("50%/rate.py", "a+b/c~d.py", "lib/odd (1).py", "-dash/--x.sh", "a,b;c.py", "src/mix.test.ts"),
]
INDEX = PathIndex([STATE], {"app": PATHS})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("locator", "ranges", "symbol"),
    [
        (":4", ((4, 4),), None),
        ("#L2-L3", ((2, 3),), None),
        (":2-3, 900", ((2, 3), (900, 900)), None),
        ("#name", (), "name"),
    ],
)
def test_any_path_is_read(
    path: str, locator: str, ranges: tuple[tuple[int, int], ...], symbol: str | None
) -> None:
    """Brackets, blanks, quotation marks, number signs, colons, no dot and no slash."""
    cited = read(path + locator, INDEX)
    assert cited is not None
    assert (INDEX.find(cited.path)[0], cited.ranges) == ([("app", path)], ranges)
    assert cited.symbol == symbol


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (unicodedata.normalize("NFD", "docs/caf\u00e9.md:1"), "docs/caf\u00e9.md"),
        ("./src/db.py:1", "src/db.py"),
        ("/src/db.py:1", "src/db.py"),
        ("app/src/db.py:1", "src/db.py"),
        ("app/%28auth%29/login/page.tsx:1", "app/(auth)/login/page.tsx"),
        ("My%20App/main.swift#L1", "My App/main.swift"),
        ("app/\\(auth\\)/login/page.tsx:1", "app/(auth)/login/page.tsx"),
        ("we &lt;b&gt;/a&amp;b.html:1", "we <b>/a&b.html"),
        ("src\\db.py:1", "src/db.py"),
        ("main.swift:1", "My App/main.swift"),
        ("(auth)/login/page.tsx:1", "app/(auth)/login/page.tsx"),
        ("tab\\there.c:1", "tab\there.c"),
    ],
)
def test_other_ways_to_write_a_path_mean_the_same_file(text: str, path: str) -> None:
    """Unicode forms, escapes of other formats, and the end of a path."""
    cited = read(text, INDEX)
    assert cited is not None
    assert INDEX.find(cited.path)[0] == [("app", path)]


def test_a_path_in_the_other_unicode_form_is_found() -> None:
    """A tree made on a Mac stores names in parts; models write them composed."""
    name = unicodedata.normalize("NFD", "docs/caf\u00e9.md")
    index = PathIndex([STATE], {"app": [name]})
    assert index.find("docs/caf\u00e9.md") == ([("app", name)], True)


@pytest.mark.parametrize(
    ("locator", "ranges"),
    [
        (":2,4", ((2, 2), (4, 4))),
        (":2-3,7-9", ((2, 3), (7, 9))),
        (":L2-L3", ((2, 3),)),
        ("#L2-3", ((2, 3),)),
        ("#L2C3-L4C5", ((2, 4),)),
        (":2:5", ((2, 2),)),
        (":2\u20134", ((2, 4),)),
        (":2..4", ((2, 4),)),
        (": 2", ((2, 2),)),
        (":2; 5", ((2, 2), (5, 5))),
        (":9-2", ((9, 2),)),
    ],
)
def test_lists_and_ranges_are_read(locator: str, ranges: tuple[tuple[int, int], ...]) -> None:
    """As people, compilers and hosts write them."""
    cited = read("src/db.py" + locator, INDEX)
    assert cited is not None
    assert cited.ranges == ranges


@pytest.mark.parametrize(
    ("locator", "symbol"),
    [
        ("#active?", "active?"),
        ("#save!", "save!"),
        ("#name=", "name="),
        ("#my-fn", "my-fn"),
        ("#operator==", "operator=="),
        ("#operator bool", "operator bool"),
        ("#Foo::operator()", "Foo::operator()"),
        ("#~Foo", "~Foo"),
        ("#foo/2", "foo/2"),
        ("#<=>", "<=>"),
        ("#[]", "[]"),
        ("#Foo#bar", "Foo#bar"),
        ("##secret", "#secret"),
        ("#charge(int, int)", "charge(int, int)"),
        ("::Session::close", "Session::close"),
        (":Session.close()", "Session.close()"),
        ("#$value", "$value"),
        ("#SkipList<Key, Order>::Node", "SkipList<Key, Order>::Node"),
    ],
)
def test_names_of_any_language_are_read(locator: str, symbol: str) -> None:
    """Signs of Ruby, Clojure, C++, Elixir, JavaScript and PHP."""
    cited = read("src/db.py" + locator, INDEX)
    assert cited is not None
    assert (cited.path, cited.symbol) == ("src/db.py", symbol)


@pytest.mark.parametrize(
    "text",
    ["12:30", "std::vector", "a - b", "x" * 500, "Makefile", "src/db.py", "src/db.py:", "#L3", ""],
)
def test_other_code_is_no_citation(text: str) -> None:
    """Code in backticks is mostly just code."""
    cited = read(text, INDEX)
    assert cited is None or not INDEX.knows(cited.path)


def test_every_beginning_of_a_citation_may_grow_into_it() -> None:
    """Tokens end anywhere, and nothing may leave before its meaning is certain."""
    for locator in (":2-3, 900", "#L2-L3", "#Foo::bar(int)", "#active?", "#operator =="):
        for end in range(len(locator) + 1):
            assert may_locate(locator[:end]), locator[:end]


def test_lines_end_at_line_feeds_only() -> None:
    """The same lines as git, the pack and the host count."""
    source = source_of(
        "a.py", "import os\n\x0c\nclass A:\n    pass\n\x0c\ndef f():\n    return '\u2028\x85'\n"
    )
    assert len(source.lines) == 7
    assert source.lines[5] == "def f():"
    assert source_of("a.txt", "one\r\n\ntwo").lines == ["one\r", "", "two"]
