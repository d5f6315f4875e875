"""What warmth may not do, whatever it expects to gain: caps on money, on users, on failures.

Money is reserved before a request leaves, at the most it can cost, and settled with what it did
cost. All state is a fold of what was sent and what came back; time is an argument. Days are UTC.
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
    """USD a day for all warmth together; warm-ups that one user's signals may cause in an hour.

    `failures` warm-ups that fail in a row, `misses` that were believed done and not read, or
    `unread` written and never read by a question, and a prefix is left alone for a while.
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
        self.told: set[str] = set()

    def turn(self, at: float) -> None:
        """Begin a new day where one has begun; what is still reserved moves into it."""
        day = int(at // DAY)
        if day > self.day:
            self.day = day
            self.spent = {}
            self.told = set()

    def used(self, context: str | None = None) -> float:
        """Return what is spent or reserved today."""
        spent = sum(usd for name, usd in self.spent.items() if context in (None, name))
        held = sum(usd for name, usd in self.reserved.values() if context in (None, name))
        return spent + held

    def fits(self, context: str, usd: float, context_cap: float, cap: float) -> bool:
        """Tell whether so much more stays within both caps."""
        return self.used(context) + usd <= context_cap and self.used() + usd <= cap

    def reserve(self, request: str, context: str, usd: float) -> None:
        self.reserved[request] = (context, usd)

    def settle(self, request: str, usd: float) -> None:
        """Replace a reservation by what was spent; the first settlement holds."""
        held = self.reserved.pop(request, None)
        if held is not None:
            self.spent[held[0]] = self.spent.get(held[0], 0.0) + usd

    def count(self, context: str, usd: float) -> None:
        """Count what another replica has spent."""
        self.spent[context] = self.spent.get(context, 0.0) + usd

    def first_refusal(self, scope: str) -> bool:
        """Tell whether this cap refuses for the first time today: it is said once."""
        if scope in self.told:
            return False
        self.told.add(scope)
        return True

    def snapshot(self) -> dict[str, Any]:
        return {"day": self.day, "spent": dict(self.spent), "told": sorted(self.told)}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Spending:
        spending = cls()
        spending.day = int(saved["day"])
        spending.spent = {str(k): float(v) for k, v in saved["spent"].items()}
        spending.told = set(saved["told"])
        return spending


class UserCaps:
    """How many warm-ups each user's signals have caused within the last hour."""

    MOST_USERS = 4096

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, user: str | None, at: float) -> bool:
        if user is None:
            return True
        times = self._times.get(user)
        while times and times[0] <= at - HOUR:
            times.popleft()
        return times is None or len(times) < self._per_hour

    def caused(self, user: str | None, at: float) -> None:
        if user is None:
            return
        self._times.setdefault(user, deque(maxlen=max(1, self._per_hour))).append(at)
        self._times.move_to_end(user)
        if len(self._times) > self.MOST_USERS:
            self._times.popitem(last=False)


BACKED_OFF: dict[ErrorKind, float] = {
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
}
"""Seconds to leave a model alone after the first failure of a kind; doubled with each next."""
LONGEST_BACK_OFF = HOUR


class BackOff:
    """When warm-ups on one model may be tried again after Claude has refused them."""

    __slots__ = ("failures", "until", "why")

    def __init__(self) -> None:
        self.failures = 0
        self.until = float("-inf")
        self.why = ""

    def failed(self, kind: str, retry_after: float | None, at: float) -> None:
        first = BACKED_OFF.get(kind, 10.0)  # type: ignore[call-overload]
        wait = min(LONGEST_BACK_OFF, first * 2.0 ** min(self.failures, 10))
        self.failures += 1
        self.until = max(self.until, at + max(wait, retry_after or 0.0))
        self.why = kind

    def succeeded(self) -> None:
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
        """Tell whether it is open. Once its time is over, a single failure opens it again."""
        return at < self.until

    def failed(self, at: float) -> None:
        self.failures += 1
        self._check(self.failures, self._limits.failures, at, "warm-ups failed in a row")

    def missed(self, at: float) -> None:
        self.misses += 1
        self._check(self.misses, self._limits.misses, at, "warm-ups were written and then missed")

    def wrote(self, at: float) -> None:
        """A warm-up was written, and no question has read one since the last."""
        self.failures = 0
        self.unread += 1
        self._check(self.unread, self._limits.unread, at, "warm-ups were never read")

    def read(self) -> None:
        """A question found warmth: all is well."""
        self.failures = self.misses = self.unread = self.opened = 0

    def snapshot(self) -> dict[str, Any]:
        counts = [self.failures, self.misses, self.unread, self.opened]
        return {"counts": counts, "until": _finite(self.until), "why": self.why}

    def restore(self, saved: dict[str, Any]) -> None:
        self.failures, self.misses, self.unread, self.opened = map(int, saved["counts"])
        self.until = _time(saved["until"])
        self.why = str(saved["why"])

    def _check(self, count: int, most: int, at: float, why: str) -> None:
        if count >= most:
            self.until = at + min(self.LONGEST, self.FIRST * 2.0 ** min(self.opened, 10))
            self.opened += 1
            self.why = f"{count} {why}"


def _finite(at: float) -> float | None:
    return at if math.isfinite(at) else None


def _time(saved: float | None) -> float:
    return float("-inf") if saved is None else float(saved)
