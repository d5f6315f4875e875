"""The Slack methods that an answer uses, as a protocol, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bot.errors import ForewarmError

JsonObject = Mapping[str, Any]


UNKNOWN_METHOD = "unknown_method"
"""Slack's word for a method that a server does not have."""

CallFailure = Literal[
    "rate_limited",  # 429; retry_after holds seconds
    "too_long",  # msg_too_long, msg_blocks_too_long
    "not_streaming",  # message_not_in_streaming_state: the stream has died
    "stopped",  # stopped_by_user
    "busy",  # streaming_state_conflict
    "gone",  # message_not_found, thread gone: nothing to append to
    "refused",  # Slack will not stream here: channel_type_not_supported, missing_recipient…
    "forbidden",  # not_in_channel, channel_not_found, is_archived, token revoked
    "unknown_outcome",  # the connection died after sending: it may or may not stand in Slack
    "server",  # 5xx or fatal_error: not done
    "blocks",  # invalid_blocks: the text may stand, the blocks may not
    "other",
]


class SlackCallError(ForewarmError):
    """A call to Slack failed. `error` is Slack's own word; `retry_after` is in seconds."""

    def __init__(self, failure: CallFailure, error: str, retry_after: float | None = None) -> None:
        super().__init__(f"Slack refused to show the answer ({error}).")
        self.failure: CallFailure = failure
        self.error = error
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Target:
    """The place of an answer. Streams in channels need the recipient.

    Source: docs/platform/slack.md#streaming-methods.
    """

    workspace: str
    channel: str
    thread: str | None
    recipient_user: str
    recipient_team: str


class SlackCalls(Protocol):
    """The Slack methods an answer uses. None of them resends by itself.

    Text is Slack markdown, already escaped. Each raises `SlackCallError` and nothing else.
    """

    async def start_stream(
        self, target: Target, text: str, chunks: Sequence[JsonObject] = ()
    ) -> str: ...

    async def append_stream(
        self, channel: str, ts: str, text: str, chunks: Sequence[JsonObject] = ()
    ) -> None: ...

    async def stop_stream(
        self,
        channel: str,
        ts: str,
        text: str,
        blocks: Sequence[JsonObject] = (),
        *,
        final: bool = True,
    ) -> None:
        """Close a stream. `final=False`: the answer goes on in another message, so under
        agent_view the session stays `processing` (docs/platform/slack.md#streaming-behaviour)."""
        ...

    async def post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> str: ...

    async def update(
        self, channel: str, ts: str, text: str, blocks: Sequence[JsonObject] = ()
    ) -> None: ...

    async def delete(self, channel: str, ts: str) -> None: ...

    async def replies(
        self, channel: str, thread: str, oldest: str | None = None
    ) -> Sequence[JsonObject]:
        """Return the thread's messages as Slack gives them, root first, all pages."""

    async def whisper(self, target: Target, text: str) -> None:
        """Show a message to the target's recipient alone, in the thread."""

    async def set_status(self, target: Target, status: str) -> None: ...


TaskStatus = Literal["pending", "in_progress", "complete", "error"]


@dataclass(frozen=True, slots=True)
class Task:
    """A look-up as people see it.

    `output` is its result in a few words, `sources` the pages of the lines that it has shown:
    address and label.
    """

    id: str
    title: str
    status: TaskStatus
    output: str = ""
    sources: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Painted:
    """The first words are on screen: Unix seconds when Slack said so, and the message."""

    at: float
    ts: str
