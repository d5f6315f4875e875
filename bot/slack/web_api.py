"""The Slack methods that an answer uses, with every failure told apart.

Whether a call that failed took effect decides between repeating it and reading the thread first;
`unknown_outcome` is what says "read first".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast, get_args

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.delivery.slack_api import (
    UNKNOWN_METHOD,
    CallFailure,
    JsonObject,
    SlackCallError,
    Target,
)
from bot.slack.client import SlackClients

log = structlog.get_logger(__name__)

FAILURES: dict[str, CallFailure] = {
    "ratelimited": "rate_limited",
    "rate_limited": "rate_limited",
    "msg_too_long": "too_long",
    "msg_blocks_too_long": "too_long",
    "message_not_in_streaming_state": "not_streaming",
    "stopped_by_user": "stopped",
    "streaming_state_conflict": "busy",
    "message_not_found": "gone",
    "thread_not_found": "gone",
    "cant_update_message": "gone",
    "edit_window_closed": "gone",
    "message_not_owned_by_app": "gone",
    "channel_type_not_supported": "refused",
    "missing_recipient_team_id": "refused",
    "missing_recipient_user_id": "refused",
    "user_not_found": "refused",
    "messages_tab_disabled": "refused",
    UNKNOWN_METHOD: "refused",
    "invalid_chunks": "blocks",
    "invalid_blocks": "blocks",
    "invalid_blocks_format": "blocks",
    "msg_blocks_too_many": "blocks",
    "not_in_channel": "forbidden",
    "channel_not_found": "forbidden",
    "is_archived": "forbidden",
    "account_inactive": "forbidden",
    "token_revoked": "forbidden",
    "token_expired": "forbidden",
    "invalid_auth": "forbidden",
    "not_authed": "forbidden",
    "missing_scope": "forbidden",
    "team_access_not_granted": "forbidden",
    "service_unavailable": "server",
    # Slack says of these two that a part of the work may have been done.
    "fatal_error": "unknown_outcome",
    "internal_error": "unknown_outcome",
}


def failure_of(error: BaseException) -> SlackCallError:
    """Translate the exceptions of the SDK and aiohttp."""
    if isinstance(error, SlackApiError):
        return _api_failure(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return SlackCallError("server", "connection refused")
    return SlackCallError("unknown_outcome", type(error).__name__)


def _api_failure(error: SlackApiError) -> SlackCallError:
    response: Any = error.response
    status: int = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    data: Any = getattr(response, "data", None)
    word = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429:
        return SlackCallError("rate_limited", word or "ratelimited", _retry_after(headers))
    if word in FAILURES:
        retry_after = _retry_after(headers) if FAILURES[word] == "rate_limited" else None
        return SlackCallError(FAILURES[word], word, retry_after)
    if status in _NO_METHOD and not word:
        return SlackCallError("refused", UNKNOWN_METHOD)
    if status >= 500 or not word:
        return SlackCallError("unknown_outcome", f"http_{status}")
    if word.startswith("restricted_action"):
        return SlackCallError("forbidden", word)
    return SlackCallError("other", word)


def _retry_after(headers: Mapping[str, str]) -> float:
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "1")
    try:
        return max(0.0, float(value))
    except ValueError:
        return 1.0


LIMITED_PAGE = 15
_NO_METHOD = frozenset({404, 405, 501})
"""Statuses with which servers that speak a part of Slack's API refuse the other methods."""


def failure_counts() -> Counter[str]:
    """Return a count of failed calls by kind, each at 0."""
    return Counter(dict.fromkeys(get_args(CallFailure), 0))


class WebCalls:
    """`bot.delivery.slack_api.SlackCalls` over the Web API. `failures` counts failed calls."""

    def __init__(
        self,
        clients: SlackClients,
        failures: Counter[str] | None = None,
        *,
        limited: bool = False,
    ) -> None:
        """`limited`: Slack gives 15 messages of one thread a minute, so no more is asked for."""
        self._limited = limited
        self._writes = clients.writes
        self._reads = clients.reads
        self.failures = failure_counts() if failures is None else failures

    async def start_stream(
        self, target: Target, text: str, chunks: Sequence[JsonObject] = ()
    ) -> str:
        """Open a stream that shows `text`; return the message's time stamp."""
        answer = await self._call(
            "chat.startStream",
            channel=target.channel,
            thread_ts=target.thread,
            recipient_user_id=target.recipient_user,
            recipient_team_id=target.recipient_team,
            **_body(text, chunks),
        )
        return str(answer["ts"])

    async def append_stream(
        self, channel: str, ts: str, text: str, chunks: Sequence[JsonObject] = ()
    ) -> None:
        await self._call("chat.appendStream", channel=channel, ts=ts, **_body(text, chunks))

    async def stop_stream(
        self,
        channel: str,
        ts: str,
        text: str,
        blocks: Sequence[JsonObject] = (),
        *,
        final: bool = True,
    ) -> None:
        await self._call(
            "chat.stopStream",
            channel=channel,
            ts=ts,
            markdown_text=text or None,
            blocks=list(blocks) or None,
            session_status=None if final else "processing",
        )

    async def post(self, target: Target, text: str, blocks: Sequence[JsonObject] = ()) -> str:
        answer = await self._call(
            "chat.postMessage",
            channel=target.channel,
            thread_ts=target.thread,
            unfurl_links=False,
            unfurl_media=False,
            **_markdown_or_blocks(text, blocks),
        )
        return str(answer["ts"])

    async def whisper(self, target: Target, text: str) -> None:
        await self._call(
            "chat.postEphemeral",
            channel=target.channel,
            thread_ts=target.thread,
            user=target.recipient_user,
            text=text,
        )

    async def update(
        self, channel: str, ts: str, text: str, blocks: Sequence[JsonObject] = ()
    ) -> None:
        await self._call("chat.update", channel=channel, ts=ts, **_markdown_or_blocks(text, blocks))

    async def delete(self, channel: str, ts: str) -> None:
        await _translated(self._writes.chat_delete(channel=channel, ts=ts))

    async def replies(
        self, channel: str, thread: str, oldest: str | None = None
    ) -> Sequence[JsonObject]:
        """Return the thread, root first, from `oldest` on, that message included; all pages.

        A read, so it may be repeated.
        """
        messages: list[JsonObject] = []
        cursor: str | None = None
        # The client that reads would wait a minute for a limited page.
        client = self._writes if self._limited else self._reads
        while True:
            page = await _translated(
                client.conversations_replies(
                    channel=channel,
                    ts=thread,
                    oldest=oldest,
                    # Slack leaves the message at `oldest` itself out unless it is asked for.
                    inclusive=oldest is not None,
                    limit=LIMITED_PAGE if self._limited else 200,
                    cursor=cursor,
                )
            )
            messages.extend(cast(list[JsonObject], page.get("messages", [])))
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None or self._limited:
                return messages

    async def set_status(self, target: Target, status: str) -> None:
        await self._call(
            "assistant.threads.setStatus",
            channel_id=target.channel,
            thread_ts=target.thread,
            status=status,
        )

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        payload = {name: value for name, value in arguments.items() if value is not None}
        try:
            return await _translated(self._writes.api_call(method, json=payload))
        except SlackCallError as error:
            self.failures[error.failure] += 1
            raise


async def _translated(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    try:
        response = await call
    except (TimeoutError, SlackApiError, aiohttp.ClientError, OSError) as error:
        raise failure_of(error) from error
    return cast(dict[str, Any], response.data)


def _body(text: str, chunks: Sequence[JsonObject]) -> dict[str, Any]:
    # Text and tasks travel in one ordered list; text alone takes the shorter form.
    if not chunks:
        return {"markdown_text": text}
    spoken = [{"type": "markdown_text", "text": text}] if text else []
    return {"chunks": [*spoken, *chunks]}


def _markdown_or_blocks(text: str, blocks: Sequence[JsonObject]) -> dict[str, Any]:
    # markdown_text excludes blocks (markdown_text_conflict), so with blocks it becomes one.
    if not blocks:
        return {"markdown_text": text}
    spoken = [{"type": "markdown", "text": text}] if text else []
    return {"blocks": [*spoken, *blocks], "text": _notification(text)}


def _notification(text: str) -> str:
    """Return the fallback that a phone's notification shows; Slack cuts `text` at 4,000."""
    return text[:300] or "Answer"


async def best_effort(what: str, call: Awaitable[AsyncSlackResponse]) -> Mapping[str, Any] | None:
    """Await a call; return Slack's answer, or None if the call failed."""
    try:
        response = await call
    except (TimeoutError, SlackApiError, aiohttp.ClientError, OSError) as error:
        log.warning("slack_call_failed", what=what, error=failure_of(error).error)
        return None
    return cast(Mapping[str, Any], response.data)
