"""Replicas agree on the end of a lease, even if their clocks differ."""

from __future__ import annotations

import time

import pytest

from bot.store.store import Store


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_a_wrong_clock_neither_steals_a_lease_nor_keeps_it(
    postgres_url: str, ahead: float
) -> None:
    """A machine that is an hour off would otherwise take every question from the others."""
    right = await Store.open(postgres_url, now=time.time, one_clock=True)
    wrong = await Store.open(postgres_url, now=lambda: time.time() + ahead, one_clock=True)
    for name, holder, taker in (("q1", right, wrong), ("q2", wrong, right)):
        await holder.inbox.record(
            {}, id=name, workspace="T", channel="C", ts=name, at=0.0, owner="a", lease_seconds=60.0
        )
        assert await taker.inbox.claim_expired("b", 60.0) == []
        lease = await holder.leases.acquire(name, "a", 60.0)
        assert lease is not None
        assert await taker.leases.acquire(name, "b", 60.0) is None
        await holder.inbox.renew([name], "a", -1.0)
        assert [c.id for c in await taker.inbox.claim_expired("b", 60.0)] == [name]
    await right.close()
    await wrong.close()
