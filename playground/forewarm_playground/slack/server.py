"""The local Slack behind real sockets: Web API, socket tickets, response URLs, OAuth, files."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.faults import Fault
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.install_pages import add_install_pages
from forewarm_playground.slack.interactions.responses import respond
from forewarm_playground.slack.log import CallEntry
from forewarm_playground.slack.timers import sleep
from forewarm_playground.slack.web_api.arguments import Arguments
from forewarm_playground.slack.web_api.registry import METHODS, Reply
from forewarm_playground.virtual_time import waiting_for

if TYPE_CHECKING:
    from forewarm_playground.slack.local import LocalSlack

_BODY_LIMIT = 32 * 1024 * 1024
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def application(slack: LocalSlack) -> web.Application:
    """Return the aiohttp application of a local Slack."""
    from forewarm_playground.slack.control import add_control
    from forewarm_playground.slack.page_feed import add_client

    app = web.Application(client_max_size=_BODY_LIMIT)
    server = _Server(slack)
    app.router.add_route("*", "/api/{method:.*}", server.api)
    app.router.add_get("/link/", server.link)
    app.router.add_post("/response/{ident:.+}", server.response)
    add_install_pages(app, slack.state)
    app.router.add_get("/files/{ident}/{name}", server.file)
    app.router.add_post("/upload/{ident}", server.upload)
    app.router.add_get("/icons/{name}", server.icon)
    add_control(app, slack)
    add_client(app, slack)
    return app


async def arguments(request: web.Request) -> dict[str, Any]:
    """Merge a request's query, form and JSON; later ones win.

    Refuses with `invalid_json` or `json_not_object`.
    """
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        values |= _json_arguments(await request.text())
    elif request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await request.post()
        values |= {key: value for key, value in form.items() if isinstance(value, str)}
    return values


def _json_arguments(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(values, dict):
        raise SlackError("json_not_object")
    return values


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _basic(request: web.Request) -> dict[str, str]:
    """OAuth clients may send the app's credentials as HTTP Basic."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        client, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": client, "client_secret": secret}


def _answer(reply: Reply) -> web.Response:
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


class _Server:
    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack

    async def api(self, request: web.Request) -> web.Response:
        name = request.match_info["method"].strip("/")
        try:
            values = await arguments(request)
        except SlackError as refusal:
            return web.json_response(refusal.body())
        known = METHODS.get(name)
        token = _bearer(request)
        given = values.pop("token", None)
        if token is None and (known is None or known.by != "app"):
            token = given
        values = {**_basic(request), **values}
        return await self._call(request, name, values, token)

    async def _call(
        self, request: web.Request, name: str, values: dict[str, Any], token: str | None
    ) -> web.Response:
        slack = self._slack
        entry = CallEntry(name, Arguments(values).shown(), _team(slack, token), slack.timers.now())
        slack.log.calls.append(entry)
        fault = slack.faults.call(name, values)
        if fault is not None:
            entry.fault = fault.kind
            refused = await self._before(request, fault, entry)
            if refused is not None:
                return refused
        reply = slack.api.call(name, values, token)
        entry.effect_at = slack.timers.now()
        entry.error, entry.body = reply.error, reply.body
        if fault is not None and not await self._after(request, fault, entry):
            return _dropped(request, entry)
        entry.status, entry.ended_at = reply.status, slack.timers.now()
        slack.feed.stir()
        return _answer(reply)

    async def _before(
        self, request: web.Request, fault: Fault, entry: CallEntry
    ) -> web.Response | None:
        if fault.kind == "drop_before":
            return _dropped(request, entry)
        if fault.kind in ("slow", "hold_before"):
            await self._linger(request, fault)
        elif fault.kind == "ratelimited":
            headers = {"Retry-After": str(fault.retry_after)}
            return self._failed(entry, 429, "ratelimited", headers)
        elif fault.kind == "error":
            return self._failed(entry, 200, fault.code, {})
        elif fault.kind == "http_error":
            entry.status, entry.error = fault.status, "http_error"
            entry.ended_at = self._slack.timers.now()
            return web.Response(status=fault.status, text="upstream connect error")
        return None

    def _failed(
        self, entry: CallEntry, status: int, code: str, headers: dict[str, str]
    ) -> web.Response:
        entry.status, entry.error, entry.ended_at = status, code, self._slack.timers.now()
        return _answer(Reply({"ok": False, "error": code}, status, headers))

    async def _after(self, request: web.Request, fault: Fault, entry: CallEntry) -> bool:
        if fault.kind in ("slow_after", "hold_after"):
            self._slack.feed.stir()
            await self._linger(request, fault)
        return fault.kind != "drop_after"

    async def _linger(self, request: web.Request, fault: Fault) -> None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        with waiting_for(peer):
            if fault.kind.startswith("hold"):
                await fault.released()
            else:
                await sleep(self._slack.timers, fault.seconds)

    async def link(self, request: web.Request) -> web.StreamResponse:
        state = self._slack.state
        if not state.tickets.redeem(request.query.get("ticket", ""), state.now()):
            return web.Response(status=408, text="the ticket is not good")
        short = request.query.get("debug_reconnects") == "true"
        return await self._slack.sockets.serve(request, short_lived=short)

    async def response(self, request: web.Request) -> web.Response:
        """Take a post to a response URL; faults know it as the method `response_url`."""
        slack = self._slack
        ident = request.match_info["ident"]
        entry = CallEntry("response_url", {"id": ident}, "", slack.timers.now())
        slack.log.calls.append(entry)
        try:
            answer = await arguments(request)
            if "payload" in answer:
                answer = _json_arguments(answer["payload"])
        except SlackError as refusal:
            return web.json_response(refusal.body())
        fault = slack.faults.call("response_url", answer)
        if fault is not None:
            entry.fault = fault.kind
            refused = await self._before(request, fault, entry)
            if refused is not None:
                return refused
        made = self._respond(ident, answer, entry)
        if fault is not None and not await self._after(request, fault, entry):
            return _dropped(request, entry)
        entry.status, entry.ended_at = made.status, slack.timers.now()
        slack.feed.stir()
        return made

    def _respond(self, ident: str, answer: Json, entry: CallEntry) -> web.Response:
        entry.effect_at = self._slack.timers.now()
        try:
            respond(self._slack.state, ident, answer)
        except SlackError as refusal:
            entry.error = refusal.code
            gone = refusal.code in ("invalid_url", "expired_url", "used_url")
            return web.json_response(refusal.body(), status=404 if gone else 200)
        return web.Response(text="ok")

    async def file(self, request: web.Request) -> web.Response:
        _, _, ident = request.match_info["ident"].partition("-")
        file = self._slack.state.files.get(ident)
        token = _bearer(request)
        allowed = any(
            installation.grant.end_of(token) is not None and "files:read" in installation.scopes
            for installation in self._slack.state.installations.values()
        )
        if file is None or not allowed:
            raise web.HTTPFound(f"{self._slack.url}/?redir={request.path}")
        return web.Response(body=file.content, content_type=file.mimetype)

    async def upload(self, request: web.Request) -> web.Response:
        file = self._slack.state.files.get(request.match_info["ident"])
        if file is None:
            return web.Response(status=404, text="no such upload")
        if request.content_type == "multipart/form-data":
            form = await request.post()
            parts = (value for value in form.values() if isinstance(value, web.FileField))
            file.content = next((part.file.read() for part in parts), b"")
        else:
            file.content = await request.read()
        return web.Response(text=f"OK - {len(file.content)}")

    async def icon(self, request: web.Request) -> web.Response:
        return web.Response(body=_PIXEL, content_type="image/png")


def _dropped(request: web.Request, entry: CallEntry) -> web.Response:
    """Break the connection; what is returned goes nowhere."""
    entry.dropped = True
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _team(slack: LocalSlack, token: str | None) -> str:
    for installation in slack.state.installations.values():
        if installation.token == token:
            return installation.team
    return ""
