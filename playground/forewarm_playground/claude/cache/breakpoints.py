"""Cache markers of a request: which there are, which are allowed.

Sources: docs/platform/claude.md#cache-markers and docs/platform/claude.md#cache-life.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forewarm_playground.claude.cache.render import Block, Prompt, Ttl, inner_blocks
from forewarm_playground.claude.errors import invalid

MAXIMUM = 4

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A marker at the block with this index in the prompt; `automatic` if the API placed it."""

    index: int
    block: Block
    ttl: Ttl
    automatic: bool = False


def breakpoints(body: Json, prompt: Prompt) -> tuple[Breakpoint, ...]:
    """Return the request's markers in render order, the automatic one included.

    Raises `ApiError` if there are too many or their lives are out of order.
    """
    marked = [
        Breakpoint(index, block, block.marker)
        for index, block in enumerate(prompt.blocks)
        if block.marker is not None
    ]
    count = sum(point.block.marks for point in marked)
    if count > MAXIMUM:
        raise invalid(
            f"A maximum of {MAXIMUM} blocks with cache_control may be provided. Found {count}."
        )
    marked = _with_automatic(body, prompt, marked, count)
    _check_order(marked)
    return tuple(marked)


def _with_automatic(
    body: Json, prompt: Prompt, marked: list[Breakpoint], count: int
) -> list[Breakpoint]:
    control = body.get("cache_control")
    if not control:
        return marked
    ttl: Ttl = control.get("ttl") or "5m"
    index = max((i for i, one in enumerate(prompt.blocks) if one.cacheable), default=None)
    if index is None:
        return marked
    block = prompt.blocks[index]
    if block.marker == ttl:
        return marked
    if block.marker is not None:
        raise invalid(
            f"cache_control: ttl='{ttl}' conflicts with the ttl='{block.marker}' of the explicit "
            f"cache_control on {block.path}"
        )
    if count == MAXIMUM:
        raise invalid(
            f"A maximum of {MAXIMUM} blocks with cache_control may be provided. "
            f"Found {count + 1}, automatic caching included."
        )
    point = Breakpoint(index, block, ttl, automatic=True)
    return sorted([*marked, point], key=lambda one: one.index)


def _check_order(marked: list[Breakpoint]) -> None:
    short = False
    for point in marked:
        if point.ttl == "1h" and short:
            path = (
                "cache_control.ttl" if point.automatic else f"{point.block.path}.cache_control.ttl"
            )
            raise invalid(
                f"{path}: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: "
                "`tools`, `system`, `messages`."
            )
        short = point.ttl == "5m"


def check_inner_markers(block: Json, path: str) -> None:
    """Refuse a marker on an inner block that is not the last one (docs/platform/claude.md)."""
    for place, inner in enumerate(inner_blocks(block)[:-1]):
        if inner.get("cache_control"):
            kind = f"{block['type']}.source" if block["type"] == "document" else block["type"]
            raise invalid(
                f"{path}.{kind}.content.{place}.cache_control: Extra inputs are not permitted"
            )
