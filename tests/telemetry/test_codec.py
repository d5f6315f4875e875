"""Every record can be stored, and versions that overlap in a deploy understand each other."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from bot.telemetry.codec import KINDS, ROOMS, UnknownRecord, decode, encode


def test_every_record_of_every_room_is_in_the_registry_under_a_name_of_its_own() -> None:
    """Two records of one name would be read as each other."""
    declared = [
        value
        for room in ROOMS
        for value in vars(room).values()
        if dataclasses.is_dataclass(value)
        and getattr(value, "__module__", "") == room.__name__
        and any(field.name == "at" for field in dataclasses.fields(value))
    ]
    assert len(KINDS) == len(declared)
    assert set(KINDS.values()) == set(declared)
    assert {"RequestEnded", "FirstWords", "SignalReceived", "PrefixBuilt"} <= set(KINDS)


def test_nested_parts_come_back_as_what_they_were(make: Any) -> None:
    """A fold reads `record.usage.cache_read`, not a dictionary."""
    for record in (make.ended(), make.words(), make.built()):
        assert decode(type(record).__name__, encode(record)) == record


def test_a_field_of_a_newer_version_is_left_out(make: Any) -> None:
    """While a deploy runs, the old replica reads what the new one writes."""
    body = json.loads(encode(make.ended())) | {"invented": 1}
    assert decode("RequestEnded", json.dumps(body)) == make.ended()


def test_what_this_version_cannot_read_is_none(make: Any) -> None:
    """A kind from the future, a record from a past that lacked a field, a damaged line."""
    body = json.loads(encode(make.ended()))
    del body["usage"]
    assert decode("FromTheFuture", "{}") is None
    assert decode("RequestEnded", json.dumps(body)) is None
    assert decode("RequestEnded", "{") is None
    assert decode("RequestEnded", "[]") is None


def test_only_records_are_encoded() -> None:
    """Anything else is a bug of the caller."""
    with pytest.raises(UnknownRecord):
        encode(object())
