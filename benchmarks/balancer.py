"""A load balancer before several bots: each request to a living one, with no memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
from aiohttp import hdrs, web

HOP_BY_HOP = (hdrs.HOST, hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.CONNECTION)


class Balancer:
    """Passes requests on. `alive` names the bots that there are now, as base URLs.

    Each request goes to the next bot in turn, or to one at random if `chance` is set. `passed`
    counts the requests that each bot has taken.
    """

    def __init__(self, alive: Callable[[], Sequence[str]]) -> None:
        self._alive = alive
        self._turn = count()
        self._session: aiohttp.ClientSession | None = None
        self.refused = 0
        self.passed: Counter[str] = Counter()
        self.chance: random.Random | None = None

    def __repr__(self) -> str:
        return f"<Balancer before {len(self._alive())} bots, {self.refused} requests refused>"

    async def open(self) -> None:
        # A connection that is kept would be found dead by the next request after each kill.
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def passed_on(self, request: web.Request) -> web.Response:
        """Pass a request on to the next bot that takes it; 503 if none does.

        One that refuses the connection or says 503 has not begun: the next one is tried. One that
        dies over a request may have done what it says, and the sender is to ask again: 502.
        """
        body = await request.read()
        for url in self._in_turn():
            try:
                found = await self._sent(url, request, body)
            except aiohttp.ClientConnectorError:
                continue
            except aiohttp.ClientError:
                return web.Response(status=502)
            if found.status != 503:
                self.passed[url] += 1
                return found
        self.refused += 1
        return web.Response(status=503)

    def _in_turn(self) -> Sequence[str]:
        alive = self._alive()
        turn = self.chance.randrange(1_000) if self.chance is not None else next(self._turn)
        first = turn % len(alive) if alive else 0
        return [*alive[first:], *alive[:first]]

    async def _sent(self, url: str, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP}
        to = url + request.path_qs
        async with self._session.request(request.method, to, data=body, headers=headers) as reply:
            kept = {hdrs.CONTENT_TYPE: reply.headers.get(hdrs.CONTENT_TYPE, "text/plain")}
            return web.Response(status=reply.status, body=await reply.read(), headers=kept)


@asynccontextmanager
async def balancer(alive: Callable[[], Sequence[str]]) -> AsyncIterator[tuple[Balancer, str]]:
    """Set one up; yields it and its base URL."""
    made = Balancer(alive)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.passed_on)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await made.open()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await made.close()
