"""The perceived wait and its parts: nothing counted twice, nothing lost."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer.latency import Moments, slack_wait, split

MOMENT = st.none() | st.floats(0, 100)


@given(MOMENT, st.floats(0, 50), MOMENT, MOMENT, MOMENT, MOMENT, st.floats(50, 100))
def test_the_parts_add_up_to_the_whole_in_any_order_of_events(
    asked: float | None,
    received: float,
    prepared: float | None,
    requested: float | None,
    started: float | None,
    text: float | None,
    painted: float,
) -> None:
    """A draft's answer began before its question came; a stored one began never."""
    wait = split(
        Moments(
            asked_at=asked,
            received_at=received,
            prepared_at=prepared,
            requested_at=requested,
            started_at=started,
            first_text_at=text,
            painted_at=painted,
        )
    )
    assert wait.total == pytest.approx(painted - (received if asked is None else asked))
    parts = [getattr(wait, f.name) for f in fields(wait) if f.name != "delivery"]
    assert all(part >= 0 for part in parts)


def test_each_part_is_where_its_time_was_spent() -> None:
    """The split tells what to improve; a part under the wrong name misleads."""
    wait = split(
        Moments(
            asked_at=1.0,
            received_at=1.5,
            prepared_at=1.75,
            requested_at=3.0,
            started_at=5.0,
            first_text_at=5.5,
            painted_at=5.625,
        )
    )
    assert (wait.delivery, wait.queue, wait.join) == (0.5, 0.25, 1.25)
    assert (wait.prefill, wait.thinking, wait.paint) == (2.0, 0.5, 0.125)


def test_slack_s_own_clock_is_read_to_the_microsecond() -> None:
    """Time stamps are strings; as floats they lose their last digits."""
    assert slack_wait("1790000000.000100", "1790000001.000101") == pytest.approx(1.000001, abs=1e-9)
    assert slack_wait("V0MODAL", "1790000001.000101") is None
