"""Money as whole nano-dollars, counted by UTC days.

Whole numbers add up to the same sum in any order.
"""

from __future__ import annotations

import datetime
import math

NANO = 1_000_000_000


def nano(usd: float) -> int:
    """Return the nearest whole number of nano-dollars."""
    return round(usd * NANO)


def nano_at_least(usd: float) -> int:
    """Return the smallest whole number of nano-dollars that is not less, for what is reserved."""
    return math.ceil(usd * NANO)


def usd(nanos: int) -> float:
    """Return USD."""
    return nanos / NANO


def day_of(at: float) -> str:
    """Return the UTC day of a Unix time as `2026-11-22`."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
