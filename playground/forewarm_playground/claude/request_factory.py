"""Request bodies in few words, for tests written against the local Claude."""

from __future__ import annotations

from typing import Any, Literal

from forewarm_playground.claude.cache.render import Ttl
from forewarm_playground.claude.cache.tokens import text_of

Json = dict[str, Any]
Marker = Ttl | Literal["default"] | None

DENSITY = 2.5
"""Characters a token on today's models."""


def marker(ttl: Marker = "default") -> Json:
    """Return a `cache_control` object; the default life is not named in it."""
    return {"type": "ephemeral"} | ({} if ttl in (None, "default") else {"ttl": ttl})


def mark(block: Json, ttl: Marker = "default") -> Json:
    """Return a block with a cache marker on it."""
    return {**block, "cache_control": marker(ttl)}


def text(content: str, ttl: Marker = None) -> Json:
    """Return a text block, with a marker if a life is given."""
    block: Json = {"type": "text", "text": content}
    return mark(block, ttl) if ttl else block


def sized(tokens: int, seed: str = "lorem", ttl: Marker = None, density: float = DENSITY) -> Json:
    """Return a text block of exactly so many tokens; another `seed` gives another text."""
    return text(text_of(tokens, density, seed), ttl)


def user(*blocks: Json | str) -> Json:
    """Return a user message."""
    return {"role": "user", "content": [_block(one) for one in blocks]}


def assistant(*blocks: Json | str) -> Json:
    """Return an assistant message."""
    return {"role": "assistant", "content": [_block(one) for one in blocks]}


def call(id: str, name: str = "read", **input: Any) -> Json:
    """Return a tool call."""
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def result(id: str, content: str | list[Json] = "ok", ttl: Marker = None) -> Json:
    """Return the result of a tool call."""
    block: Json = {"type": "tool_result", "tool_use_id": id, "content": content}
    return mark(block, ttl) if ttl else block


def tool(name: str = "read", **fields: Any) -> Json:
    """Return the declaration of a tool without parameters."""
    schema = {"type": "object", "properties": {}}
    return {"name": name, "description": f"Do {name}.", "input_schema": schema, **fields}


def body(*messages: Json, model: str = "claude-sonnet-5-5", **fields: Any) -> Json:
    """Return a request; with no messages it asks "Why?"."""
    asked = list(messages) or [user("Why?")]
    return {"model": model, "max_tokens": 100, "messages": asked, **fields}


def _block(content: Json | str) -> Json:
    return text(content) if isinstance(content, str) else content
