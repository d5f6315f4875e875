"""What stands in Slack, read from a thread's messages, compared with what was sent. Pure.

Slack keeps text in its own shapes (entities, rich text, links with labels), so only letters and
digits are compared, without their links.
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
_SILENT = re.compile(r"[\W_]+")
_FORMATTING = re.compile(r"[\s*_~`#|+.:()\[\]\\-]+")
_TELLING = 40


def core(text: str) -> str:
    """Return the letters and digits of a text, links reduced to their labels."""
    bare = _TAG.sub(r"\1", _MARKDOWN_LINK.sub("]", text))
    return _SILENT.sub("", _ENTITY.sub("", bare))


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, list | tuple):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        for key in ("elements", "blocks"):
            yield from _texts(node.get(key))


def shown(message: JsonObject) -> str:
    """Return the text that a message shows: its `text`, or what its blocks hold if that is more."""
    text = str(message.get("text") or "")
    held = "".join(
        piece
        for block in message.get("blocks") or ()
        if isinstance(block, dict) and block.get("type") in ("markdown", "rich_text", "section")
        for piece in _texts([block])
    )
    return held if len(held) > len(text) else text


def is_streaming(message: JsonObject) -> bool | None:
    """Whether the message is still open to appends; None where Slack does not say."""
    state = message.get("streaming_state")
    return None if state is None else state == "in_progress"


def find(messages: Sequence[JsonObject], ts: str) -> JsonObject | None:
    return next((message for message in messages if message.get("ts") == ts), None)


def find_sent(
    messages: Sequence[JsonObject], text: str, known: Collection[str], floor: str | None
) -> str | None:
    """Return the ts of a bot's message that shows `text` and is none of `known`; else None."""
    wanted = core(text)
    for message in reversed(messages):
        ts = str(message.get("ts", ""))
        if ts in known or (floor is not None and ts <= floor) or not _by_bot(message):
            continue
        exact = _plain(str(message.get("text") or "")) == _plain(text) and text.strip()
        # One without words is told from other bots' by its being a stream.
        if exact or (
            core(shown(message)) == wanted and (wanted or is_streaming(message) is not None)
        ):
            return ts
    return None


def _by_bot(message: JsonObject) -> bool:
    return bool(message.get("bot_id") or message.get("app_id") or message.get("streaming_state"))


def judge(message: JsonObject, before: str, added: str) -> Verdict:
    """Tell whether a message shows `before` alone or with what was `added`."""
    exact = str(message.get("text") or "").rstrip()
    if exact == (before + added).rstrip():
        return "after" if added.strip() else "unreadable"
    if exact == before.rstrip():
        return "before"
    standing, old, new = core(shown(message)), core(before), core(before + added)
    if old == new:
        return "unreadable"
    if standing in (old, new):
        return "before" if standing == old else "after"
    if standing and standing.endswith(new[-_TELLING:]) != standing.endswith(old[-_TELLING:]):
        return "after" if standing.endswith(new[-_TELLING:]) else "before"
    return "unreadable"


def agrees(message: JsonObject, text: str) -> bool:
    """Whether the message shows exactly this text, as far as its shape lets that be told."""
    if _plain(str(message.get("text") or "")) == _plain(text):
        return True
    return bool(message.get("blocks")) and _signs(shown(message)) == _signs(text)


def _signs(text: str) -> str:
    """Return a text without what Slack may take as formatting, or show in another way."""
    return _FORMATTING.sub("", _TAG.sub(r"\1", _plain(text)))


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").strip()
