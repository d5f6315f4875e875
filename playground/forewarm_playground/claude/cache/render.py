"""A request as the model sees it: blocks in order, each with the hash of everything up to it.

Order: tools, settings that sit between tools and system (web search, citations), system, settings
that sit before the messages (thinking, effort, tool choice, presence of images), messages. Only
what is documented to leave the prompt alone is left out of the hashes; anything undocumented
counts as a change, so that a test fails here rather than money there. Sources:
docs/platform/claude.md#cache-writes-and-reads and docs/platform/claude.md#cache-invalidation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal

from forewarm_playground.claude.cache import tokens
from forewarm_playground.claude.models import Model

Tier = Literal["tools", "system", "messages"]
Ttl = Literal["5m", "1h"]
Json = Mapping[str, Any]

_RUNS = frozenset({"tool_use", "tool_result"})
_LONG = 2_000


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the prompt.

    `digest` is the hash of the prompt up to and including it, `through` the tokens up to and
    including it, `position` its place in the look-back (a run of tool calls shares one; settings
    have none of their own). `marker` is the life asked for here; `marks` how many markers say so:
    one on the block, one on its last inner block, which is promoted to it.
    """

    tier: Tier
    kind: str
    path: str
    digest: bytes
    through: int
    position: int
    marker: Ttl | None = None
    cacheable: bool = True
    marks: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered request: its blocks and its total tokens."""

    blocks: tuple[Block, ...]

    @property
    def total(self) -> int:
        return self.blocks[-1].through if self.blocks else 0


@dataclass(slots=True)
class _Piece:
    tier: Tier
    kind: str
    path: str
    head: str
    content: str
    size: int
    block: Json
    position: bool = True
    opens: bool = True


def render(body: Json, model: Model) -> Prompt:
    """Render a request whose shape has been checked."""
    return Prompt(tuple(_chain(_pieces(body, model))))


def _chain(pieces: Iterator[_Piece]) -> Iterator[Block]:
    digest, through, position, previous = b"", 0, 0, ""
    for piece in pieces:
        own = _blake(piece.tier + piece.kind + piece.head) + _digest(piece.content)
        digest = blake2b(digest + own, digest_size=16).digest()
        through += piece.size
        in_run = piece.kind in _RUNS and piece.kind == previous and not piece.opens
        if piece.position and not in_run:
            position += 1
        previous = piece.kind
        marker, marks = _marker(piece.block)
        yield Block(
            piece.tier,
            piece.kind,
            piece.path,
            digest,
            through,
            position,
            marker,
            piece.position and _cacheable(piece.block),
            marks,
        )


def _pieces(body: Json, model: Model) -> Iterator[_Piece]:
    settings = _settings(body, model)
    if model.settings_first:
        yield settings
    yield from _tools(body, model)
    yield _toggles(body)
    yield from _system(body, model)
    if not model.settings_first:
        yield settings
    for index, message in enumerate(_seen_messages(body, model)):
        yield from _message(index, message, model)


def _tools(body: Json, model: Model) -> Iterator[_Piece]:
    for index, tool in enumerate(body.get("tools") or ()):
        size = tokens.of_json(tool, model.chars_per_token)
        if index == 0:
            size += model.tool_prompt
        yield _Piece("tools", "tool", f"tools.{index}", "", _canonical(tool), size, tool)


def _toggles(body: Json) -> _Piece:
    kinds = [str(tool.get("type", "")) for tool in body.get("tools") or ()]
    toggles = {
        "web": any(kind.startswith(("web_search", "web_fetch")) for kind in kinds),
        "citations": any(_cited(block) for block in _all_blocks(body)),
    }
    return _Piece("system", "settings", "", "", as_text(toggles), 0, {}, position=False)


def _system(body: Json, model: Model) -> Iterator[_Piece]:
    for index, block in enumerate(_as_blocks(body.get("system") or ())):
        size = tokens.of_block(block, model.chars_per_token)
        yield _Piece("system", "text", f"system.{index}", "", _canonical(block), size, block)


def _settings(body: Json, model: Model) -> _Piece:
    config = body.get("output_config") or {}
    choice = _without_defaults(body.get("tool_choice") or {"type": "auto"})
    settings = {
        "thinking": body.get("thinking") or {"type": model.thinking_default},
        "effort": config.get("effort") or model.effort_default,
        "format": config.get("format"),
        "tool_choice": choice,
        "images": any(block.get("type") == "image" for block in _all_blocks(body)),
    }
    forced = bool(body.get("tools")) and choice["type"] in ("any", "tool")
    size = model.forced_tool_prompt - model.tool_prompt if forced else 0
    return _Piece("messages", "settings", "", "", as_text(settings), size, {}, position=False)


def _without_defaults(choice: Json) -> dict[str, Any]:
    return {key: value for key, value in choice.items() if value is not False}


def _message(index: int, message: Json, model: Model) -> Iterator[_Piece]:
    head = [message["role"], message.get("output_config")]
    blocks = _as_blocks(message["content"]) or [{"type": "empty"}]
    for place, block in enumerate(blocks):
        first = place == 0
        size = tokens.MESSAGE_OVERHEAD if first else 0
        if block["type"] != "empty":
            size += tokens.of_block(block, model.chars_per_token)
        path = f"messages.{index}.content.{place}"
        text = _canonical(block)
        opening = as_text([*head, first])
        yield _Piece("messages", block["type"], path, opening, text, size, block, opens=first)


def _seen_messages(body: Json, model: Model) -> list[Json]:
    """Return the messages without the thinking that the model no longer sees."""
    messages: list[Json] = list(body["messages"])
    if not model.strips_thinking:
        return messages
    asked = max((i for i, one in enumerate(messages) if _is_question(one)), default=0)
    return [_without_thinking(one) if i < asked else one for i, one in enumerate(messages)]


def _is_question(message: Json) -> bool:
    kinds = {block["type"] for block in _as_blocks(message["content"])}
    return message["role"] == "user" and "tool_result" not in kinds


def _without_thinking(message: Json) -> Json:
    hidden = ("thinking", "redacted_thinking")
    kept = [one for one in _as_blocks(message["content"]) if one["type"] not in hidden]
    return {**message, "content": kept}


def _as_blocks(content: str | Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content)


def _all_blocks(body: Json) -> Iterator[Json]:
    for message in body["messages"]:
        for block in _as_blocks(message["content"]):
            yield block
            if block.get("type") == "tool_result":
                yield from _as_blocks(block.get("content") or ())


def _cited(block: Json) -> bool:
    return block.get("type") in ("document", "search_result") and bool(
        (block.get("citations") or {}).get("enabled")
    )


# Markers


def _marker(block: Json) -> tuple[Ttl | None, int]:
    inner = inner_blocks(block)
    controls = [block.get("cache_control"), inner[-1].get("cache_control") if inner else None]
    asked: list[Ttl] = [one.get("ttl") or "5m" for one in controls if one]
    return (asked[0] if asked else None), len(asked)


def inner_blocks(block: Json) -> list[Json]:
    """Return the blocks inside a tool result, a document or a search result."""
    match block.get("type"):
        case "tool_result" | "search_result":
            content = block.get("content")
        case "document":
            content = block["source"].get("content")
        case _:
            content = None
    return list(content) if isinstance(content, list) else []


def _cacheable(block: Json) -> bool:
    kind = block.get("type")
    return kind not in ("thinking", "redacted_thinking", "empty") and (
        kind != "text" or bool(block["text"])
    )


# Hashing


def _canonical(block: Json) -> str:
    """Return what of a block is part of the prompt, as text; the order of its keys counts."""
    if block.get("type") == "text" and not block.get("citations"):
        text: str = block["text"]
        return text
    return as_text(_bare(block))


def _bare(block: Json) -> dict[str, Any]:
    bare = {key: one for key, one in block.items() if key != "cache_control" and one is not None}
    match bare.get("type"):
        case "tool_result":
            if bare.get("is_error") is False:
                del bare["is_error"]
            bare["content"] = [_bare(one) for one in _as_blocks(bare.get("content") or ())]
        case "custom":
            del bare["type"]
        case "search_result":
            bare["content"] = [_bare(one) for one in bare["content"]]
        case "document" if isinstance(bare["source"].get("content"), list):
            bare["source"] = {
                **bare["source"],
                "content": [_bare(one) for one in bare["source"]["content"]],
            }
    return bare


def bare_blocks(content: Any) -> list[dict[str, Any]]:
    """Return content (a text or blocks) as blocks without cache markers."""
    return [_bare(block) for block in _as_blocks(content)]


def as_text(value: Any) -> str:
    """Return a JSON value as text, in the order of its keys."""
    return tokens.encode(value)


def _digest(content: str) -> bytes:
    return _digest_long(content) if len(content) > _LONG else _blake(content)


@lru_cache(maxsize=128)
def _digest_long(content: str) -> bytes:
    return _blake(content)


def _blake(content: str) -> bytes:
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
