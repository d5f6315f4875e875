"""The bot's own web server: health in both modes, Slack's events in HTTP mode, pushes, figures."""

from __future__ import annotations

import errno
import hmac
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import hdrs, web

from bot.errors import ForewarmError

BODY_LIMIT = 4 * 1024**2  # a push of many commits is about 1 MiB; Slack's bodies are smaller
GRACE = 5.0  # seconds left to open requests when the server closes


class PortTaken(ForewarmError):
    """Something else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"Port {port} is in use by another program: stop that one, or set PORT to a free port."
        )
        self.port = port


Ready = Callable[[], Awaitable[Iterable[str]]]


def health_routes(ready: Ready) -> list[web.RouteDef]:
    """Return `/healthz` (the process lives) and `/readyz` (it can answer; else why not)."""

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readiness(_: web.Request) -> web.Response:
        missing = list(await ready())
        return web.json_response(
            {"ok": not missing, "missing": missing}, status=503 if missing else 200
        )

    return [web.get("/healthz", alive), web.get("/readyz", readiness)]


class WebServer:
    """Listens until it is stopped."""

    def __init__(self, host: str, port: int) -> None:
        self.application = web.Application(client_max_size=BODY_LIMIT)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    def __repr__(self) -> str:
        state = "listening" if self._runner else "not listening"
        return f"<WebServer {self._host}:{self.port}, {state}>"

    @property
    def port(self) -> int:
        """The port that is listened on; chosen by the system where 0 was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Begin to listen; raise `PortTaken`."""
        # Access logs would carry nothing that the journal does not, and signatures besides.
        runner = web.AppRunner(self.application, access_log=None, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(self._port) from None
            raise
        self._runner = runner

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def forget_route(token: str, forget: Callable[[], Awaitable[None]]) -> list[web.RouteDef]:
    """Return `POST /state/forget`: every prefix gets a new salt. Wants the state token."""

    async def forgetting(request: web.Request) -> web.Response:
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return web.Response(status=401)
        await forget()
        return web.json_response({"ok": True})

    return [web.post("/state/forget", forgetting)]
