"""The stream's events carry the answer, its money and its waits: none may be lost or doubled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.claude.stream import Ended, Event, Reader, Started, Text, ThinkingStarted, ToolUse
from bot.claude.usage import Usage

USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 900,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
}


def start(**more: Any) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "usage": USAGE, **more}}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def words(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = ({"type": "text_delta", "text": piece} for piece in pieces)
    return block(index, {"type": "text", "text": ""}, *deltas)


def tool(index: int, *pieces: str) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    content = {"type": "tool_use", "id": f"toolu_{index}", "name": "search", "input": {}}
    return block(index, content, *deltas)


def end(reason: str = "end_turn", output: int = 40, **delta: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, **delta},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


def read(events: Sequence[dict[str, Any]]) -> list[Event]:
    """Feed the events one second apart."""
    reader = Reader("5m")
    return [found for at, event in enumerate(events) for found in reader.feed(event, float(at))]


def test_words_come_out_as_they_came_with_the_usage_around_them() -> None:
    """The plain case: begun, said, ended; times are those of the events."""
    found = read([start(), *words(0, "It ", "works."), *end()])
    assert found == [
        Started(0.0, "msg_1", Usage(12, 900, 30, 0, 1), True),
        Text("It ", 2.0),
        Text("works.", 3.0),
        Ended(
            at=6.0,
            stop_reason="end_turn",
            usage=Usage(12, 900, 30, 0, 40),
            message_id="msg_1",
            content=({"type": "text", "text": "It works."},),
            started_at=0.0,
        ),
    ]


def test_thinking_is_timed_and_never_replayed() -> None:
    """Seen words wait for it; sent back to another turn it would be refused."""
    thought = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "signature_delta", "signature": "s"},
    )
    found = read([start(), *thought, *words(1, "Yes."), *end()])
    assert found[1:3] == [ThinkingStarted(1.0), Text("Yes.", 5.0)]
    last = found[-1]
    assert isinstance(last, Ended)
    assert last.content == ({"type": "text", "text": "Yes."},)


def test_a_tool_is_named_once_with_its_whole_input() -> None:
    """A tool run on half an input would read the wrong file."""
    found = read([start(), *tool(0, "", '{"pattern"', ': "def f"}'), *end("tool_use")])
    assert [event for event in found if isinstance(event, ToolUse)] == [
        ToolUse("toolu_0", "search", {"pattern": "def f"}, 5.0)
    ]


def test_replayed_blocks_keep_their_order_and_their_keys_order() -> None:
    """The next round must match what was cached byte for byte: order of keys matters there."""
    found = read([start(), *words(0, "Look:"), *tool(1, '{"b":1,"a":2}'), *tool(2), *end()])
    last = found[-1]
    assert isinstance(last, Ended)
    assert json.dumps(last.content) == json.dumps(
        [
            {"type": "text", "text": "Look:"},
            {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"b": 1, "a": 2}},
            {"type": "tool_use", "id": "toolu_2", "name": "search", "input": {}},
        ]
    )


def test_a_tool_cut_off_by_the_token_limit_is_neither_run_nor_replayed() -> None:
    """Its input is no JSON; sent back without a result it would be refused."""
    found = read([start(), *words(0, "Look:"), *tool(1, '{"pattern": "de'), *end("max_tokens")])
    assert not [event for event in found if isinstance(event, ToolUse)]
    last = found[-1]
    assert isinstance(last, Ended)
    assert last.stop_reason == "max_tokens"
    assert last.content == ({"type": "text", "text": "Look:"},)


def test_an_input_that_is_no_json_is_not_run() -> None:
    """Python reads NaN, the API does not: sent back it would be refused, and the thread with it."""
    found = read([start(), *tool(0, '{"line": NaN}'), *tool(1, "[1]"), *end("tool_use")])
    assert not [event for event in found if isinstance(event, ToolUse)]


def test_blocks_without_words_are_not_replayed() -> None:
    """Empty text is refused by the API when it is sent back."""
    last = read([start(), *words(0), *words(1, "\n"), *words(2, "Hi"), *end()])[-1]
    assert isinstance(last, Ended)
    assert last.content == ({"type": "text", "text": "Hi"},)


def test_a_refusal_names_its_category() -> None:
    """The answer's last line says that Claude declined, and why where it is told."""
    last = read([start(), *end("refusal", stop_details={"type": "refusal", "category": "cyber"})])[
        -1
    ]
    assert isinstance(last, Ended)
    assert (last.stop_reason, last.refusal) == ("refusal", "cyber")


def test_the_diagnosis_of_a_miss_is_handed_on() -> None:
    """It is the only word from the server on why warmth did not help."""
    reason = {"type": "system_changed", "cache_missed_input_tokens": 9}
    first = read([start(diagnostics={"cache_miss_reason": reason})])[0]
    assert isinstance(first, Started)
    assert first.miss == "system_changed"


def test_unknown_events_and_blocks_pass_unharmed() -> None:
    """An API that adds a kind of event must not break answers."""
    found = read(
        [
            {"type": "ping"},
            start(),
            {"type": "brand_new", "index": 0},
            {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta"}},
            *block(0, {"type": "server_thing"}, {"type": "thing_delta", "x": 1}),
            *words(1, "Hi"),
            {"no": "type"},
            *end(),
        ]
    )
    assert [event.text for event in found if isinstance(event, Text)] == ["Hi"]


def test_a_server_that_closes_no_blocks_loses_nothing() -> None:
    """Some gateways leave `content_block_stop` out."""
    events = [event for event in words(0, "Hi") if event["type"] != "content_block_stop"]
    last = read([start(), *events, *end()])[-1]
    assert isinstance(last, Ended)
    assert last.content == ({"type": "text", "text": "Hi"},)


def test_a_stream_that_is_left_is_accounted_by_what_it_said() -> None:
    """Output is told only at the end, but it is paid for from the first word."""
    reader = Reader("5m")
    for event in [start(), *words(0, "x" * 300)[:2]]:
        list(reader.feed(event, 0.0))
    assert not reader.ended
    assert reader.usage_so_far() == Usage(12, 900, 30, 0, 100)
    for event in end(output=70):
        list(reader.feed(event, 0.0))
    assert reader.usage_so_far() == Usage(12, 900, 30, 0, 70)


@given(st.lists(st.lists(st.text(), max_size=5), max_size=5))
def test_text_is_neither_lost_nor_doubled(blocks: list[list[str]]) -> None:
    """However the words are cut, what is shown and what is replayed is what was said."""
    said = [piece for pieces in blocks for piece in pieces]
    events = [event for at, pieces in enumerate(blocks) for event in words(at, *pieces)]
    found = read([start(), *events, *end()])
    assert "".join(event.text for event in found if isinstance(event, Text)) == "".join(said)
    last = found[-1]
    assert isinstance(last, Ended)
    kept = ["".join(pieces) for pieces in blocks if "".join(pieces).strip()]
    assert [content["text"] for content in last.content] == kept


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_no_event_however_odd_breaks_the_reader(value: object) -> None:
    """The stream is another program's output: it may be wrong, but not fatal to the bot."""
    kinds = ["message_start", "content_block_start", "content_block_delta", "content_block_stop"]
    for kind in [*kinds, "message_delta", "message_stop"]:
        reader = Reader("5m")
        for key in ("message", "content_block", "delta", "usage", "index"):
            list(reader.feed({"type": kind, key: value}, 0.0))
