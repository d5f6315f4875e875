"""The local Claude behind a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.typedefs import Handler

from forewarm_playground.claude.http.control import Control
from forewarm_playground.claude.http.endpoint import MessagesEndpoint
from forewarm_playground.claude.http.models_endpoint import Catalogue
from forewarm_playground.claude.providers.doors import CATALOGUES, ROUTES
from forewarm_playground.claude.providers.google_tokens import GoogleTokens

if TYPE_CHECKING:
    from forewarm_playground.claude.local import LocalClaude


class Server:
    """Listens on a port; can stop listening for a while and come back on the same port."""

    def __init__(self, claude: LocalClaude, host: str, port: int) -> None:
        self._claude = claude
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._connections: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._returning: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Server {self.url} [{'listening' if self._site else 'refusing'}]>"

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Begin to serve."""
        # A handler ends when its client goes away: that is how a cancelled request is noticed.
        self._runner = web.AppRunner(
            self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
        )
        await self._runner.setup()
        await self._listen()

    async def stop(self) -> None:
        """Stop serving and close all connections."""
        if self._returning is not None:
            self._returning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._returning
        self.drop_connections()
        if self._runner is not None:
            await self._runner.cleanup()

    async def refuse(self, seconds: float | None) -> None:
        """Refuse connections for `seconds` (None: until `listen_again`) and drop the open ones."""
        if self._site is None:
            return
        await self._site.stop()
        self._site = None
        self.drop_connections()
        if seconds is not None:
            self._returning = asyncio.create_task(self._return_after(seconds))

    async def listen_again(self) -> None:
        """Accept connections again."""
        if self._site is None:
            await self._listen()

    def drop_connections(self) -> None:
        """Close every open connection at once."""
        for transport in list(self._connections):
            transport.abort()

    async def _return_after(self, seconds: float) -> None:
        await self._claude.clock.sleep(seconds)
        await self.listen_again()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=0, middlewares=[self._note_connection])
        messages = MessagesEndpoint(self._claude, self)
        catalogue = Catalogue(self._claude)
        for route, way, path in ROUTES:
            app.router.add_post(route, messages.handler(way, path))
        for base, way in CATALOGUES:
            catalogue.add_routes(app, base, way)
        app.router.add_post("/google/token", GoogleTokens(self._claude.core.config.accounts).grant)
        Control(self._claude, self).add_routes(app)
        app.router.add_route("*", "/{path:.*}", messages.unknown)
        return app

    @web.middleware
    async def _note_connection(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport is not None:
            self._connections.add(request.transport)
        return await handler(request)
