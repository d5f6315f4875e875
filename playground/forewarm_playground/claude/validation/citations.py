"""Citable sources of a request: their rules, and the location of a quotation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forewarm_playground.claude.errors import invalid

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cite:
    """Asks for a citation of `quote`, a text that stands in one of the request's sources.

    It is looked for in every citable source in order, or only in those titled `title`. The text of
    a PDF is not read here: a PDF is cited only if `page` (from 1) is given.
    """

    quote: str
    title: str | None = None
    page: int | None = None


def check(body: Json, version: str) -> None:
    """Refuse what the rules of citations forbid."""
    for kind in ("document", "search_result"):
        enabled = {_enabled(block) for block in sources(body, kind)}
        if len(enabled) > 1:
            raise invalid(
                f"messages: citations must be enabled on all or none of the {kind} blocks"
            )
    if (body.get("output_config") or {}).get("format") and _any_enabled(body):
        raise invalid("output_config.format: not supported together with citations")
    for index, message in enumerate(body["messages"]):
        for place, block in enumerate(_blocks(message)):
            _check_block(f"messages.{index}.content.{place}", message["role"], block, version)


def sources(body: Json, kind: str) -> Iterator[Json]:
    """Yield the blocks of this kind in order, those inside tool results included."""
    for message in body["messages"]:
        for block in _blocks(message):
            if block["type"] == kind:
                yield block
            elif block["type"] == "tool_result" and isinstance(block.get("content"), list):
                yield from (one for one in block["content"] if one["type"] == kind)


def locate(body: Json, cite: Cite) -> dict[str, Any] | None:
    """Return the citation of the quotation's first occurrence, or None."""
    for index, block in enumerate(sources(body, "document")):
        if _enabled(block) and cite.title in (None, block.get("title")):
            found = _in_document(block, index, cite)
            if found:
                return found
    for index, block in enumerate(sources(body, "search_result")):
        if _enabled(block) and cite.title in (None, block["title"]):
            found = _in_search_result(block, index, cite.quote)
            if found:
                return found
    return None


def _blocks(message: Json) -> list[Json]:
    return [] if isinstance(message["content"], str) else list(message["content"])


def _enabled(block: Json) -> bool:
    return bool((block.get("citations") or {}).get("enabled"))


def _any_enabled(body: Json) -> bool:
    return any(
        _enabled(one) for kind in ("document", "search_result") for one in sources(body, kind)
    )


def _check_block(path: str, role: str, block: Json, version: str) -> None:
    kind = block["type"]
    if kind == "search_result" and role != "user":
        raise invalid(f"{path}: `search_result` blocks can only be in `user` messages")
    if kind == "tool_result" and isinstance(block.get("content"), list):
        _check_purity(path, block["content"])
    if version == "2023-06-01":
        return
    if kind == "document" and role == "assistant":
        raise invalid(f"{path}: `document` blocks are not permitted in `assistant` messages")
    cited = block.get("citations") if kind == "text" else None
    inner = block["content"] if kind == "search_result" else ()
    if (cited and role == "user") or any(one.get("citations") for one in inner):
        raise invalid(f"{path}.text.citations: citations are not permitted on input text")


def _check_purity(path: str, content: list[Json]) -> None:
    kinds = {block["type"] for block in content}
    if "search_result" in kinds and len(kinds) > 1:
        raise invalid(
            f"{path}.tool_result.content: a tool_result with search_result blocks may contain only "
            "search_result blocks"
        )


def _in_document(block: Json, index: int, cite: Cite) -> dict[str, Any] | None:
    source = block["source"]
    base = {"document_index": index, "document_title": block.get("title"), "file_id": None}
    if source["type"] == "text":
        place = _characters(source["data"], cite.quote)
    elif source["type"] == "content":
        content = source["content"]
        texts = [content] if isinstance(content, str) else [one.get("text", "") for one in content]
        place = _span(texts, cite.quote, "content_block_location")
    else:
        place = _page(cite)
    return {**place, **base} if place else None


def _characters(data: str, quote: str) -> dict[str, Any] | None:
    start = data.find(quote)
    if start < 0:
        return None
    return {
        "type": "char_location",
        "cited_text": quote,
        "start_char_index": start,
        "end_char_index": start + len(quote),
    }


def _page(cite: Cite) -> dict[str, Any] | None:
    if cite.page is None:
        return None
    return {
        "type": "page_location",
        "cited_text": cite.quote,
        "start_page_number": cite.page,
        "end_page_number": cite.page + 1,
    }


def _in_search_result(block: Json, index: int, quote: str) -> dict[str, Any] | None:
    place = _span([one["text"] for one in block["content"]], quote, "search_result_location")
    if place is None:
        return None
    whence = {"source": block["source"], "title": block["title"], "search_result_index": index}
    return {**place, **whence}


def _span(texts: list[str], quote: str, kind: str) -> dict[str, Any] | None:
    """Cite the block that holds the quotation: blocks are the smallest citable unit."""
    for index, text in enumerate(texts):
        if quote in text:
            place = {"start_block_index": index, "end_block_index": index + 1}
            return {"type": kind, "cited_text": text, **place}
    return None
