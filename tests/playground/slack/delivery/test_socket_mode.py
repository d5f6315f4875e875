"""Socket Mode as a bare WebSocket client meets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from forewarm_playground import virtual_time
from forewarm_playground.slack import LocalSlack

Json = dict[str, Any]


class Client:
    """A socket that acknowledges only when it is told to."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def next(self, seconds: float = 1.0) -> Json:
        frame: Json = await asyncio.wait_for(self.ws.receive_json(), seconds)
        return frame

    async def ack(self, envelope: Json, payload: Any = None) -> None:
        answer: Json = {"envelope_id": envelope["envelope_id"]}
        if payload is not None:
            answer["payload"] = payload
        await self.ws.send_json(answer)

    async def quiet(self, seconds: float) -> bool:
        """Whether nothing arrives for so long."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


class Dialler:
    """Opens sockets the official way: a ticket first."""

    def __init__(self, slack: LocalSlack, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session

    async def url(self) -> str:
        headers = {"Authorization": f"Bearer {self.slack.app.app_token}"}
        async with self.session.post(
            f"{self.slack.api_url}apps.connections.open", headers=headers
        ) as response:
            body = await response.json()
        assert body["ok"], body
        return str(body["url"])

    async def open(self, suffix: str = "", *, hello: bool = True) -> Client:
        client = Client(await self.session.ws_connect(await self.url() + suffix))
        if hello:
            assert (await client.next())["type"] == "hello"
        return client


@pytest.fixture
async def dial(served: LocalSlack) -> AsyncIterator[Dialler]:
    async with aiohttp.ClientSession() as session:
        yield Dialler(served, session)


async def test_hello_says_whose_socket_it_is(dial: Dialler) -> None:
    """The first frame, with the number of sockets (docs/platform/slack.md#socket-mode)."""
    first = await dial.open(hello=False)
    hello = await first.next()
    assert hello["num_connections"] == 1
    assert hello["connection_info"] == {"app_id": "A0LOCAL"}
    assert hello["debug_info"]["approximate_connection_time"] == 18060
    second = await dial.open(hello=False)
    assert (await second.next())["num_connections"] == 2


async def test_a_ticket_opens_one_socket(dial: Dialler) -> None:
    """The URL is single use; an unused one goes stale."""
    url = await dial.url()
    await dial.session.ws_connect(url)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await dial.session.ws_connect(url)
    stale = await dial.url()
    await asyncio.sleep(31)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await dial.session.ws_connect(stale)


async def test_an_event_comes_in_an_envelope_and_is_acknowledged(dial: Dialler) -> None:
    """The payload is what HTTP would have carried."""
    slack, client = dial.slack, await dial.open()
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    envelope = await client.next()
    assert envelope["type"] == "events_api"
    assert envelope["accepts_response_payload"] is False
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (0, "")
    assert envelope["payload"]["event"]["text"] == "hi"
    assert envelope["payload"]["type"] == "event_callback"
    await asyncio.sleep(0.25)
    await client.ack(envelope)
    await slack.idle()
    (entry,) = slack.log.deliveries
    assert (entry.outcome, entry.envelope_id) == ("acked", envelope["envelope_id"])
    assert entry.latency == pytest.approx(0.25)


async def test_each_payload_goes_to_exactly_one_socket(dial: Dialler) -> None:
    """Replicas share the events; none sees all, none twice (docs/platform/slack.md#socket-mode)."""
    slack = dial.slack
    clients = [await dial.open() for _ in range(3)]
    heard: list[list[str]] = [[], [], []]

    async def listen(place: int) -> None:
        async for frame in clients[place].ws:
            envelope = frame.json()
            heard[place].append(envelope["payload"]["event"]["text"])
            await clients[place].ack(envelope)

    tasks = [asyncio.create_task(listen(place)) for place in range(3)]
    for number in range(30):
        slack.user("U0ASKER").post("C0GENERAL", str(number))
    await slack.idle()
    for task in tasks:
        task.cancel()
    assert sorted(text for texts in heard for text in texts) == sorted(map(str, range(30)))
    assert all(heard)


async def test_an_unacknowledged_event_comes_again(dial: Dialler) -> None:
    """After three seconds, at once, then after one and five minutes; then Slack gives up."""
    slack, client = dial.slack, await dial.open()
    loop = asyncio.get_running_loop()
    start = loop.time()
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    times, seen = [], []
    for _ in range(4):
        envelope = await client.next(400)
        times.append(loop.time() - start)
        seen.append(envelope)
    assert times == pytest.approx([0, 3.1, 66.1, 369.1])
    assert [e["retry_attempt"] for e in seen] == [0, 1, 2, 3]
    assert [e["retry_reason"] for e in seen] == ["", "timeout", "timeout", "timeout"]
    assert len({e["payload"]["event_id"] for e in seen}) == 1
    assert len({e["envelope_id"] for e in seen}) == 4
    await slack.idle()
    assert await client.quiet(1000)


async def test_an_interaction_is_not_sent_twice(dial: Dialler) -> None:
    """Its user is told instead."""
    slack, client = dial.slack, await dial.open()
    asked = slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    assert (await client.next())["type"] == "slash_commands"
    await slack.user("U0ASKER").done(asked)
    assert asked.outcome is not None
    assert asked.outcome.kind == "failed"
    assert "operation_timeout" in slack.state.notices[-1].text
    assert await client.quiet(1000)


async def test_an_acknowledgement_may_carry_an_answer(dial: Dialler) -> None:
    """Where `accepts_response_payload` says so, and only there."""
    slack, client = dial.slack, await dial.open()
    asker = slack.user("U0ASKER")
    asked = asker.slash("C0GENERAL", "/ask")
    envelope = await client.next()
    assert envelope["accepts_response_payload"] is True
    assert envelope["payload"]["command"] == "/ask"
    await client.ack(envelope, {"text": "answer"})
    await asker.done(asked)
    assert slack.state.ephemerals[-1].text == "answer"
    shortcut = asker.shortcut("ask_global")
    envelope = await client.next()
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("interactive", False)
    await client.ack(envelope, {"text": "ignored"})
    await asker.done(shortcut)
    assert shortcut.outcome is not None
    assert shortcut.outcome.reply is None


async def test_what_is_no_acknowledgement_is_ignored(dial: Dialler) -> None:
    """Nonsense and unknown envelopes count for nothing."""
    slack, client = dial.slack, await dial.open()
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    first = await client.next()
    for text in ("nonsense", "[]", '{"envelope_id": "other"}', "{}", "1"):
        await client.ws.send_str(text)
    second = await client.next(10)
    assert second["payload"]["event_id"] == first["payload"]["event_id"]


async def test_ten_sockets_are_the_most(dial: Dialler) -> None:
    """The eleventh is told so and closed."""
    held = [await dial.open() for _ in range(10)]
    extra = await dial.open(hello=False)
    frame = await extra.next()
    assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
    assert (await extra.ws.receive()).type is aiohttp.WSMsgType.CLOSE
    assert len(dial.slack.sockets.sockets) == len(held)


async def test_a_socket_that_went_leaves_its_events_to_the_others(dial: Dialler) -> None:
    """A replica that dies with an event unacknowledged does not lose it."""
    slack = dial.slack
    first, second = await dial.open(), await dial.open()
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    await asyncio.sleep(0)
    silent = first if slack.sockets.sockets[0].waiting else second
    other = second if silent is first else first
    envelope = await silent.next()
    await silent.ws.close()
    again = await other.next(10)
    assert again["payload"]["event_id"] == envelope["payload"]["event_id"]
    assert again["retry_attempt"] == 1
    await other.ack(again)
    await slack.idle()
    assert [entry.outcome for entry in slack.log.deliveries] == ["timeout", "acked"]


async def test_without_a_socket_an_event_waits_for_its_next_attempt(dial: Dialler) -> None:
    """A restart of a minute loses nothing."""
    slack = dial.slack
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    await asyncio.sleep(10)
    client = await dial.open()
    envelope = await client.next(100)
    assert envelope["retry_attempt"] == 2
    await client.ack(envelope)
    await slack.idle()


@pytest.mark.parametrize("reason", ["refresh_requested", "link_disabled", "too_many_websockets"])
async def test_a_disconnect_says_why_and_closes(dial: Dialler, reason: str) -> None:
    """The client opens a new socket, or not, by the reason."""
    client = await dial.open()
    await dial.slack.drop_sockets(reason)
    frame = await client.next()
    assert (frame["type"], frame["reason"]) == ("disconnect", reason)
    assert (await client.ws.receive()).type is aiohttp.WSMsgType.CLOSE
    assert dial.slack.sockets.sockets == []


async def test_a_warning_leaves_the_socket_open(dial: Dialler) -> None:
    """It comes ten seconds ahead; events still arrive."""
    client = await dial.open()
    await dial.slack.drop_sockets("warning")
    assert (await client.next())["reason"] == "warning"
    dial.slack.user("U0ASKER").post("C0GENERAL", "hi")
    assert (await client.next())["type"] == "events_api"


async def test_a_socket_cut_off_says_nothing(dial: Dialler) -> None:
    """As when a network breaks."""
    client = await dial.open()
    await dial.slack.drop_sockets("cut")
    frame = await client.ws.receive()
    assert frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_socket_mode_can_be_switched_off(dial: Dialler) -> None:
    """`link_disabled`, and no new address."""
    client = await dial.open()
    await dial.slack.switch_socket_mode_off()
    assert (await client.next())["reason"] == "link_disabled"
    reply = dial.slack.call("apps.connections.open", dial.slack.app.app_token)
    assert reply.error == "socket_mode_not_enabled"


@pytest.mark.parametrize(("suffix", "life"), [("&debug_reconnects=true", 360), ("", 3600)])
async def test_a_socket_lives_for_hours_or_for_a_debugger_minutes(
    world_config: Json, suffix: str, life: float
) -> None:
    """A warning ten seconds ahead, then `refresh_requested`.

    Source: docs/platform/slack.md#socket-mode.
    """
    slack = LocalSlack({**world_config, "delivery": {"socket_life": 3600}}, now=virtual_time.now)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(slack.serve())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = await Dialler(slack, session).open(suffix)
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert (await client.next(5000))["reason"] == "warning"
        assert loop.time() - start == pytest.approx(life - 10)
        assert (await client.next(5000))["reason"] == "refresh_requested"
        assert loop.time() - start == pytest.approx(life)


async def test_pings_are_answered_and_sent(dial: Dialler) -> None:
    """Clients find a dead socket by the pongs, and expect pings of their own."""
    client = await dial.open(hello=True)
    client.ws._autoping = False
    await client.ws.ping(b"sdk-ping-pong:1")
    pong = await client.ws.receive()
    assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1")
    ping = await client.ws.receive()
    assert ping.type is aiohttp.WSMsgType.PING
