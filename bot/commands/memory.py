"""Memory of a long-running process."""

from __future__ import annotations

import gc


def set_aside_start_up() -> None:
    """Keep what start-up has built out of every later garbage collection.

    Modules, prefixes and the store's machinery live as long as the process. Looking through them
    again, a quarter of a million objects, stops every answer for tenths of a second
    (`forewarm bench overhead` shows it in the p99 of token to Slack).
    """
    gc.collect()
    gc.freeze()
