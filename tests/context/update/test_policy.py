"""The planner: a push is carried in the cheapest way, and never past the budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.context.update.policy import MOST_GROWTH, Decision, Part, decide


def never() -> int:
    raise AssertionError("folding was weighed where it cannot pay")


def _push(part: Part, append: int, fresh: int) -> Decision:
    return decide(
        [replace(part, append=append, fresh=fresh)], room=None, cold=False, folded=lambda: 10**9
    )


def test_a_push_that_changes_nothing_keeps_everything() -> None:
    """The cache must live through pushes that do not concern it."""
    decision = decide([Part(1_000, 0, 0, 1_000)], room=None, cold=False, folded=never)
    assert decision.act == "keep"


def test_a_small_push_is_appended() -> None:
    """One changed line writes one small block."""
    decision = _push(Part(1_000, 0, 0, 1_000), 10, 1_000)
    assert decision.act == "append"
    assert decision.parts[0].overlays == 10


def test_a_cold_cache_makes_rebuilding_free() -> None:
    """Text that is written anew anyway may as well be written without its history."""
    decision = decide([Part(1_000, 50, 0, 1_000)], room=None, cold=True, folded=never)
    assert decision.act == "rebuild"
    fresh = decide([Part(1_000, 0, 0, 1_000)], room=None, cold=True, folded=never)
    assert fresh.act == "keep"


def test_growth_is_bounded() -> None:
    """A prefix a fifth larger than a fresh one is read at every question: enough."""
    decision = _push(Part(1_000, 150, 0, 1_000), 60, 1_000)
    assert decision.act == "rebuild"
    assert "larger than a fresh one" in decision.reason


def test_added_files_are_no_excess() -> None:
    """A fresh pack would hold them too: a rebuild would save nothing."""
    decision = _push(Part(1_000, 0, 0, 1_000), 500, 1_500)
    assert decision.act == "append"
    assert decision.parts[0].carried == 0


def test_carried_excess_is_paid_off_in_the_end() -> None:
    """Even a slow trickle is folded into a base once carrying it has cost a base."""
    part = Part(10_000, 0, 0, 10_000)
    acts: list[str] = []
    for _ in range(400):
        decision = _push(part, 5, 10_000)
        acts.append(decision.act)
        part = decision.parts[0]
    assert "rebuild" in acts
    assert acts.index("rebuild") > 50


@settings(max_examples=200, deadline=None)
@given(
    appends=st.lists(st.integers(0, 400), min_size=1, max_size=120),
    base=st.integers(500, 50_000),
)
def test_no_prefix_outgrows_the_bound_and_rent_is_never_owed(appends: list[int], base: int) -> None:
    """The two promises of the rule for any pushes: bounded growth, and rent paid in time."""
    part = Part(base, 0, 0, base)
    for append in appends:
        decision = _push(part, append, base)
        part = decision.parts[0]
        assert part.base + part.overlays - base <= MOST_GROWTH * base
        assert part.carried <= base


def test_many_updates_of_the_same_lines_are_folded() -> None:
    """Ten rewrites of one function say, in order, what one update says at once."""
    part = Part(100_000, 0, 0, 100_000)
    acts: list[str] = []
    for _ in range(40):
        decision = decide(
            [replace(part, append=300, fresh=100_000)],
            room=None,
            cold=False,
            folded=lambda: 300,
        )
        acts.append(decision.act)
        part = decision.parts[0]
    assert "fold" in acts
    assert acts.index("fold") < 15


def test_the_budget_is_never_passed() -> None:
    """A request over the budget costs money that was not granted, or is refused."""
    part = Part(900, 60, 50, 900)
    folded = decide([part], room=1_000, cold=False, folded=lambda: 40)
    assert folded.act == "fold"
    assert sum(p.base + p.overlays for p in folded.parts) <= 1_000
    rebuilt = decide([part], room=1_000, cold=False, folded=lambda: 105)
    assert rebuilt.act == "rebuild"


@pytest.mark.parametrize("excess_in", [0, 1, 2])
def test_a_rebuild_begins_where_it_pays_most(excess_in: int) -> None:
    """Bases follow each other in the prefix: what stands before a renewed one stays cached."""
    parts = [Part(1_000, 400 if index == excess_in else 0, 1, 1_000) for index in range(3)]
    parts[excess_in] = replace(parts[excess_in], append=400)
    decision = decide(parts, room=None, cold=False, folded=lambda: 10**9)
    assert decision.act == "rebuild"
    assert decision.start == excess_in


def test_every_decision_says_why() -> None:
    """An operator who sees a rebuild must be able to learn its reason."""
    for part in (Part(10, 0, 0, 10), Part(10, 0, 1, 10), Part(10, 9, 9, 10)):
        assert decide([part], room=None, cold=False, folded=lambda: 10**9).reason
