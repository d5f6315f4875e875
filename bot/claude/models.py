"""Capabilities of models: windows, thinking, effort; and the least of these that is accepted.

The Models API is asked first (docs/platform/claude.md#models). A server without one, or
one with empty fields, gets what models.toml knows of the Claude model, and a model of another
maker gets neither thinking nor effort: an unknown field could be refused, or change its prompt.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from bot.claude.providers.table import claude_name, is_claude, providers, split_name
from bot.errors import ForewarmError
from bot.nearest import nearest

Thinking = Literal["disabled", "between_tools", "adaptive", "enabled"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
THINKING: tuple[Thinking, ...] = get_args(Thinking)
EFFORT: tuple[Effort, ...] = get_args(Effort)
QUIET_EFFORT: frozenset[Effort] = frozenset({"low", "medium", "high"})
"""The efforts at which a model may be told not to think (docs/platform/claude.md#models)."""

DEFAULT_OUTPUT = 8192
"""Of an answer, in tokens, thinking included. Slack's messages end far below it."""

WINDOW_SHARE = 8
"""An answer may take the eighth part of a small window: the rest is for code and thread."""


class SettingError(ForewarmError):
    """The context asks for thinking or effort that its model does not accept."""

    def __init__(self, model: str, key: str, value: str, accepted: Sequence[str]) -> None:
        choices = ", ".join(f'"{choice}"' for choice in accepted)
        change = f"use one of {choices}" if choices else f"remove `{key}`"
        super().__init__(
            f'The model {model} does not accept {key} = "{value}", so its context cannot be used; '
            f"{change} in the context's file."
        )
        self.model = model
        self.key = key
        self.value = value
        self.accepted = tuple(accepted)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Settings of the model in a request. All but `max_tokens` belong to the cache key.

    `thinking` and `effort` are None if the field is not sent. `max_tokens` is the cap of an
    answer, in tokens.
    """

    model: str
    thinking: Thinking | None = None
    effort: Effort | None = None
    max_tokens: int = DEFAULT_OUTPUT


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A model's limits in tokens and the settings it accepts.

    `cacheable` is the least number of tokens that a marked prefix must have to be cached. `images`
    says whether messages may hold pictures.
    `known` is false if the limits are defaults, neither from the server nor from our list.
    """

    model: str
    max_input_tokens: int
    max_tokens: int
    cacheable: int = 0
    thinking: frozenset[Thinking] = field(default=frozenset())
    effort: tuple[Effort, ...] = ()
    known: bool = True
    images: bool = False

    def __repr__(self) -> str:
        thinking = ", ".join(kind for kind in THINKING if kind in self.thinking) or "none sent"
        doubt = "" if self.known else ", by default"
        return (
            f"<Capabilities of {self.model}: {self.max_input_tokens} in, {self.max_tokens} out, "
            f"thinking {thinking}{doubt}>"
        )


def least_thinking(capabilities: Capabilities) -> tuple[Thinking | None, Effort | None]:
    """Return the setting under which visible words come soonest (docs/claude.md#thinking).

    No thinking if that is accepted; else thinking between tools only, else adaptively,
    both with low effort if the model has effort. If nothing is known, nothing is sent.
    """
    low: Effort | None = "low" if "low" in capabilities.effort else None
    if "disabled" in capabilities.thinking:
        return "disabled", None
    if "between_tools" in capabilities.thinking:
        return "between_tools", low
    if "adaptive" in capabilities.thinking:
        return "adaptive", low
    return None, None


def settle(
    capabilities: Capabilities,
    *,
    thinking: str = "least",
    effort: str | None = None,
    max_tokens: int = DEFAULT_OUTPUT,
) -> ModelSettings:
    """Turn a context's wishes into settings that its model accepts.

    The answer's cap is `max_tokens`, or less if the model or its window is small. An effort
    that is wished for counts if the model has effort at all; a model without any is
    sent none. Raises `SettingError` for a value that the model is known to refuse.
    """
    model = capabilities.model
    least, least_effort = least_thinking(capabilities)
    chosen = least if thinking == "least" else _accepted_thinking(capabilities, thinking)
    level = _accepted_effort(capabilities, effort) if effort else None
    if level is None:
        level = least_effort if thinking == "least" else None
    if chosen in ("disabled", "between_tools") and level and level not in QUIET_EFFORT:
        raise SettingError(model, "effort", level, [e for e in EFFORT if e in QUIET_EFFORT])
    cap = min(max_tokens, capabilities.max_tokens, capabilities.max_input_tokens // WINDOW_SHARE)
    return ModelSettings(model, chosen, level, cap)


def _accepted_thinking(capabilities: Capabilities, wish: str) -> Thinking | None:
    if not capabilities.thinking:
        return None
    for kind in THINKING:
        if kind == wish and kind in capabilities.thinking:
            return kind
    accepted = ["least", *(kind for kind in THINKING if kind in capabilities.thinking)]
    raise SettingError(capabilities.model, "thinking", wish, accepted)


def _accepted_effort(capabilities: Capabilities, wish: str) -> Effort | None:
    if not capabilities.effort:
        return None
    for level in EFFORT:
        if level == wish and level in capabilities.effort:
            return level
    raise SettingError(capabilities.model, "effort", wish, capabilities.effort)


def listed(model: str) -> Capabilities:
    """Return what models.toml knows of a model; safe defaults for one it does not hold."""
    table = _table()
    row: Mapping[str, Any] | None = table["models"].get(claude_name(model))
    chosen = row if row is not None else table["default"]
    return Capabilities(
        model=model,
        max_input_tokens=chosen["window"],
        max_tokens=chosen["output"],
        cacheable=_least(model, chosen["cacheable"]),
        thinking=frozenset(kind for kind in THINKING if kind in chosen.get("thinking", ())),
        effort=tuple(level for level in EFFORT if level in chosen.get("effort", ())),
        known=row is not None,
        # All Claude models since version 3 read pictures.
        images=is_claude(model),
    )


def _least(model: str, own: int) -> int:
    """Return the smallest prefix that is cached: the model's own, or its provider's if larger."""
    provider, _ = split_name(model)
    least = providers()[provider].least if provider else None
    return max(own, least or 0) if is_claude(model) else 0


def retirement(model: str) -> datetime.date | None:
    """Return the day on which Anthropic stops serving the model, if it is announced."""
    row = _table()["models"].get(claude_name(model)) or {}
    day = row.get("retires")
    return day if isinstance(day, datetime.date) else None


def similar_model(model: str) -> str | None:
    """Return the model that a mistyped id most likely means."""
    name, models = claude_name(model), _table()["models"]
    return nearest(name, models) or nearest(f"claude-{name}", models)


def from_model_info(model: str, info: Mapping[str, Any]) -> Capabilities:
    """Read one object of the Models API; what it leaves empty comes from `listed`.

    llama.cpp's server has no capabilities, but states its window as `meta.n_ctx`.
    """
    fallback = listed(model)
    meta = _mapping(info.get("meta"))
    window = _positive(info.get("max_input_tokens")) or _positive(meta.get("n_ctx"))
    output = _positive(info.get("max_tokens")) or (window if meta else None)
    capabilities = _mapping(info.get("capabilities"))
    thinking = _mapping(_mapping(capabilities.get("thinking")).get("types"))
    effort = _mapping(capabilities.get("effort"))
    return Capabilities(
        model=model,
        max_input_tokens=window or fallback.max_input_tokens,
        max_tokens=output or fallback.max_tokens,
        cacheable=fallback.cacheable,
        thinking=(
            frozenset(kind for kind in THINKING if _supported(thinking.get(kind)))
            if thinking
            else fallback.thinking
        ),
        effort=(
            tuple(level for level in EFFORT if _supported(effort.get(level)))
            if effort
            else fallback.effort
        ),
        known=bool(window) or fallback.known,
        images=_supported(capabilities["image_input"])
        if "image_input" in capabilities
        else fallback.images,
    )


def _supported(value: object) -> bool:
    return _mapping(value).get("supported") is True


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("bot.claude").joinpath("models.toml").read_text("utf-8"))
