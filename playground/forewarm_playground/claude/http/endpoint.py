"""`POST /v1/messages`: exchanges with the core over real sockets, in real waits, with faults."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from forewarm_playground import virtual_time
from forewarm_playground.claude.core import Call
from forewarm_playground.claude.errors import ApiError, ConfigurationError, not_found
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.http.replies import (
    arrived,
    error_response,
    json_response,
    parse_json,
    read_body,
)
from forewarm_playground.claude.providers.doors import Door
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.claude.responses.answers import Refusal
from forewarm_playground.claude.responses.faults import Fault
from forewarm_playground.claude.responses.stream import events

if TYPE_CHECKING:
    from forewarm_playground.claude.local import LocalClaude


class Socket(Protocol):
    """The listening socket, as a fault sees it."""

    async def refuse(self, seconds: float | None) -> None: ...


class _Dropped(Exception):
    """The connection was closed on command; there is nothing left to say."""


class MessagesEndpoint:
    """Turns HTTP requests into exchanges with the core."""

    def __init__(self, claude: LocalClaude, socket: Socket) -> None:
        self._claude = claude
        self._socket = socket

    def handler(self, way: Door, path: str) -> Handler:
        """Return what answers requests that come in by a provider's way, for a path of the API."""

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._guarded(request, way, path)

        return handle

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for what is not there."""
        return error_response(not_found("Not Found"), self._claude.core.new_id("req"), {})

    async def _guarded(self, request: web.Request, way: Door, path: str) -> web.StreamResponse:
        core = self._claude.core
        at = self._claude.clock.now()
        try:
            raw = await read_body(request, core.config.body_limit)
            call = way.call(arrived(request, raw), parse_json(raw), core.config)
        except ApiError as error:
            return way.error(error, core.new_id("req"), {})
        record = core.log(call, at, path)
        run = _Run(self._claude, self._socket, request, way, call, record)
        try:
            return await (run.create() if path == "/v1/messages" else run.count())
        except _Dropped:
            return web.Response()
        except ConfigurationError as error:
            return run.refuse(ApiError(500, "api_error", error.user_message))
        except ApiError as error:
            return run.refuse(error)


class _Run:
    """One request on its way through its waits and faults."""

    def __init__(
        self,
        claude: LocalClaude,
        socket: Socket,
        request: web.Request,
        way: Door,
        call: Call,
        record: RequestRecord,
    ) -> None:
        self._claude = claude
        self._core = claude.core
        self._clock = claude.clock
        self._socket = socket
        self._request = request
        self._way = way
        self._call = call
        self._record = record
        self._faults: Sequence[Fault] = ()
        self._last = sys.maxsize

    async def create(self) -> web.StreamResponse:
        await self._meet_faults()
        exchange = self._open()
        try:
            await self._prefill(exchange)
        except asyncio.CancelledError:
            exchange.abandon(self._clock.now())
            raise
        exchange.begin(self._clock.now())
        if self._fault("drop_reply"):
            exchange.finish(self._clock.now())
            self._drop()
        if self._record.stream:
            return await self._stream(exchange)
        return await self._whole(exchange)

    async def count(self) -> web.StreamResponse:
        await self._meet_faults()
        count = self._core.count(self._call, self._record.at)
        self._record.status, self._record.outcome = 200, "complete"
        return json_response({"input_tokens": count}, self._headers())

    def refuse(self, error: ApiError) -> web.Response:
        """Return an error reply, and note it."""
        self._record.fail(error, self._clock.now())
        return self._way.error(error, self._record.request_id, self._headers())

    # Before anything takes effect

    async def _meet_faults(self) -> None:
        identity = self._core.known(self._call)
        self._record.workspace = identity.workspace if identity else None
        self._faults = self._claude.faults.take(self._core.asked(self._record))
        self._record.fault = ", ".join(fault.kind for fault in self._faults) or None
        for fault in self._faults:
            error = fault.error()
            if error is not None:
                raise error
            if fault.kind == "refuse":
                await self._socket.refuse(fault.seconds)
                self._drop()
            if fault.kind == "drop_request":
                self._drop()
            if fault.kind == "evict":
                self._core.cache.evict(fault.evicts)

    def _open(self) -> Exchange:
        fault = self._fault("refusal")
        refusal = Refusal(fault.category, after=fault.after or 0) if fault else None
        exchange = self._core.open(self._call, self._record.at, self._record, refusal)
        lag = self._fault("lag")
        exchange.visibility_lag += lag.seconds or 0.0 if lag else 0.0
        return exchange

    async def _prefill(self, exchange: Exchange) -> None:
        slow = self._fault("slow")
        await self._sleep(exchange.prefill + (slow.seconds or 0.0 if slow else 0.0))
        await self._maybe_stall(0)

    # The reply

    async def _whole(self, exchange: Exchange) -> web.StreamResponse:
        try:
            await self._sleep(exchange.seconds)
        except asyncio.CancelledError:
            exchange.cut(self._clock.now(), exchange.plan.output)
            raise
        exchange.finish(self._clock.now())
        self._record.status = 200
        response = json_response(exchange.message(), self._headers())
        if self._fault("bad_event"):
            response.text = "{not JSON"
        if self._fault("cut"):
            await self._half(response)
        return response

    async def _half(self, response: web.Response) -> None:
        body = response.text or ""
        half = web.StreamResponse(headers=self._headers())
        half.content_type, half.content_length = "application/json", len(body.encode())
        await half.prepare(self._request)
        await half.write(body.encode()[: len(body) // 2])
        self._drop()

    async def _stream(self, exchange: Exchange) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                **self._headers(),
                "content-type": self._way.stream_type,
                "cache-control": "no-cache",
            }
        )
        self._record.status = 200
        began, output = self._clock.now(), 0
        try:
            await response.prepare(self._request)
            timed = list(events(exchange))
            self._last = len(timed) - 1
            for sent, event in enumerate(timed):
                await self._sleep(began + event.after - self._clock.now())
                if not await self._interfere(sent, response):
                    exchange.cut(self._clock.now(), output)
                    return response
                if event.name == "message_stop" and self._fault("no_stop"):
                    break
                await response.write(event.encode(self._way.encode))
                output = event.output
        except ConnectionError:
            exchange.cut(self._clock.now(), output)
            return response
        except (asyncio.CancelledError, _Dropped):
            exchange.cut(self._clock.now(), output)
            raise
        exchange.finish(self._clock.now())
        return response

    async def _interfere(self, sent: int, response: web.StreamResponse) -> bool:
        """Do what a fault does after so many events; return whether the stream goes on."""
        if sent:
            await self._maybe_stall(sent)
        if self._due("cut", sent):
            self._drop()
        if self._due("bad_event", sent):
            torn = '{"type": "content_block_del'
            await response.write(self._way.encode("content_block_delta", torn))
        error = self._due("stream_error", sent)
        if error:
            told = ApiError(200, error.type, error.message)
            await response.write(self._way.stream_error(told, self._record.request_id))
        return error is None

    async def _maybe_stall(self, sent: int) -> None:
        stall = self._due("stall", sent)
        if stall is not None:
            await self._sleep(stall.seconds)

    def _fault(self, kind: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.kind == kind), None)

    def _due(self, kind: str, sent: int) -> Fault | None:
        """Return the fault if it falls now: after its events, at the latest before the last one."""
        fault = self._fault(kind)
        if fault is None or sent != min(fault.after_events, self._last):
            return None
        return fault

    async def _sleep(self, seconds: float | None) -> None:
        """Wait on purpose, for ever if None. Virtual time may jump meanwhile."""
        transport = self._request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        with virtual_time.waiting_for(peer):
            if seconds is None:
                await asyncio.get_running_loop().create_future()
            elif seconds > 0:
                await self._clock.sleep(seconds)

    def _drop(self) -> None:
        self._record.outcome = "dropped"
        if self._request.transport is not None:
            self._request.transport.close()
        raise _Dropped

    def _headers(self) -> dict[str, str]:
        headers = {"request-id": self._record.request_id}
        identity = self._core.known(self._call)
        if identity is None:
            return headers
        return {**headers, **self._core.headers(identity, self._clock.now(), self._record)}
