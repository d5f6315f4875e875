"""Changes to a context made inside Slack, as data. Pure.

A context set in Slack is kept as what a file would hold. Where a file speaks too, the file wins
key by key; `merged` says so once, and `origins` tells which key came from where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """Everything else as the form holds it; an empty string or None leaves the default."""

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
    """Return the context without the repository; nothing changes where there is none."""
    kept = [r for r in body.get("repositories") or () if r.get("name") != name]
    return {**body, "repositories": kept}


def with_settings(body: Data, edit: SettingsEdit) -> dict[str, Any]:
    """Return the context with its settings as the form says; emptied fields fall back."""
    plain = {
        "model": edit.model,
        "instructions": edit.instructions or None,
        "budget_tokens": edit.budget_tokens,
        "mode": edit.mode,
        "answer_drafts": edit.answer_drafts or None,
    }
    limits = {"answers_daily_usd": edit.answers_daily_usd, "user_per_hour": edit.user_per_hour}
    tables = {
        "limits": {**(body.get("limits") or {}), **limits},
        "warm": {**(body.get("warm") or {}), "daily_limit_usd": edit.warm_daily_usd},
        "access": {
            **(body.get("access") or {}),
            "guests": edit.guests or None,
            "external": edit.external or None,
        },
    }
    changed = {**body, **plain, **{name: _said(table) for name, table in tables.items()}}
    return {key: value for key, value in changed.items() if value not in (None, {})}


def _said(table: Data) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


def with_channel(body: Data, channel: str) -> dict[str, Any]:
    """Return the context with the channel among its own."""
    channels = [c for c in body.get("channels") or () if c != channel]
    return {**body, "channels": [*channels, channel]}


def merged(file: Data, slack: Data) -> dict[str, Any]:
    """Return what counts where both speak: the file's word, key by key, tables included."""
    result = {**slack, **file}
    for table in TABLES:
        both = {**(slack.get(table) or {}), **(file.get(table) or {})}
        if both:
            result[table] = both
    return result


def origins(file: Data, slack: Data) -> dict[str, Origin]:
    """Return where each key that somebody set came from; keys of tables are `table.key`."""
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
