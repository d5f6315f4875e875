"""The state machine of a streamed message (docs/platform/slack.md#streaming-methods)."""

from __future__ import annotations

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.models import Stream, StreamState

CHUNK_TYPES = ("markdown_text", "task_update", "plan_update", "blocks")
TASK_STATUSES = ("pending", "in_progress", "complete", "error")
_TASK_FIELD = 256
_MARKDOWN_TEXT = 12_000


def stream_state(stream: Stream, at: float) -> StreamState:
    """Return the state at a Unix time: an expired stream is broken without anybody being told."""
    if stream.state == "in_progress" and at >= stream.expires_at:
        return "errored"
    return stream.state


def check_writable(stream: Stream | None, at: float) -> Stream:
    """Return the stream if text may be added to it now, else refuse as Slack does."""
    if stream is None:
        raise SlackError("message_not_in_streaming_state")
    if stream.stopped_by_user:
        raise SlackError("stopped_by_user")
    if stream_state(stream, at) != "in_progress":
        raise SlackError("message_not_in_streaming_state")
    return stream


def read_chunks(markdown_text: str | None, chunks: list[Json] | None) -> list[Json]:
    """Return what a call adds, checked: `markdown_text` becomes a chunk of its own.

    Refuses with `invalid_chunks` or `msg_too_long`; both arguments at once are not allowed.
    """
    if markdown_text is not None and chunks:
        raise SlackError("invalid_arguments", "[ERROR] markdown_text and chunks exclude each other")
    if markdown_text is not None:
        if len(markdown_text) > _MARKDOWN_TEXT:
            raise SlackError("msg_too_long")
        return [{"type": "markdown_text", "text": markdown_text}] if markdown_text else []
    for chunk in chunks or []:
        _check_chunk(chunk)
    return list(chunks or [])


def _check_chunk(chunk: object) -> None:
    if not isinstance(chunk, dict) or chunk.get("type") not in CHUNK_TYPES:
        raise SlackError("invalid_chunks", f"[ERROR] type must be one of {', '.join(CHUNK_TYPES)}")
    kind = chunk["type"]
    if kind == "markdown_text" and not isinstance(chunk.get("text"), str):
        raise SlackError("invalid_chunks", "[ERROR] missing required field: text")
    if kind == "blocks" and not isinstance(chunk.get("blocks"), list):
        raise SlackError("invalid_chunks", "[ERROR] missing required field: blocks")
    if kind == "plan_update" and not isinstance(chunk.get("title"), str):
        raise SlackError("invalid_chunks", "[ERROR] missing required field: title")
    if kind == "task_update":
        _check_task(chunk)


def _check_task(chunk: Json) -> None:
    for key in ("id", "title"):
        if not isinstance(chunk.get(key), str):
            raise SlackError("invalid_chunks", f"[ERROR] missing required field: {key}")
    if chunk.get("status", "pending") not in TASK_STATUSES:
        raise SlackError("invalid_chunks", "[ERROR] status is not known")
    for key in ("title", "details", "output"):
        if len(str(chunk.get(key, ""))) > _TASK_FIELD:
            raise SlackError("invalid_chunks", f"[ERROR] {key} must be less than 257 characters")


def chunks_size(chunks: list[Json]) -> int:
    """Return the UTF-8 bytes of text that chunks bring."""
    return sum(
        len(chunk[key].encode())
        for chunk in chunks
        for key in ("text", "title", "details", "output")
        if isinstance(chunk.get(key), str)
    )


def add_chunks(stream: Stream, chunks: list[Json], limit: int) -> None:
    """Add all chunks, or none and refuse with `msg_too_long` if `limit` bytes do not hold them."""
    size = chunks_size(chunks)
    if stream.size + size > limit:
        raise SlackError("msg_too_long")
    stream.size += size
    stream.parts += chunks


def stream_text(stream: Stream) -> str:
    """Return the markdown that has arrived so far."""
    return "".join(part["text"] for part in stream.parts if part["type"] == "markdown_text")


def stream_blocks(stream: Stream) -> list[Json]:
    """Return the chunks as blocks, in order: runs of text, one card per task, a plan's title."""
    blocks: list[Json] = []
    tasks: dict[str, Json] = {}
    plan: Json | None = None
    for part in stream.parts:
        if part["type"] == "markdown_text":
            _append_text(blocks, part["text"])
        elif part["type"] == "task_update":
            _append_task(blocks, tasks, part)
        elif part["type"] == "blocks":
            blocks += part["blocks"]
        elif plan is None:
            plan = {"type": "plan", "title": part["title"]}
            blocks.append(plan)
        else:
            plan["title"] = part["title"]
    return blocks


def _append_text(blocks: list[Json], text: str) -> None:
    if blocks and blocks[-1]["type"] == "markdown":
        blocks[-1] = {"type": "markdown", "text": blocks[-1]["text"] + text}
    else:
        blocks.append({"type": "markdown", "text": text})


def _append_task(blocks: list[Json], tasks: dict[str, Json], part: Json) -> None:
    card = tasks.get(part["id"])
    if card is None:
        card = tasks[part["id"]] = {"type": "task_card", "task_id": part["id"]}
        blocks.append(card)
    card["title"] = part["title"]
    card["status"] = part.get("status", card.get("status", "pending"))
    if details := part.get("details"):
        card["details"] = card.get("details", "") + details
    for key in ("output", "sources"):
        if part.get(key):
            card[key] = part[key]
