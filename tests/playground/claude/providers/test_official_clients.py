"""The official client of each provider, unchanged, against the local Claude over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import anthropic
import pytest
from anthropic import DefaultAioHttpClient
from forewarm_playground.claude import INSTANT, Config, LocalClaude
from forewarm_playground.claude.request_factory import sized, user

CLIENTS: Mapping[str, Any] = {
    "aws": anthropic.AsyncAnthropicAWS,
    "bedrock": anthropic.AsyncAnthropicBedrock,
    "bedrock-mantle": anthropic.AsyncAnthropicBedrockMantle,
    "vertex": anthropic.AsyncAnthropicVertex,
    "google-cloud": anthropic.AsyncAnthropicGoogleCloud,
    "foundry": anthropic.AsyncAnthropicFoundry,
}
MODELS = {
    "bedrock": "us.anthropic.claude-sonnet-5-5",
    "bedrock-mantle": "anthropic.claude-sonnet-5-5",
}
SYSTEM: list[Any] = [sized(6_000, ttl="1h")]
ASKED: list[Any] = [user("Where is the retry policy?")]


@pytest.fixture
async def claude() -> LocalClaude:
    return LocalClaude(Config(latency=INSTANT))


@pytest.fixture(params=list(CLIENTS))
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(claude: LocalClaude, provider: str, point_at: Any) -> AsyncIterator[Any]:
    async with claude.serve() as url:
        point_at(url)
        async with CLIENTS[provider](http_client=DefaultAioHttpClient(), max_retries=0) as made:
            yield made


async def test_warmed_then_read_then_streamed(
    claude: LocalClaude, client: Any, provider: str
) -> None:
    """An entry of a warm-up is read at its provider, and a stream is decoded to its end."""
    model = MODELS.get(provider, "claude-sonnet-5-5")
    asked = {"model": model, "system": SYSTEM, "messages": ASKED}
    warmed = await client.messages.create(max_tokens=0, **asked)
    assert warmed.usage.cache_creation.ephemeral_1h_input_tokens == 6_000
    claude.script("It is in “retry.py” 🙂. " * 40)
    async with client.messages.stream(max_tokens=500, **asked) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        ended = await stream.get_final_message()
    assert text == "It is in “retry.py” 🙂. " * 40
    assert ended.usage.cache_read_input_tokens == 6_000
    assert [record.provider for record in claude.requests] == [provider, provider]
