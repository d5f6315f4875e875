"""Delivery by signed HTTP requests (docs/platform/slack.md#http-delivery)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import aiohttp

from forewarm_playground.clock import Now
from forewarm_playground.slack.config import AppConfig, DeliveryConfig
from forewarm_playground.slack.delivery.transports import Attempt
from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.log import DeliveryEntry
from forewarm_playground.slack.timers import Timers, within

REDIRECTS = 2
FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's v0 signature of a raw body: hex HMAC-SHA256 behind `v0=`."""
    base = b":".join((b"v0", timestamp.encode(), body))
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class HttpEvents:
    """Posts payloads to the app's addresses.

    `real_now` stamps the signature: the app checks it against its own real clock, not the
    emulator's virtual one.
    """

    name = "http"
    timeout_reason = "http_timeout"

    def __init__(
        self, app: Callable[[], AppConfig], config: DeliveryConfig, timers: Timers, real_now: Now
    ) -> None:
        self._app = app
        self._config = config
        self._timers = timers
        self._real_now = real_now
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<HttpEvents [{self._app().request_url or 'no address'}]>"

    async def send(self, delivery: Delivery, entry: DeliveryEntry) -> Attempt:
        """Post a payload and wait three seconds for a 2xx."""
        url = self._url(delivery)
        if not url:
            return Attempt(Outcome("failed", reason="connection_failed"))
        body, kind = _encoded(delivery)
        headers = self._signed(body, kind)
        if entry.attempt:
            headers["X-Slack-Retry-Num"] = str(entry.attempt)
            headers["X-Slack-Retry-Reason"] = entry.reason
        try:
            return await within(
                self._timers, self._config.ack_seconds, self._post(url, body, headers)
            )
        except TimeoutError:
            return _failed("http_timeout")
        except aiohttp.TooManyRedirects:
            return _failed("too_many_redirects")
        except aiohttp.ClientSSLError:
            return _failed("ssl_error")
        except aiohttp.ClientConnectionError:
            return _failed("connection_failed")
        except aiohttp.ClientError:
            return _failed("unknown_error")

    def _url(self, delivery: Delivery) -> str:
        app = self._app()
        if delivery.kind == "slash_commands":
            return app.command_url or app.request_url
        if delivery.kind == "interactive":
            options = app.options_url if delivery.name == "block_suggestion" else ""
            return options or app.interactivity_url or app.request_url
        return app.request_url

    def _signed(self, body: bytes, kind: str) -> dict[str, str]:
        timestamp = str(int(self._real_now()))
        return {
            "Content-Type": kind,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._app().signing_secret, timestamp, body),
        }

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        session = self._open()
        async with session.post(
            url, data=body, headers=headers, max_redirects=REDIRECTS
        ) as response:
            text = await response.text()
            final = response.headers.get("X-Slack-No-Retry") == "1"
            if not 200 <= response.status < 300:
                return Attempt(Outcome("failed", reason="http_error", text=text), final)
            return Attempt(_read(text, response.content_type))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    async def verify(self, challenge: str) -> bool:
        """Ask the request URL for a challenge, as Slack does when an address is entered."""
        payload: Json = {
            "token": self._app().verification_token,
            "challenge": challenge,
            "type": "url_verification",
        }
        body = json.dumps(payload).encode()
        headers = self._signed(body, "application/json")
        session = self._open()
        async with session.post(self._app().request_url, data=body, headers=headers) as response:
            text = await response.text()
        return response.status == 200 and challenge in text

    async def close(self) -> None:
        """Close the connections to the app."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _encoded(delivery: Delivery) -> tuple[bytes, str]:
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload).encode(), "application/json"
    if delivery.kind == "interactive":
        return urlencode({"payload": json.dumps(delivery.payload)}).encode(), FORM
    return urlencode(delivery.payload).encode(), FORM


def _failed(reason: str) -> Attempt:
    return Attempt(Outcome("failed", reason=reason))


def _read(text: str, kind: str) -> Outcome:
    if not text:
        return Outcome("acked")
    if kind == "application/json":
        try:
            reply = json.loads(text)
        except ValueError:
            return Outcome("acked", text=text)
        return Outcome("acked", reply=reply) if isinstance(reply, dict) else Outcome("acked")
    return Outcome("acked", text=text)
