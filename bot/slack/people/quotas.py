"""How often somebody may ask: sliding hours per person and per channel. Pure; time comes in."""

from __future__ import annotations

from collections import OrderedDict, deque

HOUR = 3600.0
REMEMBERED = 20_000


class Rates:
    """Counts questions in the hour that ends now."""

    def __init__(self) -> None:
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Rates of {len(self._asked)} people and channels>"

    def take(self, key: str, limit: int | None, now: float) -> bool:
        """Count one question against `limit` an hour; False, uncounted, where it is over.

        Without a limit nothing is counted and the answer is always True.
        """
        if limit is None:
            return True
        asked = self._asked.setdefault(key, deque())
        self._asked.move_to_end(key)
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        while asked and now - asked[0] >= HOUR:
            asked.popleft()
        if len(asked) >= limit:
            return False
        asked.append(now)
        return True
