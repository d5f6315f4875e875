"""A response as server-sent events, each with its time (docs/platform/claude.md#usage-fields).

Order: message_start, for each block content_block_start, deltas, content_block_stop, then
message_delta and message_stop; a ping after the first block's start and whenever nothing else has
been sent for a while.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.latency import Latency
from forewarm_playground.claude.models import Model
from forewarm_playground.claude.responses.answers import SentBlock

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event, due `after` seconds after the response began; `output` tokens produced by then."""

    after: float
    data: dict[str, Any]
    output: int = 0

    @property
    def name(self) -> str:
        return str(self.data["type"])

    def encode(self, framed: Callable[[str, str], bytes]) -> bytes:
        """Return the event as it goes over the wire, in a provider's framing."""
        return framed(self.name, json.dumps(self.data, ensure_ascii=False))


def encode(name: str, data: str) -> bytes:
    """Return a server-sent event."""
    return f"event: {name}\ndata: {data}\n\n".encode()


def events(exchange: Exchange) -> Iterator[Event]:
    """Yield the whole stream of an exchange, in order and in time."""
    writer = _Writer(exchange.model, exchange.latency)
    yield Event(0.0, {"type": "message_start", "message": exchange.opening()})
    for index, said in enumerate(exchange.plan.said):
        yield from writer.block(index, said, exchange.plan.thinking_seconds)
    closing = {"type": "message_delta", **exchange.closing()}
    ended = max(writer.clock, exchange.seconds)
    yield Event(ended, closing, exchange.plan.output)
    yield Event(ended, {"type": "message_stop"}, exchange.plan.output)


class _Writer:
    """Writes blocks one after the other; `clock` is the seconds since the response began."""

    def __init__(self, model: Model, latency: Latency) -> None:
        self.model = model
        self.latency = latency
        self.clock = 0.0
        self.output = 0

    def block(self, index: int, said: SentBlock, thinking_seconds: float) -> Iterator[Event]:
        yield self._event({"type": "content_block_start", "index": index, **_start(said.block)})
        if index == 0:
            yield self._event({"type": "ping"})
        if said.block["type"] == "thinking":
            yield from self._think(index, said, thinking_seconds)
        else:
            yield from self._write(index, said)
        yield self._event({"type": "content_block_stop", "index": index})

    def _think(self, index: int, said: SentBlock, seconds: float) -> Iterator[Event]:
        started = self.clock
        for beat in range(1, math.ceil(seconds / self.latency.ping)):
            self.clock = started + beat * self.latency.ping
            yield self._event({"type": "ping"})
        self.clock = started + seconds
        self.output += said.tokens
        if said.block["thinking"]:
            yield self._delta(index, {"type": "thinking_delta", "thinking": said.block["thinking"]})
        yield self._delta(index, {"type": "signature_delta", "signature": said.block["signature"]})

    def _write(self, index: int, said: SentBlock) -> Iterator[Event]:
        started, before = self.clock, self.output
        pieces = list(_deltas(said.block, self._chunk()))
        for place, piece in enumerate(pieces):
            done = min(said.tokens, place * self.latency.chunk)
            self.clock = started + self.latency.generation(done)
            self.output = before + min(said.tokens, done + self.latency.chunk)
            yield self._delta(index, piece)
        self.clock = started + self.latency.generation(said.tokens)
        self.output = before + said.tokens
        for citation in said.block.get("citations") or ():
            yield self._delta(index, {"type": "citations_delta", "citation": citation})

    def _chunk(self) -> int:
        return max(1, math.floor(self.latency.chunk * self.model.chars_per_token))

    def _delta(self, index: int, delta: dict[str, Any]) -> Event:
        return self._event({"type": "content_block_delta", "index": index, "delta": delta})

    def _event(self, data: dict[str, Any]) -> Event:
        return Event(self.clock, data, self.output)


def _start(block: Json) -> dict[str, Any]:
    match block["type"]:
        case "thinking":
            empty: dict[str, Any] = {"type": "thinking", "thinking": "", "signature": ""}
        case "tool_use":
            empty = {**block, "input": {}}
        case _:
            empty = {"type": "text", "text": ""}
            if block.get("citations"):
                empty["citations"] = []
    return {"content_block": empty}


def _deltas(block: Json, size: int) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        text = json.dumps(block["input"], ensure_ascii=False)
        yield {"type": "input_json_delta", "partial_json": ""}
        yield from ({"type": "input_json_delta", "partial_json": one} for one in _cut(text, size))
    else:
        yield from ({"type": "text_delta", "text": one} for one in _cut(block["text"], size))


def _cut(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))
