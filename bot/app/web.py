"""The bot's own web server: health in both modes, Slack's events in HTTP mode, pushes, figures."""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import hdrs, web

from bot.clock import Now
from bot.errors import ForewarmError
from bot.http_entry import (
    KEEP_ALIVE_SECONDS,
    ConnectionLimit,
    MalformedFilter,
    Refusals,
    bound_accept_errors,
    most_connections,
)

GRACE = 5.0  # seconds left to open requests when the server closes


class PortTaken(ForewarmError):
    """Something else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} is in use by another program: stop that one, or set PORT to a free port."
        )
        self.port = port


class CannotListen(ForewarmError):
    """The address or the port may not be listened on."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            f"{host}:{port} cannot be listened on ({why}): set FOREWARM_HOST to an address of this"
            " machine, such as 0.0.0.0, and PORT to a port above 1023."
        )
        self.port = port


def _listen_error(error: OSError, host: str, port: int) -> ForewarmError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(port)
    why = (error.strerror or str(error)).rpartition(": ")[2]
    return CannotListen(host, port, why.strip("[]").lower())


async def listen_problem(host: str, port: int) -> ForewarmError | None:
    """Listen for a moment; return the error that a start would end with, if any."""
    try:
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
    except OSError as error:
        return _listen_error(error, host, port)
    server.close()
    await server.wait_closed()
    return None


Ready = Callable[[], Awaitable[Iterable[str]]]


def health_routes(ready: Ready, token: str | None = None) -> list[web.RouteDef]:
    """Return `/healthz` (the process lives) and `/readyz` (it can answer).

    What is missing is named only to a caller with the state token: contexts have names of
    projects.
    """

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readiness(request: web.Request) -> web.Response:
        missing = list(await ready())
        body: dict[str, object] = {"ok": not missing}
        if token and is_bearer(request, token):
            body["missing"] = missing
        return web.json_response(body, status=503 if missing else 200)

    return [web.get("/healthz", alive), web.get("/readyz", readiness)]


def is_bearer(request: web.Request, token: str) -> bool:
    """Tell whether a request carries the token, in a time that does not depend on its text."""
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    return hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode())


class WebServer:
    """Listens until it is stopped."""

    def __init__(self, host: str, port: int, now: Now) -> None:
        self.application = web.Application()
        self.refusals = Refusals("connections_refused", now)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; chosen by the system if 0 was asked for."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen; raise `PortTaken` or `CannotListen`."""
        # Access logs would carry nothing that the journal does not, and signatures besides.
        runner = web.AppRunner(
            self.application,
            access_log=None,
            logger=self._logger(),
            shutdown_timeout=GRACE,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            # Signatures are over the bytes as sent, and a compressed body has no bound.
            auto_decompress=False,
        )
        await runner.setup()
        assert runner.server is not None  # after setup()
        loop = asyncio.get_running_loop()
        bound_accept_errors(loop, self.refusals)
        limit = ConnectionLimit(runner.server, most_connections())
        try:
            self._server = await loop.create_server(limit, self._host, self._port, backlog=128)
        except OSError as error:
            await runner.cleanup()
            raise _listen_error(error, self._host, self._port) from None
        self._runner = runner

    def _logger(self) -> logging.Logger:
        """Return a logger of this server's own, without a line for each malformed request."""
        logger = logging.Logger(f"{__name__}.{id(self)}")
        logger.parent = logging.getLogger(__name__)
        logger.addFilter(MalformedFilter(self.refusals))
        return logger

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def forget_route(token: str, forget: Callable[[], Awaitable[None]]) -> list[web.RouteDef]:
    """Return `POST /state/forget`: every prefix gets a new salt. Wants the state token."""

    async def forgetting(request: web.Request) -> web.Response:
        if not is_bearer(request, token):
            return web.Response(status=401)
        await forget()
        return web.json_response({"ok": True})

    return [web.post("/state/forget", forgetting)]
