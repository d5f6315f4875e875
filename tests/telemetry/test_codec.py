"""Every record can be stored, and versions that overlap in a deploy understand each other."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import TypeAdapter

from bot.stored import UnreadableValue
from bot.telemetry.codec import KINDS, Reader, UnknownRecord, decode, encode, kind_of
from bot.telemetry.interfaces import FREQUENT, Entry

STORED = {
    "SignalReceived": "at kind workspace channel thread user repository context prefix",
    "WarmthDecided": "at prefix fingerprint action ttl reason cost_usd gain_usd next_look_at",
    "WarmthMissed": "at prefix fingerprint context reason",
    "RequestStarted": (
        "at request purpose prefix fingerprint context model tokens expected ttl question"
    ),
    "RequestEnded": (
        "at request purpose prefix fingerprint context model usage usd seconds complete started_at"
        " ttl tokens expected question error request_id message_id missed"
    ),
    "QuestionReceived": "at question workspace channel thread user surface asked_at context",
    "FirstWords": "at question context wait warm slack_wait cold",
    "QuestionEnded": (
        "at question context outcome cited corrected struck rounds characters look_ups excerpts"
    ),
    "FeedbackGiven": "at question context user value fingerprint",
    "PrefixBuilt": (
        "at prefix fingerprint context model tokens files omitted seconds repositories"
        " size workspace"
    ),
    "ContextDropped": "at context",
}
"""The names in every journal, since version 0.1.0. New ones are added; none may change."""

NESTED = {
    ("RequestEnded", "usage"): "input cache_read write_5m write_1h output",
    ("FirstWords", "wait"): "delivery queue join prefill thinking paint",
    ("PrefixBuilt", "repositories"): "name ref commit committed_at stale_since",
}


def names(kind: type[Any]) -> str:
    """Return the stored names of a dataclass's fields."""
    return " ".join(TypeAdapter(kind).json_schema(by_alias=True)["properties"])


def test_the_names_in_the_journal_are_those_of_the_first_version() -> None:
    """A class or a field that is renamed keeps its stored name, or old journals are lost."""
    assert {name: names(kind) for name, kind in KINDS.items()} == STORED
    assert STORED.keys() >= FREQUENT


@pytest.mark.parametrize(("name", "field"), NESTED)
def test_the_names_inside_a_record_are_those_of_the_first_version(name: str, field: str) -> None:
    hint = get_type_hints(KINDS[name])[field]
    inner: Any = next((one for one in get_args(hint) if dataclasses.is_dataclass(one)), hint)
    assert names(inner) == NESTED[name, field]


def test_every_dataclass_inside_a_record_is_on_the_list() -> None:
    found = {
        (name, field)
        for name, kind in KINDS.items()
        for field, hint in get_type_hints(kind).items()
        if any(dataclasses.is_dataclass(one) for one in (hint, *get_args(hint)))
    }
    assert found == NESTED.keys()


def test_every_record_has_one_name() -> None:
    """Two records of one name would be read as each other."""
    assert len(set(KINDS.values())) == len(KINDS)


def test_nested_parts_come_back_as_what_they_were(make: Any) -> None:
    """A fold reads `record.usage.cache_read`, not a dictionary."""
    for record in (make.ended(), make.words(), make.built()):
        assert decode(kind_of(record), encode(record)) == record


def test_a_field_of_a_newer_version_is_left_out(make: Any) -> None:
    """While a deploy runs, the old replica reads what the new one writes."""
    body = json.loads(encode(make.ended())) | {"invented": 1}
    assert decode("RequestEnded", json.dumps(body)) == make.ended()


def test_a_record_without_the_optional_fields_is_read(make: Any) -> None:
    """The earlier version did not have every field."""
    body = json.loads(encode(make.ended()))
    for name in ("tokens", "expected", "question", "error", "request_id", "message_id", "missed"):
        del body[name]
    assert decode("RequestEnded", json.dumps(body)) == make.ended(tokens=0)


def test_text_that_no_encoding_holds_comes_back(make: Any) -> None:
    """Slack's JSON may hold half a surrogate or a NUL, which PostgreSQL's own types refuse."""
    record = make.received(user="U\0\ud83d🎉")
    body = encode(record)
    assert body.isascii()
    assert "\0" not in body
    assert decode("QuestionReceived", body) == record


@pytest.mark.parametrize(
    ("kind", "body", "problem"),
    [
        ("FromTheFuture", "{}", "no such kind"),
        ("RequestEnded", "{", "no JSON"),
        ("RequestEnded", "[]", "the whole: dataclass_type"),
        ("ContextDropped", '{"at":1.0}', "context: missing"),
        ("ContextDropped", '{"at":null,"context":"c"}', "at: float_type"),
        ("ContextDropped", '{"at":"xoxb-1","context":"c"}', "at: float_parsing"),
        ("ContextDropped", '{"at":1.0,"context":7}', "context: string_type"),
        ("FirstWords", '{"at":1.0,"question":"q","context":"c"}', "wait: missing"),
    ],
)
def test_a_record_that_this_version_cannot_read_is_told(kind: str, body: str, problem: str) -> None:
    """Of a newer version, of an older one that lacked a field, or damaged; without its text."""
    with pytest.raises(UnreadableValue) as caught:
        decode(kind, body)
    assert (caught.value.name, caught.value.problem) == (kind, problem)
    assert "xoxb" not in str(caught.value)


def test_records_that_cannot_be_read_are_counted_and_each_kind_is_told_once() -> None:
    told: list[UnreadableValue] = []
    reader = Reader(told.append)
    entries = [
        Entry(seq, "s", seq, 1.0, kind, body)
        for seq, (kind, body) in enumerate(
            [
                ("FromTheFuture", "{}"),
                ("ContextDropped", '{"at":1.0,"context":"c"}'),
                ("FromTheFuture", "{}"),
                ("ContextDropped", "{}"),
            ]
        )
    ]
    read = [reader.read(entry) for entry in entries]
    assert [record is None for record in read] == [True, False, True, True]
    assert reader.unread == {"FromTheFuture": 2, "ContextDropped": 1}
    assert [(one.name, one.problem) for one in told] == [
        ("FromTheFuture", "no such kind"),
        ("ContextDropped", "at: missing"),
    ]


def test_only_records_are_encoded() -> None:
    """Anything else is a bug of the caller."""
    with pytest.raises(UnknownRecord):
        encode(object())
