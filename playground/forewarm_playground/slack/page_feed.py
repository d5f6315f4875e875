"""The client interface under `/_client/`: what one person sees, live, and what they do."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from forewarm_playground.errors import PlaygroundError
from forewarm_playground.slack.csrf import check_origin, json_body, refused
from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.people import client_view
from forewarm_playground.slack.person_commands import perform
from forewarm_playground.slack.web_api.arguments import Arguments

if TYPE_CHECKING:
    from forewarm_playground.slack.local import LocalSlack


def add_client(app: web.Application, slack: LocalSlack) -> None:
    """Add the client interface (docs/playground.md) to an application."""
    client = _Client(slack)
    app.router.add_get("/_client/users", client.users)
    app.router.add_get("/_client/{user}/state", client.state)
    app.router.add_get("/_client/{user}/messages", client.messages)
    app.router.add_post("/_client/{user}/act", client.act)
    app.router.add_get("/_client/{user}/live", client.live)


class _Client:
    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack

    async def users(self, request: web.Request) -> web.Response:
        check_origin(request)
        people = [u for u in self._slack.state.users.values() if not u.is_bot and not u.deleted]
        return web.json_response({"users": [client_view.person_shape(user) for user in people]})

    async def state(self, request: web.Request) -> web.Response:
        check_origin(request)
        try:
            shown = client_view.snapshot(self._slack.state, request.match_info["user"])
        except SlackError as refusal:
            return refused(refusal)
        return web.json_response(shown)

    async def messages(self, request: web.Request) -> web.Response:
        check_origin(request)
        query = request.query
        try:
            shown = client_view.history_view(
                self._slack.state,
                request.match_info["user"],
                query.get("channel", ""),
                query.get("thread_ts"),
                Arguments(query).integer("limit", 200),
            )
        except SlackError as refusal:
            return refused(refusal)
        return web.json_response({"messages": shown})

    async def act(self, request: web.Request) -> web.Response:
        check_origin(request)
        try:
            order = await json_body(request)
            result = await perform(self._slack, request.match_info["user"], order)
        except SlackError as refusal:
            return refused(refusal)
        return web.json_response({"ok": True, **result})

    async def live(self, request: web.Request) -> web.StreamResponse:
        check_origin(request)
        user = request.match_info["user"]
        if user not in self._slack.state.users:
            return web.json_response({"ok": False, "error": "user_not_found"}, status=404)
        ws = web.WebSocketResponse(heartbeat=None, autoping=True)
        await ws.prepare(request)
        await _Live(self._slack, user, ws).run()
        return ws


class _Live:
    """One page's connection. Changes wait by place, so that a slow page gets the newest only."""

    def __init__(self, slack: LocalSlack, user: str, ws: web.WebSocketResponse) -> None:
        self._slack = slack
        self._user = user
        self._ws = ws
        self._changes: dict[tuple[str, str, str, int], Change] = {}
        self._count = 0
        self._moved = asyncio.Event()
        self._orders: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<_Live {self._user} [{len(self._changes)} changes waiting]>"

    async def run(self) -> None:
        """Send changes and take orders until the page goes."""
        stop = self._slack.feed.listen(self._note)
        writer = asyncio.get_running_loop().create_task(self._write())
        try:
            async for received in self._ws:
                if received.type is WSMsgType.TEXT:
                    self._order(received.data)
        finally:
            stop()
            for task in (writer, *self._orders):
                task.cancel()
            await asyncio.gather(writer, *self._orders, return_exceptions=True)

    def _note(self, change: Change) -> None:
        if not client_view.concerns(self._slack.state, change, self._user):
            return
        # A notice is a thing of its own; of everything else only the newest state matters.
        self._count += 1
        own = self._count if change.kind in ("notice", "composer_unfurl") else 0
        kind = "message" if change.kind in ("message_changed", "stream") else change.kind
        key = (kind, change.channel, change.ts, own)
        self._changes[key] = change
        self._moved.set()

    async def _write(self) -> None:
        with suppress(ConnectionError):
            await self._send(
                {"type": "snapshot", **client_view.snapshot(self._slack.state, self._user)}
            )
            while True:
                await self._moved.wait()
                self._moved.clear()
                waiting, self._changes = self._changes, {}
                for change in waiting.values():
                    shown = client_view.frame(self._slack.state, change, self._user)
                    if shown is not None:
                        await self._send(shown)

    async def _send(self, frame: Json) -> None:
        await self._ws.send_str(json.dumps(frame))

    def _order(self, data: str) -> None:
        task = asyncio.get_running_loop().create_task(self._obey(data))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)

    async def _obey(self, data: str) -> None:
        ident: object = None
        try:
            order = json.loads(data)
            if not isinstance(order, dict):
                raise SlackError("json_not_object")
            ident = order.pop("id", None)
            result = await perform(self._slack, self._user, order)
            answer: Json = {"type": "done", "id": ident, "result": result}
        except SlackError as refusal:
            answer = {"type": "refused", "id": ident, **refusal.body()}
        except PlaygroundError as error:
            answer = {"type": "refused", "id": ident, "error": error.user_message}
        except ValueError:
            answer = {"type": "refused", "id": ident, "error": "invalid_json"}
        with suppress(ConnectionError):
            await self._send(answer)
