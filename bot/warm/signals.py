"""What Slack tells us before a question is sent (facts/slack.md §1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SignalKind = Literal[
    "bot_joined",  # the bot was invited to a channel
    "person_joined",  # somebody joined a channel of the context
    "dm_opened",  # app_home_opened, tab=messages
    "context_changed",  # app_context_changed: the active channel moved, agent panel open
    "composer_link",  # a link to a known repository sits in the composer
    "link_posted",  # the same link, posted
    "modal_opened",  # /ask or a shortcut opened the ask-modal
    "modal_typing",  # a character was typed into it
    "modal_closed",  # cancels
    "thread_message",  # a message in a thread the bot is in
    "channel_message",  # any other message in a context's channel
    "bare_mention",  # a mention with no text
    "reaction",  # a reaction in a context's channel
    "message_edited",
    "message_deleted",  # cancels
    "push",  # the repository moved
    "answered",  # an answer ended: a follow-up may come
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One hint that a question may come. `at` is Unix time in seconds; ids are Slack's."""

    kind: SignalKind
    workspace: str
    at: float
    channel: str | None = None
    thread: str | None = None
    user: str | None = None
    repository: str | None = None
