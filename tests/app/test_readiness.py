"""When a bot that starts may be asked: the contexts' part of it."""

from __future__ import annotations

from bot.app.contexts.readiness import Readiness
from bot.app.contexts.registry import TRIES
from tests.app.test_contexts import FileRegistry, config


async def tried(registry: FileRegistry, times: int = TRIES) -> None:
    for _ in range(times):
        await registry.refresh()


async def test_a_start_waits_for_every_context_that_can_still_be_built() -> None:
    """A replica that is asked too early lets people wait for its packing."""
    registry = FileRegistry()
    readiness = Readiness(registry)
    registry.put(config("one"))
    registry.put(config("two"))
    registry.sources["two"].away = True
    assert readiness.waited_for() == ["one", "two"]
    await tried(registry, TRIES - 1)
    assert readiness.waited_for() == ["two"]
    registry.sources["two"].away = False
    await registry.refresh()
    assert readiness.waited_for() == []


async def test_a_context_that_cannot_be_built_does_not_block_the_others() -> None:
    """One wrong address would take a whole company's bot out of its load balancer."""
    registry = FileRegistry()
    readiness = Readiness(registry)
    registry.put(config("good"))
    registry.put(config("broken"))
    registry.sources["broken"].away = True
    await tried(registry)
    assert readiness.waited_for() == []


async def test_where_nothing_can_be_answered_from_the_bot_is_not_ready() -> None:
    registry = FileRegistry()
    readiness = Readiness(registry)
    assert readiness.waited_for() == [], "without contexts there is nothing to wait for"
    registry = FileRegistry()
    readiness = Readiness(registry)
    registry.put(config("broken"))
    registry.sources["broken"].away = True
    await tried(registry, 2 * TRIES)
    assert readiness.waited_for() == ["broken"]


async def test_a_context_attached_later_leaves_the_bot_ready() -> None:
    """It is attached at every replica at once: all of them would be gone while it is packed."""
    registry = FileRegistry()
    readiness = Readiness(registry)
    registry.put(config("one"))
    await registry.refresh()
    assert readiness.waited_for() == []
    registry.put(config("new"))
    assert readiness.waited_for() == []
