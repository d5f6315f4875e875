"""Requests onto the wire and replies off it, through the SDK's client.

The SDK is given bytes, not objects: it would walk and encode the whole prefix each time. It gives
back plain objects, not its models: building those costs more than everything else per token.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anthropic
import httpx2
from anthropic.types import Message

from bot.claude.error_mapping import cut, failure, never_left
from bot.claude.request import Request

CONNECT_SECONDS = 10.0
STALL_SECONDS = 120.0
"""A stream that is silent for longer is dead: the API sends pings well within it."""

WARM_SECONDS = 600.0
"""A warm-up's reply comes only when the whole prefix is processed, all at once."""

KEEP_ALIVE_SECONDS = 55.0
"""An idle connection is kept for the next question; load balancers drop theirs at 60 s."""

NO_KEEP_ALIVE = 1e-9
"""Seconds; the pool takes 0 for no limit on idle connections that it does not use."""

CHUNK_BYTES = 1 << 18
_PATH = "/v1/messages"
_Reply = TypeVar("_Reply")


def is_anthropics(base_url: str) -> bool:
    """Tell whether a base URL is Anthropic's own API."""
    host = urlsplit(base_url).hostname or ""
    return host == "anthropic.com" or host.endswith(".anthropic.com")


def connect(api_key: str | None, base_url: str | None) -> anthropic.AsyncAnthropic:
    """Return the SDK's client over aiohttp, which resends nothing by itself.

    A server of one's own needs no key. Without one for Anthropic's, the SDK's other ways of
    finding credentials are left to it. Raises `ClaudeError` if they are there but broken.
    """
    anthropics = base_url is None or is_anthropics(base_url)
    try:
        return _sdk(api_key or (None if anthropics else "none"), base_url)
    except anthropic.AnthropicError as error:
        raise failure(error, "") from error


def _sdk(api_key: str | None, base_url: str | None) -> anthropic.AsyncAnthropic:
    local = _is_on_this_machine(base_url or "")
    kept = NO_KEEP_ALIVE if local else KEEP_ALIVE_SECONDS
    return anthropic.AsyncAnthropic(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=anthropic.Timeout(WARM_SECONDS, connect=CONNECT_SECONDS),
        default_headers={"Connection": "close"} if local else {},
        http_client=anthropic.DefaultAioHttpClient(
            limits=httpx2.Limits(max_connections=1000, keepalive_expiry=kept)
        ),
    )


async def whole(
    sdk: anthropic.AsyncAnthropic, request: Request
) -> tuple[Mapping[str, Any], str | None]:
    """Send a request that is answered whole; return the message and Anthropic's request id."""
    body = request.encoded()
    message = await _sent(
        request.prefix.model,
        lambda: sdk.post(
            _PATH, cast_to=Message, content=_Body(body), options=_options(body, WARM_SECONDS)
        ),
    )
    return message.to_dict(warnings=False), message._request_id


async def beginning(
    sdk: anthropic.AsyncAnthropic, request: Request
) -> tuple[Mapping[str, Any], str | None]:
    """Send a streamed request and leave as soon as its reply begins: the prefix is cached then.

    Returns the message as it stands in `message_start`, and Anthropic's request id.
    """
    ids: list[str | None] = []
    async with aclosing(events(sdk, request, ids.append)) as stream:
        async for event in stream:
            if event.get("type") == "message_start":
                return event.get("message") or {}, ids[0]
    raise cut(None, request.prefix.model, ids[0])


async def events(
    sdk: anthropic.AsyncAnthropic, request: Request, opened: Callable[[str | None], None]
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Send a streamed request and yield its events as plain objects.

    `opened` is told Anthropic's request id when the reply begins. Closing the generator closes
    the connection. Raises `ClaudeError`, and `CutStream` if the stream breaks.
    """
    model, body = request.prefix.model, request.encoded()

    async def post() -> anthropic.AsyncStream[object]:
        return await sdk.post(
            _PATH,
            cast_to=object,
            content=_Body(body),
            options=_options(body, STALL_SECONDS),
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )

    stream = await _sent(model, post)
    request_id = stream.response.headers.get("request-id")
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


def _options(body: bytes, seconds: float) -> Any:
    return {
        "max_retries": 0,
        "timeout": anthropic.Timeout(seconds, connect=CONNECT_SECONDS),
        "headers": {"Content-Length": str(len(body))},
    }


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


def _is_on_this_machine(base_url: str) -> bool:
    """Return whether each connection to a server is used once.

    A new one costs nothing on this machine, while llama.cpp's server closes the old one after a
    stream although it has promised to keep it, and the next request would meet the closing. We say
    `Connection: close`, and must then send no further request on it, even if the server replies
    (RFC 9112, section 9.6).
    """
    host = urlsplit(base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
