"""Journal records to text and back, under names that are given here and not by the classes.

While replicas are exchanged, each version reads what the other has written: fields that this
version does not know are left out, and records that it cannot read are counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bot.answer import events as answer
from bot.claude import events as claude
from bot.stored import UnreadableValue, dump, load
from bot.telemetry import events as telemetry
from bot.telemetry.interfaces import Entry
from bot.warm import events as warm

KINDS: Mapping[str, type[Any]] = {
    "SignalReceived": warm.SignalReceived,
    "WarmthDecided": warm.WarmthDecided,
    "WarmthMissed": warm.WarmthMissed,
    "RequestStarted": claude.RequestStarted,
    "RequestEnded": claude.RequestEnded,
    "QuestionReceived": answer.QuestionReceived,
    "FirstWords": answer.FirstWords,
    "QuestionEnded": answer.QuestionEnded,
    "FeedbackGiven": answer.FeedbackGiven,
    "PrefixBuilt": telemetry.PrefixBuilt,
    "ContextDropped": telemetry.ContextDropped,
}
"""Every record by the name under which it is stored. A class may be renamed, its key may not.

A field that is renamed names its stored name as its alias (`bot.stored`).
"""

LATER: Mapping[str, Mapping[str, Any]] = {
    "PrefixBuilt": {"size": "", "workspace": ""},
    "FirstWords": {"cold": ""},
    "QuestionEnded": {"look_ups": 0, "excerpts": 0},
}
"""Fields that version 0.1.0 does not know, with their defaults. A default is not stored."""

_NAMES = {kind: name for name, kind in KINDS.items()}
_encode = json.JSONEncoder(separators=(",", ":")).encode


class UnknownRecord(TypeError):
    """Something was written to the journal that is not in the registry: a bug."""


def kind_of(record: object) -> str:
    """Return the name under which the record is stored; raise `UnknownRecord`."""
    name = _NAMES.get(type(record))
    if name is None:
        raise UnknownRecord(f"{type(record).__name__} is not a record of the journal")
    return name


def encode(record: object) -> str:
    """Return the record's fields as one line of ASCII JSON, without its kind."""
    kind = kind_of(record)
    fields = dump(record)
    for name, default in LATER.get(kind, {}).items():
        if fields.get(name) == default:
            del fields[name]
    return _encode(fields)


def decode(kind: str, body: str) -> Any:
    """Return the record; raise `UnreadableValue`."""
    found = KINDS.get(kind)
    if found is None:
        raise UnreadableValue(kind, "no such kind")
    try:
        return load(found, json.loads(body))
    except json.JSONDecodeError:
        raise UnreadableValue(kind, "no JSON") from None
    except UnreadableValue as error:
        # Told by the stored name; the class may be renamed.
        raise UnreadableValue(kind, error.problem) from None


class Reader:
    """Decodes stored records. `unread` counts, by kind, those that this version cannot read.

    `report` is called with the first of each kind.
    """

    def __init__(self, report: Callable[[UnreadableValue], None]) -> None:
        self.unread: Counter[str] = Counter()
        self._report = report

    def read(self, entry: Entry) -> Any | None:
        """Return the record, or None if it cannot be read."""
        try:
            return decode(entry.kind, entry.body)
        except UnreadableValue as error:
            self.unread[entry.kind] += 1
            if self.unread[entry.kind] == 1:
                self._report(error)
            return None
