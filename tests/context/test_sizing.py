"""The size is a promise of two seconds, for any repository, model and budget of money."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.context.sizing import FREE, Rates, Speed, choose_size

SONNET = Rates(0.2e-6, 4e-6, 2e-6)


@given(st.integers(0, 50_000_000), st.floats(0.9, 10.0))
def test_no_size_is_predicted_to_be_slower_than_asked(whole: int, max_wait: float) -> None:
    size = choose_size(whole, Speed(), SONNET, max_wait=max_wait)
    assert size.wait <= max_wait + 1e-6
    assert size.budget_tokens >= 0
    assert size.excerpt_tokens >= 0


@pytest.mark.parametrize("whole", [100, 20_000, 120_000, 157_000])
def test_a_repository_that_fits_is_taken_whole_with_room_for_pushes(whole: int) -> None:
    size = choose_size(whole, Speed())
    assert size.budget_tokens >= whole * 1.2
    assert size.excerpt_tokens == 0
    assert size.wait == Speed().wait(whole, 0)


@pytest.mark.parametrize("whole", [300_000, 2_000_000, 10_000_000])
def test_a_larger_repository_gets_a_prefix_and_excerpts(whole: int) -> None:
    size = choose_size(whole, Speed(), SONNET)
    assert size.excerpt_tokens > 0
    assert 10_000 <= size.budget_tokens < whole


def test_the_choice_costs_less_than_a_prefix_of_four_hundred_thousand() -> None:
    size = choose_size(2_000_000, Speed(), SONNET)
    assert size.warm <= 0.6 * SONNET.warm(400_000, 0)
    assert size.cold <= 0.25 * SONNET.cold(400_000)


def test_money_bounds_the_prefix() -> None:
    size = choose_size(100_000, Speed(), SONNET, most_cold=0.10)
    assert size.budget_tokens <= 25_000
    assert size.excerpt_tokens > 0


def test_the_window_bounds_the_prefix() -> None:
    assert choose_size(10_000_000, Speed(), window=32_000).budget_tokens <= 32_000


def test_a_model_with_slow_prefill_gets_no_excerpts() -> None:
    slow = Speed(base=0.2, uncached=1 / 400, cached=1e-6)
    assert slow.is_slow
    size = choose_size(2_000_000, slow, FREE)
    assert size.excerpt_tokens == 0
    assert "too slow" in size.reason


def test_more_wait_buys_more() -> None:
    short = choose_size(5_000_000, Speed(), max_wait=1.0)
    long = choose_size(5_000_000, Speed(), max_wait=4.0)
    assert long.budget_tokens >= short.budget_tokens
    assert long.excerpt_tokens >= short.excerpt_tokens
