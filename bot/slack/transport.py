"""How Slack reaches the bot: Socket Mode, or signed HTTP. The same Bolt app stands behind both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import structlog
from aiohttp import hdrs, web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.clock import Now
from bot.http_entry import BodyRefused, Refusals, read_body
from bot.slack.client import SlackClients, quiet_logger
from bot.slack.events.shape import shape_fault
from bot.slack.http_entry import (
    MOST_BYTES,
    SIGNATURE_ADVICE,
    decode,
    names_us,
    read_payload,
    signature_fault,
)
from bot.slack.identity import ConnectionRefused, Identity

log = structlog.get_logger(__name__)

EVENTS_PATH = "/slack/events"
# Two sockets, so that Slack's refresh of one loses nothing: the SDK closes the old one before it
# opens the new one (docs/platform/slack.md#socket-mode).
SOCKETS = 2
_KEPT_HEADERS = ("Content-Type", "X-Slack-Retry-Num", "X-Slack-Retry-Reason")
PING_SECONDS = 10.0
CLOSE_SECONDS = 5.0


class Dispatcher(Protocol):
    """Hands requests to the Bolt app of their workspace."""

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse: ...


class Sockets:
    """Socket Mode over two connections."""

    def __init__(self, app: AsyncApp | Dispatcher, app_token: str, clients: SlackClients) -> None:
        self._app = app
        self._token = app_token
        self._clients = clients
        self._handlers: list[AsyncSocketModeHandler] = []

    async def start(self) -> None:
        """Open both connections. Raises `ConnectionRefused` if the token is not accepted."""
        await self._try_token()
        for _ in range(SOCKETS):
            handler: AsyncSocketModeHandler = _SocketHandler(
                # Bolt's handler calls its `async_dispatch`, and nothing else of it.
                cast(AsyncApp, self._app),
                self._token,
                logger=quiet_logger(),
                web_client=self._clients.reads,
                ping_interval=PING_SECONDS,
            )
            self._handlers.append(handler)
            await handler.connect_async()

    async def _try_token(self) -> None:
        """Ask for one connection first: the SDK's client tries a refused token for ever."""
        try:
            await self._clients.reads.apps_connections_open(app_token=self._token)
        except SlackApiError as error:
            raise ConnectionRefused(
                str(error.response.get("error")),
                "SLACK_APP_TOKEN",
                "make an app-level token with the scope connections:write under Basic Information"
                " and switch Socket Mode on.",
            ) from None

    async def alive(self) -> bool:
        """Tell whether at least one connection carries events right now."""
        for handler in self._handlers:
            if await handler.client.is_connected():
                return True
        return False

    async def stop(self, seconds: float = CLOSE_SECONDS) -> None:
        """Close both; envelopes that are not acknowledged go to another replica."""
        closing = [asyncio.ensure_future(handler.close_async()) for handler in self._handlers]
        self._handlers.clear()
        if closing:
            # A peer that is gone never says goodbye.
            _, left = await asyncio.wait(closing, timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*closing, return_exceptions=True)


class EventsEntry:
    """Slack's requests over HTTP: checked byte for byte before anything is parsed."""

    def __init__(
        self,
        app: AsyncApp | Dispatcher,
        me: Identity | None,
        secret: str,
        now: Now,
        taking: Callable[[], bool] = lambda: True,
    ) -> None:
        """If `taking` returns False, Slack or the load balancer is told to try elsewhere.

        Without `me`, the dispatcher decides which workspaces are ours, and answers others 403.
        """
        self._app = app
        self._me = me
        self._secret = secret
        self._now = now
        self._taking = taking
        self.refusals = Refusals("slack_requests_refused", now, SIGNATURE_ADVICE.get)

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Serve events, interactions and commands at `EVENTS_PATH`."""
        routes.add_post(EVENTS_PATH, self._handle)

    async def _handle(self, request: web.Request) -> web.Response:
        if not self._taking():
            return web.Response(status=503, headers={hdrs.RETRY_AFTER: "1"})
        try:
            body = await read_body(request, MOST_BYTES)
        except BodyRefused as refused:
            return self._refuse(refused.status, refused.reason)
        fault = signature_fault(self._secret, body, request.headers, self._now())
        if fault is not None:
            return self._refuse(401, fault)
        text = decode(body)
        if text is None:
            return self._refuse(400, "not_utf8")
        me, payload = self._me, read_payload(text, request.headers.get(hdrs.CONTENT_TYPE, ""))
        if payload is None or (
            me and not names_us(payload, me.workspace, me.app_id, me.enterprise)
        ):
            return self._refuse(403, "not_for_us")
        if (place := shape_fault(payload)) is not None:
            log.info("payload_malformed", kind=_kind(payload), place=place)
            # It would be no better the next time, so Slack need not send it again.
            return self._refuse(200, "malformed")
        reply = await self._app.async_dispatch(_bolt_request(payload, text, request.headers))
        if self._me is None and reply.status == 403:
            self.refusals.count("not_for_us")
        return await to_aiohttp_response(reply)

    def _refuse(self, status: int, reason: str) -> web.Response:
        self.refusals.count(reason)
        return web.Response(status=status)


def _bolt_request(body: dict[str, Any], text: str, headers: Mapping[str, str]) -> AsyncBoltRequest:
    """Return a checked request for Bolt, which is to read the very payload that was checked.

    Given a text, Bolt parses it in a way of its own: a command whose text holds the word "payload"
    is lost. Headers that nobody signed do not reach it.
    """
    kept: dict[str, str | Sequence[str]] = {
        name: headers[name] for name in _KEPT_HEADERS if name in headers
    }
    # The mode of sockets is that of payloads that are parsed and need no check.
    made = AsyncBoltRequest(mode="socket_mode", body=body, headers=kept)
    made.raw_body = text
    return made


def _kind(body: Mapping[str, Any]) -> str:
    return str(body.get("type") or ("command" if "command" in body else "none"))[:40]


class _SocketHandler(AsyncSocketModeHandler):
    """Acknowledges a payload of another form than Slack's, and does nothing else with it."""

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        payload: object = req.payload
        place = shape_fault(payload) if isinstance(payload, dict) else "payload"
        if place is None:
            await super().handle(client, req)
            return
        log.info("payload_malformed", kind=str(req.type)[:40], place=place)
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=req.envelope_id))


async def prime(app: AsyncApp) -> None:
    """Dispatch one made-up event, so that no question waits for Bolt's `auth.test`."""
    body = {"type": "event_callback", "event": {"type": "forewarm_start"}, "authorizations": []}
    await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
