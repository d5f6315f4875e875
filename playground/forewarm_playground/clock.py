"""Wall time as an argument, so that a test can run on a virtual clock."""

from __future__ import annotations

import time
from collections.abc import Callable

Now = Callable[[], float]
"""Returns Unix time in seconds."""


def system_now() -> float:
    """Return the operating system's Unix time in seconds."""
    return time.time()
