"""The look for words excludes only what a text does not hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.context.secrets.word_search import HeldWords, word_of

_SOUGHT = ("pass", "word", "asic", "az")
_PIECES = st.lists(
    st.sampled_from(["Pass", "PASSWORD", "basic", "a", "z", "az", "x1", "-", " ", "é", "swo"]),
    max_size=12,
)


@given(st.lists(_PIECES, min_size=1, max_size=4))
def test_the_words_are_those_that_a_search_would_find(texts: list[list[str]]) -> None:
    """One object sees many texts, and remembers words of those before."""
    held = HeldWords(_SOUGHT)
    for pieces in texts:
        text = "".join(pieces)
        assert held.within(text.encode()) == {word for word in _SOUGHT if word in text.lower()}


def test_the_words_that_are_remembered_are_bounded() -> None:
    """Random letters are a new word each time."""
    held = HeldWords(["secret"])
    for number in range(40):
        held.within(b"x" * (50_000 + number))
        assert sum(map(len, held._without)) <= 1_000_000
    assert held.within(b"a_secretName") == {"secret"}


def test_the_word_of_an_anchor_is_its_longest_run_of_letters() -> None:
    assert word_of("Buffer.from(") == "buffer"
    assert word_of("@tcp(") == "tcp"
