"""Prices of tokens, from one data file, and from one of the operator's that overrides it."""

from __future__ import annotations

import datetime
import math
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bot.claude.providers.table import claude_name, is_claude, regional_factor, split_name
from bot.claude.usage import Usage
from bot.context.sizing import Rates
from bot.errors import ForewarmError
from bot.nearest import nearest


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, by what happened to them (docs/platform/claude.md#prices)."""

    input: float
    write_5m: float
    write_1h: float
    read: float
    output: float

    def of(self, usage: Usage) -> float:
        """Return what this usage costs, in USD."""
        return (
            usage.input * self.input
            + usage.write_5m * self.write_5m
            + usage.write_1h * self.write_1h
            + usage.cache_read * self.read
            + usage.output * self.output
        ) / 1_000_000

    def times(self, factor: float) -> Price:
        """Return the price of an endpoint that takes a multiple of the list price."""
        return Price(*(getattr(self, name) * factor for name in self.__slots__))


FREE = Price(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A model's price, and the other one for prompts longer than `tier_tokens`."""

    base: Price
    tier_tokens: int | None = None
    above: Price | None = None

    def at(self, prompt_tokens: int) -> Price:
        if self.above is None or self.tier_tokens is None or prompt_tokens <= self.tier_tokens:
            return self.base
        return self.above


def price_of(model: str, prompt_tokens: int = 0) -> Price:
    """Return the price of a model for a prompt of this length, cached tokens included.

    A model that is not Claude's runs on the team's own hardware and costs nothing. A Claude model
    that the list does not hold is taken to be as dear as the dearest of its family (opus, sonnet,
    haiku…), or of all: money caps must err towards stopping too early. `is_priced` tells. A
    provider's premium for endpoints in one region is counted, unless the operator's list names the
    provider's model itself.
    """
    if not is_claude(model):
        return FREE
    own = _overrides.get(model)
    if own is not None:
        return own.at(prompt_tokens)
    tariff = _tariffs().get(claude_name(model))
    price = tariff.at(prompt_tokens) if tariff else _dearest(claude_name(model), prompt_tokens)
    factor = regional_factor(model, split_name(model)[0] not in _worldwide)
    return price if factor == 1.0 else price.times(factor)


def rates_of(model: str, prompt_tokens: int = 0) -> Rates:
    """Return what the input of a model costs by the token. A cold write is one for an hour."""
    price = price_of(model, prompt_tokens)
    return Rates(price.read / 1e6, price.write_1h / 1e6, price.input / 1e6)


def is_priced(model: str) -> bool:
    """Tell whether the price of this model is known rather than assumed."""
    return not is_claude(model) or model in _overrides or claude_name(model) in _tariffs()


def priced_models() -> tuple[str, ...]:
    """Return the ids of all models in the price list."""
    return tuple(_tariffs())


def cost(model: str, usage: Usage) -> float:
    """Return what a request of this usage cost, in USD.

    The tier follows from the whole prompt: plain, read and written tokens together.
    """
    return price_of(model, usage.total_input).of(usage)


class PricesUnusable(ForewarmError):
    """The file of FOREWARM_PRICES cannot be read as a price list."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(
            f"The price list {file} of FOREWARM_PRICES cannot be used ({why}): name a"
            " file that is written as docs/operations.md shows, or remove the setting to use the"
            " built-in prices."
        )
        self.file = file


def use_prices(file: Path | None, worldwide: Collection[str] = ()) -> None:
    """Let the prices of this file go before the built-in ones, in this process.

    `worldwide` are the providers whose endpoint is bound to no region: they take no premium.
    Raises `PricesUnusable`; then the prices stay as they were.
    """
    rows: dict[str, Tariff] = {}
    as_of = _built_in()["as_of"]
    if file is not None:
        try:
            data = tomllib.loads(file.read_text("utf-8"))
            rows = {model: _tariff(dict(row)) for model, row in data["models"].items()}
            as_of = data.get("as_of", as_of)
        except OSError as error:
            raise PricesUnusable(file, (error.strerror or "unreadable").lower()) from None
        except KeyError as error:
            raise PricesUnusable(file, f"the key {error} is missing") from None
        except UnicodeDecodeError:
            raise PricesUnusable(file, "it is not in UTF-8") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise PricesUnusable(file, str(error) or type(error).__name__) from None
        # A time of a day is a date to Python, but no days can be counted from it.
        if not isinstance(as_of, datetime.date) or isinstance(as_of, datetime.datetime):
            raise PricesUnusable(file, "`as_of` must be a day such as 2026-11-22")
    _overrides.clear()
    _overrides.update(rows)
    _list_of[:] = [as_of]
    _worldwide.clear()
    _worldwide.update(worldwide)
    _tariffs.cache_clear()


def unknown_priced_models(used: Collection[str]) -> dict[str, str]:
    """Return the models of the operator's own list that are not used, with a known one that each
    resembles: a price under a misspelled name counts for no request.
    """
    known = {claude_name(model) for model in used} | set(_built_in()["models"])
    strange = [model for model in _overrides if not {model, claude_name(model)} & known]
    return {model: close for model in strange if (close := nearest(model, sorted(known)))}


def price_list_of() -> datetime.date:
    """Return the day of which the prices are."""
    day: datetime.date = _list_of[0] if _list_of else _built_in()["as_of"]
    return day


_overrides: dict[str, Tariff] = {}
_list_of: list[datetime.date] = []
_worldwide: set[str] = set()


def _built_in() -> dict[str, Any]:
    return tomllib.loads(files("bot.claude").joinpath("prices.toml").read_text("utf-8"))


@cache
def _tariffs() -> dict[str, Tariff]:
    built_in = {model: _tariff(row) for model, row in _built_in()["models"].items()}
    return built_in | _overrides


def _tariff(row: dict[str, object]) -> Tariff:
    above = row.pop("above", None)
    tier = row.pop("tier_tokens", None)
    return Tariff(
        base=_price(row),
        tier_tokens=tier if isinstance(tier, int) else None,
        above=_price(above) if isinstance(above, dict) else None,
    )


_PRICE_KEYS = {"input", "write_5m", "write_1h", "read", "output"}


def _price(row: dict[str, object]) -> Price:
    def usd(key: str) -> float:
        value = row[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        number = float(value) if is_number else -1.0  # type: ignore[arg-type]  # it is a number
        if not 0 <= number < math.inf:
            raise ValueError(f"{key} must be a number of USD, not {value!r}")
        return number

    if strange := row.keys() - _PRICE_KEYS:
        raise ValueError(f"unknown key {min(strange)!r}")
    return Price(usd("input"), usd("write_5m"), usd("write_1h"), usd("read"), usd("output"))


def _dearest(model: str, prompt_tokens: int) -> Price:
    family = "-".join(model.split("-")[:2])
    kin = [name for name in _tariffs() if name.startswith(f"{family}-")] or list(_tariffs())
    prices = [_tariffs()[name].at(prompt_tokens) for name in kin]
    return Price(
        input=max(p.input for p in prices),
        write_5m=max(p.write_5m for p in prices),
        write_1h=max(p.write_1h for p in prices),
        read=max(p.read for p in prices),
        output=max(p.output for p in prices),
    )
