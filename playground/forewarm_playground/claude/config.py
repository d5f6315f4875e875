"""Settings of the local Claude, from Python or from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.latency import Latency
from forewarm_playground.claude.limits import TIERS, Limits
from forewarm_playground.claude.models import Models, builtin, models_from, table
from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.profiles import PROFILES, Profile, ProviderName

T = TypeVar("T")

BODY_LIMIT = 32 * 1024 * 1024
_SETS = frozenset({"bearers", "foundry_keys", "expired"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom an API key belongs to. A key without a workspace may choose one in the request."""

    organization: str = "org-local"
    workspace: str | None = "wrkspc_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chaos:
    """Deviations that the real service shows at times; all off by default.

    `visibility_lag` is the seconds from a response's beginning until its entry can be read;
    `spurious_miss` the probability that a live entry is not found.
    """

    visibility_lag: float = 0.0
    spurious_miss: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings. With no `keys`, every API key is accepted as the default identity.

    `limits` is None for none. `keep_bodies` is how many of the latest requests keep their body.
    Without `threads`, the organisation may not use message threads. `providers` replaces profiles
    of `PROFILES`, and `accounts` are the customers of the clouds.
    """

    keys: Mapping[str, Identity] = field(default_factory=dict)
    latency: Latency = field(default_factory=Latency)
    limits: Limits | None = field(default_factory=Limits)
    chaos: Chaos = field(default_factory=Chaos)
    models: Models = field(default_factory=builtin)
    body_limit: int = BODY_LIMIT
    keep_bodies: int = 200
    threads: bool = True
    providers: Mapping[ProviderName, Profile] = field(default_factory=dict)
    accounts: Accounts = field(default_factory=Accounts)

    def profile(self, provider: ProviderName) -> Profile:
        """Return what a provider offers here."""
        return self.providers.get(provider, PROFILES[provider])

    def identify(self, key: str) -> Identity | None:
        """Return whom a key belongs to, or None if it is unknown."""
        return self.keys.get(key) if self.keys else Identity()


def load(path: Path) -> Config:
    """Read a configuration file; raise `ConfigurationError` naming what is wrong in it.

    Tables: `keys.<key>` (organization, workspace), `latency`, `limits` (a tier's name or numbers),
    `chaos`, `models.<id>` (any field of `models.toml`), `providers.<name>` (fields of `Profile`),
    `accounts` (fields of `Accounts`).
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "it cannot be read") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(path), str(error)) from error
    return config_from(raw)


def config_from(raw: Mapping[str, Any]) -> Config:
    """Build a configuration from what a TOML file holds."""
    values: dict[str, Any] = {}
    for key, value in raw.items():
        match key:
            case "keys":
                rows = _mapping(key, value)
                values[key] = {k: _build(Identity, f"keys.{k}", one) for k, one in rows.items()}
            case "latency":
                values[key] = _build(Latency, key, value)
            case "chaos":
                values[key] = _build(Chaos, key, value)
            case "limits":
                values[key] = limits_from(value)
            case "providers":
                values[key] = _profiles(_mapping(key, value))
            case "accounts":
                values[key] = _build(Accounts, key, _frozen(_mapping(key, value)))
            case "models":
                values[key] = _models(_mapping(key, value))
            case "body_limit" | "keep_bodies" | "threads":
                values[key] = value
            case _:
                raise ConfigurationError(key, "unknown key")
    return Config(**values)


def limits_from(value: Any) -> Limits | None:
    """Read limits: the name of a tier, `"none"`, or a table of numbers."""
    if isinstance(value, Mapping):
        return _build(Limits, "limits", value)
    if value == "none":
        return None
    if value not in TIERS:
        raise ConfigurationError("limits", f"{value!r} is none of {', '.join(TIERS)}, none")
    return TIERS[value]


def _profiles(rows: Mapping[str, Any]) -> dict[str, Profile]:
    if unknown := sorted(set(rows) - set(PROFILES)):
        raise ConfigurationError("providers", f"unknown provider {unknown[0]!r}")
    return {
        name: replace(
            PROFILES[name],  # type: ignore[index]  # the names were just compared
            **_known(Profile, f"providers.{name}", _frozen(row)),
        )
        for name, row in rows.items()
    }


def _frozen(row: Any) -> dict[str, Any]:
    """Return a table with tuples for lists, and sets for the lists of secrets."""
    return {
        key: (frozenset if key in _SETS else tuple)(value) if isinstance(value, list) else value
        for key, value in row.items()
    }


def _models(rows: Mapping[str, Any]) -> Models:
    base = table()
    merged = {
        name: {**base["models"].get(name, {}), **_mapping(f"models.{name}", row)}
        for name, row in rows.items()
    }
    return models_from({**base, "models": {**base["models"], **merged}})


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(where, "a table is expected")
    return value


def _build(kind: type[T], where: str, value: Any) -> T:
    try:
        return kind(**_known(kind, where, value))
    except TypeError as error:
        raise ConfigurationError(where, str(error)) from error


def _known(kind: type[Any], where: str, value: Any) -> Mapping[str, Any]:
    """Return a table whose keys are all fields of this kind."""
    given = _mapping(where, value)
    unknown = sorted(set(given) - {one.name for one in fields(kind)})
    if unknown:
        raise ConfigurationError(where, f"unknown key {unknown[0]!r}")
    return given
