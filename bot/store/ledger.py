"""The ledger of money: daily caps that all replicas together never pass.

Before a request leaves, the most that it can cost is reserved in every scope it counts for (its
context's answers, the installation's warmth…); when it has ended, the reservation is settled with
what it did cost. A reservation whose holder died counts as spent once its time is over: the money
may be gone. Days are UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, bindparam, select, update

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import reservations, spending
from bot.telemetry.figures.money import day_of, nano, nano_at_least, usd

RESERVED_SECONDS = 900.0
"""Seconds after which an unsettled reservation counts as spent."""


@dataclass(frozen=True, slots=True)
class Cap:
    """A scope (`answers/payments`, `warmth/*`…) and the USD that one day may cost there."""

    scope: str
    usd: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """The cap that has too little left; `left` is what it has, in USD.

    `may_pass`: the amount fits beside what is spent. Only reservations of requests under way are
    in the way, most of which will be settled at much less.
    """

    scope: str
    cap: float
    left: float
    may_pass: bool = False


class Ledger:
    """Reserves and settles, each in one transaction."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def reserve(
        self,
        id: str,
        most_usd: float,
        caps: Sequence[Cap],
        *,
        seconds: float = RESERVED_SECONDS,
        patience: float | None = None,
    ) -> Refusal | None:
        """Reserve `most_usd` under every cap, or under none; return the cap that refused.

        `id` names the request; the same id again changes nothing. `patience` is how many seconds
        a database that is away is waited for, by default its own.
        """
        now = self._now()
        day, amount = day_of(now), nano_at_least(most_usd)
        limits = {cap.scope: nano(cap.usd) for cap in caps}
        row = {
            "id": id,
            "day": day,
            "scopes": sorted(limits),
            "amount": amount,
            "until": now + seconds,
        }

        def work(connection: Connection) -> None:
            if connection.execute(_insert_for(connection.dialect.name), row).rowcount == 0:
                return
            taken = _take(connection, day, sorted(limits), amount)
            over = [s for s in sorted(taken) if sum(taken[s]) > limits[s]]
            if over:
                first, limit = over[0], limits[over[0]]
                left = max(0.0, usd(limit - sum(taken[first]) + amount))
                may_pass = all(taken[s][0] + amount <= limits[s] for s in over)
                raise _Refused(Refusal(first, usd(limit), left, may_pass))

        try:
            # The request waits for this. Its first event lowers the reservation and flushes both.
            await self._database.write("reserve money", work, patience=patience, flushed=False)
        except _Refused as refused:
            return refused.refusal
        return None

    async def reduce(self, id: str, most_usd: float) -> None:
        """Lower a reservation to the most that its request can still cost.

        Changes nothing if the reservation is settled, or holds no more than that.
        """
        c, amount = reservations.c, nano_at_least(most_usd)
        held = select(c.day, c.scopes, c.amount).where(
            c.id == id, c.settled.is_(None), c.amount > amount
        )

        def work(connection: Connection) -> None:
            row = connection.execute(held).one_or_none()
            if row is None:
                return
            lowered = (
                update(reservations)
                .where(c.id == id, c.settled.is_(None), c.amount == row.amount)
                .values(amount=amount)
            )
            if connection.execute(lowered).rowcount:
                _add(connection, row.day, row.scopes, reserved=amount - row.amount)

        await self._database.write("reduce a reservation", work)

    async def settle(self, id: str, cost_usd: float) -> None:
        """Replace the reservation by what the request cost. The first settlement holds."""
        cost = nano(cost_usd)
        await self._settle("settle money", reservations.c.id == id, cost)

    async def expire(self) -> None:
        """Count the reservations of dead processes as spent."""
        late = reservations.c.until <= self._now()
        await self._settle("expire money", late, reservations.c.amount)

    async def spent(self, day: str | None = None) -> Mapping[str, tuple[float, float]]:
        """Return (spent, reserved) in USD by scope, of today if no day is given."""
        c = spending.c
        query = (
            select(c.scope, c.spent, c.reserved)
            .where(c.day == (day or day_of(self._now())))
            .order_by(c.scope)
        )

        def work(connection: Connection) -> Mapping[str, tuple[float, float]]:
            found = connection.execute(query)
            return {scope: (usd(spent), usd(reserved)) for scope, spent, reserved in found}

        return await self._database.read("read the ledger", work)

    async def _settle(
        self, operation: str, which: ColumnElement[bool], spent: int | Column[int]
    ) -> None:
        c = reservations.c
        change = (
            update(reservations)
            .where(which, c.settled.is_(None))
            .values(settled=spent)
            .returning(c.day, c.scopes, c.amount, c.settled)
        )

        def work(connection: Connection) -> None:
            for day, scopes, amount, settled in connection.execute(change).all():
                _add(connection, day, scopes, reserved=-amount, spent=settled)

        await self._database.write(operation, work)


class _Refused(Exception):
    """Leaves the transaction, so that nothing of the reservation stays."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


# Built once: a user waits while they are executed.
_C = spending.c
_TODAY = (_C.day == bindparam("today"), _C.scope.in_(bindparam("scopes", expanding=True)))
_LOCK = select(_C.scope).where(*_TODAY).order_by(_C.scope).with_for_update()
_TAKE = (
    update(spending)
    .where(*_TODAY)
    .values(reserved=_C.reserved + bindparam("more"))
    .returning(_C.scope, _C.spent, _C.reserved)
)


@cache
def _insert_for(engine: str) -> Any:
    return dialect.insert_for(engine, reservations).on_conflict_do_nothing()


def _take(
    connection: Connection, day: str, scopes: Sequence[str], amount: int
) -> dict[str, tuple[int, int]]:
    """Add to what is reserved; return what each scope has spent and reserved then."""
    given = {"today": day, "scopes": scopes, "more": amount}
    if connection.dialect.name == "postgresql":
        # In the order of the names: two replicas cannot lock crosswise.
        connection.execute(_LOCK, given)
    found = connection.execute(_TAKE, given)
    taken = {scope: (spent, reserved) for scope, spent, reserved in found}
    missing = [scope for scope in scopes if scope not in taken]
    if missing:
        rows = [{"scope": scope, "day": day, "spent": 0, "reserved": 0} for scope in missing]
        connection.execute(dialect.insert(connection, spending).on_conflict_do_nothing(), rows)
        taken |= _take(connection, day, missing, amount)
    return taken


def _add(
    connection: Connection,
    day: str,
    scopes: Collection[str],
    *,
    reserved: int,
    spent: int = 0,
) -> None:
    c = spending.c
    connection.execute(
        update(spending)
        .where(c.day == day, c.scope.in_(sorted(scopes)))
        .values(spent=c.spent + spent, reserved=c.reserved + reserved)
    )
