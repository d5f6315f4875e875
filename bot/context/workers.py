"""Shares the work on a repository's files out to child processes of this program.

Beside the event loop, pure Python would hold the interpreter's lock for as long as it takes. A
child is `python -m MODULE GIT_DIR NAME`: it reads its items from its standard input, as lines of
JSON arrays, and prints one row for each of them, in their order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from bot.context.errors import RepositoryError
from bot.context.git.repository import GitRepository
from bot.context.git.safety import hardened_environment

Item = TypeVar("Item")
Row = TypeVar("Row")

_WORKERS = 2
_PIECE = 1_000
"""Items that are encoded at once: the encoder holds the interpreter's lock until it has ended."""
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])


def child_environment() -> dict[str, str]:
    """Return the environment of a child process of this program. It needs no token of the bot."""
    return {**hardened_environment(), "PYTHONPATH": _PACKAGE_ROOT}


def read_items(asked: bytes) -> Iterator[Any]:
    """Yield the items of a child's standard input, each as JSON gives it."""
    for line in asked.splitlines():
        yield from json.loads(line)


def run_in_children(
    module: str,
    repository: GitRepository,
    items: Sequence[Item],
    size_of: Callable[[Item], int],
    read: Callable[[IO[bytes]], Row | None],
    problem: str,
    share: int = 1,
) -> Iterator[tuple[Item, Row]]:
    """Share the items out to children that run `module`, and yield each with its row.

    `items` come with the largest first. `read` takes one row of a child's output; it returns None
    if the output ends before the row does. A second child is started if there are at least twice
    `share` bytes: starting one takes a third of a second of processor time.

    Raises:
        RepositoryError: a child ended too early. Its text is `problem`.
    """
    useful = max(1, sum(map(size_of, items)) // share)
    shares: list[list[Item]] = [[] for _ in range(min(_WORKERS, os.cpu_count() or 1, useful))]
    loads = [0] * len(shares)
    for item in items:
        lightest = loads.index(min(loads))
        shares[lightest].append(item)
        loads[lightest] += size_of(item)
    children = [_Child(module, repository, share) for share in shares]
    try:
        for child in children:
            for item, row in child.rows(read):
                if row is None:
                    raise RepositoryError(repository.name, problem)
                yield item, row
    finally:
        for child in children:
            child.stop()


class _Child(Generic[Item]):
    """A process that works on a share of the items."""

    def __init__(self, module: str, repository: GitRepository, share: Sequence[Item]) -> None:
        self._share = share
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(repository.git_dir), repository.name],
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        for start in range(0, len(share), _PIECE):
            piece = share[start : start + _PIECE]
            self._process.stdin.write(json.dumps(piece).encode() + b"\n")
        self._process.stdin.close()

    def rows(self, read: Callable[[IO[bytes]], Row | None]) -> Iterator[tuple[Item, Row | None]]:
        assert self._process.stdout is not None
        for item in self._share:
            yield item, read(self._process.stdout)

    def stop(self) -> None:
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
