"""The capability table: what each provider offers, and how it is reached.

The rows are data, `providers.toml`. The full name of a model is `provider:model` if a cloud serves
it, such as `bedrock:claude-sonnet-5-5`. If the provider knows the model by an id that does not tell
which one it is, the id comes first: `foundry:our-deployment=claude-sonnet-5-5`. Prices, records and
limits go by full names, so the same model at two providers is two models.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from bot.claude.usage import Ttl

DIRECT = ("anthropic", "compatible")
"""Providers whose models are named without a provider: Anthropic, and servers of one's own."""
_CLAUDE = re.compile(
    r"(?:^|[./:=])(claude-[a-z0-9-]*?[a-z0-9])(?:[-@]\d{8})?(?:-v\d+(?::\d+)?)?$", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the table. `lives` and `zero` are None if no documentation tells them."""

    name: str
    title: str
    client: str
    extra: str = ""
    package: str = ""
    body: Literal["pieces", "bytes", "object"] = "pieces"
    model_id: str = "{model}"
    lives: tuple[Ttl, ...] | None = None
    markers: int = 4
    least: int | None = None
    zero: bool | None = None
    counts: bool = False
    models: bool = False
    diagnostics: bool = False
    regional: float = 1.0
    needs: tuple[str, ...] = ()
    credentials: str
    place: str
    source: tuple[str, ...] = ()

    @property
    def is_cloud(self) -> bool:
        """Whether its models are named with the provider before them."""
        return self.name not in DIRECT

    def missing(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the variables that have to be set and are not."""
        return tuple(
            need.partition("|")[0]
            for need in self.needs
            if not any(environment.get(name) for name in need.split("|"))
        )


@cache
def providers() -> Mapping[str, Provider]:
    """Return the rows by name, in the order of the table."""
    rows = tomllib.loads(files(__package__).joinpath("providers.toml").read_text("utf-8"))
    return {name: Provider(name=name, **_frozen(row)) for name, row in rows.items()}


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


@lru_cache(maxsize=1024)
def split_name(full: str) -> tuple[str, str]:
    """Return the provider of a full name and the rest; the provider is empty if there is none."""
    provider, colon, rest = full.partition(":")
    return (provider, rest) if colon and provider in providers() else ("", full)


def full_name(provider: str, model: str, model_id: str = "") -> str:
    """Return the full name of a model at a provider, which may know it by an id of its own."""
    named = f"{model_id}={model}" if model_id else model
    return f"{provider}:{named}" if providers()[provider].is_cloud else named


@lru_cache(maxsize=1024)
def claude_name(model: str) -> str:
    """Return the name of the Claude model behind a full name or a provider's id.

    `bedrock:us.anthropic.claude-opus-4-6-v1` is claude-opus-4-6. A name that holds none is returned
    without its provider.
    """
    rest = split_name(model)[1]
    found = _CLAUDE.search(rest)
    return found[1] if found else rest


def is_claude(model: str) -> bool:
    """Tell whether a model is Anthropic's, as against one served locally. A cloud's always is."""
    return bool(split_name(model)[0]) or claude_name(model).startswith("claude-")


@lru_cache(maxsize=1024)
def sent_id(model: str) -> str:
    """Return the id under which a model is sent to its provider."""
    provider, rest = split_name(model)
    if "=" in rest:
        return rest.partition("=")[0]
    if not provider or not rest.startswith("claude-"):
        return rest
    dated = re.sub(r"-(\d{8})$", r"@\1", rest) if provider == "vertex" else rest
    return providers()[provider].model_id.format(model=dated)


def regional_factor(model: str, in_one_region: bool) -> float:
    """Return the price of a model as a multiple of the list price.

    Bedrock's ids that begin with `global.` are not bound to a region.
    """
    provider, rest = split_name(model)
    if not provider or not in_one_region or "global." in rest:
        return 1.0
    return providers()[provider].regional
