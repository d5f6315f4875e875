"""HTTP requests in Slack's name: refused on their bytes, before anything is parsed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.http_entry import ConnectionLimit, Refusals, read_body
from bot.slack.http_entry import MOST_BYTES, decode, names_us, read_payload, signature_fault
from bot.slack.identity import Identity
from bot.slack.transport import EVENTS_PATH, EventsEntry

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_790_000_000.0
ME = Identity("T0OURS", "Ours", "U0BOT", "B0BOT", frozenset(), app_id="A0OURS")
EVENT: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T0OURS",
    "api_app_id": "A0OURS",
    "event": {"type": "app_mention"},
}


def signed(body: bytes, at: float = NOW, secret: str = SECRET) -> dict[str, str]:
    stamp = str(int(at))
    basis = b"v0:" + stamp.encode() + b":" + body
    digest = hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


@dataclass
class Reached:
    """An app that keeps what was dispatched to it; it answers 200 to everything."""

    bodies: list[str] = field(default_factory=list)

    async def async_dispatch(self, request: AsyncBoltRequest) -> BoltResponse:
        self.bodies.append(request.raw_body)
        return BoltResponse(status=200, body="")


@dataclass
class Served:
    url: str
    port: int
    app: Reached
    entry: EventsEntry
    session: aiohttp.ClientSession

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        kind = {"Content-Type": "application/json"}
        async with self.session.post(
            self.url, data=io.BytesIO(body), headers={**kind, **headers}
        ) as answer:
            return answer.status


@asynccontextmanager
async def serving(most: int = 100) -> AsyncIterator[Served]:
    app = Reached()
    typed: Any = app
    bolt: AsyncApp = typed
    entry = EventsEntry(bolt, ME, SECRET, lambda: NOW)
    application = web.Application()
    entry.add_to(application.router)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    assert runner.server is not None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(ConnectionLimit(runner.server, most), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(f"http://127.0.0.1:{port}{EVENTS_PATH}", port, app, entry, session)
    finally:
        server.close()
        await runner.cleanup()


async def test_a_signed_event_reaches_the_app_byte_for_byte() -> None:
    body = json.dumps({**EVENT, "text": "größe 🙂"}, ensure_ascii=False).encode()
    async with serving() as slack:
        assert await slack.post(body, signed(body)) == 200
        assert slack.app.bodies == [body.decode()]


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "utf-7", "utf-16", "raw_unicode_escape", "hex", "no-such"]
)
async def test_the_charset_of_the_sender_is_never_used(charset: str) -> None:
    """Punycode decodes in quadratic time: 800 kB of it stopped the event loop for 28 s."""
    body = b"-" + b"a" * 400_000
    kind = {"Content-Type": f"application/json; charset={charset}"}
    async with serving() as slack:
        assert await slack.post(body, kind) == 401
        body = json.dumps(EVENT).encode()
        assert await slack.post(body, {**signed(body), **kind}) == 200
        assert slack.entry.refusals.total == {"unsigned": 1}


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "unsigned"),
        ({"X-Slack-Request-Timestamp": "soon", "X-Slack-Signature": "v0=" + "0" * 64}, "unsigned"),
        ({"X-Slack-Request-Timestamp": "1" * 400, "X-Slack-Signature": "v0=00"}, "unsigned"),
        ({"X-Slack-Request-Timestamp": "1790000000", "X-Slack-Signature": "v0=é"}, "unsigned"),
        ({"X-Slack-Request-Timestamp": "١٧٩٠", "X-Slack-Signature": "v0=" + "0" * 64}, "unsigned"),
        (
            {"X-Slack-Request-Timestamp": "1790000000", "X-Slack-Signature": "v0=" + "0" * 64},
            "wrong_signature",
        ),
        (
            {"X-Slack-Request-Timestamp": "1789999000", "X-Slack-Signature": "v0=" + "0" * 64},
            "too_old",
        ),
        (
            {"X-Slack-Request-Timestamp": "1790001000", "X-Slack-Signature": "v0=" + "0" * 64},
            "too_old",
        ),
    ],
)
def test_each_fault_of_a_signature_has_its_word(headers: dict[str, str], reason: str) -> None:
    assert signature_fault(SECRET, b"{}", headers, NOW) == reason


@given(st.binary(max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_any_changed_byte_breaks_the_signature(body: bytes, at: int, change: int) -> None:
    headers = signed(body)
    assert signature_fault(SECRET, body, headers, NOW) is None
    if body:
        place = at % len(body)
        changed = body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]
        assert signature_fault(SECRET, changed, headers, NOW) == "wrong_signature"
    assert signature_fault(SECRET, body + b"x", headers, NOW) == "wrong_signature"


async def test_a_body_over_the_limit_is_refused_whether_its_length_is_declared_or_not() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"a" * 65_536

    async with serving() as slack:
        assert await slack.post(b"a" * (MOST_BYTES + 1), {}) == 413
        async with slack.session.post(slack.url, data=endless()) as answer:
            assert answer.status == 413
        assert slack.entry.refusals.total == {"too_long": 2}
        assert slack.app.bodies == []


async def test_bodies_that_are_signed_but_not_utf8_or_not_json_are_refused() -> None:
    async with serving() as slack:
        for body, status in ((b"\xff\xfe{}", 400), (b"{", 403), (b"[" * 50_000, 403), (b"[]", 403)):
            assert await slack.post(body, signed(body)) == status
        assert slack.app.bodies == []


FORM = "application/x-www-form-urlencoded"
INTERACTION = {"type": "block_actions", "team": {"id": "T0OURS"}, "api_app_id": "A0OURS"}


def is_for_us(
    text: str, content_type: str, workspace: str, app_id: str, enterprise: str = ""
) -> bool:
    """Tell whether a signed body is served, as the entry decides it."""
    body = read_payload(text, content_type)
    return body is not None and names_us(body, workspace, app_id, enterprise)


@pytest.mark.parametrize(
    ("text", "kind", "ours"),
    [
        (json.dumps(EVENT), "application/json", True),
        (json.dumps({"type": "url_verification", "challenge": "x"}), "application/json", True),
        (json.dumps({**EVENT, "team_id": "T0OTHER"}), "application/json", False),
        (json.dumps({**EVENT, "api_app_id": "A0OTHER"}), "application/json", False),
        (
            json.dumps(
                {**EVENT, "team_id": "T0PARTNER", "authorizations": [{"team_id": "T0OURS"}]}
            ),
            "application/json",
            True,
        ),
        (
            json.dumps({**EVENT, "team_id": "T0X", "authorizations": [{"team_id": "T0Y"}]}),
            "application/json",
            False,
        ),
        (urlencode({"team_id": "T0OURS", "api_app_id": "A0OURS", "command": "/ask"}), FORM, True),
        (urlencode({"team_id": "T0OTHER", "api_app_id": "A0OURS"}), FORM, False),
        ("payload=" + quote(json.dumps(INTERACTION)), FORM, True),
        ("payload=" + quote(json.dumps({**INTERACTION, "team": {"id": "T0X"}})), FORM, False),
        ("payload=" + quote(json.dumps({**INTERACTION, "api_app_id": "A0X"})), FORM, False),
        ("payload=" + quote("[1]"), FORM, False),
        ("&".join(f"a{n}=1" for n in range(500)), FORM, False),
        ("ssl_check=1", FORM, True),
    ],
)
def test_only_our_workspace_and_our_app_are_served(text: str, kind: str, ours: bool) -> None:
    """One signing secret belongs to one app, which may be installed in several workspaces."""
    assert is_for_us(text, kind, "T0OURS", "A0OURS") is ours


def test_an_installation_for_a_whole_organisation_serves_all_its_workspaces() -> None:
    body = json.dumps(
        {**EVENT, "team_id": "T0SISTER", "authorizations": [{"enterprise_id": "E0OURS"}]}
    )
    assert is_for_us(body, "application/json", "T0OURS", "A0OURS", "E0OURS")
    assert not is_for_us(body, "application/json", "T0OURS", "A0OURS", "E0OTHER")
    assert not is_for_us(body, "application/json", "T0OURS", "A0OURS")


@given(st.text(max_size=200), st.sampled_from(["application/json", FORM, ""]))
def test_no_text_raises(text: str, kind: str) -> None:
    is_for_us(text, kind, "T0OURS", "A0OURS")


@given(st.binary(max_size=200))
def test_decoding_is_strict(body: bytes) -> None:
    text = decode(body)
    assert text is None or text.encode() == body


async def test_half_sent_requests_do_not_keep_whole_ones_out() -> None:
    """260 clients that sent half a request and waited once held every file of the process."""
    async with serving(most=20) as slack:
        held = [await asyncio.open_connection("127.0.0.1", slack.port) for _ in range(60)]
        for _, writer in held:
            writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Half: ")
        body = json.dumps(EVENT).encode()
        assert await slack.post(body, signed(body)) == 200
        # The oldest were closed: their end of file arrives without a deadline of ours.
        assert await asyncio.wait_for(held[0][0].read(), 10) == b""
        for _, writer in held:
            writer.close()


HALF_A_BODY = b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"


async def test_half_sent_bodies_do_not_push_out_those_who_come_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each held its place for ten seconds, so that the newest connections were the ones to go."""
    async with serving(most=20) as slack:
        held = [await asyncio.open_connection("127.0.0.1", slack.port) for _ in range(20)]
        for _, writer in held:
            writer.write(HALF_A_BODY)
            await writer.drain()
        # All of them are being read by now.
        assert await slack.post(b"{}", {}) == 401
        reader, ours = await asyncio.open_connection("127.0.0.1", slack.port)
        for _ in range(15):
            held.append(await asyncio.open_connection("127.0.0.1", slack.port))
            held[-1][1].write(HALF_A_BODY)
            await held[-1][1].drain()
        ours.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        status = await asyncio.wait_for(reader.readline(), 20)
        assert b"401" in status
        for _, writer in (*held, (reader, ours)):
            writer.transport.abort()
        await asyncio.sleep(0.05)
    errors = [line.exc_info[1] for line in caplog.records if line.exc_info]
    # The filter of the real server counts these and logs none.
    assert [error for error in errors if not isinstance(error, ConnectionError)] == []


async def test_a_body_that_does_not_come_is_given_up() -> None:
    """The deadline is an argument, so the test does not wait for the real one."""

    async def handle(request: web.Request) -> web.Response:
        with pytest.raises(Exception, match="too_slow"):
            await read_body(request, 100, seconds=0.01)
        return web.Response(status=408)

    application = web.Application()
    application.router.add_post("/", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
    status = await asyncio.wait_for(reader.readline(), 10)
    assert b"408" in status
    writer.close()
    await runner.cleanup()


def test_a_flood_of_refusals_is_one_warning_a_minute() -> None:
    clock = [0.0]
    refusals = Refusals("slack_requests_refused", lambda: clock[0])
    for _ in range(10_000):
        refusals.count("unsigned")
        clock[0] += 0.01
    assert refusals.total == {"unsigned": 10_000}
    assert refusals.warnings == 2
