"""Excerpts are chunks: together they must be the file, and no short definition may be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.context.render.definitions import Definition
from bot.retrieval.chunks import MOST_LINES, cut_chunks, find_definitions

_LINES = st.lists(st.sampled_from([b"", b"a = 1", b"    b = 2", b"# c", b"def f():", b"}"]))
_DEFINITIONS = st.lists(
    st.tuples(st.integers(1, 120), st.integers(0, 90)).map(
        lambda at: Definition("f", "function", at[0], at[0], at[0] + at[1])
    )
)


@given(_LINES, _DEFINITIONS)
def test_chunks_hold_every_line_once_for_any_definitions(
    lines: list[bytes], found: list[Definition]
) -> None:
    chunks = cut_chunks(lines, found)
    held = [number for chunk in chunks for number in range(chunk.first, chunk.last + 1)]
    assert held == sorted(set(held))
    text = {number for number, line in enumerate(lines, 1) if line.strip()}
    assert text <= set(held) <= set(range(1, len(lines) + 1))
    assert all({chunk.first, chunk.last} <= text for chunk in chunks)
    assert all(chunk.length <= MOST_LINES for chunk in chunks)


SOURCES = {
    "a.py": "@cached\ndef f{n}(a):\n{body}    return a\n\n\n",
    "a.go": "// F{n} does it.\nfunc F{n}(a int) int {{\n{body}    return a\n}}\n\n",
    "a.rs": "#[inline]\nfn f{n}(a: u8) -> u8 {{\n{body}    a\n}}\n\n",
    "a.c": "/* It. */\nint f{n}(int a)\n{{\n{body}    return a;\n}}\n\n",
    "a.ts": "// It.\nexport function f{n}(a: number) {{\n{body}    return a;\n}}\n\n",
    "A.java": "@Test\nint f{n}(int a) {{\n{body}    return a;\n}}\n\n",
}


@pytest.mark.parametrize("path", SOURCES)
@pytest.mark.parametrize("length", [1, 7, 20, 38])
def test_no_chunk_begins_or_ends_within_a_short_definition(path: str, length: int) -> None:
    """An excerpt that stops inside a function shows the model half a thought."""
    body = "".join(f"    a = a + {n};\n" for n in range(length))
    text = "".join(SOURCES[path].format(n=n, body=body) for n in range(12))
    if path == "A.java":
        text = f"class A {{\n{text}}}\n"
    lines = text.encode().split(b"\n")
    found = find_definitions(path, text.encode())
    short = [one for one in found if one.last - one.first < MOST_LINES]
    assert len(short) == 12
    for chunk in cut_chunks(lines, found):
        for one in short:
            outside = chunk.last < one.first or one.last < chunk.first
            within = chunk.first <= one.first and one.last <= chunk.last
            assert outside or within


def test_a_definition_keeps_its_comment_and_decorator() -> None:
    blank = "\n" * 30
    text = f"import a\n{blank}# Why.\n@once\ndef f():\n    return 1\n".encode()
    chunks = cut_chunks(text.split(b"\n"), find_definitions("a.py", text))
    assert any(chunk.first == 32 and chunk.last == 35 for chunk in chunks)


def test_a_section_of_markdown_ends_before_the_next_of_its_depth() -> None:
    text = b"# A\n\n## B\n\nb\n\n## C\n\nc\n\n# D\n"
    found = [(one.first, one.last, one.qualified) for one in find_definitions("a.md", text)]
    assert found == [(1, 10, "A"), (3, 6, "A.B"), (7, 10, "A.C"), (11, 11, "D")]
