"""The same scenario over Socket Mode and over HTTP gives the same transcript."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from forewarm_playground import virtual_time
from forewarm_playground.slack import LocalSlack
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

PLAIN = {"type": "plain_text", "text": "t"}
MODAL = {
    "type": "modal",
    "callback_id": "ask",
    "title": PLAIN,
    "submit": PLAIN,
    "blocks": [
        {
            "type": "input",
            "block_id": "b",
            "label": PLAIN,
            "element": {"type": "plain_text_input", "action_id": "q"},
        }
    ],
}


def listen(app: AsyncApp) -> None:
    """A bot with a bit of everything: streams, edits, commands, modals, buttons."""

    @app.event("app_mention")
    async def mention(event: dict[str, Any], say_stream: Any) -> None:
        stream = await say_stream(buffer_size=1)
        await stream.append(markdown_text=f"you said {event['text'][9:]}")
        await stream.stop()

    @app.event({"type": "message", "subtype": "message_changed"})
    async def edited(event: dict[str, Any], client: Any) -> None:
        if "bot_id" not in event["message"]:
            text = f"now {event['message']['text']}"
            await client.chat_postMessage(channel=event["channel"], text=text)

    @app.event("message")
    async def message(event: dict[str, Any], say: Any) -> None:
        if event["channel_type"] == "im":
            await say(f"echo {event['text']}", thread_ts=event["ts"])

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: Any) -> None:
        view = {"type": "home", "blocks": [{"type": "divider"}]}
        await client.views_publish(user_id=event["user"], view=view)

    @app.event(re.compile(".*"))
    async def rest() -> None:
        return None

    @app.command("/ask")
    async def ask(ack: Any, body: dict[str, Any], client: Any) -> None:
        if body["text"]:
            await ack(f"in a word: {body['text']}")
        else:
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view("ask")
    async def submitted(ack: Any, view: dict[str, Any], client: Any) -> None:
        await ack()
        text = f"asked {view['state']['values']['b']['q']['value']}"
        button = {"type": "button", "action_id": "again", "text": PLAIN}
        blocks = [{"type": "actions", "elements": [button]}]
        await client.chat_postMessage(channel="C0GENERAL", text=text, blocks=blocks)

    @app.action("again")
    async def pressed(ack: Any, respond: Any) -> None:
        await ack()
        await respond("pressed", response_type="in_channel", replace_original=False)


@asynccontextmanager
async def over_sockets(slack: LocalSlack, app: AsyncApp) -> AsyncIterator[None]:
    handler = AsyncSocketModeHandler(app, slack.app.app_token)
    await handler.connect_async()
    await slack.connected()
    yield
    await handler.close_async()


@asynccontextmanager
async def over_http(slack: LocalSlack, app: AsyncApp) -> AsyncIterator[None]:
    runner = web.AppRunner(app.server(port=0).web_app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.point_at(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    yield
    await runner.cleanup()


async def scenario(slack: LocalSlack) -> None:
    """The steps of people; each step waits for the bot to be done."""
    asker, peer = slack.user("U0ASKER"), slack.user("U0PEER")

    async def done(method: str, count: int) -> None:
        await slack.until(lambda: _ended(slack, method) >= count, method)
        await slack.idle(1000)

    ts = asker.mention("C0GENERAL", "how?")
    await done("chat.stopStream", 1)
    asker.edit("C0GENERAL", ts, "<@U0BOT> why?")
    await done("chat.postMessage", 1)
    peer.react("C0GENERAL", ts, "eyes")
    asker.open_dm()
    await done("views.publish", 1)
    asker.dm("hello")
    await done("chat.postMessage", 2)
    await asker.done(asker.slash("C0GENERAL", "/ask", "quick"))
    await asker.open_modal("C0GENERAL", "/ask")
    asker.set_text("slow")
    await asker.submit()
    await done("chat.postMessage", 3)
    asked = next(m for m in slack.bot_messages("C0GENERAL") if m.text == "asked slow")
    asker.click("C0GENERAL", asked.ts, "again")
    await slack.until(lambda: slack.bot_messages("C0GENERAL")[-1].text == "pressed")
    await slack.idle(1000)


def _ended(slack: LocalSlack, method: str) -> int:
    return sum(entry.ended_at is not None for entry in slack.log.of(method))


async def run(world_config: dict[str, Any], transport: str, bolt: Any) -> LocalSlack:
    slack = LocalSlack({**world_config, "limits": {"rates": False}}, now=virtual_time.now)
    async with slack.serve():
        app = bolt(slack)
        listen(app)
        connect = over_sockets if transport == "socket" else over_http
        async with connect(slack, app):
            await scenario(slack)
    return slack


async def test_the_transcript_is_the_same(world_config: dict[str, Any], bolt: Any) -> None:
    """A proof over one transport holds over both."""
    runs = [await run(world_config, transport, bolt) for transport in ("socket", "http")]
    for channel in ("C0GENERAL", runs[0].user("U0ASKER").dm_channel):
        place = channel if channel == "C0GENERAL" else runs[1].user("U0ASKER").dm_channel
        assert runs[0].transcript(channel) == runs[1].transcript(place)
    texts = [line["text"] for line in runs[0].transcript("C0GENERAL")]
    assert texts == ["<@U0BOT> why?", "you said how?", "now <@U0BOT> why?", "asked slow", "pressed"]
    for slack in runs:
        assert [m.text for m in slack.state.ephemerals] == ["in a word: quick"]
        assert {entry.outcome for entry in slack.log.deliveries} == {"acked"}
        assert slack.state.homes


@pytest.mark.parametrize("kind", ["socket", "http"])
async def test_what_was_delivered_is_the_same(
    world_config: dict[str, Any], bolt: Any, kind: str
) -> None:
    """One event source: the names and order of what was sent do not depend on the transport."""
    slack = await run(world_config, kind, bolt)
    names = [entry.name for entry in slack.log.deliveries]
    assert names == [
        "app_mention",
        "message",
        "message",
        "message",
        "message",
        "message",
        "reaction_added",
        "app_home_opened",
        "message",
        "message",
        "/ask",
        "/ask",
        "view_submission",
        "message",
        "block_actions",
        "message",
    ]
    assert {entry.transport for entry in slack.log.deliveries} == {kind}
