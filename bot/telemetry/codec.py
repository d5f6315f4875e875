"""Records to JSON and back, by a registry of their dataclasses.

A record written by a newer version may be read by an older one while replicas are exchanged:
fields it does not know are left out, kinds it does not know come back as None.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.answer import events as answer
from bot.claude import events as claude
from bot.telemetry import events as telemetry
from bot.warm import events as warm

ROOMS = (warm, claude, answer, telemetry)


def _declared(room: types.ModuleType) -> Iterable[type[Any]]:
    """Return the records a room declares: its dataclasses that have a time."""
    for value in vars(room).values():
        if dataclasses.is_dataclass(value) and isinstance(value, type):
            own = value.__module__ == room.__name__
            if own and any(field.name == "at" for field in dataclasses.fields(value)):
                yield value


KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for room in ROOMS for kind in _declared(room)}
"""Every record that may be written, by the name under which it is stored."""

Builder = Callable[[Mapping[str, Any]], Any]

# Looking at a dataclass takes longer than reading a record.
_fields: dict[type[Any], tuple[str, ...]] = {}
_parts: dict[type[Any], Mapping[str, Callable[[Any], Any]]] = {}
_builders: dict[type[Any], Builder] = {}
_encode = json.JSONEncoder(separators=(",", ":")).encode


class UnknownRecord(TypeError):
    """Something was written to the journal that is not in the registry: a bug."""


def kind_of(record: object) -> str:
    """Return the name under which the record is stored; raise `UnknownRecord`."""
    kind = type(record).__name__
    if KINDS.get(kind) is not type(record):
        raise UnknownRecord(f"{kind} is not a record of the journal")
    return kind


def encode(record: object) -> str:
    """Return the record's fields as one line of ASCII JSON, without its kind."""
    kind_of(record)
    return _encode(_plain(record))


def decode(kind: str, body: str) -> Any | None:
    """Return the record, or None where this version cannot read it."""
    found = KINDS.get(kind)
    if found is None:
        return None
    try:
        return _builder(found)(json.loads(body))
    except (TypeError, ValueError, KeyError, AttributeError):
        return None


def _plain(record: Any) -> dict[str, Any]:
    kind = type(record)
    plain = {name: getattr(record, name) for name in _names(kind)}
    for name in _builder_parts(kind):
        plain[name] = _plain_part(plain[name])
    return plain


def _plain_part(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain_part(item) for item in value]
    return _plain(value) if dataclasses.is_dataclass(value) else value


def _names(kind: type[Any]) -> tuple[str, ...]:
    if kind not in _fields:
        _fields[kind] = tuple(field.name for field in dataclasses.fields(kind))
    return _fields[kind]


def _builder(kind: type[Any]) -> Builder:
    if kind not in _builders:
        _builders[kind] = _make_builder(kind)
    return _builders[kind]


def _make_builder(kind: type[Any]) -> Builder:
    """Return a function from JSON to the dataclass; only nested fields cost a look."""
    known, parts = frozenset(_names(kind)), _builder_parts(kind)

    def build(fields: Mapping[str, Any]) -> Any:
        values = {name: value for name, value in fields.items() if name in known}
        for name, convert in parts.items():
            if values.get(name) is not None:
                values[name] = convert(values[name])
        return kind(**values)

    return build


def _builder_parts(kind: type[Any]) -> Mapping[str, Callable[[Any], Any]]:
    """Return what turns JSON into the fields that are not JSON themselves."""
    if kind not in _parts:
        hints = typing.get_type_hints(kind)
        found = ((name, _converter(hints[name])) for name in _names(kind))
        _parts[kind] = {name: convert for name, convert in found if convert}
    return _parts[kind]


def _converter(hint: Any) -> Callable[[Any], Any] | None:
    """Return what turns JSON into a value of this type, or None where JSON's own value is it."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _builder(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        item = _converter(arguments[0])
        return (lambda values: tuple(map(item, values))) if item else tuple
    if origin in (typing.Union, types.UnionType):
        return next((c for a in arguments if (c := _converter(a))), None)
    return None
