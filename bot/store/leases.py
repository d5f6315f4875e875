"""Leases by name, with an expiry and a published result: one warm-up in flight anywhere.

A lease's `term` grows with each holder. A process that waits reads the result of the term it
saw, so a result of an earlier warm-up is never taken for this one's.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import leases

POLL = 0.05
"""Seconds between two looks at a lease that is waited for."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The state of a lease. `owner` is None if it is free; `result` is that of `result_term`."""

    name: str
    owner: str | None
    until: float
    term: int
    result: bytes | None
    result_term: int | None

    def is_held(self, now: float) -> bool:
        return self.owner is not None and self.until > now


class Leases:
    """Who does what at the moment, across all replicas."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def acquire(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take the lease and return it, or None if another owner holds it.

        One owner asking twice gets None the second time: a lease is not reentrant.
        """
        claim, now = uuid.uuid4().hex, self._now()
        fresh = {"name": name, "until": 0.0, "term": 0, "claim": "", "at": now}
        take = (
            update(leases)
            .where(
                leases.c.name == name,
                or_(leases.c.owner.is_(None), leases.c.until <= now, leases.c.claim == claim),
            )
            .values(
                owner=owner,
                until=now + seconds,
                claim=claim,
                term=leases.c.term + 1,
                at=now,
            )
            .returning(*_COLUMNS)
        )

        def work(connection: Connection) -> Lease | None:
            connection.execute(dialect.insert(connection, leases).on_conflict_do_nothing(), fresh)
            row = connection.execute(take).one_or_none()
            return Lease(*row) if row else None

        return await self._database.change("take a lease", work)

    async def renew(self, lease: Lease, seconds: float) -> bool:
        """Hold it for longer; return False if it was lost."""
        return await self._change("renew a lease", lease, {"until": self._now() + seconds})

    async def release(self, lease: Lease, result: bytes | None = None) -> bool:
        """Free the lease and publish the result of its term; return False if it was lost before."""
        values = {"owner": None, "until": 0.0, "result": result, "result_term": lease.term}
        return await self._change("release a lease", lease, values)

    async def look(self, name: str) -> Lease | None:
        """Return the state of the lease, or None if there never was one."""
        query = select(*_COLUMNS).where(leases.c.name == name)

        def work(connection: Connection) -> Lease | None:
            row = connection.execute(query).one_or_none()
            return Lease(*row) if row else None

        return await self._database.read("look at a lease", work)

    async def wait(self, lease: Lease, deadline: float, poll: float = POLL) -> Lease | None:
        """Wait until the term that `lease` shows has ended; return how the lease stands then.

        Returns None if it still runs after `deadline` seconds of the event loop's own time.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while True:
            found = await self.look(lease.name)
            if found is None or found.term != lease.term or not found.is_held(self._now()):
                return found or lease
            if loop.time() + poll > end:
                return None
            await asyncio.sleep(poll)

    async def _change(self, operation: str, lease: Lease, values: Mapping[str, object]) -> bool:
        mine = (leases.c.name == lease.name, leases.c.term == lease.term)
        done = leases.c.result_term == lease.term
        change = (
            update(leases)
            .where(*mine, or_(leases.c.owner == lease.owner, done))
            .values(**values, at=self._now())
        )

        def work(connection: Connection) -> bool:
            return connection.execute(change).rowcount == 1

        return await self._database.change(operation, work)


_COLUMNS = (
    leases.c.name,
    leases.c.owner,
    leases.c.until,
    leases.c.term,
    leases.c.result,
    leases.c.result_term,
)
