"""Undo the encoding of Slack's text: entities, links, mentions, dates, emoji. Pure.

Slack stores `&`, `<` and `>` of a message as entities, and what it recognises in the text as tokens
in angle brackets (docs/platform/slack.md#escaping). Each text is decoded once: a second time would
turn an entity that a person typed into the character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote

_TOKEN = re.compile(r"<([@#!][^<>]*|[a-z][a-z0-9+.-]*:[^<>]*)>", re.IGNORECASE)
_ENTITY = re.compile("&(lt|gt|amp);")
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?://)?", re.IGNORECASE)
_EMOJI = re.compile(r":([a-z0-9_+'-]+):", re.IGNORECASE)


def to_plain_text(text: str, own: str | None = None, emoji: Mapping[str, str] | None = None) -> str:
    """Return Slack's mrkdwn as a person reads it. A mention of `own` is left out.

    Users become `@U1`, or `@name (U1)` if Slack sent the name; channels likewise with `#`. Links
    become `label (url)`, or the label alone if it is the address without its scheme: then Slack
    made the link and the author typed the label. `emoji` maps names to characters.
    """
    if own is not None:
        text = re.sub(rf"<@{re.escape(own)}(?:\|[^<>]*)?>[,:]?(?!/)", "", text)
    text = _TOKEN.sub(lambda match: _token(match[1]), text)
    text = unescape(text)
    if emoji:
        text = _EMOJI.sub(lambda match: emoji.get(match[1], match[0]), text)
    return text.strip()


def unescape(text: str) -> str:
    """Return the text with each of Slack's three entities decoded once."""
    return _ENTITY.sub(lambda match: _CHARACTERS[match[1]], text)


def link(url: str, label: str) -> str:
    """Return a link as its author typed it, or with its address if the label hides that."""
    if not label:
        return url.removeprefix("mailto:")
    if _same_address(url, label):
        return label
    return f"{label} ({url})"


def mention(user: str, name: str = "") -> str:
    """Return a mention of a user, with the name if it is known."""
    return f"@{name.lstrip('@')} ({user})" if name else f"@{user}"


def channel(id: str, name: str = "") -> str:
    """Return a mention of a channel, with the name if it is known."""
    return f"#{name.lstrip('#')} ({id})" if name else f"#{id}"


def date(timestamp: object) -> str:
    """Return a time in UTC, or what was given if it is no Unix time."""
    try:
        return datetime.fromtimestamp(float(str(timestamp)), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return str(timestamp)


def _token(inside: str) -> str:
    target, _, label = inside.partition("|")
    kind, rest = target[:1], target[1:]
    # A label cannot form a token of its own once it is decoded: it holds no angle bracket.
    if kind == "@":
        return mention(rest, label)
    if kind == "#":
        return channel(rest, label)
    if kind == "!":
        return _special(rest, label)
    # The entities within are decoded with the rest of the text.
    return link(target, label)


def _special(command: str, label: str) -> str:
    name, *arguments = command.split("^")
    if name == "date" and not label and arguments:
        return date(arguments[0])
    if label:
        return label
    return f"@{arguments[0] if name == 'subteam' and arguments else name}"


def _same_address(url: str, label: str) -> bool:
    """Tell whether a label is the address that it links to, with or without the scheme."""
    bare = _SCHEME.sub("", url, count=1)
    return _comparable(label) in {_comparable(url), _comparable(bare)}


def _comparable(address: str) -> str:
    return unquote(address).rstrip("/").casefold()
