"""A store that was closed opens no connection again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store.errors import StoreError
from bot.store.store import Store


async def test_work_after_the_end_is_refused_and_opens_nothing(tmp_path: Path) -> None:
    """A connection that is opened after the end is never closed."""
    store = await Store.open(str(tmp_path / "forewarm.db"), now=lambda: 0.0)
    await store.close()
    with pytest.raises(StoreError) as caught:
        await store.state.put("kind", "key", b"value")
    assert caught.value.reason == "unreachable"
    assert "is closed" in caught.value.detail
    with pytest.raises(StoreError):
        await store.state.get("kind", "key")
