"""Compare messages of a thread with the text that was sent. Pure.

Slack keeps text in its own shapes (entities, rich text, links with labels). So only letters and
digits are compared, without the addresses of links.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from bot.delivery.slack_api import JsonObject

Verdict = Literal["before", "after", "unreadable"]

_MARKDOWN_LINK = re.compile(r"\]\([^)\s]*\)")
_TAG = re.compile(r"<[^<>|\s]*\|([^<>]*)>")
_ENTITY = re.compile(r"&(?:lt|gt|amp);")
_NO_LETTERS = re.compile(r"[\W_]+")
_FORMATTING = re.compile(r"[\s*_~`#|+.:()\[\]\\-]+")
_TELLING = 40
"""Letters at the end of a text that tell it from a longer one, if Slack has changed the rest."""


def letters_and_digits(text: str) -> str:
    """Return the letters and digits of a text, links reduced to their labels."""
    bare = _TAG.sub(r"\1", _MARKDOWN_LINK.sub("]", text))
    return _NO_LETTERS.sub("", _ENTITY.sub("", bare))


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, list | tuple):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        for key in ("elements", "blocks"):
            yield from _texts(node.get(key))


def visible_text(message: JsonObject) -> str:
    """Return the text that a message shows: its `text`, or that of its blocks if that is more."""
    text = str(message.get("text") or "")
    in_blocks = "".join(
        piece
        for block in message.get("blocks") or ()
        if isinstance(block, dict) and block.get("type") in ("markdown", "rich_text", "section")
        for piece in _texts([block])
    )
    # Slack cuts `text` beside rich text, and leaves blocks out of plain messages.
    return in_blocks if len(in_blocks) > len(text) else text


def is_streaming(message: JsonObject) -> bool | None:
    """Return whether the message is still open to appends; None if Slack does not say."""
    state = message.get("streaming_state")
    return None if state is None else state == "in_progress"


def find(messages: Sequence[JsonObject], ts: str) -> JsonObject | None:
    """Return the message with this ts."""
    return next((message for message in messages if message.get("ts") == ts), None)


def find_sent(
    messages: Sequence[JsonObject], text: str, known: Collection[str], floor: str | None
) -> str | None:
    """Return the ts of a bot's message that shows `text`, is later than `floor` and not `known`."""
    wanted = letters_and_digits(text)
    for message in reversed(messages):
        ts = str(message.get("ts", ""))
        if ts in known or (floor is not None and ts <= floor) or not _by_bot(message):
            continue
        exact = _unescape(str(message.get("text") or "")) == _unescape(text) and text.strip()
        alike = letters_and_digits(visible_text(message)) == wanted
        # A message without words differs from those of other bots only by being a stream.
        if exact or (alike and (wanted or is_streaming(message) is not None)):
            return ts
    return None


def _by_bot(message: JsonObject) -> bool:
    return bool(message.get("bot_id") or message.get("app_id") or message.get("streaming_state"))


def compare_message(message: JsonObject, before: str, added: str) -> Verdict:
    """Tell whether a message shows `before` alone or with `added` behind it."""
    exact = str(message.get("text") or "").rstrip()
    if exact == (before + added).rstrip():
        return "after" if added.strip() else "unreadable"
    if exact == before.rstrip():
        return "before"
    visible = letters_and_digits(visible_text(message))
    old, new = letters_and_digits(before), letters_and_digits(before + added)
    if old == new:
        return "unreadable"
    if visible in (old, new):
        return "before" if visible == old else "after"
    # Slack may have changed the beginning (a long text is cut): the end still tells.
    if visible and visible.endswith(new[-_TELLING:]) != visible.endswith(old[-_TELLING:]):
        return "after" if visible.endswith(new[-_TELLING:]) else "before"
    return "unreadable"


def agrees(message: JsonObject, text: str) -> bool:
    """Return whether the message shows exactly this text, as far as its shape tells."""
    if _unescape(str(message.get("text") or "")) == _unescape(text):
        return True
    return bool(message.get("blocks")) and _signs(visible_text(message)) == _signs(text)


def _signs(text: str) -> str:
    """Return a text without the signs that Slack may take as formatting, or show in another way."""
    return _FORMATTING.sub("", _TAG.sub(r"\1", _unescape(text)))


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").strip()
