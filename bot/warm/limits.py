"""Limits on warmth: on money, on users, on failures. They hold even if a warm-up would pay.

Money is reserved before a request leaves, at the most that it can cost, and settled with what it
did cost. All state follows from what was sent and what came back, and time is an argument. Days
are UTC.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

from bot.claude.errors import ErrorKind

HOUR = 3600.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one installation.

    `daily_usd` caps all warmth of a day, `per_user_hour` the warm-ups that one user's signals
    cause in an hour. A prefix is left alone for a while after `failures` warm-ups that failed in a
    row, `misses` that were written and then not read, or `unread` that no question read.
    """

    daily_usd: float = 20.0
    per_user_hour: int = 6
    failures: int = 3
    misses: int = 3
    unread: int = 20


class Spending:
    """Money spent and reserved on warmth today, by context and in all. USD."""

    def __init__(self) -> None:
        self.day = -1
        self.spent: dict[str, float] = {}
        self.reserved: dict[str, tuple[str, float]] = {}
        self.notified: set[str] = set()

    def turn_day(self, at: float) -> None:
        """Begin a new day if its time has come. Open reservations count on the new day."""
        day = int(at // DAY)
        if day > self.day:
            self.day = day
            self.spent = {}
            self.notified = set()

    def used(self, context: str | None = None) -> float:
        """Return what is spent or reserved today, by one context or by all."""
        spent = sum(usd for name, usd in self.spent.items() if context in (None, name))
        reserved = sum(usd for name, usd in self.reserved.values() if context in (None, name))
        return spent + reserved

    def fits(self, context: str, usd: float, context_cap: float, cap: float) -> bool:
        """Tell whether so much more stays within both caps."""
        return self.used(context) + usd <= context_cap and self.used() + usd <= cap

    def reserve(self, request: str, context: str, usd: float) -> None:
        """Reserve the most that a request can cost."""
        self.reserved[request] = (context, usd)

    def settle(self, request: str, usd: float) -> None:
        """Replace a reservation by what was spent. A second settlement does nothing."""
        reservation = self.reserved.pop(request, None)
        if reservation is not None:
            self.add(reservation[0], usd)

    def add(self, context: str, usd: float) -> None:
        """Add money that was spent, here or by another replica."""
        self.spent[context] = self.spent.get(context, 0.0) + usd

    def is_first_refusal(self, scope: str) -> bool:
        """Tell whether this cap refuses for the first time today, and remember that it did."""
        if scope in self.notified:
            return False
        self.notified.add(scope)
        return True

    def snapshot(self) -> dict[str, Any]:
        """Return today's spending as JSON, without reservations."""
        return {"day": self.day, "spent": dict(self.spent), "told": sorted(self.notified)}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Spending:
        """Return the spending that `snapshot` returned."""
        spending = cls()
        spending.day = int(state["day"])
        spending.spent = {str(k): float(v) for k, v in state["spent"].items()}
        spending.notified = set(state["told"])
        return spending


class UserCaps:
    """How many warm-ups each user's signals caused within the last hour."""

    MOST_USERS = 4096

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, user: str | None, at: float) -> bool:
        """Tell whether the user's signals may cause another warm-up. No user has no cap."""
        if user is None:
            return True
        times = self._times.get(user)
        while times and times[0] <= at - HOUR:
            times.popleft()
        return times is None or len(times) < self._per_hour

    def record(self, user: str | None, at: float) -> None:
        """Record a warm-up that a user's signal caused."""
        if user is None:
            return
        self._times.setdefault(user, deque(maxlen=max(1, self._per_hour))).append(at)
        self._times.move_to_end(user)
        if len(self._times) > self.MOST_USERS:
            self._times.popitem(last=False)


FIRST_BACK_OFF: dict[ErrorKind, float] = {
    "rate_limited": 15.0,
    "overloaded": 15.0,
    "server": 10.0,
    "connection": 10.0,
    "timeout": 30.0,
    "cut": 10.0,
    "spend_limit": HOUR,
    "authentication": 600.0,
    "permission": 600.0,
    "unknown_model": 600.0,
    "invalid": 600.0,
    "too_long": 600.0,
    "filtered": 600.0,
}
"""Seconds to leave a model alone after the first failure of a kind; doubled with each next."""
LONGEST_BACK_OFF = HOUR


class BackOff:
    """When warm-ups on one model may be tried again after Claude refused a request."""

    __slots__ = ("failures", "until", "why")

    def __init__(self) -> None:
        self.failures = 0
        self.until = float("-inf")
        self.why = ""

    def record_failure(self, kind: str, retry_after: float | None, at: float) -> None:
        """Leave the model alone: longer with each failure, never shorter than `retry_after`."""
        # A result holds the kind as text. A kind that is not listed has the default.
        first = FIRST_BACK_OFF.get(kind, 10.0)  # type: ignore[call-overload]
        # The exponent is capped so that a model that is away for a week cannot overflow it.
        wait = min(LONGEST_BACK_OFF, first * 2.0 ** min(self.failures, 10))
        self.failures += 1
        self.until = max(self.until, at + max(wait, retry_after or 0.0))
        self.why = kind

    def record_success(self) -> None:
        """Try the model again at once."""
        self.failures = 0
        self.until = float("-inf")


class Breaker:
    """Leaves a prefix alone whose warm-ups fail, are missed, or are never read."""

    __slots__ = ("_limits", "failures", "misses", "opened", "unread", "until", "why")

    FIRST = 900.0
    LONGEST = DAY

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.failures = self.misses = self.unread = self.opened = 0
        self.until = float("-inf")
        self.why = ""

    def is_open(self, at: float) -> bool:
        """Tell whether the prefix is left alone. After that, one more failure opens it again."""
        return at < self.until

    def record_failure(self, at: float) -> None:
        """Record a warm-up that failed."""
        self.failures += 1
        self._check(self.failures, self._limits.failures, at, "warm-ups failed in a row")

    def record_miss(self, at: float) -> None:
        """Record a request that read less than was believed cached."""
        self.misses += 1
        self._check(self.misses, self._limits.misses, at, "warm-ups were written and then missed")

    def record_write(self, at: float) -> None:
        """Record a warm-up that wrote the entry, and that no question has read yet."""
        self.failures = 0
        self.unread += 1
        self._check(self.unread, self._limits.unread, at, "warm-ups were never read")

    def record_read(self) -> None:
        """Record a question that read a warm entry: warmth works on this prefix."""
        self.failures = self.misses = self.unread = self.opened = 0

    def snapshot(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        counts = [self.failures, self.misses, self.unread, self.opened]
        until = self.until if math.isfinite(self.until) else None
        return {"counts": counts, "until": until, "why": self.why}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back the counts that `snapshot` returned."""
        self.failures, self.misses, self.unread, self.opened = map(int, state["counts"])
        self.until = float("-inf") if state["until"] is None else float(state["until"])
        self.why = str(state["why"])

    def _check(self, count: int, most: int, at: float, why: str) -> None:
        if count >= most:
            # The count stays, so the next failure opens it again, for twice as long.
            self.until = at + min(self.LONGEST, self.FIRST * 2.0 ** min(self.opened, 10))
            self.opened += 1
            self.why = f"{count} {why}"
