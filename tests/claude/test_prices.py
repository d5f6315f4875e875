"""Money is computed once, here: every cap and receipt believes these figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.claude.prices import FREE, Price, cost, is_priced, price_of, priced_models
from bot.claude.usage import Usage

# USD per million tokens: input, write for 5 minutes, write for 1 hour, read, output.
LIST = {
    "claude-fable-5-2": (8, 10, 16, 0.20, 40),
    "claude-fable-5-1": (10, 12.5, 20, 0.25, 50),
    "claude-mythos-5-1": (10, 12.5, 20, 0.25, 50),
    "claude-fable-5": (10, 12.5, 20, 1.0, 50),
    "claude-mythos-5": (10, 12.5, 20, 1.0, 50),
    "claude-opus-5-5": (4, 5, 8, 0.20, 20),
    "claude-opus-5": (5, 6.25, 10, 0.5, 25),
    "claude-opus-4-8": (5, 6.25, 10, 0.5, 25),
    "claude-opus-4-7": (5, 6.25, 10, 0.5, 25),
    "claude-opus-4-6": (5, 6.25, 10, 0.5, 25),
    "claude-opus-4-5": (5, 6.25, 10, 0.5, 25),
    "claude-sonnet-5-5": (2, 2.5, 4, 0.10, 10),
    "claude-sonnet-5": (2, 2.5, 4, 0.20, 10),
    "claude-sonnet-4-6": (3, 3.75, 6, 0.30, 15),
    "claude-sonnet-4-5": (3, 3.75, 6, 0.30, 15),
    "claude-haiku-5-5": (0.10, 0.125, 0.20, 0.01, 0.50),
    "claude-haiku-4-5": (1, 1.25, 2, 0.10, 5),
}


@pytest.mark.parametrize("model", sorted(LIST))
def test_every_listed_model_has_its_list_price(model: str) -> None:
    """A slip in the data file would be believed by every cap and shown in every receipt."""
    assert price_of(model) == Price(*(float(usd) for usd in LIST[model]))
    assert is_priced(model)


def test_the_price_file_holds_no_other_model() -> None:
    """A model added to the file must be added here with the source of its price in mind."""
    assert set(priced_models()) == set(LIST)


@pytest.mark.parametrize("model", sorted(LIST))
def test_writes_cost_what_the_list_says_of_all_models(model: str) -> None:
    """1.25 and 2 times input hold for all models: a typing error in one row breaks the rule."""
    price = price_of(model)
    assert price.write_5m == pytest.approx(1.25 * price.input)
    assert price.write_1h == pytest.approx(2 * price.input)


def test_haiku_pays_the_higher_tier_for_every_token_of_a_long_prompt() -> None:
    """Above 100,000 tokens, cached ones included, even a read costs five times as much."""
    assert price_of("claude-haiku-5-5", 100_000).read == 0.01
    assert price_of("claude-haiku-5-5", 100_001) == Price(0.5, 0.625, 1.0, 0.05, 2.5)
    short = cost("claude-haiku-5-5", Usage(cache_read=99_000, input=1_000))
    long = cost("claude-haiku-5-5", Usage(cache_read=99_000, input=1_001))
    assert short == pytest.approx((99_000 * 0.01 + 1_000 * 0.10) / 1e6)
    assert long == pytest.approx((99_000 * 0.05 + 1_001 * 0.50) / 1e6)


def test_output_does_not_raise_the_tier() -> None:
    """The tier is the prompt's: a long answer to a short prompt stays cheap."""
    assert cost("claude-haiku-5-5", Usage(input=10, output=200_000)) == pytest.approx(
        (10 * 0.10 + 200_000 * 0.50) / 1e6
    )


def test_a_dated_id_costs_what_its_model_costs() -> None:
    """Teams pin dated ids; their caps must not fall back to the dearest price."""
    assert price_of("claude-haiku-4-5-20251001") == price_of("claude-haiku-4-5")
    assert is_priced("claude-haiku-4-5-20251001")


def test_a_local_model_costs_nothing() -> None:
    """It runs on the team's own machine: a receipt with dollars on it would be a lie."""
    assert price_of("smollm2-135m-instruct", 8_000) is FREE
    assert cost("smollm2-135m-instruct", Usage(input=8_000, output=100)) == 0


def test_an_unknown_claude_model_is_taken_for_the_dearest_of_its_family() -> None:
    """A cap must stop too early rather than too late when a new model is out."""
    assert not is_priced("claude-opus-9")
    assert price_of("claude-opus-9").input == 5
    assert price_of("claude-nova-1").input == max(row[0] for row in LIST.values())


@given(
    st.sampled_from(sorted(LIST)),
    st.tuples(*(st.integers(0, 2_000_000) for _ in range(5))),
)
def test_cost_is_the_sum_of_its_parts_at_one_tier(
    model: str, counts: tuple[int, int, int, int, int]
) -> None:
    """Nothing is counted twice or left out, for any reads and writes of one request."""
    plain, read, five, hour, out = counts
    usage = Usage(input=plain, cache_read=read, write_5m=five, write_1h=hour, output=out)
    price = price_of(model, plain + read + five + hour)
    total = (
        plain * price.input
        + read * price.read
        + five * price.write_5m
        + hour * price.write_1h
        + out * price.output
    )
    assert cost(model, usage) == pytest.approx(total / 1e6)
