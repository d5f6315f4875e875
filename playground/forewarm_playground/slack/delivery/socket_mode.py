"""Socket Mode: each payload to exactly one of the app's sockets.

Source: docs/platform/slack.md#socket-mode.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from forewarm_playground.slack.config import DeliveryConfig
from forewarm_playground.slack.delivery.transports import Attempt
from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.ids import Ids, Json
from forewarm_playground.slack.log import DeliveryEntry
from forewarm_playground.slack.timers import Timer, Timers, within

_logger = logging.getLogger(__name__)

RETRY_REASON = "timeout"


@dataclass(slots=True, eq=False)
class Socket:
    """One open connection of the app."""

    number: int
    ws: web.WebSocketResponse
    request: web.Request
    opened_at: float
    waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    timers: list[Timer] = field(default_factory=list)
    pongs: int = 0

    def __repr__(self) -> str:
        return f"<Socket {self.number} [{len(self.waiting)} unacked]>"


class SocketMode:
    """The app's open sockets, used in turn."""

    name = "socket"
    timeout_reason = RETRY_REASON

    def __init__(
        self, app_id: str, config: DeliveryConfig, limit: int, timers: Timers, ids: Ids
    ) -> None:
        self._app_id = app_id
        self._config = config
        self._limit = limit
        self._timers = timers
        self._ids = ids
        self._turn = 0
        self._errands: set[asyncio.Task[None]] = set()
        self.sockets: list[Socket] = []
        self.opened = asyncio.Event()

    def __repr__(self) -> str:
        return f"<SocketMode [{len(self.sockets)} sockets]>"

    async def send(self, delivery: Delivery, entry: DeliveryEntry) -> Attempt:
        """Put a payload into an envelope on one socket and wait for its acknowledgement."""
        socket = self._next()
        if socket is None:
            return Attempt(Outcome("failed", reason="connection_failed"))
        envelope = self._envelope(delivery, entry)
        entry.envelope_id = envelope["envelope_id"]
        acked: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        socket.waiting[entry.envelope_id] = acked
        try:
            await self._write(socket, envelope)
            ack = await within(self._timers, self._config.ack_seconds, acked)
        except TimeoutError:
            return Attempt(Outcome("failed", reason=RETRY_REASON))
        finally:
            socket.waiting.pop(entry.envelope_id, None)
        return Attempt(_acked(ack, accepts_reply=delivery.accepts_reply))

    def _next(self) -> Socket | None:
        if not self.sockets:
            return None
        self._turn += 1
        return self.sockets[self._turn % len(self.sockets)]

    def _envelope(self, delivery: Delivery, entry: DeliveryEntry) -> Json:
        envelope: Json = {
            "envelope_id": self._ids.uuid(),
            "payload": delivery.payload,
            "type": delivery.kind,
            "accepts_response_payload": delivery.accepts_reply,
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": entry.attempt, "retry_reason": entry.reason}
        return envelope

    async def _write(self, socket: Socket, frame: Json) -> None:
        try:
            await socket.ws.send_str(json.dumps(frame))
        except (ConnectionError, RuntimeError):
            # A socket that is gone acknowledges nothing; the ack timer says so.
            self._forget(socket)

    async def serve(self, request: web.Request, *, short_lived: bool) -> web.WebSocketResponse:
        """Hold one socket open until either side closes it."""
        ws = web.WebSocketResponse(autoping=True)
        await ws.prepare(request)
        if len(self.sockets) >= self._limit:
            await ws.send_str(json.dumps(_disconnect("too_many_websockets")))
            await ws.close()
            return ws
        self._turn += 1
        socket = Socket(self._ids.number(), ws, request, self._timers.now())
        self.sockets.append(socket)
        await self._write(socket, self._hello())
        self._schedule(socket, short_lived=short_lived)
        self.opened.set()
        try:
            await self._read(socket)
        finally:
            self._forget(socket)
        return ws

    def _hello(self) -> Json:
        started = datetime.fromtimestamp(self._timers.now(), UTC)
        return {
            "type": "hello",
            "num_connections": len(self.sockets),
            "debug_info": {
                "host": "applink-local",
                "started": f"{started:%Y-%m-%d %H:%M:%S.000}",
                "build_number": 1,
                "approximate_connection_time": int(self._config.socket_life or 18060),
            },
            "connection_info": {"app_id": self._app_id},
        }

    async def _read(self, socket: Socket) -> None:
        async for frame in socket.ws:
            if frame.type is WSMsgType.TEXT:
                self._heard(socket, frame.data)

    def _heard(self, socket: Socket, data: str) -> None:
        try:
            ack = json.loads(data)
            waiting = socket.waiting.get(str(ack["envelope_id"]))
        except (ValueError, TypeError, KeyError):
            _logger.debug("socket %d sent what is no acknowledgement", socket.number)
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(ack)

    def _schedule(self, socket: Socket, *, short_lived: bool) -> None:
        life = self._config.debug_socket_life if short_lived else self._config.socket_life
        if life:
            warning = max(life - self._config.socket_warning, 0.0)
            self._later(socket, warning, lambda: self._say(socket, "warning"))
            self._later(socket, life, lambda: self._refresh(socket))
        if self._config.ping_seconds:
            self._later(socket, self._config.ping_seconds, lambda: self._ping(socket))

    def _later(self, socket: Socket, seconds: float, act: Callable[[], None]) -> None:
        socket.timers.append(self._timers.call_later(seconds, act))

    def _start(self, errand: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _ping(self, socket: Socket) -> None:
        self._start(_ping(socket))
        socket.timers = socket.timers[-4:]
        self._later(socket, self._config.ping_seconds, lambda: self._ping(socket))

    def _say(self, socket: Socket, reason: str) -> None:
        self._start(self._write(socket, _disconnect(reason)))

    def _refresh(self, socket: Socket) -> None:
        self._start(self.disconnect(socket, "refresh_requested"))

    async def disconnect(self, socket: Socket, reason: str, *, close: bool = True) -> None:
        """Tell the app that a socket ends, and end it; `warning` leaves it open."""
        await self._write(socket, _disconnect(reason))
        if close and reason != "warning":
            self._forget(socket)
            await socket.ws.close(code=WSCloseCode.GOING_AWAY)

    async def cut(self, socket: Socket) -> None:
        """Break a socket off without a word, as a network does."""
        self._forget(socket)
        if socket.request.transport is not None:
            socket.request.transport.abort()

    def _forget(self, socket: Socket) -> None:
        if socket in self.sockets:
            self.sockets.remove(socket)
        for timer in socket.timers:
            timer.cancel()
        if not self.sockets:
            self.opened.clear()

    async def close(self) -> None:
        """Close every socket."""
        for socket in [*self.sockets]:
            self._forget(socket)
            await socket.ws.close(code=WSCloseCode.GOING_AWAY)


async def _ping(socket: Socket) -> None:
    try:
        await socket.ws.ping(b"Ping from applink-local")
    except (ConnectionError, RuntimeError):
        _logger.debug("socket %d is gone", socket.number)


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-local"}}


def _acked(ack: Json, *, accepts_reply: bool) -> Outcome:
    payload = ack.get("payload") if accepts_reply else None
    if isinstance(payload, str):
        return Outcome("acked", text=payload)
    return Outcome("acked", reply=payload if isinstance(payload, dict) else None)
