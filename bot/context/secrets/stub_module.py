"""Importing a library without one of its dependencies, where that part of it is never used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def absent(name: str, **held: object) -> Iterator[None]:
    """Let a module be imported empty, but for what is `held`, by whatever is imported meanwhile.

    Who imports it afterwards gets the real one. Where it is loaded already, it is left as it is.
    Importing it in another thread meanwhile is not safe.
    """
    if name in sys.modules:
        yield
        return
    empty = ModuleType(name)
    vars(empty).update(held)
    sys.modules[name] = empty
    try:
        yield
    finally:
        del sys.modules[name]
