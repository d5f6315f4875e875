"""Warm-ups and questions, made by one function from one Prefix (docs/claude.md#one-prefix).

A request is kept as its parts. `body()` gives it as the JSON object that the API documents;
`encoded()` gives the same as bytes, reusing what the prefix has encoded once, so that a prefix
of 400 kB costs a copy and not a walk over its characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.claude.models import ModelSettings
from bot.claude.prefix import JsonObject, Prefix, build_prefix, dump, estimated_tokens
from bot.claude.providers.table import sent_id
from bot.claude.usage import Ttl
from bot.context.pack import Pack

PLACEHOLDER = "."
"""The user's turn of a warm-up: never marked, since no question begins with it."""

TAIL_TTL: Ttl = "5m"
"""The life of entries within the conversation: a follow-up comes soon or not at all."""

IMAGE_TOKENS = 1_600
"""The most that an image takes: it is scaled to 1.15 megapixels, at 750 pixels a token
(docs/platform/claude.md#images)."""

THINKING_BUDGET = 1024
"""Tokens of `enabled` thinking: the least that models which need a budget accept."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the Messages API. `previous` is the message id to diagnose misses against.

    `diagnose` asks for cache diagnostics at all; `marked` are indices of `messages` whose last
    block carries a marker.
    """

    prefix: Prefix
    ttl: Ttl
    messages: tuple[JsonObject, ...]
    marked: tuple[int, ...]
    max_tokens: int
    stream: bool
    diagnose: bool = False
    previous: str | None = None

    @property
    def is_warm_up(self) -> bool:
        return not self.marked

    @property
    def tail_tokens(self) -> int:
        """An estimate of what lies behind the prefix."""
        texts, images = _without_images(list(self.messages))
        return estimated_tokens(dump(texts).decode()) + images * IMAGE_TOKENS

    def body(self) -> dict[str, Any]:
        """Return the request as the JSON object that is sent."""
        tools = {"tools": list(self.prefix.tools)} if self.prefix.tools else {}
        return {
            **self._settings(),
            **tools,
            "system": [
                {"type": "text", "text": block.text, **_marker(block.marked, self.ttl)}
                for block in self.prefix.system
            ],
            "messages": self._messages(),
        }

    def encoded(self) -> bytes:
        """Return the bytes of `body()`."""
        return b"".join(self._pieces())

    def __repr__(self) -> str:
        kind = "warm-up" if self.is_warm_up else f"question of {len(self.messages)} messages"
        return f"<Request {kind} on {self.prefix.key}, {self.ttl}, {self.max_tokens} out>"

    def _settings(self) -> dict[str, Any]:
        settings = self.prefix.settings
        model = sent_id(settings.model)
        chosen: dict[str, Any] = {"model": model, "max_tokens": self.max_tokens}
        if self.stream:
            chosen["stream"] = True
        if settings.thinking == "enabled":
            chosen["thinking"] = {"type": "enabled", "budget_tokens": THINKING_BUDGET}
        elif settings.thinking is not None:
            chosen["thinking"] = {"type": settings.thinking}
        if settings.effort is not None:
            chosen["output_config"] = {"effort": settings.effort}
        if self.diagnose:
            chosen["diagnostics"] = {"previous_message_id": self.previous}
        return chosen

    def _pieces(self) -> Iterator[bytes]:
        yield dump(self._settings())[:-1]
        if self.prefix.tools:
            yield b',"tools":'
            yield self.prefix.encoded_tools
        yield b',"system":['
        for at, (block, text) in enumerate(
            zip(self.prefix.system, self.prefix.encoded_texts, strict=True)
        ):
            yield b',{"type":"text","text":' if at else b'{"type":"text","text":'
            yield text
            yield b',"cache_control":' + dump(_control(self.ttl)) + b"}" if block.marked else b"}"
        yield b'],"messages":'
        yield dump(self._messages())
        yield b"}"

    def _messages(self) -> list[JsonObject]:
        return [
            _with_marker(message) if at in self.marked else message
            for at, message in enumerate(self.messages)
        ]


def warm_request(
    prefix: Prefix,
    ttl: Ttl,
    *,
    max_tokens: int = 0,
    previous: str | None = None,
) -> Request:
    """Return the request that writes or renews the prefix's cache entry and asks nothing.

    `max_tokens` is 1 for a server that refuses 0 with these settings. With `enabled` thinking the
    API refuses 0 and 1 alike; such a warm-up is streamed, to be left when its reply begins
    (docs/platform/claude.md#warm-ups-without-output).
    """
    thinks = prefix.settings.thinking == "enabled"
    return build_request(
        prefix,
        ttl,
        [{"role": "user", "content": PLACEHOLDER}],
        marked=(),
        max_tokens=max(1, max_tokens) if thinks else max_tokens,
        stream=thinks,
        previous=previous,
    )


def question_request(
    prefix: Prefix,
    ttl: Ttl,
    messages: Sequence[JsonObject],
    *,
    max_tokens: int | None = None,
    previous: str | None = None,
) -> Request:
    """Return the streamed request that asks: thread and question, then the rounds run so far.

    Markers stand at the end of the question, which is the last user message holding more than
    tool results, and on the last block of the running round.
    """
    cap = prefix.settings.max_tokens if max_tokens is None else max_tokens
    return build_request(
        prefix,
        ttl,
        messages,
        marked=_marks(messages),
        max_tokens=cap,
        stream=True,
        previous=previous,
    )


def build_request(
    prefix: Prefix,
    ttl: Ttl,
    messages: Sequence[JsonObject],
    *,
    marked: tuple[int, ...],
    max_tokens: int,
    stream: bool,
    previous: str | None = None,
) -> Request:
    """Make a request from a prefix: the one function behind warm-ups and questions."""
    if prefix.settings.thinking == "enabled":
        max_tokens += THINKING_BUDGET
    return Request(
        prefix=prefix,
        ttl=ttl,
        messages=tuple(messages),
        marked=marked,
        max_tokens=max_tokens,
        stream=stream,
        previous=previous,
    )


def empty_request(model: str) -> Request:
    """Return a request without messages, which every provider refuses as invalid."""
    prefix = build_prefix(Pack((), (), (), 0), [], ModelSettings(model))
    return Request(prefix, "5m", (), (), 1, False)


def _without_images(value: Any) -> tuple[Any, int]:
    """Return messages without the bytes of their images, and the number of images."""
    if isinstance(value, list | tuple):
        parts = [_without_images(one) for one in value]
        return [part for part, _ in parts], sum(count for _, count in parts)
    if isinstance(value, Mapping):
        if value.get("type") == "image":
            return {"type": "image"}, 1
        if "content" in value:
            content, count = _without_images(value["content"])
            return {**value, "content": content}, count
    return value, 0


def _marks(messages: Sequence[JsonObject]) -> tuple[int, ...]:
    asked = [at for at, message in enumerate(messages) if _asks(message)]
    last = len(messages) - 1
    return tuple(sorted({*asked[-1:], last} - {-1}))


def _asks(message: JsonObject) -> bool:
    if message.get("role") != "user":
        return False
    content = message.get("content")
    return isinstance(content, str) or any(
        block.get("type") != "tool_result" for block in content or ()
    )


def _with_marker(message: JsonObject) -> JsonObject:
    """Mark the last block that may carry a marker: thinking and empty text may not."""
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    for at in range(len(blocks) - 1, -1, -1):
        if _markable(blocks[at]):
            blocks[at] = {**blocks[at], **_marker(True, TAIL_TTL)}
            break
    return {**message, "content": blocks}


def _markable(block: Mapping[str, Any]) -> bool:
    if block.get("type") in ("thinking", "redacted_thinking"):
        return False
    return block.get("type") != "text" or bool(str(block.get("text", "")).strip())


def _marker(marked: bool, ttl: Ttl) -> dict[str, Any]:
    return {"cache_control": _control(ttl)} if marked else {}


def _control(ttl: Ttl) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": ttl}
