"""Anthropic's own client, unchanged, over real sockets: blocking or not, streaming or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, DefaultAioHttpClient
from forewarm_playground.claude import Answer, Cite, Limits, LocalClaude, Text, Thought, ToolUse
from forewarm_playground.claude.request_factory import result, sized, text, tool, user

SONNET = "claude-sonnet-5-5"
SYSTEM: list[Any] = [sized(2_000, ttl="1h")]
ASKED: list[Any] = [user("Where is the retry policy?")]
READ: list[Any] = [tool()]


@pytest.fixture
async def claude() -> LocalClaude:
    return LocalClaude()


@pytest.fixture
async def url(claude: LocalClaude) -> AsyncIterator[str]:
    async with claude.serve() as address:
        yield address


@pytest.fixture(params=["httpx", "aiohttp"])
async def client(url: str, request: pytest.FixtureRequest) -> AsyncIterator[AsyncAnthropic]:
    http: Any = DefaultAioHttpClient() if request.param == "aiohttp" else None
    async with AsyncAnthropic(base_url=url, api_key="test", http_client=http) as made:
        yield made


async def test_a_message_without_streaming(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """The plain case, with every field of usage typed by the SDK."""
    claude.script("In retry.py.")
    message = await client.messages.create(
        model=SONNET, max_tokens=100, system=SYSTEM, messages=ASKED
    )
    assert isinstance(message.content[0], anthropic.types.TextBlock)
    assert message.content[0].text == "In retry.py."
    assert message.stop_reason == "end_turn"
    usage = message.usage
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == 2_000
    assert usage.cache_creation_input_tokens == 2_000
    assert usage.service_tier == "standard"
    assert message._request_id == claude.requests[0].request_id


async def test_a_stream_ends_with_the_message_that_was_sent_whole(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """The SDK puts deltas together; what comes out is what a request without streaming gets."""
    answer = "A sentence with “quotes” and an emoji 🙂. " * 30
    claude.script(answer, answer)
    whole = await client.messages.create(model=SONNET, max_tokens=900, messages=ASKED)
    async with client.messages.stream(model=SONNET, max_tokens=900, messages=ASKED) as stream:
        pieces = [piece async for piece in stream.text_stream]
        streamed = await stream.get_final_message()
    assert "".join(pieces) == answer
    assert len(pieces) > 10
    assert streamed.content[0].to_dict()["text"] == answer
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.stop_reason == whole.stop_reason


async def test_events_come_in_the_documented_order(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """message_start, per block start, deltas, stop, then message_delta and message_stop; all input
    usage stands in message_start, and message_delta is cumulative."""
    claude.script([Text("First words of the answer."), ToolUse("read", {"path": "a.py"})])
    events = [
        event
        async for event in await client.messages.create(
            model=SONNET, max_tokens=900, system=SYSTEM, messages=ASKED, tools=READ, stream=True
        )
    ]
    kinds = [event.type for event in events]
    shape = [kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1]]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert shape == ["message_start", *block, *block, "message_delta", "message_stop"]
    assert events[0].type == "message_start"
    start = events[0].message
    assert (start.content, start.stop_reason, start.usage.output_tokens) == ([], None, 1)
    assert start.usage.cache_creation_input_tokens == claude.requests[0].usage.write_1h  # type: ignore[union-attr]
    delta = events[-2]
    assert delta.type == "message_delta"
    assert delta.usage.output_tokens > 1
    assert delta.delta.stop_reason == "tool_use"


async def test_the_wire_carries_pings_and_named_events(claude: LocalClaude, url: str) -> None:
    """The SDK hides pings; other clients see them, right after the first block's start."""
    import aiohttp

    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    body = {"model": SONNET, "max_tokens": 9, "messages": ASKED, "stream": True}
    claude.script("x")
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{url}/v1/messages", json=body) as reply,
    ):
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        lines = (await reply.text()).split("\n")
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_a_tool_loop(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """A call, its result, the answer: each round reads what the one before has written."""
    claude.script(ToolUse("read", {"path": "a.py"}), "It is there.")
    first = await client.messages.create(
        model=SONNET, max_tokens=900, system=SYSTEM, messages=ASKED, tools=READ
    )
    used = first.content[0]
    assert isinstance(used, anthropic.types.ToolUseBlock)
    assert used.input == {"path": "a.py"}
    assert first.stop_reason == "tool_use"
    messages = [
        *ASKED,
        {"role": "assistant", "content": first.content},
        user(result(used.id, "def f(): ...")),
    ]
    second = await client.messages.create(
        model=SONNET, max_tokens=900, system=SYSTEM, messages=messages, tools=READ
    )
    assert second.stop_reason == "end_turn"
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens


async def test_thinking_comes_first_and_hides_its_text(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """Visible text waits for thinking; on today's models its text is omitted by default. The block
    is taken back as it was sent, and refused if it was touched."""
    thought = Answer((Text("So."),), Thought("Let me see.", seconds=40.0))
    claude.script(thought, thought, "Fine.")
    started = asyncio.get_running_loop().time()
    async with client.messages.stream(model=SONNET, max_tokens=900, messages=ASKED) as stream:
        async for _ in stream.text_stream:
            break
        waited = asyncio.get_running_loop().time() - started
        message = await stream.get_final_message()
    assert waited > 40
    block = message.content[0]
    assert isinstance(block, anthropic.types.ThinkingBlock)
    assert block.thinking == ""
    assert block.signature
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens_details.thinking_tokens > 0
    shown = await client.messages.create(
        model=SONNET,
        max_tokens=900,
        messages=ASKED,
        thinking={"type": "adaptive", "display": "summarized"},
    )
    assert shown.content[0].to_dict()["thinking"] == "Let me see."
    turns: list[Any] = [
        *ASKED,
        {"role": "assistant", "content": message.content},
        user("And then?"),
    ]
    await client.messages.create(model=SONNET, max_tokens=9, messages=turns)
    block.thinking = "something else"
    with pytest.raises(anthropic.BadRequestError, match="Invalid signature in thinking block"):
        await client.messages.create(model=SONNET, max_tokens=9, messages=turns)


async def test_citations_point_into_the_documents(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """One citations_delta each, with the location type of its source."""
    plain = {"type": "text", "media_type": "text/plain", "data": "Alpha. Beta gamma."}
    document: Any = {
        "type": "document",
        "source": plain,
        "title": "notes",
        "citations": {"enabled": True},
    }
    found: Any = {
        "type": "search_result",
        "source": "repo://a.py",
        "title": "a.py",
        "content": [text("def f():"), text("  return 1")],
        "citations": {"enabled": True},
    }
    claude.script(Text("As written.", (Cite("Beta"), Cite("return 1"))))
    asked: Any = [user(document, found, "Where?")]
    async with client.messages.stream(model=SONNET, max_tokens=99, messages=asked) as stream:
        message = await stream.get_final_message()
    assert isinstance(message.content[0], anthropic.types.TextBlock)
    one, two = [cited.to_dict() for cited in message.content[0].citations or []]
    assert (one["type"], one["cited_text"]) == ("char_location", "Beta")
    assert (one["start_char_index"], one["end_char_index"]) == (7, 11)
    assert (two["type"], two["cited_text"]) == ("search_result_location", "  return 1")
    assert (two["start_block_index"], two["end_block_index"]) == (1, 2)


async def test_counting_tokens_agrees_with_usage(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """The count before equals the bill after."""
    asked: dict[str, Any] = {
        "model": SONNET,
        "system": SYSTEM,
        "messages": ASKED,
        "tools": READ,
        "tool_choice": {"type": "none"},
    }
    counted = await client.messages.count_tokens(**asked)
    usage = (await client.messages.create(max_tokens=9, **asked)).usage
    total = usage.input_tokens + (usage.cache_creation_input_tokens or 0)
    assert counted.input_tokens == total


async def test_models_are_listed_with_their_capabilities(client: AsyncAnthropic) -> None:
    """The product asks for limits and kinds of thinking instead of knowing them by heart."""
    listed = [model async for model in client.models.list(limit=7)]
    assert len(listed) > 14
    assert all(model.lifecycle != "retired" for model in listed)
    retired = [model async for model in client.models.list(lifecycle=["retired"])]
    assert {model.lifecycle for model in retired} == {"retired"}
    sonnet = await client.models.retrieve(SONNET)
    assert (sonnet.max_input_tokens, sonnet.max_tokens) == (1_000_000, 128_000)
    assert sonnet.line == "sonnet"
    assert sonnet.capabilities is not None
    types = sonnet.capabilities.thinking.types
    assert types.between_tools.supported
    assert not types.disabled.supported
    alias = await client.models.retrieve("claude-haiku-4-5")
    assert alias.id == "claude-haiku-4-5-20251001"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("claude-nope")
    for limit in (0, -1, 1_001):
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            await client.models.list(limit=limit)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"model": "claude-nope"}, anthropic.NotFoundError, "model: claude-nope"),
        ({"max_tokens": 0, "stream": True}, anthropic.BadRequestError, "max_tokens: 0"),
        ({"thinking": {"type": "disabled"}}, anthropic.BadRequestError, "thinking.type.disabled"),
        ({"messages": []}, anthropic.BadRequestError, "at least one message"),
        ({"extra_headers": {"anthropic-version": ""}}, anthropic.BadRequestError, "is required"),
        ({"extra_body": {"temperature": 1}}, anthropic.BadRequestError, "Extra inputs"),
    ],
)
async def test_refusals_arrive_as_the_sdks_own_errors(
    client: AsyncAnthropic, change: dict[str, Any], kind: type[anthropic.APIStatusError], words: str
) -> None:
    """Status, type, message and request id are where the SDK looks for them."""
    asked: dict[str, Any] = {"model": SONNET, "max_tokens": 9, "messages": ASKED, **change}
    with pytest.raises(kind) as caught:
        await client.messages.create(**asked)
    assert words in (caught.value.api_message or "")
    assert caught.value.request_id is not None
    assert caught.value.type in ("invalid_request_error", "not_found_error")


async def test_the_reply_names_organisation_workspace_and_limits(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """Headers that operators and back-off code read."""
    claude.core.set_limits(Limits(requests=10))
    raw = await client.messages.with_raw_response.create(model=SONNET, max_tokens=9, messages=ASKED)
    assert raw.headers["anthropic-organization-id"] == "org-local"
    assert raw.headers["anthropic-workspace-id"] == "wrkspc_default"
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "10"
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "9"
    for bucket in ("tokens", "input-tokens", "output-tokens"):
        assert int(raw.headers[f"anthropic-ratelimit-{bucket}-remaining"]) > 0
        assert raw.headers[f"anthropic-ratelimit-{bucket}-reset"].endswith("Z")


async def test_diagnostics_name_the_first_divergence(client: AsyncAnthropic) -> None:
    """Null on the first turn and where nothing diverged; else the earliest reason."""

    async def ask(messages: list[Any], **fields: Any) -> Any:
        asked: Any = {"model": SONNET, "max_tokens": 9, "system": SYSTEM, **fields}
        async with client.messages.stream(messages=messages, **asked) as stream:
            return (await stream.get_final_message()).to_dict()

    def reason(message: Any) -> Any:
        return message["diagnostics"]["cache_miss_reason"]["type"]

    first = await ask(ASKED, diagnostics={"previous_message_id": None})
    after = {"diagnostics": {"previous_message_id": first["id"]}}
    longer = [*ASKED, {"role": "assistant", "content": "So."}, user("And?")]
    assert first["diagnostics"] is None
    assert (await ask(longer, **after))["diagnostics"] is None
    assert reason(await ask([user("Another question")], **after)) == "messages_changed"
    assert reason(await ask(ASKED, **after, system=[text("New")])) == "system_changed"
    assert reason(await ask(ASKED, **after, tools=READ)) == "tools_changed"
    assert reason(await ask(ASKED, **after, model="claude-opus-5-5")) == "model_changed"
    assert reason(await ask(ASKED, **after, output_config={"effort": "low"})) == "unavailable"
    unknown = await ask(ASKED, diagnostics={"previous_message_id": "msg_nope"})
    assert reason(unknown) == "previous_message_not_found"
    assert "diagnostics" not in await ask(ASKED)


async def test_the_beta_client_and_the_older_api_version(url: str, claude: LocalClaude) -> None:
    """Older clients send `x-api-key` and 2023-06-01."""
    async with AsyncAnthropic(
        base_url=url,
        api_key="test",
        default_headers={"anthropic-version": "2023-06-01", "x-api-key": "k"},
    ) as client:
        asked: Any = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": ASKED}
        await client.messages.create(**asked, extra_body={"temperature": 0.2})
        reply = await client.beta.messages.create(**asked, betas=["some-beta-2026-01-01"])
    assert reply.model == "claude-haiku-4-5-20251001"
    assert claude.requests[-1].headers["anthropic-beta"] == "some-beta-2026-01-01"


def _synchronous(url: str) -> tuple[str, str, int]:
    with Anthropic(base_url=url, api_key="test") as client:
        plain = client.messages.create(model=SONNET, max_tokens=99, system=SYSTEM, messages=ASKED)
        with client.messages.stream(
            model=SONNET, max_tokens=99, system=SYSTEM, messages=ASKED
        ) as stream:
            said = "".join(stream.text_stream)
            usage = stream.get_final_message().usage
    return plain.content[0].text, said, usage.cache_read_input_tokens or 0  # type: ignore[union-attr]


async def test_the_synchronous_client_in_a_thread(claude: LocalClaude, url: str) -> None:
    """Anybody's script; here beside a loop on virtual time, which waits for the thread."""
    claude.script("One.", "Two.")
    before = asyncio.get_running_loop().time()
    assert await asyncio.to_thread(_synchronous, url) == ("One.", "Two.", 2_000)
    elapsed = asyncio.get_running_loop().time() - before
    latency = claude.latency
    assert elapsed > 2 * latency.base + 2_000 * latency.per_uncached_token


async def test_the_sdk_retries_by_the_servers_word(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """`retry-after` is waited for, on the virtual clock; each try says its number; and
    `x-should-retry: false` is obeyed."""
    claude.fault("rate_limited", retry_after=37)
    before = asyncio.get_running_loop().time()
    await client.messages.create(model=SONNET, max_tokens=9, messages=ASKED)
    assert asyncio.get_running_loop().time() - before > 37
    assert [record.retry for record in claude.requests] == [0, 1]
    claude.fault("internal", headers={"x-should-retry": "false"})
    with pytest.raises(anthropic.InternalServerError):
        await client.messages.create(model=SONNET, max_tokens=9, messages=ASKED)
    assert len(claude.requests) == 3


async def test_a_client_that_goes_away_before_the_response_leaves_nothing(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """A warm-up that must yield is cancelled by closing its connection: nothing is written, billed
    or readable; one cancelled after its response began is kept."""
    asked: Any = {"model": SONNET, "system": [sized(100_000, ttl="1h")]}
    warming = asyncio.create_task(client.messages.create(max_tokens=0, messages=ASKED, **asked))
    await asyncio.sleep(5)
    warming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warming
    await asyncio.sleep(60)
    assert claude.requests[0].outcome == "abandoned"
    assert (claude.ledger.usd, claude.cached) == (0.0, [])
    claude.script("word " * 500)
    async with client.messages.stream(max_tokens=900, messages=ASKED, **asked) as stream:
        async for _ in stream.text_stream:
            break
    await asyncio.sleep(1)
    record = claude.requests[1]
    assert record.outcome == "cut"
    assert record.usage is not None
    assert 0 < record.usage.output < 100
    assert len(claude.cached) == 1


async def test_what_a_script_gets_wrong_is_said_aloud(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """A tool that the request does not declare cannot be called by any model."""
    claude.script(ToolUse("unheard_of"))
    with pytest.raises(anthropic.InternalServerError, match="unheard_of"):
        await client.with_options(max_retries=0).messages.create(
            model=SONNET, max_tokens=99, messages=ASKED, tools=READ
        )
