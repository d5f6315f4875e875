"""The table of models: sizes, prices, what each accepts.

Sources: docs/platform/claude.md#smallest-cached-prefix, docs/platform/claude.md#prices,
docs/platform/claude.md#models.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from forewarm_playground.claude.errors import ConfigurationError

Effort = Literal["low", "medium", "high", "xhigh", "max"]
ThinkingType = Literal["adaptive", "between_tools", "disabled", "enabled"]
Lifecycle = Literal["active", "deprecated", "retired"]

EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
WRITE_5M, WRITE_1H = 1.25, 2.0
"""The price of a cache write, as a multiple of the input price."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    read: float


@dataclass(frozen=True, slots=True)
class Tier(Price):
    """The prices of prompts with more than `above` tokens, cached ones included."""

    above: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. Sizes in tokens; the fields are explained in `models.toml`."""

    id: str
    display_name: str
    line: str
    price: Price
    min_cacheable: int
    context: int
    max_output: int
    chars_per_token: float
    thinking: tuple[ThinkingType, ...]
    thinking_default: ThinkingType
    efforts: tuple[Effort, ...]
    effort_default: Effort
    quiet_effort: Effort
    forced_tool_choice: bool
    prefill: bool
    sampling: bool
    strips_thinking: bool
    system_messages: bool
    tool_prompt: int
    forced_tool_prompt: int
    lifecycle: Lifecycle
    limit_share: float
    settings_first: bool = False
    aliases: tuple[str, ...] = ()
    tier: Tier | None = None
    created: datetime = field(default=datetime.fromtimestamp(0, UTC))
    retires: datetime | None = None

    def price_of(self, prompt_tokens: int) -> Price:
        """Return the prices of a prompt with so many tokens in all."""
        if self.tier is not None and prompt_tokens > self.tier.above:
            return self.tier
        return self.price


class Models:
    """All models that a server knows, by id and by alias."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._by_id = {model.id: model for model in models}
        self._by_name = {
            name: model for model in self._by_id.values() for name in (model.id, *model.aliases)
        }

    def __repr__(self) -> str:
        return f"<Models [{', '.join(self._by_id)}]>"

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_id.values())

    def find(self, name: str) -> Model | None:
        """Return the model with this id or alias, retired ones included."""
        return self._by_name.get(name)


def models_from(table: Mapping[str, Any]) -> Models:
    """Build the models from a table with `defaults` and `models`, as in `models.toml`."""
    defaults = table.get("defaults", {})
    return Models(_model(name, {**defaults, **row}) for name, row in table["models"].items())


def _model(name: str, row: Mapping[str, Any]) -> Model:
    known = {one.name for one in fields(Model)} - {"id"}
    unknown = sorted(set(row) - known)
    if unknown:
        raise ConfigurationError(f"models.{name}", f"unknown key {unknown[0]!r}")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    try:
        values["price"] = Price(**row["price"])
        values["tier"] = Tier(**row["tier"]) if "tier" in row else None
        return Model(id=name, **values)
    except KeyError as error:
        raise ConfigurationError(f"models.{name}", f"the key {error} is missing") from error
    except TypeError as error:
        raise ConfigurationError(f"models.{name}", str(error)) from error


@cache
def table() -> dict[str, Any]:
    """Return the table that comes with the package."""
    return tomllib.loads(files(__package__).joinpath("models.toml").read_text("utf-8"))


@cache
def builtin() -> Models:
    """Return the models that come with the package."""
    return models_from(table())
