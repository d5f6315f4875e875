"""When a bot that starts may be asked: the contexts' part of it."""

from __future__ import annotations

from bot.app.contexts.readiness import Readiness
from bot.app.contexts.registry import TRIES
from tests.app.test_contexts import Shelf, config


async def tried(shelf: Shelf, times: int = TRIES) -> None:
    for _ in range(times):
        await shelf.refresh()


async def test_a_start_waits_for_every_context_that_can_still_be_built() -> None:
    """A replica that is asked too early lets people wait for its packing."""
    shelf = Shelf()
    readiness = Readiness(shelf)
    shelf.put(config("one"))
    shelf.put(config("two"))
    shelf.sources["two"].away = True
    assert readiness.waited_for() == ["one", "two"]
    await tried(shelf, TRIES - 1)
    assert readiness.waited_for() == ["two"]
    shelf.sources["two"].away = False
    await shelf.refresh()
    assert readiness.waited_for() == []


async def test_a_context_that_cannot_be_built_keeps_nobody_from_the_others() -> None:
    """One wrong address would take a whole company's bot out of its load balancer."""
    shelf = Shelf()
    readiness = Readiness(shelf)
    shelf.put(config("good"))
    shelf.put(config("broken"))
    shelf.sources["broken"].away = True
    await tried(shelf)
    assert readiness.waited_for() == []


async def test_where_nothing_can_be_answered_from_the_bot_is_not_ready() -> None:
    shelf = Shelf()
    readiness = Readiness(shelf)
    assert readiness.waited_for() == [], "without contexts there is nothing to wait for"
    shelf = Shelf()
    readiness = Readiness(shelf)
    shelf.put(config("broken"))
    shelf.sources["broken"].away = True
    await tried(shelf, 2 * TRIES)
    assert readiness.waited_for() == ["broken"]


async def test_a_context_attached_later_makes_nobody_unready() -> None:
    """It is attached at every replica at once: all of them would be gone while it is packed."""
    shelf = Shelf()
    readiness = Readiness(shelf)
    shelf.put(config("one"))
    await shelf.refresh()
    assert readiness.waited_for() == []
    shelf.put(config("new"))
    assert readiness.waited_for() == []
