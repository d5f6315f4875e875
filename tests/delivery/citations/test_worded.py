"""Citations whose lines are said in words, and paths and names of every kind, cut anywhere."""

from __future__ import annotations

import unicodedata

import pytest

from bot.context.pack import RepositoryState
from bot.delivery.citations.filter import CitationFilter
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import PathIndex, source_of

WEB = "https://git.acme.com/{path}#{start}-{end}"
STATE = RepositoryState("app", "https://git.acme.com/app", "main", "a" * 40, 0, "a" * 40, WEB)
GO = "package q\n\ntype Server struct{}\n\nfunc (s *Server) Start() error { return nil }\n"
FILES = {
    "src/pay/charge.py": "import os\n\nclass Till:\n    def charge(self, n):\n        return n\n"
    * 4,
    "src/it's/q.go": GO,
    "pkg/@scope/a+b.ts": "export class Box {}\nexport interface Lid {}\n",
    "docs/caf\u00e9 men\u00fc.md": "# Top\n\n## How it works\n",
    "charge table.csv": "a,b\n1,2\n",
    "Makefile": "all:\n\techo\n",
}
INDEX = PathIndex([STATE], {"app": list(FILES)})
SOURCES = {("app", path): source_of(path, text) for path, text in FILES.items()}
OTHER_FORM = unicodedata.normalize("NFD", "docs/caf\u00e9 men\u00fc.md")


def shown(text: str, size: int) -> tuple[str, tuple[int, int, int]]:
    """Return what a text becomes that comes in pieces of one size, and the counts."""
    check = CitationFilter(Hosts([STATE]), INDEX, SOURCES)
    out = []
    for at in range(0, len(text), size):
        check.feed(text[at : at + size], at / 100)
        out.append(check.settled(at / 100))
    return "".join(out) + check.settled(9.9, final=True), check.counts


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("lines 2-3 of `src/pay/charge.py`", "src/pay/charge.py#2-3"),
        ("lines 2\u20133 of src/pay/charge.py", "src/pay/charge.py#2-3"),
        ("line 2 in **`src/pay/charge.py`**", "src/pay/charge.py#2-2"),
        ("`src/pay/charge.py` (lines 2-3)", "src/pay/charge.py#2-3"),
        ("**`src/pay/charge.py`** at lines 2 to 3", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py`, line 2", "src/pay/charge.py#2-2"),
        ("`src/pay/charge.py` L2-L3", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py`:2-3", "src/pay/charge.py#2-3"),
        ("`Makefile`:2", "Makefile#2-2"),
        ("`src/it's/q.go`#Start", "src/it%27s/q.go#5-5"),
        ("`src/pay/charge.py, lines 2-3`", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py lines 2-3`", "src/pay/charge.py#2-3"),
        ("``src/pay/charge.py:2``", "src/pay/charge.py#2-2"),
        ("`src/pay/charge.py:2 and 3`", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py:2, 3 & 11`", "src/pay/charge.py#2-11"),
        ("`src/pay/charge.py:2 to 3`", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py:2\u20263`", "src/pay/charge.py#2-3"),
        ("`src/pay/charge.py:line 2`", "src/pay/charge.py#2-2"),
        ("_src/pay/charge.py:2_", "src/pay/charge.py#2-2"),
        ("__src/pay/charge.py:2__", "src/pay/charge.py#2-2"),
        ("__src/it's/q.go#Server__", "src/it%27s/q.go#3-3"),
        ("=src/pay/charge.py:2", "src/pay/charge.py#2-2"),
        ("<code>src/pay/charge.py:2</code>", "src/pay/charge.py#2-2"),
        ("` src/pay/charge.py:2 `", "src/pay/charge.py#2-2"),
        ("src/it's/q.go#Server", "src/it%27s/q.go#3-3"),
        ("`src/it's/q.go#(s *Server) Start`", "src/it%27s/q.go#5-5"),
        ("src/pay/charge.py:2", "src/pay/charge.py#2-2"),
        ("pkg/@scope/a+b.ts:2", "pkg/%40scope/a%2Bb.ts#2-2"),
        (f"{OTHER_FORM}:3", "docs/caf%C3%A9%20men%C3%BC.md#3-3"),
        ("`docs/caf\u00e9 men\u00fc.md#How it works`", "docs/caf%C3%A9%20men%C3%BC.md#3-3"),
    ],
)
def test_every_form_is_linked_and_counted_at_any_cut(text: str, place: str) -> None:
    """Tokens end anywhere, and the words behind a path may not have come yet."""
    outcomes = {shown(f"It is in {text} and more follows.", size) for size in (1, 2, 3, 5, 7, 99)}
    assert len(outcomes) == 1
    ((became, counts),) = outcomes
    assert counts == (1, 0, 0)
    assert f"(https://git.acme.com/{place})" in became.replace("@", "%40").replace("+", "%2B")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("`src/pay/charge.py`: line 2", "2-2"),
        ("`src/pay/charge.py` \u2014 lines 2\u20133", "2-3"),
        ("`src/pay/charge.py` [line 2]", "2-2"),
        ("`src/pay/charge.py` (around line 2)", "2-2"),
        ("`src/pay/charge.py`, starting at line ~2", "2-2"),
        ("`src/pay/charge.py`, line `2`", "2-2"),
        ("`src/pay/charge.py`, lines **2-3**", "2-3"),
        ("`src/pay/charge.py`, lines 2, 3 and 11", "2-11"),
        ("`src/pay/charge.py` (L2, L11)", "2-11"),
        ("`src/pay/charge.py` (2-3)", "2-3"),
        ("`src/pay/charge.py`#L2", "2-2"),
        ("`src/pay/charge.py`, line 2 to line 3,", "2-3"),
        ("`src/pay/charge.py` @ line #2", "2-2"),
        ("`src/pay/charge.py`'s line 2", "2-2"),
        ("`src/pay/charge.py`\u306e2\u884c\u76ee\u304b\u30893\u884c\u76ee", "2-3"),
        ("`src/pay/charge.py`, ll. 2\u20133", "2-3"),
        ("`src/pay/charge.py`: 2-3. Then", "2-3"),
        ("lines 2 and 3 of `src/pay/charge.py`", "2-3"),
        ("L2 of `src/pay/charge.py`", "2-2"),
        ("src/pay/charge.py, line 2", "2-2"),
        ("src/pay/charge.py (lines 2, 3 and 11)", "2-11"),
        ('File "src/pay/charge.py", line 2, in charge', "2-2"),
        ("`src/pay/charge.py` (Zeilen 2\u20133)", "2-3"),
        ("`src/pay/charge.py` ab Zeile 2", "2-2"),
        ("Zeile 2 in `src/pay/charge.py`", "2-2"),
        ("`src/pay/charge.py`, lignes 2 \u00e0 3", "2-3"),
        ("la ligne 2 de src/pay/charge.py", "2-2"),
        ("`src/pay/charge.py` (l\u00ednea 2)", "2-2"),
        ("`src/pay/charge.py`, nas linhas 2 e 3", "2-3"),
        ("`src/pay/charge.py` (\u0441\u0442\u0440\u043e\u043a\u0438 2\u20133)", "2-3"),
        ("`src/pay/charge.py` 2. sat\u0131rda", "2-2"),
        ("`src/pay/charge.py`\u306e2\u884c\u76ee", "2-2"),
        ("src/pay/charge.py\u306e2\u301c3\u884c\u76ee", "2-3"),
        ("`src/pay/charge.py` \u7b2c 2 \u5230 3 \u884c", "2-3"),
        ("`src/pay/charge.py`\uff08\u7b2c2\u884c\uff09", "2-2"),
        ("`src/pay/charge.py` 2\ubc88\uc9f8 \uc904", "2-2"),
        ("\n| File | Lines | |\n|---|---|---|\n| `src/pay/charge.py` | 2-3 | a |\n\n", "2-3"),
        ("\n| File | Lines | |\n|---|---|---|\n| src/pay/charge.py | L2 | a |\n\n", "2-2"),
    ],
)
def test_lines_are_understood_in_many_words_and_languages(text: str, place: str) -> None:
    """Each of several lines is checked, and the words stay as they were written."""
    text = f"It is in {text} and more follows."
    outcomes = {shown(text, size) for size in (1, 2, 3, 5, 7, 99)}
    assert len(outcomes) == 1
    ((became, counts),) = outcomes
    assert counts == (1, 0, 0)
    page = f"(https://git.acme.com/src/pay/charge.py#{place})"
    assert page in became
    assert became.replace(f"[`src/pay/charge.py`]{page}", "src/pay/charge.py") == text.replace(
        "`src/pay/charge.py`", "src/pay/charge.py"
    )


PAY = "[`{}`](https://git.acme.com/src/pay/charge.py#2-2)"
MAKE = "[`{}`](https://git.acme.com/Makefile#2-2)"


@pytest.mark.parametrize(
    ("code", "became", "counts"),
    [
        ("(src/pay/charge.py:2)", PAY.format("(src/pay/charge.py:2)"), (1, 0, 0)),
        ("in src/pay/charge.py:2.", PAY.format("in src/pay/charge.py:2."), (1, 0, 0)),
        ('"src/pay/charge.py:2"', PAY.format('"src/pay/charge.py:2"'), (1, 0, 0)),
        ("charge (src/pay/charge.py:2)", PAY.format("charge (src/pay/charge.py:2)"), (1, 0, 0)),
        ("charge in charge.py:2", PAY.format("charge in src/pay/charge.py:2"), (0, 1, 0)),
        ("src/pay/charge.py:2 \u2014 n", PAY.format("src/pay/charge.py:2 \u2014 n"), (1, 0, 0)),
        (
            "src/pay/charge.py:2, Makefile:2",
            f"{PAY.format('src/pay/charge.py:2')}, {MAKE.format('Makefile:2')}",
            (2, 0, 0),
        ),
        (
            "(Makefile:2; src/pay/charge.py:900)",
            f"({MAKE.format('Makefile:2')}; `src/pay/charge.py:900`)",
            (1, 0, 1),
        ),
        (
            "at Till.charge (src/pay/charge.py:2:3)",
            PAY.format("at Till.charge (src/pay/charge.py:2:3)"),
            (1, 0, 0),
        ),
        (
            "src/pay/charge.py:2: class Till:",
            PAY.format("src/pay/charge.py:2: class Till:"),
            (1, 0, 0),
        ),
        ("--> src/pay/charge.py:2:3", PAY.format("--> src/pay/charge.py:2:3"), (1, 0, 0)),
        ("Makefile:2 \u2192 gone.py:3", "`Makefile:2 \u2192 gone.py:3`", (0, 0, 0)),
        ("pytest src/pay/charge.py::Till", "`pytest src/pay/charge.py::Till`", (0, 0, 0)),
        ("git blame src/pay/charge.py:2", "`git blame src/pay/charge.py:2`", (0, 0, 0)),
        ("import os  # src/pay/charge.py:1", "`import os  # src/pay/charge.py:1`", (0, 0, 0)),
    ],
)
def test_code_that_says_citations_and_a_name_is_linked(
    code: str, became: str, counts: tuple[int, int, int]
) -> None:
    """Code that says anything else is a command or an example, and stays as it is."""
    outcomes = {shown(f"See `{code}` and more.", size) for size in (1, 2, 3, 5, 7, 99)}
    assert outcomes == {(f"See {became} and more.", counts)}


@pytest.mark.parametrize(
    ("text", "place"),
    [("Makefile, line 2", "2-2"), ("the Makefile (lines 1 and 2)", "1-2"), ("Makefile L2", "2-2")],
)
def test_a_name_without_a_dot_is_a_path_before_lines(text: str, place: str) -> None:
    """The list of paths decides, not the form of the word."""
    for size in (1, 3, 99):
        became, counts = shown(f"It is in {text} and more follows.", size)
        assert counts == (1, 0, 0)
        assert f"[`Makefile`](https://git.acme.com/Makefile#{place})" in became


def test_lines_in_code_behind_a_citation_are_of_its_file() -> None:
    """A port in code behind other words is none."""
    text = "`src/pay/charge.py:2`, `:3` and `L5-L6`; `Makefile:2` listens on `:2`, `:900`."
    page = "https://git.acme.com/src/pay/charge.py"
    for size in (1, 3, 99):
        became, counts = shown(text, size)
        assert counts == (4, 0, 0)
        assert f"[`:3`]({page}#3-3) and [`L5-L6`]({page}#5-6); " in became
        assert became.endswith("listens on `:2`, `:900`.")
    became, counts = shown("`src/pay/charge.py:2`, `:900`", 3)
    assert counts == (1, 0, 1)
    assert became.endswith(", `:900`")


@pytest.mark.parametrize("size", [1, 3, 99])
def test_words_behind_a_link_to_a_file_say_its_lines(size: int) -> None:
    """Models link the file and say the lines beside it: the link leads to them."""
    page = "https://git.acme.com/src/pay/charge.py"
    text = "[`src/pay/charge.py`](src/pay/charge.py) (lines 2-3) and [it](src/pay/charge.py):2 x"
    became, counts = shown(text, size)
    assert counts == (2, 0, 0)
    assert became == f"[`src/pay/charge.py`]({page}#2-3) (lines 2-3) and [it]({page}#2-2):2 x"
    became, counts = shown("[it](src/pay/charge.py) (line 900) and", size)
    assert (became, counts) == ("it (line 900) and", (0, 0, 1))


@pytest.mark.parametrize("size", [1, 3, 99])
def test_a_heading_in_running_text_has_hyphens(size: int) -> None:
    path = "docs/caf\u00e9 men\u00fc.md"
    became, counts = shown(f"see {path}#how-it-works, and", size)
    assert counts == (1, 0, 0)
    assert f"[`{path}#how-it-works`]" in became


def test_lines_of_the_next_path_are_not_of_the_one_before() -> None:
    text = "`src/pay/charge.py` (see lines 1-2 of `Makefile`), `src/pay/charge.py` L2, 3 callers"
    for size in (1, 3, 99):
        became, counts = shown(text, size)
        assert counts == (2, 0, 0)
        assert became.startswith("`src/pay/charge.py` (see lines 1-2 of [`Makefile`](")
        assert "charge.py#2-2) L2, 3 callers" in became


def test_words_say_the_lines_of_one_path() -> None:
    """A path behind them that is not "of" them gets none."""
    text = "See `src/pay/charge.py`, line 4 in `Makefile`, or src/pay/charge.py line 4 in Makefile"
    for size in (1, 3, 99):
        became, counts = shown(text, size)
        assert counts == (2, 0, 0)
        assert "Makefile#" not in became


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("`src/pay/charge.py` lines 2 and 900", (0, 0, 1)),
        ("`src/pay/charge.py`: 3 callers", (0, 0, 0)),
        ("`src/pay/charge.py`: 3", (0, 0, 0)),
        ("`Makefile` and `src/pay/charge.py` (lines 1 and 2 respectively)", (0, 0, 0)),
        ("`src/pay/charge.py`: 50%", (0, 0, 0)),
        ("`src/pay/charge.py`: 3.5 s", (0, 0, 0)),
        ("`src/pay/charge.py` (2-3 callers)", (0, 0, 0)),
        ("`src/pay/charge.py` 5\u884c", (0, 0, 0)),
        ("`src/pay/charge.py` (lines 800-900)", (0, 0, 1)),
        ("`src/pay/charge.py`:900", (0, 0, 1)),
        ("`src/pay/charge.py`#refund", (0, 0, 1)),
        ("`src/pay/charge.py` and line 2", (0, 0, 0)),
        ("lines 2-3 of `charge`", (0, 0, 0)),
        ("line 2 of the queue", (0, 0, 0)),
    ],
)
def test_lines_that_are_not_there_have_no_link(text: str, counts: tuple[int, int, int]) -> None:
    """Nor have lines that are not said of the path."""
    for size in (1, 3, 99):
        became, counted = shown(f"It is in {text}, and more follows.", size)
        assert became == f"It is in {text}, and more follows."
        assert counted == counts
