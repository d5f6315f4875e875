"""Calls to Slack over a real socket, against a server that misbehaves as told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from bot.delivery.slack_api import SlackCallError, Target
from bot.slack.client import SlackClients, connect
from bot.slack.web_api import WebCalls

TARGET = Target("T1", "C1", "1.0", "U1", "T1")


class Server:
    """Counts connections and calls; answers each method as a test says."""

    def __init__(self) -> None:
        self.connections: set[tuple[str, int]] = set()
        self.calls: list[tuple[str, Any]] = []
        self.answers: dict[str, list[Any]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        method = request.match_info["method"]
        is_json = "json" in request.content_type
        self.calls.append((method, await request.json() if is_json else dict(request.query)))
        queued = self.answers.get(method) or []
        answer = queued.pop(0) if queued else {"ok": True, "ts": "2.0"}
        if answer == "drop":
            request.transport.close()
            return web.Response()
        if isinstance(answer, web.Response):
            return answer
        return web.json_response(answer)

    def named(self, method: str) -> list[Any]:
        return [arguments for name, arguments in self.calls if name == method]


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, SlackClients]]:
    state = Server()
    application = web.Application()
    application.router.add_route("*", "/api/{method}", state.handle)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    clients = connect("xoxb-test", f"http://127.0.0.1:{runner.addresses[0][1]}/api/")
    yield state, clients
    await clients.close()
    await runner.cleanup()


async def test_many_calls_share_one_connection(server: tuple[Server, SlackClients]) -> None:
    """The SDK opens a connection for each call unless it is given a session."""
    state, clients = server
    calls = WebCalls(clients)
    for _ in range(5):
        await calls.post(TARGET, "hello")
        await calls.replies("C1", "1.0")
    assert len(state.calls) == 10
    assert len(state.connections) == 1


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_method_that_a_server_lacks_is_told_by_its_status(
    server: tuple[Server, SlackClients], status: int
) -> None:
    """Servers that speak a part of Slack's API have no word for it; the call has done nothing."""
    state, clients = server
    state.answers = {"chat.startStream": [web.Response(status=status, text="Not Found")]}
    with pytest.raises(SlackCallError) as refused:
        await WebCalls(clients).start_stream(TARGET, "hello")
    assert (refused.value.failure, refused.value.error) == ("refused", "unknown_method")


async def test_a_call_that_creates_text_is_never_resent(
    server: tuple[Server, SlackClients],
) -> None:
    """A dropped connection may hide a message that Slack has taken: two would stand there."""
    state, clients = server
    calls = WebCalls(clients)
    state.answers = {m: ["drop"] * 4 for m in ("chat.postMessage", "chat.appendStream")}
    with pytest.raises(SlackCallError) as posted:
        await calls.post(TARGET, "hello")
    with pytest.raises(SlackCallError) as appended:
        await calls.append_stream("C1", "2.0", "more")
    assert posted.value.failure == appended.value.failure == "unknown_outcome"
    assert len(state.named("chat.postMessage")) == 1
    assert len(state.named("chat.appendStream")) == 1


async def test_a_read_is_repeated_after_a_dropped_connection(
    server: tuple[Server, SlackClients],
) -> None:
    state, clients = server
    state.answers = {"conversations.replies": ["drop", {"ok": True, "messages": [{"ts": "1.0"}]}]}
    assert await WebCalls(clients).replies("C1", "1.0") == [{"ts": "1.0"}]


async def test_a_thread_is_read_to_its_last_page(server: tuple[Server, SlackClients]) -> None:
    state, clients = server
    first = {"ok": True, "messages": [{"ts": "1.0"}], "response_metadata": {"next_cursor": "n"}}
    state.answers = {"conversations.replies": [first, {"ok": True, "messages": [{"ts": "2.0"}]}]}
    assert [m["ts"] for m in await WebCalls(clients).replies("C1", "1.0")] == ["1.0", "2.0"]


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"ok": False, "error": "msg_too_long"}, "too_long"),
        ({"ok": False, "error": "message_not_in_streaming_state"}, "not_streaming"),
        ({"ok": False, "error": "stopped_by_user"}, "stopped"),
        ({"ok": False, "error": "streaming_state_conflict"}, "busy"),
        ({"ok": False, "error": "not_in_channel"}, "forbidden"),
        ({"ok": False, "error": "restricted_action_thread_only_channel"}, "forbidden"),
        ({"ok": False, "error": "fatal_error"}, "unknown_outcome"),
        ({"ok": False, "error": "something_new"}, "other"),
        (web.Response(status=502, text="<html>bad gateway</html>"), "unknown_outcome"),
    ],
)
async def test_every_failure_is_told_apart(
    server: tuple[Server, SlackClients], answer: Any, failure: str
) -> None:
    state, clients = server
    state.answers = {"chat.appendStream": [answer]}
    with pytest.raises(SlackCallError) as caught:
        await WebCalls(clients).append_stream("C1", "2.0", "more")
    assert caught.value.failure == failure


async def test_a_rate_limit_says_how_long_to_wait(server: tuple[Server, SlackClients]) -> None:
    state, clients = server
    limited = web.json_response(
        {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "7"}
    )
    state.answers = {"chat.startStream": [limited]}
    with pytest.raises(SlackCallError) as caught:
        await WebCalls(clients).start_stream(TARGET, "hello")
    assert (caught.value.failure, caught.value.retry_after) == ("rate_limited", 7.0)


async def test_what_is_posted_never_unfurls(server: tuple[Server, SlackClients]) -> None:
    """An unfurled link tells its host what the model was talked into writing."""
    state, clients = server
    await WebCalls(clients).post(TARGET, "hello")
    (arguments,) = state.named("chat.postMessage")
    assert arguments["unfurl_links"] is False
    assert arguments["unfurl_media"] is False


async def test_words_and_blocks_become_one_list_of_blocks(
    server: tuple[Server, SlackClients],
) -> None:
    """Slack refuses markdown_text beside blocks (markdown_text_conflict)."""
    state, clients = server
    await WebCalls(clients).update("C1", "2.0", "the answer", [{"type": "divider"}])
    (arguments,) = state.named("chat.update")
    assert "markdown_text" not in arguments
    assert [block["type"] for block in arguments["blocks"]] == ["markdown", "divider"]
