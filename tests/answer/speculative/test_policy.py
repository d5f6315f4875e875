"""When a draft is worth an answer that is not shown yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer.speculative.policy import (
    LONGEST_PAUSE,
    MOST_STARTS,
    SHORTEST_PAUSE,
    Draft,
    Odds,
    is_worth,
    reads_as_question,
    same,
)


@pytest.mark.parametrize(
    ("draft", "submitted", "equal"),
    [
        ("How does it work", "How  does it work?\n", True),
        ("what is (a thing), really", "what is a thing really", True),
        ("\u201cquoted\u201d words", "quoted words", True),
        ("why f()", "why f", False),
        ("is a != b here", "is a = b here", False),
        ("what does --force do", "what does force do", False),
        ("what is x.y", "what is xy", False),
        ("How does it work", "how does it work", False),
        ("", " ?", True),
    ],
)
def test_only_space_and_the_marks_of_sentences_are_set_aside(
    draft: str, submitted: str, equal: bool
) -> None:
    """In code a mark is a meaning: the answer to another question would be shown."""
    assert same(draft, submitted) is equal


@given(st.text().map(lambda text: text + "x"), st.sampled_from(["", " ", "?", "!", " .", "\n"]))
def test_a_text_asks_the_same_as_itself_with_a_mark_at_its_end(text: str, end: str) -> None:
    """People add the question mark last."""
    assert same(text, text + end)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("How does the parser work", True),
        ("explain the retry logic.", True),
        ("How does", False),
        ("How does it work when the", False),
        ("where do we handle refunds,", False),
        ("what calls parse(", False),
        ("refunds?", False),
        ("", False),
    ],
)
def test_a_draft_that_breaks_off_is_not_answered(text: str, whole: bool) -> None:
    """Its answer would be dropped, and paid for."""
    assert reads_as_question(text) is whole


def typed(draft: Draft, text: str, until: float, per_key: float) -> None:
    start = until - per_key * (len(text) - 1)
    for at in range(len(text)):
        draft.typed(text[: at + 1], f"{at:04d}", start + at * per_key)


def test_an_answer_is_begun_within_the_pause_after_the_last_key() -> None:
    """A late start saves nothing; a start on every key wastes everything."""
    draft = Draft()
    typed(draft, "how does the parser work", 10.0, 0.15)
    assert draft.step(10.0) == "wait"
    assert draft.due <= 10.25
    assert draft.step(draft.due) == "begin"


def test_a_slow_typist_is_given_longer() -> None:
    """A hunt-and-peck typist pauses between all words."""
    slow, fast = Draft(), Draft()
    typed(slow, "how does the parser work", 10.0, 0.6)
    typed(fast, "how does the parser work", 10.0, 0.05)
    assert slow.due == pytest.approx(10 + LONGEST_PAUSE)
    assert fast.due == pytest.approx(10 + SHORTEST_PAUSE)


def test_what_is_begun_on_is_not_begun_on_again_and_starts_are_bounded() -> None:
    """A question that is rewritten ten times must not cost ten answers."""
    draft = Draft()
    for n in range(MOST_STARTS):
        assert draft.typed(f"how does part {n} work?", f"{n}", n * 10.0)
        assert draft.step(n * 10.0 + 1) == "begin"
        draft.begin()
        assert draft.step(n * 10.0 + 1) == "nothing"
        assert not draft.typed(f"how does part {n} work", f"{n}a", n * 10.0 + 2)
    assert draft.typed("how does another part work?", "9", 100.0)
    assert draft.step(200.0) == "nothing"


def test_a_key_event_that_was_overtaken_changes_nothing() -> None:
    """Slack promises no order; the newest text is the one with the newest `action_ts`."""
    draft = Draft()
    draft.typed("how does the parser work", "1790.2", 1.0)
    assert not draft.typed("how does the par", "1790.1", 1.1)
    assert draft.text == "how does the parser work"


def test_a_draft_pays_where_waiting_is_dear_and_drafts_are_kept() -> None:
    """150k tokens read at Sonnet 5.5's price and 600 written cost about two cents."""
    usd = 0.021
    assert is_worth(Odds(), 2.0, 100.0, usd)
    assert not is_worth(Odds(dropped=20), 2.0, 100.0, usd)
    assert is_worth(Odds(kept=20), 2.0, 10.0, usd)
    assert not is_worth(Odds(), 2.0, 0.0, usd)


@given(st.lists(st.booleans(), max_size=200))
def test_the_odds_are_a_chance_and_follow_what_happened(outcomes: list[bool]) -> None:
    """A context whose people never keep a draft must stop paying for them."""
    odds = Odds()
    for kept in outcomes:
        odds = odds.after(kept)
        assert 0 < odds.keeping < 1
    for _ in range(60):
        odds = odds.after(False)
    assert odds.keeping < 0.2
