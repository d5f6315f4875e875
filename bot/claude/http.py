"""Requests onto the wire and replies off it, through the SDK's client.

The SDK is given bytes, not objects: it would walk and encode the whole prefix each time. Clients of
Bedrock and Vertex are the exception, since they move parts of the body into the path. The SDK gives
back plain objects, not its models: building those costs more than everything else per token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import anthropic
from anthropic.types import Message

from bot.claude.error_mapping import cut, failure, never_left
from bot.claude.providers.connect import CONNECT_SECONDS, WARM_SECONDS, Connection
from bot.claude.request import Request

STALL_SECONDS = 120.0
"""A stream that is silent for longer is dead: the API sends pings well within it."""

CHUNK_BYTES = 1 << 18
_PATH = "/v1/messages"
_Reply = TypeVar("_Reply")


async def request_message(
    connection: Connection, request: Request
) -> tuple[Mapping[str, Any], str | None]:
    """Send a request that is answered whole; return the message and Anthropic's request id."""
    handed = _handed_over(connection, request, WARM_SECONDS)
    message = await _sent(
        request.prefix.model,
        lambda: connection.sdk.post(_PATH, cast_to=Message, **handed),
    )
    return message.to_dict(warnings=False), message._request_id


async def beginning(
    connection: Connection, request: Request
) -> tuple[Mapping[str, Any], str | None]:
    """Send a streamed request and leave as soon as its reply begins: the prefix is cached then.

    Returns the message as it stands in `message_start`, and Anthropic's request id.
    """
    ids: list[str | None] = []
    async with aclosing(events(connection, request, ids.append)) as stream:
        async for event in stream:
            if event.get("type") == "message_start":
                return event.get("message") or {}, ids[0]
    raise cut(None, request.prefix.model, ids[0])


async def events(
    connection: Connection, request: Request, opened: Callable[[str | None], None]
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Send a streamed request and yield its events as plain objects.

    `opened` is told Anthropic's request id when the reply begins. Closing the generator closes
    the connection. Raises `ClaudeError`, and `CutStream` if the stream breaks.
    """
    model = request.prefix.model
    handed = _handed_over(connection, request, STALL_SECONDS)

    async def post() -> anthropic.AsyncStream[object]:
        return await connection.sdk.post(
            _PATH,
            cast_to=object,
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
            **handed,
        )

    stream = await _sent(model, post)
    headers = stream.response.headers
    request_id = headers.get("request-id") or headers.get("x-amzn-requestid")
    opened(request_id)
    try:
        async for raw in stream:
            if isinstance(raw, Mapping):
                yield raw
    except Exception as error:
        raise cut(error, model, request_id) from error
    finally:
        await stream.close()


class _Body:
    """A body sent in pieces, so that a large one does not hold up the event loop."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), CHUNK_BYTES):
            yield self._data[start : start + CHUNK_BYTES]


def _handed_over(connection: Connection, request: Request, seconds: float) -> dict[str, Any]:
    """Return the body as the provider's client takes it, with the options of the request."""
    options: dict[str, Any] = {
        "max_retries": 0,
        "timeout": anthropic.Timeout(seconds, connect=CONNECT_SECONDS),
    }
    if connection.provider.body == "object":
        return {"body": request.body(), "options": options}
    data = request.encoded()
    # A signature covers the whole body, so the client must be able to read it before it is sent.
    content = data if connection.provider.body == "bytes" else _Body(data)
    options["headers"] = {"Content-Length": str(len(data))}
    return {"content": content, "options": options}


async def _sent(model: str, send: Callable[[], Awaitable[_Reply]]) -> _Reply:
    """Send; send once more if a kept connection turned out to be closed before it was used.

    That is no retry: nothing had left this machine.
    """
    try:
        return await send()
    except Exception as error:
        if not never_left(error):
            raise failure(error, model) from error
    try:
        return await send()
    except Exception as error:
        raise failure(error, model) from error
