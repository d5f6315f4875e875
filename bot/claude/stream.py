"""A stream of the Messages API as a few small typed events.

Pure: `Reader.feed` takes one decoded server-sent event and the time, and returns what it means.
It keeps lists of pieces, never a growing copy of the message, so that a long answer costs as
much per token at its end as at its start.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.claude.usage import Ttl, Usage, merged, reports_writes, usage_of

OUTPUT_CHARACTERS = 3.0
"""Characters per token of what a model writes, at the dear end."""

_PRODUCED = ("text", "partial_json", "thinking")


@dataclass(frozen=True, slots=True)
class Started:
    """The reply began: the prefix is read or written now, and its usage is known.

    `miss` is the API's own diagnosis of a cache miss, if one was asked for and made.
    `reports_writes` is false for servers that do not say what they wrote to their cache.
    """

    at: float
    message_id: str | None
    usage: Usage
    reports_writes: bool
    miss: str | None = None


@dataclass(frozen=True, slots=True)
class ThinkingStarted:
    """The model thinks; nothing of it is shown."""

    at: float


@dataclass(frozen=True, slots=True)
class Text:
    """Visible words, as they came. Never empty."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The model asks for a tool; `input` is complete."""

    id: str
    name: str
    input: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The reply is complete.

    `content` holds its blocks as they are to be sent back in the next round or turn: text and
    tool_use, in order, without thinking, which is bound to one model and conversation. Times are
    Unix seconds by the clock handed in. `refusal` is the category of a refusal, if the server named
    one.
    """

    at: float
    stop_reason: str
    usage: Usage
    message_id: str | None
    content: tuple[Mapping[str, Any], ...]
    started_at: float
    refusal: str | None = None


Event = Started | ThinkingStarted | Text | ToolUse | Ended


@dataclass(slots=True)
class _OpenBlock:
    kind: str
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)


class Reader:
    """Folds the events of one stream. `ended` tells whether `message_stop` has come."""

    def __init__(self, ttl: Ttl) -> None:
        self._ttl: Ttl = ttl
        self._usage: Mapping[str, Any] = {}
        self._message_id: str | None = None
        self._open: dict[int, _OpenBlock] = {}
        self._content: list[tuple[int, Mapping[str, Any]]] = []
        self._stop_reason: str | None = None
        self._refusal: str | None = None
        self._started_at: float | None = None
        self._has_thought = False
        self._received = 0
        self.ended = False

    @property
    def usage(self) -> Usage:
        """The usage that the stream has reported so far."""
        return usage_of(self._usage, self._ttl)

    def usage_so_far(self) -> Usage:
        """Return the usage to account for, ended or not.

        The number of tokens produced is only told at the end, while a stream that is left is paid
        for up to there: what has been received is estimated by its length.
        """
        told = self.usage
        if self.ended:
            return told
        return replace(told, output=max(told.output, round(self._received / OUTPUT_CHARACTERS)))

    def feed(self, event: Mapping[str, Any], at: float) -> Iterator[Event]:
        """Take the next event of the stream, received `at` (Unix seconds)."""
        match event.get("type"):
            case "message_start":
                yield self._start(_mapping(event.get("message")), at)
            case "content_block_start":
                yield from self._open_block(event, at)
            case "content_block_delta":
                yield from self._delta(event, at)
            case "content_block_stop":
                yield from self._close_block(event, at)
            case "message_delta":
                self._message_delta(event)
            case "message_stop":
                for index in sorted(self._open):
                    yield from self._close_block({"index": index}, at)
                yield self._end(at)
            case _:
                return  # pings, and kinds that a later API may add

    def _start(self, message: Mapping[str, Any], at: float) -> Started:
        self._started_at = at
        self._message_id = _text(message.get("id")) or None
        self._usage = _mapping(message.get("usage"))
        return Started(
            at, self._message_id, self.usage, reports_writes(self._usage), miss_reason(message)
        )

    def _open_block(self, event: Mapping[str, Any], at: float) -> Iterator[Event]:
        raw = _mapping(event.get("content_block"))
        kind = _text(raw.get("type"))
        block = _OpenBlock(kind, _text(raw.get("id")), _text(raw.get("name")))
        self._open[_index(event)] = block
        if kind in ("thinking", "redacted_thinking") and not self._has_thought:
            self._has_thought = True
            yield ThinkingStarted(at)
        if kind == "text":
            yield from self._take_text(block, _text(raw.get("text")), at)
        if kind == "tool_use" and raw.get("input"):
            block.pieces.append(json.dumps(raw["input"]))

    def _delta(self, event: Mapping[str, Any], at: float) -> Iterator[Event]:
        block = self._open.get(_index(event))
        delta = _mapping(event.get("delta"))
        if block is None:
            return
        self._received += sum(len(_text(delta.get(key))) for key in _PRODUCED)
        if delta.get("type") == "text_delta":
            yield from self._take_text(block, _text(delta.get("text")), at)
        elif delta.get("type") == "input_json_delta":
            block.pieces.append(_text(delta.get("partial_json")))

    def _take_text(self, block: _OpenBlock, words: str, at: float) -> Iterator[Event]:
        if not words:
            return
        block.pieces.append(words)
        yield Text(words, at)

    def _close_block(self, event: Mapping[str, Any], at: float) -> Iterator[Event]:
        index = _index(event)
        block = self._open.pop(index, None)
        if block is None:
            return
        joined = "".join(block.pieces)
        if block.kind == "text" and joined.strip():
            self._content.append((index, {"type": "text", "text": joined}))
        if block.kind == "tool_use":
            wanted = _object(joined)
            if wanted is None:
                return  # cut short by max_tokens: neither to be run nor to be sent back
            use = {"type": "tool_use", "id": block.id, "name": block.name, "input": wanted}
            self._content.append((index, use))
            yield ToolUse(block.id, block.name, wanted, at)

    def _message_delta(self, event: Mapping[str, Any]) -> None:
        delta = _mapping(event.get("delta"))
        self._usage = merged(self._usage, _mapping(event.get("usage")))
        self._stop_reason = _text(delta.get("stop_reason")) or self._stop_reason
        details = _mapping(delta.get("stop_details"))
        self._refusal = _text(details.get("category")) or self._refusal

    def _end(self, at: float) -> Ended:
        self.ended = True
        return Ended(
            at=at,
            stop_reason=self._stop_reason or "end_turn",
            usage=self.usage,
            message_id=self._message_id,
            content=tuple(block for _, block in sorted(self._content, key=lambda pair: pair[0])),
            started_at=self._started_at if self._started_at is not None else at,
            refusal=self._refusal,
        )


def miss_reason(message: Mapping[str, Any]) -> str | None:
    """Return `diagnostics.cache_miss_reason.type` of a message, if it has one."""
    diagnostics = _mapping(message.get("diagnostics"))
    return _text(_mapping(diagnostics.get("cache_miss_reason")).get("type")) or None


def _object(text: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(text or "{}", parse_constant=_refuse)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON and could not be sent back")


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
