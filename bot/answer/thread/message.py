"""What somebody said in Slack: one message, read from Slack's own form. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.answer.question import File, file_of

Speaker = Literal["person", "own", "bot", "outsider"]

_TOKEN = re.compile(r"<([@#!][^<>]*|[a-z][a-z0-9+.-]*:[^<>]*)>", re.IGNORECASE)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
# Joins, leaves, renames: nobody said them.
_SILENT = frozenset(
    {
        "assistant_app_thread",
        "channel_archive",
        "channel_join",
        "channel_leave",
        "channel_name",
        "channel_purpose",
        "channel_topic",
        "channel_unarchive",
        "group_join",
        "group_leave",
        "group_name",
        "group_purpose",
        "group_topic",
        "tombstone",
    }
)


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Who we are in one workspace, as `auth.test` says."""

    user: str
    bot: str | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a thread. `text` is plain: Slack's marks are decoded, nothing is shielded."""

    ts: str
    by: str
    speaker: Speaker
    text: str
    files: tuple[File, ...] = ()

    def __repr__(self) -> str:
        return (
            f"<ThreadMessage {self.ts} by {self.by} ({self.speaker}): {len(self.text)} characters>"
        )


def plain(text: str, own: str | None = None) -> str:
    """Return Slack's mrkdwn as a person reads it; a mention of `own` is dropped.

    Mentions become `@U1`, channels `#name`, links `label (url)` (docs/platform/slack.md#escaping).
    """
    text = _TOKEN.sub(lambda match: _token(match.group(1), own), text)
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text.strip()


def _token(inside: str, own: str | None) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return "" if target[1:] == own else target
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    return f"{label} ({target})" if label and label not in target else target


def said(message: Mapping[str, Any], own: BotIdentity) -> ThreadMessage | None:
    """Return what a message of Slack says, or None where nobody said anything in it."""
    ts = message.get("ts")
    if not isinstance(ts, str) or message.get("subtype") in _SILENT or message.get("hidden"):
        return None
    by, speaker = _speaker(message, own)
    text = plain(_text(message), own.user)
    files = tuple(file_of(f) for f in message.get("files") or () if isinstance(f, Mapping))
    if not text and not files:
        return None
    return ThreadMessage(ts, by, speaker, text, files)


def is_own(message: Mapping[str, Any], own: BotIdentity) -> bool:
    """Tell whether a message is ours, one without words included."""
    return _speaker(message, own)[1] == "own"


def _speaker(message: Mapping[str, Any], own: BotIdentity) -> tuple[str, Speaker]:
    user, bot = message.get("user"), message.get("bot_id")
    if user == own.user or (bot is not None and bot == own.bot):
        return own.user, "own"
    if bot is not None or message.get("subtype") == "bot_message":
        return str(bot or user or "a bot"), "bot"
    team = message.get("user_team") or message.get("source_team")
    if team is not None and own.team is not None and team != own.team:
        return str(user), "outsider"
    return str(user or "somebody"), "person"


def _text(message: Mapping[str, Any]) -> str:
    """Messages of bots often have no text, only attachments or blocks."""
    text = message.get("text")
    if isinstance(text, str) and text.strip():
        return text
    parts: list[str] = []
    _collect(message.get("blocks"), parts)
    if not parts:
        _collect(message.get("attachments"), parts)
    return "\n".join(parts)


_READ = ("pretext", "title", "text", "fallback", "url", "elements", "fields", "blocks")


def _collect(node: object, parts: list[str], depth: int = 0) -> None:
    if depth > 12 or len(parts) > 400:
        return
    if isinstance(node, str):
        parts.append(node)
    elif isinstance(node, Mapping):
        for key in _READ:
            if key == "fallback" and parts:
                continue
            _collect(node.get(key), parts, depth + 1)
    elif isinstance(node, Sequence):
        for item in node:
            _collect(item, parts, depth + 1)
