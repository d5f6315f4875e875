"""Take a deleted message out of what was sent to Claude. Pure.

A turn is replayed byte for byte, so a message that was deleted in Slack would be sent for ever. The
tags stay, so that what comes after keeps its place. The words between them, the files and the
pictures go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bot.delivery.slack_api import JsonObject

DELETED = "(deleted)"
LEAST = 8
"""Characters of a line that is looked for in an answer: shorter ones are common words."""
_STAMP = re.compile(r'<slack_(?:message|question) ts="([0-9.]+)"')
_SHOWN = re.compile(r"\(picture (\d+)\)")
_PICTURE = re.compile(r'<slack_picture number="(\d+)"')


def stamps(messages: Iterable[JsonObject]) -> frozenset[str]:
    """Return the time stamps of the messages of Slack that a turn holds."""
    return frozenset(ts for text in _texts(messages) for ts in _STAMP.findall(text))


def without_message(messages: Sequence[JsonObject], ts: str) -> tuple[JsonObject, ...] | None:
    """Return a turn without what one message of Slack said, or None if it holds none of it."""
    tag = re.compile(
        rf'(<slack_(message|question) ts="{re.escape(ts)}"[^>\n]*>\n)(.*?)(\n</slack_\2>)',
        re.DOTALL,
    )
    if not any(match[3] != DELETED for text in _texts(messages) for match in tag.finditer(text)):
        return None
    lines = _lines(match[3] for text in _texts(messages) for match in tag.finditer(text))
    # Words of the message that the model repeats go from its answer too.
    return tuple(_unrepeated(_redacted(message, tag), lines) for message in messages)


def without_repeats(text: str, messages: Sequence[JsonObject], ts: str) -> str:
    """Return an answer's text without the lines of a message that was sent with its turn."""
    tag = re.compile(
        rf'<slack_(message|question) ts="{re.escape(ts)}"[^>\n]*>\n(.*?)\n</slack_\1>', re.DOTALL
    )
    return _without(text, _lines(m[2] for sent in _texts(messages) for m in tag.finditer(sent)))


def without_answer(messages: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Return a turn without what the model said. Its look-ups stay, since their results follow."""
    return tuple(_unanswered(message) for message in messages)


def _unanswered(message: JsonObject) -> JsonObject:
    content = message.get("content")
    if message.get("role") != "assistant" or not content:
        return message
    if isinstance(content, str):
        return {**message, "content": DELETED}
    blocks = [
        {**block, "text": DELETED} if block.get("type") == "text" else block
        for block in content
        if "thinking" not in str(block.get("type"))
    ]
    return {**message, "content": blocks or DELETED}


def _lines(bodies: Iterable[str]) -> list[str]:
    """Return the lines of a message that are worth looking for in an answer, longest first."""
    lines = {line.strip() for body in bodies for line in body.splitlines()}
    return sorted((line for line in lines if len(line) >= LEAST), key=len, reverse=True)


def _unrepeated(message: JsonObject, lines: Sequence[str]) -> JsonObject:
    """Return an answer without the lines of a deleted message that it repeats.

    Thinking that repeats them goes as a whole, because its signature covers all of its text.
    """
    content = message.get("content")
    if message.get("role") != "assistant" or not content:
        return message
    if isinstance(content, str):
        return {**message, "content": _without(content, lines)}
    thought = [block for block in content if not _repeats(str(block.get("thinking") or ""), lines)]
    blocks = [
        {**block, "text": _without(block["text"], lines)} if block.get("type") == "text" else block
        for block in thought
    ]
    return {**message, "content": blocks or DELETED}


def _repeats(text: str, lines: Iterable[str]) -> bool:
    return any(line in text for line in lines)


def _without(text: str, lines: Iterable[str]) -> str:
    for line in lines:
        text = text.replace(line, DELETED)
    return text


def _redacted(message: JsonObject, tag: re.Pattern[str]) -> JsonObject:
    content = message.get("content")
    if message.get("role") != "user" or isinstance(content, str) or content is None:
        return message
    gone: set[str] = set()

    def empty(match: re.Match[str]) -> str:
        gone.update(_SHOWN.findall(match[3]))
        return f"{match[1]}{DELETED}{match[4]}"

    blocks = [
        {**block, "text": tag.sub(empty, block["text"])} if block.get("type") == "text" else block
        for block in content
    ]
    # Another message may show the same picture.
    gone -= {number for text in _texts_of(blocks) for number in _SHOWN.findall(text)}
    return {**message, "content": list(_without_pictures(blocks, gone))}


def _without_pictures(blocks: Sequence[Any], gone: set[str]) -> Iterator[Any]:
    """Yield the blocks without these pictures, each of which follows a block with its number."""
    skip = False
    for block in blocks:
        if skip and block.get("type") == "image":
            skip = False
            continue
        number = _PICTURE.match(block.get("text", "")) if block.get("type") == "text" else None
        skip = number is not None and number[1] in gone
        if not skip:
            yield block


def _texts(messages: Iterable[JsonObject]) -> Iterator[str]:
    """Yield the texts that we wrote."""
    for message in messages:
        content = message.get("content")
        if message.get("role") == "user" and not isinstance(content, str):
            yield from _texts_of(content or ())


def _texts_of(blocks: Iterable[Any]) -> Iterator[str]:
    return (block["text"] for block in blocks if block.get("type") == "text")
