"""Cuts within a line: between visible characters, and outside of code where that is possible."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.delivery.markdown.outline import Outline
from bot.delivery.markdown.split import cut_within

COMMON = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WHOLE = [
    "\U0001f1e9\U0001f1ea",  # a flag
    "\U0001f44d\U0001f3fd",  # a hand with a skin tone
    "1\ufe0f\u20e3",  # a keycap
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
    "\u1112\u1161\u11ab",  # a syllable of Hangul in jamo
    "\u0e19\u0e49\u0e33",  # Thai: a tone mark and sara am
    "\u0915\u094d\u0937\u093f",  # Devanagari: a conjunct with a vowel sign
    "e\u0301\u0302",
    "\u0b95\u0bbf",  # Tamil: a vowel sign
    "&amp;",
]


@pytest.mark.parametrize("sign", WHOLE)
@pytest.mark.parametrize("shift", range(8))
def test_no_visible_character_is_cut_in_two(sign: str, shift: int) -> None:
    """Half a flag is a letter in a box, half a syllable another one."""
    text = "x" * shift + sign * 200
    outline = Outline()
    cut = cut_within(outline, text, 300)
    assert cut is not None
    assert (cut.length - shift) % len(sign) == 0


@pytest.mark.parametrize(
    ("line", "closing", "reopening"),
    [
        ("`" + "a" * 1_500 + "`", "`", "`"),
        ("see ``" + "b` " * 600 + "`` end", "``", "``"),
        ("- `" + "c" * 1_500 + "`", "`", "- …\x20`"),
        ("> `" + "d" * 1_500 + "`", "`", "> `"),
    ],
)
def test_a_long_code_span_is_closed_and_opened_again(
    line: str, closing: str, reopening: str
) -> None:
    """Otherwise the rest of the span would be prose in the next message, with live links."""
    cut = cut_within(Outline(), line, 700)
    assert cut is not None
    assert cut.outline.closing().strip() == closing
    assert cut.outline.reopening(line[cut.length :]).rstrip() == reopening


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="ab` \\", max_size=80).map(lambda text: text.replace("\n", "")),
    st.integers(20, 60),
)
def test_a_cut_touches_no_tick(text: str, room: int) -> None:
    """A mark that closes or opens a span must not join ticks of the text."""
    cut = cut_within(Outline(), text, room)
    if cut is None or not cut.outline.closing():
        return
    left = text[: cut.length] + cut.outline.closing()
    right = cut.outline.reopening(text[cut.length :]) + text[cut.length :]
    assert not left.endswith("`" * (len(cut.outline.closing().strip()) + 1))
    assert right.lstrip(" ").startswith(cut.outline.closing().strip())


@pytest.mark.parametrize("rest", ["* ** bold", "- dash", "1. one", "# not a heading", "> 3", "```"])
def test_the_rest_of_a_line_begins_no_block_in_the_next_message(rest: str) -> None:
    """A stream that is closed between two signs of a line continues with the second one."""
    outline = Outline()
    outline.read("some words *")
    assert outline.reopening(rest) == "…"
    assert outline.reopening("words") == ""


FENCE = "- ```js {1,2}\n  [x](https://evil.example)\n  ```"
INDENTED = (
    "- an item\n\n      a = 1\n      - [x](https://evil.example)\n      [y](https://evil.example)"
)


@pytest.mark.parametrize(
    "text",
    [
        FENCE,
        "> > ~~~ts title\n> > [x](https://evil.example)\n> > ~~~",
        "- > ```py\n  > [x](https://evil.example)\n  > ```",
        "2. a\n   1. ```\n      [x](https://evil.example)\n      ```",
        INDENTED,
        "> words\n>\n>     a = 1\n>     [x](https://evil.example)",
        "1. a\n\n   > words\n   >\n   >     [x](https://evil.example)\n   >     b",
        "- a\n  - b\n3. c\n\n       [x](https://evil.example)",
        "words\n\n    # [x](https://evil.example)\n    > [y](https://evil.example)",
    ],
)
def test_code_stays_code_behind_any_cut(text: str) -> None:
    """Behind a cut within its marks or its indentation, code became prose with live links."""
    for cut in range(1, len(text)):
        outline = Outline()
        outline.read(text[:cut])
        message = outline.reopening(text[cut:]) + text[cut:]
        assert "href" not in COMMON.render(text[:cut] + outline.closing()), cut
        assert "href" not in COMMON.render(message), (cut, message)


@pytest.mark.parametrize(
    ("left", "rest", "again"),
    [
        ("> > ", "~~~py", "> > "),
        (">> ~~~ts ", "title", ">> ~~~ts "),
        ("~~", "~py", "~~"),
        ("- ", "# heading", "- "),
        ("3", ". item", "3"),
        ("- a\n\n      co", "de", "- …\n\n      "),
        ("| a | b |\n| :-- | ", "--: |", "| a | b |\n| :-- | "),
        ("> | a | b |\n", "> |---|---|", "> | a | b |\n"),
        ("words\n19", "86. was", "…"),
        ("see ", "[r]: `https://evil.example`", "…"),
        ("see ", "[r](https://github.com/acme/app)", ""),
    ],
)
def test_marks_that_have_left_stand_again(left: str, rest: str, again: str) -> None:
    """The rest of a line alone would be another block, or none."""
    outline = Outline()
    outline.read(left)
    assert outline.reopening(rest) == again


def test_no_run_of_ticks_is_cut_at_its_first_tick() -> None:
    """Three ticks that became one and two ended the span early."""
    assert cut_within(Outline(), "``` `` ``` end", 8) is None
