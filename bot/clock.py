"""Wall time as an argument.

All waiting goes through the running event loop (`asyncio.sleep`, `loop.call_at`), so that a test
may install a loop whose time leaps. Wall time is a function that is passed in, never read from
the operating system inside a room.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

Now = Callable[[], float]
"""Returns Unix time in seconds."""


def system_now() -> float:
    """Return the operating system's Unix time in seconds."""
    return time.time()


def length_of_time(seconds: float) -> str:
    """Return a length of time in words, in one unit rounded down: "9 days", "1 minute"."""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = math.floor(seconds / size)
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return "less than a minute"
