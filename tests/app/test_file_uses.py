"""The uses of files by answers: counted once each, halved with time, shared by replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app.contexts.file_uses import HALF_LIFE, KIND, MOST_FILES, FileUses
from bot.store.store import Store
from tests.store.conftest import Clock
from tests.store.conftest import clock as clock


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}", now=clock)
    yield opened
    await opened.close()


async def test_a_use_counts_half_after_its_half_life(store: Store, clock: Clock) -> None:
    uses = FileUses(store.state, clock)
    await uses.record("pay", {("payments", "a.py"), ("payments", "b.py")})
    await uses.record("pay", {("payments", "a.py")})
    assert await uses.weights("pay") == {"payments": {"a.py": 2.0, "b.py": 1.0}}
    clock.at += HALF_LIFE
    await uses.record("pay", {("other", "c.py")})
    found = await uses.weights("pay")
    assert found == {"payments": {"a.py": 1.0, "b.py": 0.5}, "other": {"c.py": 1.0}}
    assert await uses.weights("else") == {}


async def test_uses_that_replicas_record_at_once_are_all_counted(
    store: Store, clock: Clock
) -> None:
    replicas = [FileUses(store.state, clock) for _ in range(3)]
    await asyncio.gather(*(one.record("pay", {("payments", "a.py")}) for one in replicas))
    assert await replicas[0].weights("pay") == {"payments": {"a.py": 3.0}}


async def test_files_that_are_used_least_are_dropped(store: Store, clock: Clock) -> None:
    uses = FileUses(store.state, clock)
    await uses.record("pay", {("payments", "kept.py")})
    await uses.record("pay", {("payments", "kept.py")})
    await uses.record("pay", {("payments", f"{n}.py") for n in range(MOST_FILES)})
    found = (await uses.weights("pay"))["payments"]
    assert len(found) == MOST_FILES
    assert found["kept.py"] == 2.0
    clock.at += 10 * HALF_LIFE
    await uses.record("pay", {("payments", "new.py")})
    assert await uses.weights("pay") == {"payments": {"new.py": 1.0}}


@pytest.mark.parametrize("stored", [b"", b"no json", b"[]", b'{"files": [["a"]]}', b"{}"])
async def test_what_cannot_be_read_counts_nothing(
    store: Store, clock: Clock, stored: bytes
) -> None:
    await store.state.put(KIND, "pay", stored)
    uses = FileUses(store.state, clock)
    assert await uses.weights("pay") == {}
    await uses.record("pay", {("payments", "a.py")})
    assert await uses.weights("pay") == {"payments": {"a.py": 1.0}}
