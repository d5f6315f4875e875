"""Memory of a long-running process: what start-up builds lives as long as the process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_set_aside() -> Iterator[None]:
    """Import without garbage collection, and keep what was imported out of every later one.

    Four thousand modules make no garbage, but each few hundred objects of theirs set off a look
    through all that there are: a third of the processor's time of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def set_aside_start_up() -> None:
    """Keep what start-up has built out of every later garbage collection.

    Prefixes and the store's machinery live as long as the process. Looking through them again,
    with the modules a quarter of a million objects, stops every answer for tenths of a second
    (`python -m benchmarks overhead` shows it in the p99 of token to Slack).
    """
    gc.collect()
    gc.freeze()
