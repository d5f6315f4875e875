"""Events that make a question more or less likely.

Source: docs/platform/slack.md#signals-before-a-question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SignalKind = Literal[
    "bot_joined",  # the bot was invited to a channel
    "person_joined",  # a user joined a channel of the context
    "dm_opened",  # app_home_opened with tab=messages
    "context_changed",  # app_context_changed: the active channel, while the agent panel is open
    "composer_link",  # a link to a known repository is in the composer
    "link_posted",  # the same link, posted
    "modal_opened",  # /ask or a shortcut opened the ask-modal
    "modal_typing",  # a character was typed into it
    "modal_closed",  # cancels
    "thread_message",  # a message in a thread that the bot is in
    "channel_message",  # any other message in a channel of the context
    "bare_mention",  # a mention without text
    "reaction",  # a reaction in a channel of the context
    "message_edited",
    "message_deleted",  # cancels
    "push",  # the repository has a new commit
    "answered",  # an answer ended: a follow-up may come
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One sign that a question may come. `at` is Unix time in seconds; ids are Slack's."""

    kind: SignalKind
    workspace: str
    at: float
    channel: str | None = None
    thread: str | None = None
    user: str | None = None
    repository: str | None = None
