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
        ("_src/pay/charge.py:2_", "src/pay/charge.py#2-2"),
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
    ("text", "counts"),
    [
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
