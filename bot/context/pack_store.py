"""Storage in which a context's base and overlays outlive the process.

Blocks are stored under the fingerprint of their text and never change. One small manifest per
context says which of them stand in the prefix, and is replaced only by who has seen the last one:
so replicas that share a store send the same bytes.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bot.context.atomic_write import write_atomically

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class PackState(Protocol):
    """Bytes by key. Keys are letters, digits, dots, dashes and underscores."""

    async def load(self, key: str) -> bytes | None:
        """Return what is stored, or None."""

    async def save(self, key: str, data: bytes) -> None:
        """Store, replacing what was there."""

    async def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Store `new` if what is stored is still `old` (None: nothing); tell whether it was."""

    async def delete(self, key: str) -> None:
        """Forget the key, if it is there."""


class MemoryState:
    """State that lives as long as the process."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    async def load(self, key: str) -> bytes | None:
        return self._data.get(key)

    async def save(self, key: str, data: bytes) -> None:
        self._data[key] = data

    async def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        if self._data.get(key) != old:
            return False
        self._data[key] = new
        return True

    async def delete(self, key: str) -> None:
        self._data.pop(key, None)


class DirectoryState:
    """State in a folder, one file per key, safe among processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, key: str) -> bytes | None:
        return await asyncio.to_thread(self._read, key)

    async def save(self, key: str, data: bytes) -> None:
        await asyncio.to_thread(self._write, key, data)

    async def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        return await asyncio.to_thread(self._swap, key, old, new)

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._path(key).unlink, True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        return self._folder / key

    def _read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, key: str, data: bytes) -> None:
        write_atomically(self._path(key), data)

    def _swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        with self._locked():
            if self._read(key) != old:
                return False
            self._write(key, new)
            return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
