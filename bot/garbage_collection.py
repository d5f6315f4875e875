"""Memory of a long-running process: what start-up builds lives as long as the process."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_holding, _freezing = 0, False


@contextmanager
def paused() -> Iterator[None]:
    """Hold garbage collections off while many objects are made that do not live on.

    They are freed when nothing holds them, so collections would only look through them again and
    again. Garbage in cycles waits for the end.
    """
    with _held_off(freezes=False):
        yield


@contextmanager
def set_aside() -> Iterator[None]:
    """Build what lives long, and keep it out of every later garbage collection.

    A collection looks through all objects with the interpreter's lock held: a million of them stop
    the event loop for a second. They are still freed when nothing holds them. Garbage in cycles
    that other threads make meanwhile is kept for good: this is meant for a few seconds at most.
    """
    with _held_off(freezes=True):
        yield


@contextmanager
def _held_off(*, freezes: bool) -> Iterator[None]:
    global _holding, _freezing
    with _lock:
        _holding += 1
        _freezing |= freezes
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _holding -= 1
            if not _holding:
                if _freezing:
                    gc.freeze()
                _freezing = False
                gc.enable()


@contextmanager
def imports_set_aside() -> Iterator[None]:
    """Import without garbage collection, and keep what was imported out of every later one.

    Four thousand modules make no garbage, but each few hundred objects of theirs set off a look
    through all that there are: a third of the processor's time of a start.
    """
    with _held_off(freezes=True):
        yield


def set_aside_start_up() -> None:
    """Keep what start-up has built out of every later garbage collection.

    Prefixes and the store's machinery live as long as the process. Looking through them again,
    with the modules a quarter of a million objects, stops every answer for tenths of a second
    (`python -m benchmarks overhead` shows it in the p99 of token to Slack).
    """
    gc.collect()
    gc.freeze()
