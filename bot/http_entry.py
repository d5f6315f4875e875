"""The entry of HTTP requests from outside: bounded bodies, bounded connections, bounded logs.

Nothing here parses a body. The caller reads bytes, checks their signature, and only then decodes:
an unsigned request costs one read, one HMAC and one counter.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

log = structlog.get_logger(__name__)

BODY_SECONDS = 10.0
"""Seconds within which a body must have arrived. Slack gives up after three."""
KEEP_ALIVE_SECONDS = 75.0
"""Longer than a usual proxy keeps a connection open (60 s), so that the proxy closes it first."""
MOST_CONNECTIONS = 500
READ_BYTES = 8 * 1024
WARN_EVERY_SECONDS = 60.0


class BodyRefused(Exception):
    """A body was too long, too slow or cut off. `status` is the HTTP status to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


async def read_body(request: web.Request, most_bytes: int, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body's bytes; never hold more than `most_bytes` and one chunk.

    Raises:
        BodyRefused: the body is longer than `most_bytes`, did not arrive in time, or was cut off.
    """
    declared = request.content_length
    if declared is not None and declared > most_bytes:
        raise BodyRefused(413, "too_long")
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > most_bytes:
                    raise BodyRefused(413, "too_long")
                chunks.append(chunk)
    except TimeoutError:
        raise BodyRefused(408, "too_slow") from None
    except (web.RequestPayloadError, ConnectionError, RuntimeError):
        # aiohttp raises a RuntimeError if the connection was closed before the read began.
        raise BodyRefused(400, "cut_off") from None
    return b"".join(chunks)


class Refusals:
    """Counts refused requests by reason; warns at most once a minute, with the count since."""

    def __init__(
        self,
        event: str,
        now: Callable[[], float],
        explain: Callable[[str], str | None] = lambda reason: None,
    ) -> None:
        """`explain` gives the sentence that tells operators why requests are refused."""
        self._explain = explain
        self._event = event
        self._now = now
        self._unsaid: Counter[str] = Counter()
        self._said_at: float | None = None
        self.total: Counter[str] = Counter()
        self.warnings = 0

    def count(self, reason: str) -> None:
        """Count one refusal. `reason` is one of our own words, never text of the request."""
        self.total[reason] += 1
        self._unsaid[reason] += 1
        now = self._now()
        if self._said_at is None or now >= self._said_at + WARN_EVERY_SECONDS:
            self._said_at = now
            self.warnings += 1
            why = {"why": said} if (said := self._explain(reason)) else {}
            log.warning(self._event, **self._unsaid, **why)
            self._unsaid.clear()


class MalformedFilter(logging.Filter):
    """Counts requests that are no HTTP: aiohttp would log a traceback for each."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for an error that the sender of a request caused."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            self._refusals.count("malformed")
            return False
        return True


class _SmallReads(RequestHandler):
    """A connection that reads at most `READ_BYTES` at once.

    The HTTP library parses all that one read returned in one step of the event loop. A body in
    chunks of one byte costs it about a microsecond for each byte that is sent.
    """

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio reads up to 256 KiB at once and has no public name for that number.
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]
        super().connection_made(transport)


class ConnectionLimit:
    """A factory of connections that keeps at most `most` open.

    If the limit is reached, the oldest connection is closed whose client has still to send
    something: the rest of a head, the rest of a body, or a next request. A client that sends half a
    request and waits gives its place to one that sends a whole one.
    `most` stays below the process's limit of open files, so that accepting never fails for that.
    """

    def __init__(self, server: web.Server, most: int = MOST_CONNECTIONS) -> None:
        self._server = server
        self._most = most
        self.closed = 0

    def __call__(self) -> RequestHandler:
        connections = self._server.connections
        if len(connections) >= self._most:
            for handler in connections:  # in the order in which they were opened
                if _waits_for_client(handler):
                    handler.force_close()
                    self.closed += 1
                    break
        handler = self._server()
        handler.__class__ = _SmallReads  # aiohttp makes them itself, of its own class.
        return handler


def _waits_for_client(handler: RequestHandler) -> bool:
    """Tell whether a connection has no whole request to answer.

    aiohttp has no public name for "a request is being answered" and for that request.
    """
    if not handler._request_in_progress:
        return True
    request = handler._current_request
    return request is not None and not request.content.is_eof()


def most_connections() -> int:
    """Return how many connections may be open: at most a half of the files of this process."""
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(MOST_CONNECTIONS, files // 2))


def bound_accept_errors(loop: asyncio.AbstractEventLoop, refusals: Refusals) -> None:
    """Count errors of `accept` instead of logging each: asyncio reports up to 128 at once."""
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES:
            refusals.count("accept_failed")
        elif before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)


_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
