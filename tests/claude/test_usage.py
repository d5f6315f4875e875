"""A reply's usage decides which prefixes count as warm and the cost."""

from __future__ import annotations

import pytest

from bot.claude.usage import Usage, merged, reports_writes, usage_of


def test_the_breakdown_by_life_is_read_where_it_stands() -> None:
    """A write for an hour costs 1.6 times one for five minutes."""
    raw = {
        "input_tokens": 8,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
        "output_tokens": 3,
    }
    assert usage_of(raw) == Usage(8, 100, 20, 30, 3)
    assert usage_of(raw).total_input == 158


def test_writes_without_a_breakdown_have_the_life_that_was_asked_for() -> None:
    """Gateways drop the nested object; the money must still be right."""
    raw = {"input_tokens": 1, "cache_creation_input_tokens": 50, "output_tokens": 0}
    assert usage_of(raw, "1h") == Usage(input=1, write_1h=50)
    assert usage_of(raw, "5m") == Usage(input=1, write_5m=50)


def test_absent_null_and_senseless_counts_are_zero() -> None:
    """llama.cpp's server leaves fields out; others send null."""
    assert usage_of({"input_tokens": None, "output_tokens": "3", "cache_creation": []}) == Usage()


@pytest.mark.parametrize("odd", [-5, -1e9, float("nan"), float("inf"), 10**30, 1e300, [], {}, "9"])
def test_a_count_that_no_model_takes_is_absent(odd: object) -> None:
    """A negative one would give the day money back; one of thirty digits no ledger can hold."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens")
    raw = dict.fromkeys((*names, "cache_creation_input_tokens"), odd)
    lives = dict.fromkeys(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"), odd)
    assert usage_of({**raw, "cache_creation": lives}) == Usage()


def test_a_server_that_never_mentions_writing_is_told_from_one_that_wrote_nothing() -> None:
    """For the one the whole prompt is cached after it is processed, for the other none of it."""
    assert not reports_writes({"input_tokens": 9})
    assert not reports_writes({"cache_creation_input_tokens": None})
    assert reports_writes({"cache_creation_input_tokens": 0})


def test_a_delta_overwrites_and_never_adds() -> None:
    """`message_delta` is cumulative: adding would count every question twice."""
    start = {
        "input_tokens": 8,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_1h_input_tokens": 30},
        "output_tokens": 1,
    }
    delta = {"output_tokens": 40, "cache_read_input_tokens": None, "input_tokens": 8}
    assert usage_of(merged(start, delta)) == Usage(8, 100, 0, 30, 40)
