"""Wall time as an argument.

All waiting goes through the running event loop (`asyncio.sleep`, `loop.call_at`), so that a test
may install a loop whose time leaps. Wall time is a function that is passed in, never read from
the operating system inside a room.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Now = Callable[[], float]
"""Returns Unix time in seconds."""


def system_now() -> float:
    """Return the operating system's Unix time in seconds."""
    return time.time()
