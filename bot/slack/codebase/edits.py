"""Changes to a context made inside Slack, as data. Pure.

A context set in Slack has the form of a context file. If a file sets a key too, the file wins
key by key; `merged` does that in one place, and `origins` tells the origin of each key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Data = Mapping[str, Any]
Origin = Literal["file", "Slack"]
TABLES = ("access", "limits", "warm")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryEdit:
    """One repository as the form holds it. `replaces` is the name of the one it was before."""

    url: str
    ref: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsEdit:
    """Everything else as the form holds it; an empty string or None leaves the default.

    `SETTINGS` says which key of a context each field stands for.
    """

    model: str | None = None
    instructions: str = ""
    budget_tokens: int | None = None
    mode: str | None = None
    answers_daily_usd: float | None = None
    warm_daily_usd: float | None = None
    user_per_hour: int | None = None
    guests: bool = False
    external: bool = False
    answer_drafts: bool = False


SETTINGS: Mapping[str, str] = {
    "model": "model",
    "instructions": "instructions",
    "budget_tokens": "budget_tokens",
    "answers_daily_usd": "limits.answers_daily_usd",
    "warm_daily_usd": "warm.daily_limit_usd",
    "user_per_hour": "limits.user_per_hour",
    "mode": "mode",
    "guests": "access.guests",
    "external": "access.external",
    "answer_drafts": "answer_drafts",
}


def with_repository(body: Data, edit: RepositoryEdit, name: str) -> dict[str, Any]:
    """Return the context with the repository added, or put in the place of the one before."""
    made: dict[str, Any] = {"url": edit.url, "ref": edit.ref or "HEAD", "name": name}
    made |= {"include": list(edit.include)} if edit.include else {}
    made |= {"exclude": list(edit.exclude)} if edit.exclude else {}
    kept = [dict(r) for r in body.get("repositories") or ()]
    gone = edit.replaces or name
    at = next((n for n, r in enumerate(kept) if r.get("name") == gone), len(kept))
    kept[at : at + 1] = [made]
    return {**body, "repositories": kept}


def without_repository(body: Data, name: str) -> dict[str, Any]:
    """Return the context without the repository; unchanged if it has none of this name."""
    kept = [r for r in body.get("repositories") or () if r.get("name") != name]
    return {**body, "repositories": kept}


def with_settings(
    body: Data,
    edit: SettingsEdit,
    shown: SettingsEdit,
    defaults: SettingsEdit,
    fixed: Collection[str] = (),
) -> dict[str, Any]:
    """Return the context with what the form says otherwise than what it was `shown` with.

    An unchanged value is not stored, and a value that is emptied or set to its default is
    stored no longer, so that the default goes on counting. `fixed` keys belong to a file.
    """
    changed = dict(body)
    for field, key in SETTINGS.items():
        value = getattr(edit, field)
        if key not in fixed and value != getattr(shown, field):
            falls_back = value in (None, "", getattr(defaults, field))
            changed = _with(changed, key, None if falls_back else value)
    return changed


def _with(data: Data, key: str, value: Any) -> dict[str, Any]:
    """Return the data with a key set, `table.key` in a table; None takes it away."""
    key, _, inner = key.partition(".")
    if inner:
        value = _with(data.get(key) or {}, inner, value) or None
    changed = {**data, key: value}
    if value is None:
        del changed[key]
    return changed


def with_channel(body: Data, channel: str) -> dict[str, Any]:
    """Return the context with the channel among its own."""
    channels = [c for c in body.get("channels") or () if c != channel]
    return {**body, "channels": [*channels, channel]}


def merged(file: Data, slack: Data) -> dict[str, Any]:
    """Return the settings in force: the file's value, key by key, tables included."""
    result = {**slack, **file}
    for table in TABLES:
        both = {**(slack.get(table) or {}), **(file.get(table) or {})}
        if both:
            result[table] = both
    return result


def origins(file: Data, slack: Data) -> dict[str, Origin]:
    """Return the origin of each key that was set; keys of tables are `table.key`."""
    told: dict[str, Origin] = dict.fromkeys(_keys(slack), "Slack")
    told.update(dict.fromkeys(_keys(file), "file"))
    return told


def _keys(data: Data) -> Iterator[str]:
    for key, value in data.items():
        if key in TABLES and isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key


def changed_keys(before: Data, after: Data) -> Sequence[str]:
    """Return the keys that differ, for the audit log: names only, never values."""
    keys = sorted({*_keys(before), *_keys(after)})
    return [key for key in keys if _at(before, key) != _at(after, key)]


def _at(data: Data, key: str) -> Any:
    table, _, inner = key.partition(".")
    return (data.get(table) or {}).get(inner) if inner else data.get(table)
