"""Finds text that must not stand in Slack, apart from the code that prevents it.

Markdown is read by a parser that the bot does not use. Links that Slack would make on its own from
bare addresses count as links, wherever they do not stand in code.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from forewarm_playground.slack.models import Message
from markdown_it import MarkdownIt
from markdown_it.token import Token

ALLOWED = ("git.example.com", "slack.com")


class _Gullible(MarkdownIt):
    """Makes a link of every address, as a careless client would."""

    def validateLink(self, url: str) -> bool:
        return True


_MARKDOWN = _Gullible("commonmark").enable(["table", "strikethrough"])
_BARE = re.compile(r"(?:https?://|www\.)[^\s<>|`]*", re.IGNORECASE)
_TOKEN = re.compile(r"<(?:[@#!]|https?:|mailto:|[a-z]+:)[^>]*>", re.IGNORECASE)


def offences(message: Message, *, linkless: bool = False) -> list[str]:
    """Return what is wrong with a message of the bot, one sentence each.

    `linkless`: it was posted with `parse: none`, so that bare addresses in mrkdwn stay text.
    """
    if message.markdown:
        found = list(_in_markdown(message.text))
    else:
        found = list(_in_mrkdwn(message.text, linkless=linkless))
    for kind, text in _texts(message.blocks):
        found += _in(kind, text)
    return found


def _in(kind: str, text: str) -> Iterator[str]:
    if kind == "markdown":
        return _in_markdown(text)
    return _in_mrkdwn(text, linkless=kind == "verbatim")


def _texts(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, dict):
        if node.get("type") in ("markdown", "mrkdwn") and isinstance(node.get("text"), str):
            yield "verbatim" if node.get("verbatim") else node["type"], node["text"]
        if node.get("type") == "link":
            yield "mrkdwn", f"<{node.get('url')}|x>"
        for key in ("title", "details", "output"):
            if node.get("type") in ("task_card", "task_update") and isinstance(node.get(key), str):
                yield "mrkdwn", node[key]
        for value in node.values():
            yield from _texts(value)


def _in_markdown(text: str) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        yield f"the token {found[0]!r} is live"
    for token in _flat(_MARKDOWN.parse(text)):
        if token.type == "image":
            yield f"the image {token.attrGet('src')!r} would be fetched"
        elif token.type == "link_open":
            yield from _link(str(token.attrGet("href")))
        elif token.type in ("html_inline", "html_block") or token.type == "text":
            yield from _bare(token.content)


def _flat(tokens: list[Token]) -> Iterator[Token]:
    linked = 0
    for token in tokens:
        if token.type == "inline":
            yield from _flat(token.children or [])
            continue
        linked += (token.type == "link_open") - (token.type == "link_close")
        # The words of a link lead where the link leads: they are no link of their own.
        if not (linked and token.type == "text"):
            yield token


def _in_mrkdwn(text: str, *, linkless: bool = False) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        inside = found[0][1:-1].partition("|")[0]
        if inside.startswith(("@", "#", "!")):
            if inside != "@U0ASKER" and inside != "@U0NICK":
                yield f"the token {found[0]!r} is live"
        else:
            yield from _link(inside)
    if not linkless:
        yield from _bare(html.unescape(re.sub(r"`[^`\n]*`", "", _TOKEN.sub("", text))))


def _bare(text: str) -> Iterator[str]:
    for found in _BARE.finditer(text):
        yield from _link(found[0] if ":" in found[0][:6] else f"http://{found[0]}")


def _link(address: str) -> Iterator[str]:
    parts = urlsplit(html.unescape(unquote(address)).replace("\\", "/"))
    host = parts.hostname or ""
    allowed = host in ALLOWED or host.endswith(".slack.com")
    if parts.scheme not in ("http", "https") or not allowed or parts.username:
        yield f"{address!r} is a link that leads out"


def tokens_in(blocks: Any) -> list[str]:
    """Return the tokens and links that are live in blocks."""
    return [found for kind, text in _texts(blocks) for found in _in(kind, text)]
