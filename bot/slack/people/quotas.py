"""Count questions per person and per channel, in the hour that ends now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

HOUR = 3600.0
REMEMBERED = 20_000


class Quotas(Protocol):
    """Counts questions by key: a person's or a channel's."""

    async def take(self, key: str, limit: int | None, now: float) -> bool:
        """Count one question against `limit` an hour; False, uncounted, if it is over.

        Without a limit nothing is counted and the result is always True.
        """


def counted(asked: Sequence[float], limit: int, now: float) -> tuple[float, ...] | None:
    """Return the times of the hour's questions with one more, or None if that is over the limit."""
    recent = tuple(at for at in asked if now - at < HOUR)
    return (*recent, now) if len(recent) < limit else None


class LocalQuotas:
    """The quotas of a process that has the database to itself."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<LocalQuotas of {len(self._asked)} people and channels>"

    async def take(self, key: str, limit: int | None, now: float) -> bool:
        if limit is None:
            return True
        times = counted(self._asked.get(key, ()), limit, now)
        if times is None:
            return False
        self._asked[key] = times
        self._asked.move_to_end(key)
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        return True
