"""One aiohttp session for every call to Slack, and two clients over it.

`AsyncWebClient` opens a new connection for each call unless it is given a session, and its default
retry handler resends a message that Slack had already taken. So reads go through a client that
retries. All calls that create or change text go through one that never does.
Source: docs/platform/slack.md#client-retries.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import aiohttp
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

CALL_TIMEOUT = 30.0
# The SDK logs whole requests, message text included, at DEBUG: its loggers never go below INFO.


@dataclass(frozen=True, slots=True)
class SlackClients:
    """`reads` may resend a call; `writes` never does. Both share one session."""

    reads: AsyncWebClient
    writes: AsyncWebClient
    session: aiohttp.ClientSession

    async def close(self) -> None:
        await self.session.close()

    def use_token(self, token: str) -> None:
        """Send another bot token from the next call on."""
        self.reads.token = self.writes.token = token

    def of(self, token: str) -> SlackClients:
        """Return clients for another bot token, over the same session."""
        return _clients(token, self.reads.base_url, self.session)


def quiet_logger() -> logging.Logger:
    """Return the logger handed to the SDK, which would log message text at DEBUG."""
    logger = logging.getLogger("slack_sdk.forewarm")
    logger.setLevel(logging.INFO)
    return logger


def connect(token: str | None, api_url: str) -> SlackClients:
    """Build the clients; must run inside the event loop that will use them."""
    session = aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT),
        connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=60),
    )
    return _clients(token, api_url, session)


def _clients(token: str | None, api_url: str, session: aiohttp.ClientSession) -> SlackClients:
    logger = quiet_logger()
    reads = AsyncWebClient(
        token=token,
        base_url=api_url,
        session=session,
        logger=logger,
        retry_handlers=[
            AsyncConnectionErrorRetryHandler(max_retry_count=2),
            AsyncRateLimitErrorRetryHandler(max_retry_count=2),
        ],
    )
    writes = AsyncWebClient(
        token=token, base_url=api_url, session=session, logger=logger, retry_handlers=[]
    )
    return SlackClients(_past_no_proxy(reads), _past_no_proxy(writes), session)


def without_token(clients: SlackClients) -> AsyncWebClient:
    """Return a client over the same session that has no token of its own."""
    client = AsyncWebClient(
        base_url=clients.reads.base_url, session=clients.session, logger=quiet_logger()
    )
    return _past_no_proxy(client)


def _past_no_proxy(client: AsyncWebClient) -> AsyncWebClient:
    """Take the proxy away if NO_PROXY names the host: the SDK reads HTTPS_PROXY alone."""
    if proxy_bypass(urlsplit(client.base_url).hostname or ""):
        client.proxy = None
    return client
