"""One clock for all replicas: leases last seconds, and machines' clocks may differ by more."""

from __future__ import annotations

from sqlalchemy import Connection, text

from bot.clock import Now
from bot.store.sql.database import Database

TRIES = 3


async def clock_of(database: Database, now: Now) -> Now:
    """Return `now` set by the database's clock, which every replica sees; SQLite has none."""
    if database.kind == "sqlite":
        return now
    offset = await offset_of(database, now)

    def agreed() -> float:
        return now() + offset

    return agreed


async def offset_of(database: Database, now: Now) -> float:
    """Return by how many seconds the server's clock is ahead, as the quickest look shows it."""

    def work(connection: Connection) -> float:
        looks = []
        for _ in range(TRIES):
            before = now()
            server = connection.scalar(
                text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
            )
            after = now()
            looks.append((after - before, float(server) - (before + after) / 2))
        return min(looks)[1]

    return await database.read("look at the clock", work)
