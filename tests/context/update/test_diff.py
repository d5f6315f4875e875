"""Line differences: they lead from one text to the other, and tell little more than needed."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.context.update.diff import Hunk, diff_lines

lines = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"x = 1"]), max_size=40)


def applied(old: list[bytes], new: list[bytes], hunks: list[Hunk]) -> list[bytes]:
    made: list[bytes] = []
    at = 0
    for hunk in hunks:
        made += old[at : hunk.old_start]
        assert len(made) == hunk.new_start
        made += new[hunk.new_start : hunk.new_end]
        at = hunk.old_end
    return made + old[at:]


@settings(max_examples=400, deadline=None)
@given(old=lines, new=lines)
def test_hunks_lead_from_the_old_text_to_the_new(old: list[bytes], new: list[bytes]) -> None:
    """An update that does not lead to the head would make every later line a lie."""
    hunks = diff_lines(old, new)
    assert applied(old, new, hunks) == new
    assert all(h.old_end > h.old_start or h.new_end > h.new_start for h in hunks)
    assert all(
        a.new_end < b.new_start or a.old_end < b.old_start for a, b in itertools.pairwise(hunks)
    )


@given(text=lines)
def test_nothing_differs_from_itself(text: list[bytes]) -> None:
    """A push that changes nothing must write nothing."""
    assert diff_lines(text, text) == []


def test_one_changed_line_is_one_hunk() -> None:
    """The usual edit must cost the usual few bytes, also among lines that repeat."""
    old = [b"x%d" % (n % 7) for n in range(500)]
    new = [*old[:250], b"changed", *old[251:]]
    assert diff_lines(old, new) == [Hunk(250, 251, 250, 251)]


def test_moved_functions_keep_their_bodies() -> None:
    """Unique lines anchor the rest: a move costs the smaller part, not the whole file."""
    first = [b"def first():", *(b"    one %d" % n for n in range(30))]
    second = [b"def second():", *(b"    two %d" % n for n in range(10))]
    hunks = diff_lines([*first, *second], [*second, *first])
    assert sum(h.new_end - h.new_start for h in hunks) == len(second)


def test_large_unlike_texts_are_done_in_bounded_work() -> None:
    """A rewritten lock-like file of many equal lines must not hold the interpreter."""
    source = random.Random(1)
    old = [b"%d" % source.randrange(3) for _ in range(20_000)]
    new = [b"%d" % source.randrange(3) for _ in range(20_000)]
    assert applied(old, new, diff_lines(old, new)) == new
