"""Servers that are not Anthropic's answer the Models API in their own ways, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from aiohttp import web

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError
from bot.claude.models import Capabilities, listed

T = TypeVar("T")
SONNET = "claude-sonnet-5-5"

# As llama.cpp's server answers, shortened.
LLAMA_MISSING = {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}
LLAMA_LIST = {
    "models": [{"name": "smollm2", "capabilities": ["completion"]}],
    "object": "list",
    "data": [{"id": "smollm2", "aliases": ["small"], "meta": {"n_ctx": 8192}}],
}
ANTHROPIC_MISSING = {
    "type": "error",
    "error": {"type": "not_found_error", "message": f"model: {SONNET}"},
    "request_id": "req_1",
}


@dataclass
class Server:
    """Answers each path with (status, body), and 404 otherwise; counts what it was asked."""

    replies: dict[str, tuple[int, Any]]
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        status, body = self.replies.get(request.path, (404, LLAMA_MISSING))
        return web.json_response(body, status=status)


def play(act: Callable[[ClaudeClient], Awaitable[T]], server: Server) -> T:
    @asynccontextmanager
    async def client() -> AsyncIterator[ClaudeClient]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            async with ClaudeClient.connect(base_url=f"http://{host}:{port}") as client:
                yield client
        finally:
            await runner.cleanup()

    async def main() -> T:
        async with client() as speaking:
            return await act(speaking)

    return asyncio.run(main())


def ask(server: Server, *models: str) -> list[Capabilities]:
    async def act(client: ClaudeClient) -> list[Capabilities]:
        return [await client.capabilities(model) for model in models]

    return play(act, server)


@pytest.mark.parametrize("model", ["smollm2", "small"])
def test_llama_cpp_is_asked_by_its_list(model: str) -> None:
    """It has no page per model; its window is in the list, under id or alias."""
    assert ask(Server({"/v1/models": (200, LLAMA_LIST)}), model) == [
        Capabilities(model, 8192, 8192)
    ]


def test_a_server_without_a_models_api_gets_what_our_list_knows() -> None:
    """A gateway that only passes messages on must not keep the bot from starting."""
    assert ask(Server({}), SONNET, "mystery") == [listed(SONNET), listed("mystery")]


@pytest.mark.parametrize("body", [[], "yes", {"data": "none"}, {"data": [None, {"id": None}]}])
def test_senseless_replies_get_safe_defaults(body: Any) -> None:
    """Another program's output decides nothing here."""
    server = Server({"/v1/models": (200, body), f"/v1/models/{SONNET}": (200, body)})
    assert ask(server, SONNET) == [listed(SONNET)]


def test_what_is_known_is_not_asked_again() -> None:
    """It stands in the way of every new prefix."""
    server = Server({"/v1/models": (200, LLAMA_LIST)})
    ask(server, "smollm2", "smollm2", "smollm2")
    assert len(server.asked) == 2


def test_what_could_not_be_asked_is_asked_again() -> None:
    """An outage at start must not fix the defaults for the life of the process."""
    server = Server({f"/v1/models/{SONNET}": (529, {"error": {"type": "overloaded_error"}})})
    assert ask(server, SONNET, SONNET) == [listed(SONNET)] * 2
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, ANTHROPIC_MISSING, "unknown_model"),
        (401, {"error": {"type": "authentication_error"}}, "authentication"),
    ],
)
def test_what_no_default_can_mend_is_raised(status: int, body: Any, kind: str) -> None:
    """A wrong model or key is to be told at start, not under the first question."""
    with pytest.raises(ClaudeError) as raised:
        ask(Server({f"/v1/models/{SONNET}": (status, body)}), SONNET)
    assert raised.value.kind == kind


def test_a_server_that_cannot_count_says_none_and_is_asked_once() -> None:
    """The estimator then stands on its ratios and on usage."""
    server = Server({})

    async def act(client: ClaudeClient) -> None:
        counter = client.counter("mystery")
        assert await counter.count("words") is None
        assert await counter.count("words") is None
        assert repr(counter) == "<TokenCounter of mystery: no endpoint>"
        assert client.counter("mystery") is counter

    play(act, server)
    assert server.asked == ["/v1/messages/count_tokens"]


def test_the_frame_is_counted_once_by_those_who_count_at_the_same_time() -> None:
    """The contexts of one model are packed side by side at the start."""
    server = Server({})

    async def act(client: ClaudeClient) -> None:
        counts = (client.counter("mystery").count("words") for _ in range(3))
        assert await asyncio.gather(*counts) == [None, None, None]

    play(act, server)
    assert server.asked == ["/v1/messages/count_tokens"]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"tokens": 3}, "server"),
        (404, ANTHROPIC_MISSING, "unknown_model"),
        (429, {"error": {"type": "rate_limit_error"}}, "rate_limited"),
    ],
)
def test_counting_that_fails_is_told(status: int, body: Any, kind: str) -> None:
    """A failure must not pass for a count of zero."""
    server = Server({"/v1/messages/count_tokens": (status, body)})

    async def act(client: ClaudeClient) -> None:
        with pytest.raises(ClaudeError) as raised:
            await client.counter(SONNET).count("words")
        assert raised.value.kind == kind

    play(act, server)
