"""How many random samples a test draws: few in `make test`, many in `make soak`."""

from __future__ import annotations

import os

IS_SOAK = "FOREWARM_SOAK" in os.environ


def samples(quick: int, soak: int) -> int:
    """Return the number of samples for this run."""
    return soak if IS_SOAK else quick
