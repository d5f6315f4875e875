"""Text as a person types it, as Slack stores it, and as the rich text that clients send along."""

from __future__ import annotations

import re
from collections.abc import Callable

from forewarm_playground.slack.ids import Json

_BARE_URL = re.compile(r"(?<![<|\w])https?://[^\s<>|]+")
_TOKEN = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")
_STORED = re.compile(
    r"<(?:[@#][UWCDGT][A-Z0-9]+|![a-z]+(?:\^[^<>|]*)*|https?://[^<>|]+|mailto:[^<>|]+)"
    r"(?:\|[^<>]*)?>|&(?:amp|lt|gt);"
)
_PLAIN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_TRAILING = ".,;:!?)]}'\""


def escape(text: str) -> str:
    """Escape the three characters that Slack's text format reserves."""
    return text.translate(_PLAIN)


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def stored(text: str, *, links: bool = True) -> str:
    """Return mrkdwn as Slack stores it: tokens kept, stray characters escaped, URLs bracketed.

    Without `links` bare URLs stay text, as with `parse: none`.
    """
    if not any(mark in text for mark in "&<>") and "http" not in text:
        return text
    linked = _bracketed if links else str
    parts, end = [], 0
    for match in _STORED.finditer(text):
        parts += [linked(escape(text[end : match.start()])), match[0]]
        end = match.end()
    return "".join([*parts, linked(escape(text[end:]))])


def _bracketed(text: str) -> str:
    def bracket(match: re.Match[str]) -> str:
        url = match[0].rstrip(_TRAILING)
        return f"<{url}>{match[0][len(url) :]}"

    return _BARE_URL.sub(bracket, text) if "http" in text else text


def typed(text: str, user_of: Callable[[str], str | None]) -> str:
    """Return what Slack stores when a person types `text`; `user_of` finds the id behind a name.

    `@name` becomes a mention if the name is known. Everything else is literal.
    """

    def mention(match: re.Match[str]) -> str:
        ident = user_of(match[1])
        return f"<@{ident}>" if ident else match[0]

    return re.sub(r"(?<!\w)@([\w.-]*\w)", mention, _bracketed(escape(text)))


def urls(text: str) -> list[str]:
    """Return the distinct URLs of a text, bracketed or bare, in order."""
    if "http" not in text:
        return []
    bracketed = [m[2] for m in _TOKEN.finditer(text) if m[2].startswith("http")]
    bare = [m[0].rstrip(_TRAILING) for m in _BARE_URL.finditer(text)]
    return [unescape(url) for url in dict.fromkeys(bracketed + bare)]


def mentioned(text: str) -> list[str]:
    """Return the ids of the users that a text mentions."""
    return [m[2] for m in _TOKEN.finditer(text) if m[1] == "@"] if "<@" in text else []


def rich_text(text: str, block_id: str) -> list[Json]:
    """Return the rich text block that Slack's own clients send with a person's message."""
    elements: list[Json] = []
    end = 0
    for match in _TOKEN.finditer(text):
        _plain(elements, text[end : match.start()])
        elements.append(_element(match))
        end = match.end()
    _plain(elements, text[end:])
    section: Json = {"type": "rich_text_section", "elements": elements}
    return [{"type": "rich_text", "block_id": block_id, "elements": [section]}]


def _plain(elements: list[Json], text: str) -> None:
    if text:
        elements.append({"type": "text", "text": unescape(text)})


def _element(match: re.Match[str]) -> Json:
    mark, target, label = match[1], match[2], match[3]
    if mark == "@":
        return {"type": "user", "user_id": target}
    if mark == "#":
        return {"type": "channel", "channel_id": target}
    if mark == "!":
        return {"type": "broadcast", "range": target}
    link: Json = {"type": "link", "url": unescape(target)}
    return {**link, "text": unescape(label)} if label else link
