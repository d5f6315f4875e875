"""Small state by kind and key, as bytes: packs' bases, entries' lives, what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, select, update

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.optimistic_lock import swap
from bot.store.sql.tables import state


@dataclass(frozen=True, slots=True)
class Versioned:
    """A value and its version, which grows by one with each change."""

    value: bytes
    version: int
    at: float


class State:
    """Values by kind and key. Every replica reads the value that one wrote."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def get(self, kind: str, key: str) -> bytes | None:
        """Return the value, or None."""
        found = await self.look(kind, key)
        return found.value if found else None

    async def look(self, kind: str, key: str) -> Versioned | None:
        """Return the value with its version, for `swap`."""
        query = select(state.c.value, state.c.version, state.c.at).where(*_at(kind, key))

        def work(connection: Connection) -> Versioned | None:
            row = connection.execute(query).one_or_none()
            return Versioned(*row) if row else None

        return await self._database.read("read state", work)

    async def all(self, kind: str) -> Mapping[str, Versioned]:
        """Return everything of one kind by key."""
        query = (
            select(state.c.key, state.c.value, state.c.version, state.c.at)
            .where(state.c.kind == kind)
            .order_by(state.c.key)
        )

        def work(connection: Connection) -> Mapping[str, Versioned]:
            return {key: Versioned(*rest) for key, *rest in connection.execute(query)}

        return await self._database.read("read state", work)

    async def put(self, kind: str, key: str, value: bytes) -> None:
        """Set the value, also if there is one."""
        row = {"kind": kind, "key": key, "value": value, "version": 1, "at": self._now()}

        def work(connection: Connection) -> None:
            added = dialect.insert(connection, state)
            connection.execute(
                added.on_conflict_do_update(
                    index_elements=["kind", "key"],
                    set_={
                        "value": added.excluded.value,
                        "version": state.c.version + 1,
                        "at": added.excluded.at,
                    },
                ),
                row,
            )

        await self._database.change("write state", work)

    async def swap(self, kind: str, key: str, value: bytes, expected: int | None) -> bool:
        """Set the value if its version is still `expected` (None: absent); tell whether it was.

        A try that was committed although its reply was lost counts as done.
        """
        now = self._now()
        row = {"kind": kind, "key": key, "value": value, "version": 1, "at": now}
        change = (
            update(state)
            .where(*_at(kind, key), state.c.version == expected)
            .values(value=value, version=state.c.version + 1, at=now)
        )
        mine = select(state.c.key).where(
            *_at(kind, key),
            state.c.version == (expected or 0) + 1,
            state.c.value == value,
            state.c.at == now,
        )

        given = None if expected is None else change
        return await swap(self._database, "write state", state, row, given, mine)

    async def remove(self, kind: str, key: str) -> None:
        """Forget the value."""

        def work(connection: Connection) -> None:
            connection.execute(delete(state).where(*_at(kind, key)))

        await self._database.change("remove state", work)


def _at(kind: str, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return state.c.kind == kind, state.c.key == key
