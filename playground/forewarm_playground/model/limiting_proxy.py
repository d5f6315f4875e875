"""A proxy before the local model's server that limits its answers while they stream.

The limit belongs in front of the server, not into its options: an answer that `max_tokens` cuts is
unfinished for its reader, while one that ends after a sentence is complete.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import hdrs, web

from forewarm_playground.model.answer_limit import AnswerLimit

HOP_HEADERS = frozenset(
    {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"}
)
"""Headers that belong to one connection (RFC 9110, section 7.6.1), or to its encoding."""
LONGEST_BODY = 64 * 1024 * 1024


@asynccontextmanager
async def limited(url: str, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve the proxy before the server at `url` while the context is open; yield its base URL."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=True) as session:
        app = web.Application(client_max_size=LONGEST_BODY)
        app.router.add_route("*", "/{path:.*}", _Proxy(url.rstrip("/"), session).pass_on)
        # A handler ends when its client goes away, and its request to the model with it.
        runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, 0).start()
            yield f"http://{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class _Proxy:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_HEADERS}
        body = await request.read()
        try:
            async with self._session.request(
                request.method, self._url + request.raw_path, headers=headers, data=body or None
            ) as answer:
                kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_HEADERS}
                if answer.content_type == "text/event-stream":
                    return await self._stream(request, answer, kept)
                kept.pop(hdrs.CONTENT_ENCODING, None)
                return web.Response(
                    status=answer.status, headers=kept, body=limit_message(await answer.read())
                )
        except aiohttp.ClientError:
            return web.json_response(
                {
                    "type": "error",
                    "error": {"type": "api_error", "message": "The local model ended."},
                },
                status=502,
            )

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        limiter = StreamLimit()
        async for line in answer.content:
            for event in limiter.feed(line):
                await response.write(event)
            if limiter.ended:
                # Leaving closes the connection, which ends the model's work on this request.
                answer.close()
                break
        return response


class StreamLimit:
    """Limits the text of a stream of server-sent events. Feed it lines, send what it returns."""

    def __init__(self) -> None:
        self.ended = False
        self._limit = AnswerLimit()
        self._lines: list[bytes] = []
        self._deltas = 0

    def feed(self, line: bytes) -> list[bytes]:
        """Return the events to send after one more line: whole ones, each with its empty line."""
        self._lines.append(line)
        if line.strip():
            return []
        lines, self._lines = self._lines, []
        whole = b"".join(lines)
        data = b"".join(one[5:].strip() for one in lines if one.startswith(b"data:"))
        try:
            event = json.loads(data)
        except ValueError:
            return [whole]
        return self._event(event, whole) if isinstance(event, dict) else [whole]

    def _event(self, event: dict[str, Any], whole: bytes) -> list[bytes]:
        kind, index = event.get("type"), event.get("index", 0)
        if kind == "content_block_start":
            self._limit = AnswerLimit()
        if kind == "content_block_stop":
            rest = self._limit.finish()
            return [*_text(index, rest), whole]
        delta = event.get("delta") or {}
        if kind != "content_block_delta" or delta.get("type") != "text_delta":
            return [whole]
        self._deltas += 1
        shown = _text(index, self._limit.feed(str(delta.get("text", ""))))
        if not self._limit.ended:
            return shown
        self.ended = True
        return [
            *shown,
            *_text(index, self._limit.finish()),
            _encode({"type": "content_block_stop", "index": index}),
            _encode(
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": self._deltas},
                }
            ),
            _encode({"type": "message_stop"}),
        ]


def limit_message(body: bytes) -> bytes:
    """Return a whole message with the text of its blocks limited; anything else unchanged."""
    try:
        message = json.loads(body)
    except ValueError:
        return body
    if not isinstance(message, dict) or message.get("type") != "message":
        return body
    for block in message.get("content") or ():
        if block.get("type") == "text":
            limit = AnswerLimit()
            text = limit.feed(block["text"])
            if limit.ended:
                message["stop_reason"] = "end_turn"
            block["text"] = text + limit.finish()
    return json.dumps(message).encode()


def _text(index: int, text: str) -> list[bytes]:
    if not text:
        return []
    delta = {"type": "text_delta", "text": text}
    return [_encode({"type": "content_block_delta", "index": index, "delta": delta})]


def _encode(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
