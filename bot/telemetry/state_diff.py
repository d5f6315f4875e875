"""Differences between two state documents, and the document after a change. Pure and exact.

`patch(old, changes(old, new)) == new` for all documents.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

KEYED = ("prefixes", "questions")
"""Parts that are objects by id, told entry by entry; the others are told whole."""


def changes(old: Document, new: Document) -> Document:
    """Return the parts that differ; in keyed parts the entries that do, null for those gone."""
    told: Document = {}
    for part, value in new.items():
        if part in KEYED:
            entries = _entries(old.get(part, {}), value)
            if entries:
                told[part] = entries
        elif old.get(part) != value:
            told[part] = value
    return told


def patch(old: Document, told: Document) -> Document:
    """Return the document after a change."""
    new = {**old}
    for part, value in told.items():
        if part in KEYED:
            merged = {**old.get(part, {}), **value}
            new[part] = {key: entry for key, entry in merged.items() if entry is not None}
        else:
            new[part] = value
    return new


def _entries(old: Document, new: Document) -> Document:
    changed: Document = {key: entry for key, entry in new.items() if old.get(key) != entry}
    return changed | dict.fromkeys(old.keys() - new.keys())
