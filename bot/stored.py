"""Dataclasses to JSON and back, under names that stay when the names in the code change.

A field is stored under its own name, or under the alias that its type names:

    render: Annotated[float, Field(alias="paint")]

Two versions may share one database while replicas are exchanged. So fields that this version does
not know are left out when a value is read, and `defaults=False` leaves out fields that an earlier
version may not know.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bot.errors import ForewarmError

T = TypeVar("T")

_adapters: dict[type[Any], TypeAdapter[Any]] = {}


class UnreadableValue(ForewarmError):
    """Something stored is not what this version calls `name`; `problem` holds no part of it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"A stored {name} cannot be read ({problem}): if a newer version of Forewarm uses this"
            " database too, upgrade this process to it."
        )
        self.name = name
        self.problem = problem


def dump(value: object, *, defaults: bool = True) -> dict[str, Any]:
    """Return a dataclass as a JSON object under its stored names.

    `defaults=False` leaves out the fields that have their default.
    """
    adapter: TypeAdapter[Any] = _adapter(type(value))
    plain: dict[str, Any] = adapter.dump_python(value, by_alias=True, exclude_defaults=not defaults)
    return plain


def load(kind: type[T], stored: object) -> T:
    """Return the dataclass that was dumped; raise `UnreadableValue`."""
    adapter: TypeAdapter[T] = _adapter(kind)
    try:
        return adapter.validate_python(stored)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise UnreadableValue(kind.__name__, f"{place}: {first['type']}") from None


def parsed(text: str, name: str) -> Any:
    """Return what a JSON text says; raise `UnreadableValue` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableValue(name, "it is no JSON") from None


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    # Building one takes longer than reading a value with it.
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
