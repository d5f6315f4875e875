"""A daily cap is never passed, by any number of replicas, even if processes die."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store.ledger import RESERVED_SECONDS, Cap
from bot.store.store import Store
from bot.telemetry.figures.money import nano, nano_at_least

CONTEXT = Cap("answers/payments", 1.0)
EVERYTHING = Cap("answers/*", 1.5)


async def test_a_cap_holds_against_replicas_that_reserve_at_once(
    store: Store, other: Store
) -> None:
    """Two replicas that each look first and spend then would pass it together."""
    asked = [s.ledger.reserve(f"r{i}", 0.3, [CONTEXT]) for i, s in enumerate([store, other] * 5)]
    refusals = await asyncio.gather(*asked)
    assert refusals.count(None) == 3
    assert await store.ledger.spent() == {"answers/payments": (0.0, 0.9)}


async def test_a_reservation_counts_under_every_cap_or_under_none(store: Store) -> None:
    """A request that one cap refuses must leave no trace under the others."""
    assert await store.ledger.reserve("a", 0.9, [CONTEXT, EVERYTHING]) is None
    refused = await store.ledger.reserve("b", 0.7, [Cap("answers!", 5.0), EVERYTHING])
    assert refused is not None
    assert (refused.scope, refused.cap) == ("answers/*", 1.5)
    assert nano(refused.left) == nano(0.6)
    spent = await store.ledger.spent()
    assert spent.get("answers!", (0.0, 0.0)) == (0.0, 0.0)
    assert spent["answers/*"] == (0.0, 0.9)


async def test_settling_replaces_what_was_reserved_by_what_it_cost(store: Store) -> None:
    """The unspent rest must be there for the next request."""
    await store.ledger.reserve("a", 0.9, [CONTEXT])
    await store.ledger.settle("a", 0.25)
    assert await store.ledger.spent() == {"answers/payments": (0.25, 0.0)}
    assert await store.ledger.reserve("b", 0.75, [CONTEXT]) is None


async def test_the_same_reservation_or_settlement_again_changes_nothing(store: Store) -> None:
    """Both are repeated when a connection dies before the reply."""
    for _ in range(2):
        assert await store.ledger.reserve("a", 0.9, [CONTEXT]) is None
    for cost in (0.5, 0.1):
        await store.ledger.settle("a", cost)
    assert await store.ledger.spent() == {"answers/payments": (0.5, 0.0)}


async def test_money_reserved_by_the_dead_counts_as_spent(store: Store, clock: Any) -> None:
    """The process that died may have spent it: the cap has to hold even so."""
    await store.ledger.reserve("a", 0.9, [CONTEXT])
    clock.at += RESERVED_SECONDS - 1
    await store.ledger.expire()
    assert await store.ledger.spent() == {"answers/payments": (0.0, 0.9)}
    clock.at += 1
    await store.ledger.expire()
    await store.ledger.settle("a", 0.1)
    assert await store.ledger.spent() == {"answers/payments": (0.9, 0.0)}


async def test_a_new_day_begins_with_nothing_spent(store: Store, clock: Any) -> None:
    """Caps are daily, by UTC; a reservation is settled on the day it was made."""
    await store.ledger.reserve("a", 0.9, [CONTEXT])
    clock.at += 86_400
    assert await store.ledger.reserve("b", 0.9, [CONTEXT]) is None
    await store.ledger.settle("a", 0.9)
    assert await store.ledger.spent() == {"answers/payments": (0.0, 0.9)}


async def test_a_cap_of_nothing_refuses_what_costs_anything(store: Store) -> None:
    """A limit of 0 switches spending off."""
    assert await store.ledger.reserve("a", 1e-9, [Cap("warmth/*", 0.0)]) is not None
    assert await store.ledger.reserve("b", 0.0, [Cap("warmth/*", 0.0)]) is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "wait", "expire"]),
        st.integers(0, 5),
        st.floats(0, 1.2, allow_nan=False),
    ),
    max_size=20,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
async def test_in_any_order_the_ledger_equals_a_plain_account_and_holds_its_cap(
    store: Store, clock: Any, steps: list[tuple[str, int, float]]
) -> None:
    """Any order of reserving, settling (for no more than was reserved), dying and expiring."""
    clock.at = (clock.at // 86_400 + 1) * 86_400  # Every example has a day of its own.
    scope = f"s{clock.at}"
    account = Account(1.0)
    for verb, number, amount in steps:
        id = f"{scope}/{number}"
        if verb == "reserve":
            refusal = await store.ledger.reserve(id, amount, [Cap(scope, 1.0)])
            assert (refusal is None) == account.reserve(id, nano_at_least(amount), clock.at)
        elif verb == "settle":
            await store.ledger.settle(id, amount / 2)
            account.settle(id, nano(amount / 2))
        elif verb == "wait":
            clock.at += RESERVED_SECONDS
        else:
            await store.ledger.expire()
            account.expire(clock.at)
        spent, held = (await store.ledger.spent()).get(scope, (0.0, 0.0))
        assert (nano(spent), nano(held)) == (account.spent, account.held)


class Account:
    """The same rules over plain numbers, in nano-dollars."""

    def __init__(self, cap: float) -> None:
        self.cap = nano(cap)
        self.reserved: dict[str, tuple[int, float]] = {}
        self.settled: dict[str, int] = {}

    @property
    def spent(self) -> int:
        return sum(self.settled.values())

    @property
    def held(self) -> int:
        return sum(a for id, (a, _) in self.reserved.items() if id not in self.settled)

    def reserve(self, id: str, amount: int, now: float) -> bool:
        if id in self.reserved:
            return True
        if self.spent + self.held + amount > self.cap:
            return False
        self.reserved[id] = (amount, now + RESERVED_SECONDS)
        return True

    def settle(self, id: str, cost: int) -> None:
        if id in self.reserved:
            self.settled.setdefault(id, cost)

    def expire(self, now: float) -> None:
        for id, (amount, until) in self.reserved.items():
            if until <= now:
                self.settled.setdefault(id, amount)
