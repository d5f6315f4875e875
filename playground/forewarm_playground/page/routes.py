"""Routes of the page on a local Slack's own server, and of its panel to the bot.

The panel reads the bot's `/state/stream`. The token for it is added here and never reaches a
browser.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web

STATIC = Path(__file__).parent / "static"
# The page runs only its own modules and connects only to its own server.
POLICY = "default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Introduction:
    """Texts of one demo: a notice, and questions to ask in `channel`.

    `prefill_speed`, in tokens per second, lets the page say how long a prefill will take.
    """

    notice: str = ""
    questions: tuple[str, ...] = ()
    channel: str = ""
    prefill_speed: float | None = None


class Page:
    """The page of one demo. `bot_url` is the bot's own web server, `token` its state token."""

    def __init__(self, bot_url: str, token: str, introduction: Introduction) -> None:
        self._bot = bot_url.rstrip("/")
        self._headers = {hdrs.AUTHORIZATION: f"Bearer {token}"}
        self._introduction = introduction
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<Page over {self._bot}>"

    def mount(self, app: web.Application) -> None:
        """Add the page's routes to an application."""
        app.router.add_get("/", self.index)
        app.router.add_get("/introduction", self.introduction)
        app.router.add_get("/bot/state/stream", self.stream)
        app.router.add_post("/bot/forget", self.forget)
        for file in sorted(STATIC.iterdir()):
            app.router.add_get(f"/{file.name}", _serve(file))
        app.on_startup.append(self._start)
        app.on_cleanup.append(self._stop)

    async def _start(self, app: web.Application) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))

    async def _stop(self, app: web.Application) -> None:
        if self._session is not None:
            await self._session.close()

    async def index(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(
            STATIC / "index.html", headers={"Content-Security-Policy": POLICY, **NO_STORE}
        )

    async def introduction(self, request: web.Request) -> web.Response:
        return web.json_response(asdict(self._introduction))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Forward the bot's stream without delay."""
        assert self._session is not None
        kind: dict[str, str] = {hdrs.CONTENT_TYPE: "text/event-stream"}
        response = web.StreamResponse(headers=kind | NO_STORE)
        try:
            async with self._session.get(
                f"{self._bot}/state/stream", headers=self._headers
            ) as source:
                if source.status != 200:
                    return web.Response(status=502)
                await response.prepare(request)
                async for chunk in source.content.iter_any():
                    await response.write(chunk)
        except (aiohttp.ClientError, ConnectionError):
            if not response.prepared:
                return web.Response(status=502)
        return response

    async def forget(self, request: web.Request) -> web.Response:
        """Give every prefix of the bot a new salt, so that its cache is cold."""
        assert self._session is not None
        if not _is_own(request):
            return web.Response(status=403)
        try:
            async with self._session.post(
                f"{self._bot}/state/forget", headers=self._headers
            ) as answer:
                return web.Response(status=answer.status)
        except aiohttp.ClientError:
            return web.Response(status=502)


NO_STORE: dict[str, str] = {hdrs.CACHE_CONTROL: "no-store"}


def _is_own(request: web.Request) -> bool:
    """Tell whether a request comes from this page. One of another site could spend money."""
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is None or urlsplit(origin).netloc == request.host


def _serve(file: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file, headers=NO_STORE)

    return serve
