"""`forewarm check` promises that a model works with warmth: the promise must be tried, not read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from forewarm_playground import virtual_time
from forewarm_playground.claude import Chaos, Config, LocalClaude

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError
from bot.claude.model_check import ModelCheck, check_model
from bot.claude.prices import priced_models


@asynccontextmanager
async def speaking(claude: LocalClaude) -> AsyncIterator[ClaudeClient]:
    async with (
        claude.serve() as url,
        ClaudeClient.connect(api_key="k", base_url=url, now=virtual_time.now) as client,
    ):
        yield client


def tried(model: str, claude: LocalClaude | None = None) -> ModelCheck:
    async def main() -> ModelCheck:
        async with speaking(claude or LocalClaude()) as client:
            return await check_model(client, model, "salt")

    return virtual_time.run(main())


@pytest.mark.parametrize("model", priced_models())
def test_every_model_passes_on_a_faithful_server(model: str) -> None:
    """The made-up prefix must be longer than the least that this model caches."""
    found = tried(model)
    assert found.works
    assert found.problems == ()
    assert found.read == found.warmed.tokens
    assert found.warm_seconds < found.cold_seconds
    assert 0 < found.usd < 0.2
    assert repr(found) == f"<ModelCheck of {model}: warmth works, 0 problems>"
    assert found.as_json()["works"] is True


def test_a_server_that_loses_entries_is_found_out() -> None:
    """A gateway that spreads requests over accounts looks just like this."""
    found = tried("claude-sonnet-5-5", LocalClaude(Config(chaos=Chaos(spurious_miss=1.0))))
    assert not found.works
    assert len(found.problems) == 1
    assert "read 0 of" in found.problems[0]


def test_an_unknown_model_is_told_before_anything_is_spent() -> None:
    """The first thing that goes wrong in a new context."""
    claude = LocalClaude()
    with pytest.raises(ClaudeError) as raised:
        tried("claude-nope", claude)
    assert raised.value.kind == "unknown_model"
    assert claude.requests == []
