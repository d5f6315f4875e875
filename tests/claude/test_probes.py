"""The conclusions of the probes about a Claude whose rules are known."""

from __future__ import annotations

import asyncio

import anthropic
import pytest
from forewarm_playground.claude import Config, Latency, LocalClaude

from bot.claude.models import listed, settle
from bot.claude.probe_finding import ProbeFinding
from bot.claude.probes import ClaudeProbes

QUICK = Latency(base=0.0, per_uncached_token=0, per_cached_token=0, decode=9000.0)


def found_with(model: str) -> dict[str, ProbeFinding]:
    async def main() -> dict[str, ProbeFinding]:
        async with (
            LocalClaude(Config(latency=QUICK)).serve() as url,
            anthropic.AsyncAnthropic(api_key="k", base_url=url) as sdk,
        ):
            probes = ClaudeProbes(sdk, settle(listed(model)), settle=0.0)
            return {found.item: found async for found in probes.run()}

    return asyncio.run(main())


@pytest.mark.parametrize(
    "model", ["claude-haiku-4-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2"]
)
def test_the_least_that_is_cached_is_found_for_each_model(model: str) -> None:
    """Of newer models it is published nowhere; below it a warm-up warms nothing."""
    found = found_with(model)
    least = listed(model).cacheable
    sizes = {
        int(size): written for size, written in found["claude.least that is cached"].facts.items()
    }
    *below, first = sizes
    assert all(size < least for size in below)
    assert first >= least
    assert sizes[first]


def test_another_thinking_is_told_to_miss_or_to_read() -> None:
    """A context whose thinking is changed is cold, or is not: it decides what may be switched."""
    found = found_with("claude-sonnet-5-5")["claude.thinking is part of the prefix"]
    assert found.outcome == "found"
    assert found.facts["same"]["read"] > 1_000
    others = [facts for name, facts in found.facts.items() if name not in ("first", "same")]
    assert any("read" in facts for facts in others)
    assert "cache" in found.text or "misses" in found.text


def test_citations_are_counted_without_being_paid_for() -> None:
    """Counting is free, so the difference between two counts is the overhead."""
    found = found_with("claude-sonnet-5-5")["claude.token overhead of citations"]
    assert found.outcome == "found"
    assert found.facts["on"] >= found.facts["off"] > 100
