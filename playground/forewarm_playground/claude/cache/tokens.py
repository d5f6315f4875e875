"""How many tokens a piece of a request has: one deterministic measure, used for everything.

The real tokenizer is not public. Its documented density is about 2.5 characters a token
on today's models and 3.3 on older ones, so a text of n characters has ceil(n / density) tokens.
Since every part is measured by itself, the parts of a prompt always add up to the whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

MESSAGE_OVERHEAD = 4
"""Tokens that each message costs beside its content."""

IMAGE_TOKENS = 1_500
"""Tokens of an image of any size: about a 1.1-megapixel picture."""

Json = Mapping[str, Any]

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Returns a JSON value as text, in the order of its keys."""


def of_text(text: str, density: float) -> int:
    """Return the tokens of `text` at `density` characters a token."""
    return math.ceil(len(text) / density)


def text_of(tokens: int, density: float, seed: str = "lorem") -> str:
    """Return a text that has exactly `tokens` tokens; another `seed` gives another text."""
    size = math.floor(tokens * density)
    word = seed + " "
    return (word * (size // len(word) + 1))[:size].rstrip().ljust(size, ".")


def of_block(block: Json, density: float) -> int:
    """Return the tokens of one content block of a message or of `system`."""
    match block.get("type"):
        case "text":
            return of_text(block["text"], density)
        case "image":
            return IMAGE_TOKENS
        case "document":
            return _of_document(block, density)
        case "search_result":
            texts = [block["source"], block["title"], *(one["text"] for one in block["content"])]
            return sum(of_text(text, density) for text in texts)
        case "tool_result":
            return of_text(block["tool_use_id"], density) + _of_content(block, density)
        case "thinking":
            return _of_thinking(block, density)
    return of_json(block, density)


def of_json(value: Any, density: float) -> int:
    """Return the tokens of a JSON value as it is rendered into the prompt."""
    bare = {key: one for key, one in value.items() if key != "cache_control"}
    return of_text(encode(bare), density)


def _of_content(block: Json, density: float) -> int:
    content = block.get("content", "")
    if isinstance(content, str):
        return of_text(content, density)
    return sum(of_block(one, density) for one in content)


def _of_document(block: Json, density: float) -> int:
    heading = sum(of_text(block.get(key) or "", density) for key in ("title", "context"))
    source = block["source"]
    if source["type"] == "content":
        return heading + _of_content(source, density)
    # A PDF's or a remote file's size stands for its text.
    return heading + of_text(source.get("data") or source.get("url") or "", density)


def _of_thinking(block: Json, density: float) -> int:
    return of_text(block["thinking"] or block["signature"], density)
