"""Signed HTTP delivery as a bare server meets it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.http_events import signature
from forewarm_playground.slack.interactions import forms
from slack_sdk.signature import SignatureVerifier

Json = dict[str, Any]


class Receiver:
    """Takes requests and answers them as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[web.Request, bytes]] = []
        self.times: list[float] = []
        self.answer: Callable[[web.Request], Awaitable[web.Response]] = self.ok
        self.url = ""

    async def ok(self, request: web.Request) -> web.Response:
        return web.Response()

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request, body))
        self.times.append(asyncio.get_running_loop().time())
        return await self.answer(request)

    @property
    def last(self) -> tuple[web.Request, bytes]:
        return self.requests[-1]


@pytest.fixture
async def receiver(served: LocalSlack) -> AsyncIterator[Receiver]:
    """The app's server; the Slack sends everything to it."""
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    served.point_at(f"{made.url}/events")
    yield made
    await runner.cleanup()


async def test_a_request_is_signed_with_real_time(served: LocalSlack, receiver: Receiver) -> None:
    """The app checks the stamp against its own clock, not the virtual one."""
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle()
    request, body = receiver.last
    verifier = SignatureVerifier(served.app.signing_secret)
    assert verifier.is_valid_request(body, dict(request.headers))
    stamp = int(request.headers["X-Slack-Request-Timestamp"])
    assert abs(stamp - time.time()) < 60
    assert request.content_type == "application/json"
    assert json.loads(body)["event"]["text"] == "hi"
    assert "X-Slack-Retry-Num" not in request.headers
    wrong = SignatureVerifier("another secret")
    assert not wrong.is_valid_request(body, dict(request.headers))


def test_the_signature_is_the_documented_one() -> None:
    """`v0=` and the hex HMAC-SHA256 of `v0:timestamp:body`.

    Source: docs/platform/slack.md#http-delivery.
    """
    made = SignatureVerifier("s").generate_signature(timestamp="1", body=b"a=b")
    assert signature("s", "1", b"a=b") == made


async def test_interactions_are_forms(served: LocalSlack, receiver: Receiver) -> None:
    """`payload=` holds the JSON; a command's fields are the form."""
    asker = served.user("U0ASKER")
    await asker.done(asker.shortcut("ask_global"))
    request, body = receiver.last
    assert request.content_type == "application/x-www-form-urlencoded"
    form = await _form(body)
    assert json.loads(form["payload"])["callback_id"] == "ask_global"
    await asker.done(asker.slash("C0GENERAL", "/ask", "a & b"))
    form = await _form(receiver.last[1])
    assert (form["command"], form["text"]) == ("/ask", "a &amp; b")


async def _form(body: bytes) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(body.decode(), strict_parsing=False))


async def test_each_kind_goes_to_its_own_address(served: LocalSlack, receiver: Receiver) -> None:
    """The manifest may name four."""
    base = receiver.url
    served.point_at(
        f"{base}/events",
        interactivity_url=f"{base}/interactive",
        command_url=f"{base}/command",
        options_url=f"{base}/options",
    )
    asker = served.user("U0ASKER")
    element = {"type": "external_select", "action_id": "r", "min_query_length": 0}
    label = {"type": "plain_text", "text": "t"}
    section = {"type": "section", "text": label, "accessory": element}
    served.call("chat.postMessage", channel="C0GENERAL", blocks=[section])
    (message,) = served.bot_messages("C0GENERAL")
    forms.suggest(served.state, "U0ASKER", "r", "", message=message)
    asker.post("C0GENERAL", "hi")
    asker.slash("C0GENERAL", "/ask")
    asker.shortcut("ask_global")
    await served.idle()
    assert sorted({request.path for request, _ in receiver.requests}) == [
        "/command",
        "/events",
        "/interactive",
        "/options",
    ]


async def test_a_refused_event_comes_again_with_the_reason(
    served: LocalSlack, receiver: Receiver
) -> None:
    """Nearly at once, after one minute, after five; `X-Slack-Retry-Num` counts."""

    async def failing(request: web.Request) -> web.Response:
        return web.Response(status=500)

    receiver.answer = failing
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle(1000)
    headers = [request.headers for request, _ in receiver.requests]
    assert [h.get("X-Slack-Retry-Num") for h in headers] == [None, "1", "2", "3"]
    assert [h.get("X-Slack-Retry-Reason") for h in headers] == [None, *["http_error"] * 3]
    gaps = [b - a for a, b in zip(receiver.times, receiver.times[1:], strict=False)]
    assert gaps == pytest.approx([0.1, 60, 300])
    assert len({json.loads(body)["event_id"] for _, body in receiver.requests}) == 1
    assert len({h["X-Slack-Signature"] for h in headers}) >= 1


async def test_three_seconds_are_the_most_that_it_waits(
    served: LocalSlack, receiver: Receiver
) -> None:
    """A late 200 counts as `http_timeout`."""

    async def late(request: web.Request) -> web.Response:
        await asyncio.sleep(3.01 if len(receiver.requests) == 1 else 2.99)
        return web.Response()

    receiver.answer = late
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle()
    reasons = [request.headers.get("X-Slack-Retry-Reason") for request, _ in receiver.requests]
    assert reasons == [None, "http_timeout"]
    assert [entry.outcome for entry in served.log.deliveries] == ["http_timeout", "acked"]
    assert served.log.acks() == pytest.approx([2.99])


async def test_the_app_can_forbid_retries(served: LocalSlack, receiver: Receiver) -> None:
    """`X-Slack-No-Retry: 1`."""

    async def never_again(request: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    receiver.answer = never_again
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle(1000)
    assert len(receiver.requests) == 1


async def test_other_failures_have_names_of_their_own(
    served: LocalSlack, receiver: Receiver
) -> None:
    """Redirects without end, no server, a connection that breaks."""

    async def round_and_round(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(receiver.url + "/events")

    async def broken(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    outcomes = []
    for answer in (round_and_round, broken):
        receiver.answer = answer
        served.log.clear()
        served.user("U0ASKER").post("C0GENERAL", "hi")
        await asyncio.sleep(0.05)
        outcomes.append(served.log.deliveries[0].outcome)
    served.point_at("http://127.0.0.1:9/events")
    served.log.clear()
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await asyncio.sleep(0.05)
    outcomes.append(served.log.deliveries[0].outcome)
    assert outcomes == ["too_many_redirects", "connection_failed", "connection_failed"]


async def test_an_address_is_verified_by_a_challenge(
    served: LocalSlack, receiver: Receiver
) -> None:
    """Slack's request when the address is entered (docs/platform/slack.md#http-delivery)."""

    async def answer(request: web.Request) -> web.Response:
        body = json.loads(receiver.last[1])
        assert body["type"] == "url_verification"
        return web.json_response({"challenge": body["challenge"]})

    assert not await served.http.verify("abc")
    receiver.answer = answer
    assert await served.http.verify("abc")


async def test_answers_are_read_by_their_type(served: LocalSlack, receiver: Receiver) -> None:
    """Plain text for a command, JSON for the rest."""
    asker = served.user("U0ASKER")

    async def plain(request: web.Request) -> web.Response:
        return web.Response(text="plain words")

    async def structured(request: web.Request) -> web.Response:
        return web.json_response({"text": "all", "response_type": "in_channel"})

    receiver.answer = plain
    await asker.done(asker.slash("C0GENERAL", "/ask"))
    assert served.state.ephemerals[-1].text == "plain words"
    receiver.answer = structured
    await asker.done(asker.slash("C0GENERAL", "/ask"))
    assert served.bot_messages("C0GENERAL")[-1].text == "all"
