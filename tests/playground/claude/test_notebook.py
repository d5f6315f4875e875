"""The flow of Anthropic's speculative-caching notebook, on a current model and virtual time.

The notebook asks twice about a large text: once as usual, once with a warm-up that starts with
the typing. Its clock starts when the warm-up has been awaited, so it does not count what a person
waits for; here that wait stands beside its figures.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from forewarm_playground.claude import Answer, LocalClaude, Text

MODEL = "claude-sonnet-5-5"
CONTEXT_TOKENS, TYPING = 151_629, 3.0
QUESTION = "What is the purpose of the TextModel class?"


@dataclass(frozen=True)
class Row:
    """A line of the notebook's table, in seconds, and what a person waits from pressing Enter."""

    first_token: float
    total: float
    perceived: float


NOTEBOOK_STANDARD, NOTEBOOK_SPECULATIVE = Row(20.87, 28.32, 20.87), Row(1.94, 8.40, 19.81)


def now() -> float:
    return asyncio.get_running_loop().time()


async def ask(client: AsyncAnthropic, prompt: dict[str, Any], entered: float) -> Row:
    started = now()
    first = None
    async with client.messages.stream(max_tokens=4_000, **prompt) as stream:
        async for _ in stream.text_stream:
            first = first if first is not None else now()
    assert first is not None
    return Row(first - started, now() - started, first - entered)


async def standard(client: AsyncAnthropic, prompt: dict[str, Any]) -> Row:
    """Type, then ask."""
    await asyncio.sleep(TYPING)
    return await ask(client, prompt, now())


async def speculative(client: AsyncAnthropic, prompt: dict[str, Any]) -> Row:
    """Warm while typing, wait for the warm-up, then ask."""
    warming = asyncio.create_task(
        client.messages.create(max_tokens=0, **{**prompt, "messages": _placeholder(prompt)})
    )
    await asyncio.sleep(TYPING)
    entered = now()
    await warming
    return await ask(client, prompt, entered)


def _placeholder(prompt: dict[str, Any]) -> list[Any]:
    return [{"role": "user", "content": "warm-up"}]


def prompt_of(claude: LocalClaude, salt: str) -> dict[str, Any]:
    """The large text with a salt in front, which keeps the two runs from sharing an entry."""
    question = [{"role": "user", "content": QUESTION}]
    tail = 22
    context = claude.text(CONTEXT_TOKENS - tail, MODEL, seed=salt)
    return {
        "model": MODEL,
        "system": [{"type": "text", "text": context, "cache_control": {"type": "ephemeral"}}],
        "messages": question,
    }


@pytest.mark.parametrize("http", ["httpx", "aiohttp"])
async def test_the_notebooks_table_comes_out_with_its_figures(http: str) -> None:
    """20.87 s and 1.94 s to the first token, 90.7 % less; and a person still waits 19.8 s when the
    typing was too short to cover the prefill."""
    claude = LocalClaude()
    # The notebook's two answers took 7.45 s and 6.46 s to write.
    claude.script(*[Answer((Text("word " * tokens),)) for tokens in (372 // 2, 323 // 2)])
    made: Any = DefaultAioHttpClient() if http == "aiohttp" else None
    async with (
        claude.serve() as url,
        AsyncAnthropic(base_url=url, api_key="k", http_client=made) as client,
    ):
        cold = await standard(client, prompt_of(claude, "monday"))
        warm = await speculative(client, prompt_of(claude, "tuesday"))
    assert claude.requests[0].usage is not None
    assert claude.requests[0].usage.total == CONTEXT_TOKENS
    for row, published in ((cold, NOTEBOOK_STANDARD), (warm, NOTEBOOK_SPECULATIVE)):
        assert row.first_token == pytest.approx(published.first_token, rel=0.02)
        assert row.total == pytest.approx(published.total, rel=0.02)
        assert row.perceived == pytest.approx(published.perceived, rel=0.02)
    saved = 1 - warm.first_token / cold.first_token
    assert saved == pytest.approx(0.907, rel=0.02)
    print(table(cold, warm))  # noqa: T201  shown with pytest -s


def table(cold: Row, warm: Row) -> str:
    lines = [f"{'':12} {'first token':>12} {'total':>8} {'perceived wait':>15}"]
    for name, row in (("standard", cold), ("speculative", warm)):
        lines.append(f"{name:12} {row.first_token:11.2f}s {row.total:7.2f}s {row.perceived:14.2f}s")
    saved = [1 - getattr(warm, key) / getattr(cold, key) for key in Row.__dataclass_fields__]
    lines.append(f"{'less':12} {saved[0]:12.1%} {saved[1]:8.1%} {saved[2]:15.1%}")
    return "\n".join(lines)
