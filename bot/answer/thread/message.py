"""One message of a thread, read from Slack's own form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.answer.question import File, Quoted
from bot.answer.thread.content import read_content

Speaker = Literal["person", "own", "bot", "outsider", "guest"]

# Messages that Slack writes about joins, leaves and renames. No person says them.
_SYSTEM_SUBTYPES = frozenset(
    {
        "assistant_app_thread",
        "bot_add",
        "bot_remove",
        "channel_archive",
        "channel_convert_to_private",
        "channel_join",
        "channel_leave",
        "channel_name",
        "channel_posting_permissions",
        "channel_purpose",
        "channel_topic",
        "channel_unarchive",
        "ekm_access_denied",
        "group_archive",
        "group_join",
        "group_leave",
        "group_name",
        "group_purpose",
        "group_topic",
        "group_unarchive",
        "pinned_item",
        "reminder_add",
        "sh_room_created",
        "tombstone",
    }
)
SYSTEM_USERS = frozenset({"USLACKBOT", "USLACK"})
"""The authors of messages that Slack itself writes."""


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """The bot's own ids in one workspace, as `auth.test` gives them."""

    user: str
    bot: str | None = None
    team: str | None = None
    enterprise: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message of a thread. `text` is decoded, and not escaped.

    `by` is the author's id. `name` is the name that Slack sent for it, which software chooses for
    itself.
    """

    ts: str
    by: str
    speaker: Speaker
    text: str
    files: tuple[File, ...] = ()
    quoted: tuple[Quoted, ...] = ()
    unread: tuple[str, ...] = ()
    name: str | None = None

    def __repr__(self) -> str:
        return (
            f"<ThreadMessage {self.ts} by {self.by} ({self.speaker}): {len(self.text)} characters>"
        )


def thread_message(message: Mapping[str, Any], own: BotIdentity) -> ThreadMessage | None:
    """Return what a message of Slack says, or None if it says nothing."""
    ts = message.get("ts")
    if not isinstance(ts, str) or message.get("hidden"):
        return None
    if message.get("subtype") in _SYSTEM_SUBTYPES:
        return None
    content = read_content(message, own.user)
    # Slack itself posts the e-mails that are sent to a channel's address, as files.
    if not content or (message.get("user") in SYSTEM_USERS and not content.files):
        return None
    by, speaker = _speaker(message, own)
    return ThreadMessage(
        ts=ts,
        by=by,
        speaker=speaker,
        text=content.text,
        files=content.files,
        quoted=content.quoted,
        unread=content.unread,
        name=_name(message) if speaker == "bot" else None,
    )


def is_own(message: Mapping[str, Any], own: BotIdentity) -> bool:
    """Tell whether a message is ours, even one without words."""
    return _speaker(message, own)[1] == "own"


def _speaker(message: Mapping[str, Any], own: BotIdentity) -> tuple[str, Speaker]:
    user, bot = message.get("user"), message.get("bot_id")
    if user == own.user or (bot is not None and bot == own.bot):
        return own.user, "own"
    if bot is not None or message.get("subtype") == "bot_message" or user in SYSTEM_USERS:
        return str(bot or user or "a bot"), "bot"
    return str(user or "unknown"), "outsider" if _is_outside(message, own) else "person"


def _is_outside(message: Mapping[str, Any], own: BotIdentity) -> bool:
    """Tell whether an author's team is not ours, as far as the message says.

    In an Enterprise Grid the team of a colleague is another workspace or the organisation itself.
    A message does not tell the organisation of a workspace, so this is only a first guess there.
    """
    team = message.get("user_team") or message.get("source_team")
    if team is None or own.team is None:
        return False
    return team not in (own.team, own.enterprise)


def _name(message: Mapping[str, Any]) -> str | None:
    """Return the name under which software posted a message."""
    profile = message.get("bot_profile")
    name = message.get("username") or (profile.get("name") if isinstance(profile, Mapping) else "")
    return str(name) if name else None
