"""The table of models: prices and sizes as published."""

from __future__ import annotations

import typing
from typing import Any, get_args

import pytest
from anthropic.types import ModelParam
from forewarm_playground.claude import INSTANT, Config, Core, Usage
from forewarm_playground.claude.cache.usage import cost
from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.http.models_endpoint import page
from forewarm_playground.claude.models import builtin, models_from, table
from forewarm_playground.claude.request_factory import body, sized

# USD per million tokens: input, 5-minute write, 1-hour write, read, output.
LIST = {
    "claude-fable-5-2": (8, 10, 16, 0.20, 40),
    "claude-fable-5-1": (10, 12.50, 20, 0.25, 50),
    "claude-mythos-5-1": (10, 12.50, 20, 0.25, 50),
    "claude-fable-5": (10, 12.50, 20, 1.00, 50),
    "claude-opus-5-5": (4, 5, 8, 0.20, 20),
    "claude-opus-5": (5, 6.25, 10, 0.50, 25),
    "claude-opus-4-5": (5, 6.25, 10, 0.50, 25),
    "claude-sonnet-5-5": (2, 2.50, 4, 0.10, 10),
    "claude-sonnet-5": (2, 2.50, 4, 0.20, 10),
    "claude-sonnet-4-6": (3, 3.75, 6, 0.30, 15),
    "claude-haiku-4-5": (1, 1.25, 2, 0.10, 5),
}
MINIMUMS = {
    "claude-opus-5-5": 512,
    "claude-sonnet-5-5": 512,
    "claude-haiku-5-5": 512,
    "claude-fable-5-2": 512,
    "claude-sonnet-5": 1_024,
    "claude-sonnet-4-6": 1_024,
    "claude-opus-4-7": 2_048,
    "claude-opus-4-6": 4_096,
    "claude-haiku-4-5": 4_096,
}


def find(name: str) -> Any:
    model = builtin().find(name)
    assert model is not None
    return model


@pytest.mark.parametrize("name", LIST)
def test_the_list_prices(name: str) -> None:
    """A million tokens of each kind cost what the list says."""
    million = 1_000_000
    kinds = [
        Usage(input=million),
        Usage(input=0, write_5m=million),
        Usage(input=0, write_1h=million),
        Usage(input=0, read=million),
        Usage(input=0, output=million),
    ]
    costs = [cost(usage, find(name)) for usage in kinds]
    assert costs == pytest.approx(LIST[name])


@pytest.mark.parametrize("name", MINIMUMS)
def test_the_minimums(name: str) -> None:
    """Below them nothing is cached, silently."""
    assert find(name).min_cacheable == MINIMUMS[name]


@pytest.mark.parametrize(("tokens", "factor"), [(100_000, 1), (100_001, 5)])
def test_haikus_price_cliff_counts_cached_tokens_too(tokens: int, factor: int) -> None:
    """One token more makes every category five times as dear, reads included."""
    haiku = find("claude-haiku-5-5")
    read = Usage(input=0, read=tokens, output=1_000)
    expected = (tokens * 0.01 + 1_000 * 0.50) / 1e6 * factor
    assert cost(read, haiku) == pytest.approx(expected)


def test_inference_in_one_country_costs_a_tenth_more() -> None:
    """In every category."""
    core = Core(Config(latency=INSTANT))
    plain = core.create(body(), 0.0).record.usd
    assert core.create(body(inference_geo="us"), 1.0).record.usd == pytest.approx(plain * 1.1)


def test_every_model_that_the_sdk_names_is_known() -> None:
    """A configured model is refused or accepted by both."""
    literal = next(one for one in get_args(ModelParam) if typing.get_origin(one) is typing.Literal)
    for name in get_args(literal):
        assert builtin().find(name) is not None, name


def test_texts_are_measured_at_the_models_density(core: Core) -> None:
    """The same text has about 30 % more tokens on today's models."""
    totals = [
        core.create(body(system=[sized(10_000)], model=name), 0.0).usage.total
        for name in ("claude-sonnet-5-5", "claude-haiku-4-5")
    ]
    assert totals[0] == 10_006
    assert 1.28 < totals[0] / totals[1] < 1.34


def test_a_table_with_a_mistake_is_refused_by_name() -> None:
    """A misspelt key would otherwise leave a default in place unnoticed."""
    for row, what in (
        ({"prize": 1}, "prize"),
        ({"line": "x"}, "display_name|price"),
        ({"price": {"input": 1}}, "price|missing"),
    ):
        with pytest.raises(ConfigurationError, match=what):
            models_from({"defaults": table()["defaults"], "models": {"m": row}})


def test_pages_of_models_join_without_gap_or_overlap() -> None:
    """Forwards and backwards."""
    models = list(builtin())
    ids = [model.id for model in models]
    seen: list[str] = []
    after = None
    while True:
        shown = page(models, after, None, 6)
        seen += [one["id"] for one in shown["data"]]
        after = shown["last_id"]
        if not shown["has_more"]:
            break
    assert seen == ids
    back = page(models, None, ids[8], 6)
    assert [one["id"] for one in back["data"]] == ids[2:8]
    assert back["has_more"]
    assert page([], None, None, 5) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_a_model_without_a_price_is_told_which_key_it_lacks() -> None:
    with pytest.raises(ConfigurationError, match=r"models\.m: the key 'price' is missing"):
        models_from({"models": {"m": {"context": 1000}}})
