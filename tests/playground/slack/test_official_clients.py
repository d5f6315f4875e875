"""Clients that we did not write work unchanged: slack_sdk, synchronous and not, and Bolt."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from forewarm_playground.slack import LocalSlack
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.blocks import DividerBlock
from slack_sdk.models.messages.chunk import MarkdownTextChunk, TaskUpdateChunk
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

TO: dict[str, Any] = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}


@pytest.fixture
async def client(served: LocalSlack) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(token=served.token, base_url=served.api_url, session=session)


async def test_the_asynchronous_client_does_what_the_bot_does(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """One call of each encoding, read back."""
    asker = served.user("U0ASKER")
    root = asker.mention("C0GENERAL", "how?")
    assert (await client.auth_test())["user_id"] == "U0BOT"
    posted = await client.chat_postMessage(
        channel="C0GENERAL", text="t", thread_ts=root, blocks=[DividerBlock()], unfurl_links=False
    )
    await client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="u")
    await client.reactions_add(channel="C0GENERAL", timestamp=root, name="eyes")
    await client.chat_postEphemeral(channel="C0GENERAL", user="U0ASKER", text="psst")
    link = await client.chat_getPermalink(channel="C0GENERAL", message_ts=posted["ts"])
    assert "thread_ts" in link["permalink"]
    replies = await client.conversations_replies(channel="C0GENERAL", ts=root, limit=10)
    assert [m["text"] for m in replies["messages"]] == ["<@U0BOT> how?", "u"]
    await client.assistant_threads_setStatus(
        channel_id="C0GENERAL", thread_ts=root, status="s", loading_messages=["a", "b"]
    )
    assert served.state.statuses["C0GENERAL", root].loading == ("a", "b")
    await client.assistant_threads_setTitle(
        channel_id=asker.dm_channel, thread_ts=asker.dm("x"), title="T"
    )
    await client.assistant_threads_setSuggestedPrompts(
        channel_id=asker.dm_channel, prompts=[{"title": "a", "message": "b"}]
    )
    await client.views_publish(user_id="U0ASKER", view={"type": "home", "blocks": []})
    assert (await client.users_info(user="U0GUEST"))["user"]["is_restricted"] is True
    assert (await client.chat_delete(channel="C0GENERAL", ts=posted["ts"]))["ok"]


async def test_pages_are_followed_by_the_clients_own_iterator(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """It looks for `response_metadata.next_cursor`."""
    for number in range(7):
        served.user("U0ASKER").post("C0GENERAL", str(number))
    texts = []
    async for page in await client.conversations_history(channel="C0GENERAL", limit=3):
        texts += [message["text"] for message in page["messages"]]
    assert texts == [str(n) for n in reversed(range(7))]


async def test_the_clients_stream_helper_streams(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """Its first flush starts the stream with chunks; stop brings blocks.

    Source: docs/platform/slack.md#streaming-behaviour.
    """
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    stream = await client.chat_stream(
        channel="C0GENERAL", thread_ts=root, buffer_size=8, **TO, task_display_mode="plan"
    )
    await stream.append(chunks=[TaskUpdateChunk(id="1", title="Reading", status="in_progress")])
    await stream.append(markdown_text="Hello ")
    await stream.append(markdown_text="world", chunks=[MarkdownTextChunk(text="!")])
    await stream.stop(blocks=[DividerBlock()], session_status="active")
    (message,) = served.bot_messages("C0GENERAL", root)
    assert message.text == "Hello world!"
    assert [b["type"] for b in message.blocks] == ["task_card", "markdown", "divider"]
    assert served.state.sessions["C0GENERAL", root].status == "active"


async def test_a_short_answer_is_started_by_its_stop(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """Nothing was flushed before: the helper starts an empty stream, then stops it with text."""
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    stream = await client.chat_stream(channel="C0GENERAL", thread_ts=root, **TO)
    await stream.append(markdown_text="short")
    await stream.stop()
    assert served.bot_messages("C0GENERAL", root)[0].text == "short"
    methods = [entry.method for entry in served.log.calls]
    assert methods == ["chat.startStream", "chat.stopStream"]


async def test_errors_arrive_as_the_clients_own(served: LocalSlack, client: AsyncWebClient) -> None:
    """`SlackApiError` with Slack's code in it."""
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel="C0QUIET", text="t")
    assert caught.value.response["error"] == "not_in_channel"


async def test_the_rate_limit_handler_waits_as_told(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """It sleeps `Retry-After` and tries again."""
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    served.fail_call("chat.postMessage", "ratelimited", retry_after=30)
    start = asyncio.get_running_loop().time()
    await client.chat_postMessage(channel="C0GENERAL", text="t")
    assert 30 <= asyncio.get_running_loop().time() - start < 32
    assert len(served.bot_messages("C0GENERAL")) == 1


async def test_the_default_retry_posts_twice_when_the_reply_is_lost(
    served: LocalSlack,
) -> None:
    """A retry posts twice, as with the real Slack (docs/platform/slack.md#client-retries)."""
    client = AsyncWebClient(token=served.token, base_url=served.api_url)
    served.fail_call("chat.postMessage", "drop_after")
    await client.chat_postMessage(channel="C0GENERAL", text="t")
    assert [m.text for m in served.bot_messages("C0GENERAL")] == ["t", "t"]


async def test_the_default_retry_appends_twice_when_the_reply_is_lost(
    served: LocalSlack,
) -> None:
    """The same for the pieces of a stream: a sentence stands there twice."""
    client = AsyncWebClient(token=served.token, base_url=served.api_url)
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    stream = await client.chat_stream(channel="C0GENERAL", thread_ts=root, buffer_size=1, **TO)
    await stream.append(markdown_text="one ")
    served.fail_call("chat.appendStream", "drop_after")
    await stream.append(markdown_text="two ")
    await stream.stop()
    assert served.bot_messages("C0GENERAL")[0].text == "one two two "


async def test_the_synchronous_client_works_from_a_thread(served: LocalSlack) -> None:
    """Scripts use it."""
    client = WebClient(token=served.token, base_url=served.api_url)

    def talk() -> list[str]:
        client.chat_postMessage(channel="C0GENERAL", text="one")
        stream = client.chat_stream(
            channel="C0GENERAL",
            thread_ts=client.conversations_history(channel="C0GENERAL")["messages"][0]["ts"],
            **TO,
        )
        stream.append(markdown_text="two")
        stream.stop()
        return [m["text"] for m in client.conversations_history(channel="C0GENERAL")["messages"]]

    assert await asyncio.to_thread(talk) == ["one"]
    assert [m.text for m in served.bot_messages("C0GENERAL")] == ["one", "two"]


async def test_a_clients_thread_waits_through_a_slow_reply(served: LocalSlack) -> None:
    """Its wait is ours: virtual time passes though the thread holds the clock."""
    client = WebClient(token=served.token, base_url=served.api_url)
    served.fail_call("auth.test", "slow", seconds=20)
    start = asyncio.get_running_loop().time()
    assert (await asyncio.to_thread(client.auth_test))["ok"]
    assert asyncio.get_running_loop().time() - start == pytest.approx(20)


async def test_the_socket_client_hears_and_acknowledges(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """slack_sdk's own Socket Mode client, without Bolt."""
    socket = SocketModeClient(app_token=served.app.app_token, web_client=client)
    heard: list[str] = []

    async def listen(_: Any, request: SocketModeRequest) -> None:
        heard.append(request.payload["event"]["text"])
        await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id))

    socket.socket_mode_request_listeners.append(listen)
    await socket.connect()
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle()
    assert heard == ["hi"]
    assert served.log.acks() == [0.0]
    await socket.close()


async def test_the_socket_client_comes_back_after_a_disconnect(
    served: LocalSlack, client: AsyncWebClient
) -> None:
    """Told to refresh, or cut off: it opens a new socket, and nothing is lost."""
    socket = SocketModeClient(app_token=served.app.app_token, web_client=client, ping_interval=1)
    heard: list[str] = []

    async def listen(_: Any, request: SocketModeRequest) -> None:
        heard.append(request.payload["event"]["text"])
        await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id))

    socket.socket_mode_request_listeners.append(listen)
    await socket.connect()
    for number, reason in enumerate(("refresh_requested", "cut", "warning")):
        await served.drop_sockets(reason)
        served.user("U0ASKER").post("C0GENERAL", str(number))
        await served.idle(1000)
    assert heard == ["0", "1", "2"]
    assert len(served.log.of("apps.connections.open")) == 4
    await socket.close()


@pytest.fixture
async def bolted(served: LocalSlack, bolt: Any) -> AsyncIterator[tuple[LocalSlack, AsyncApp]]:
    """A Bolt app connected over Socket Mode."""
    app: AsyncApp = bolt(served)
    handler = AsyncSocketModeHandler(app, served.app.app_token)
    await handler.connect_async()
    await served.connected()
    yield served, app
    await handler.close_async()


async def test_bolt_answers_a_mention_with_a_stream(bolted: tuple[LocalSlack, AsyncApp]) -> None:
    """`say_stream` and `set_status` as its listeners use them."""
    slack, app = bolted

    @app.event("app_mention")
    async def answer(set_status: Any, say_stream: Any) -> None:
        await set_status("is thinking")
        stream = await say_stream(buffer_size=1)
        await stream.append(markdown_text="hello")
        await stream.stop()

    @app.event(re.compile(".*"))
    async def rest() -> None:
        return None

    ts = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    await slack.idle()
    await slack.until(lambda: bool(slack.log.of("chat.stopStream")))
    await slack.idle()
    (message,) = slack.bot_messages("C0GENERAL", ts)
    assert message.text == "hello"
    assert message.stream is not None
    assert message.stream.recipient == "U0ASKER"
    assert {entry.outcome for entry in slack.log.deliveries} == {"acked"}


async def test_bolt_leaves_what_it_does_not_handle_unacknowledged(
    bolted: tuple[LocalSlack, AsyncApp],
) -> None:
    """Without a catch-all Slack sends every event four times.

    Source: docs/platform/slack.md#bolt-behaviour.
    """
    slack, _ = bolted
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    await slack.idle(1000)
    assert [entry.attempt for entry in slack.log.deliveries] == [0, 1, 2, 3]


async def test_bolt_serves_a_modal_from_command_to_submission(
    bolted: tuple[LocalSlack, AsyncApp],
) -> None:
    """Open, type, choose among options, be refused, submit."""
    slack, app = bolted
    drafts: list[str] = []
    plain = {"type": "plain_text", "text": "t"}
    text = {
        "type": "plain_text_input",
        "action_id": "q",
        "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]},
    }
    select = {"type": "external_select", "action_id": "repo", "min_query_length": 0}
    view = {
        "type": "modal",
        "callback_id": "ask",
        "title": plain,
        "submit": plain,
        "blocks": [
            {
                "type": "input",
                "block_id": "b",
                "label": plain,
                "element": text,
                "dispatch_action": True,
            },
            {"type": "input", "block_id": "r", "label": plain, "element": select},
        ],
    }

    @app.command("/ask")
    async def ask(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.action("q")
    async def typed(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        drafts.append(action["value"])

    @app.options("repo")
    async def options(ack: Any, payload: dict[str, Any]) -> None:
        name = {"type": "plain_text", "text": "payments"}
        await ack(options=[{"text": name, "value": payload["value"] + "ments"}])

    @app.view("ask")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        question = view["state"]["values"]["b"]["q"]["value"]
        if len(question) < 4:
            await ack(response_action="errors", errors={"b": "too short"})
        else:
            await ack()

    asker = slack.user("U0ASKER")
    await asker.open_modal("C0GENERAL", "/ask")
    await asker.type("how")
    assert [o["value"] for o in await asker.options("repo", "pay")] == ["payments"]
    asker.put("repo", "payments")
    assert (await asker.submit()).errors == {"b": "too short"}
    await asker.type("?")
    assert (await asker.submit()).errors == {}
    await slack.idle()
    assert drafts == ["h", "ho", "how", "how?"]
    assert slack.state.modals["U0ASKER"] == []


async def test_bolt_refuses_a_forged_request(served: LocalSlack, bolt: Any) -> None:
    """Over HTTP it answers 401 to a wrong secret: Slack counts that as a failure."""
    from aiohttp import web

    app: AsyncApp = bolt(served)

    @app.event(re.compile(".*"))
    async def rest() -> None:
        return None

    runner = web.AppRunner(app.server(port=0).web_app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.point_at(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events")
    assert await served.http.verify("abc")
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle()
    changed = served.app.model_copy(update={"signing_secret": "other"})
    served.state.config = served.state.config.model_copy(update={"app": changed})
    served.user("U0ASKER").post("C0GENERAL", "hi")
    await served.idle(1000)
    assert [e.outcome for e in served.log.deliveries] == ["acked", *["http_error"] * 4]
    await runner.cleanup()
