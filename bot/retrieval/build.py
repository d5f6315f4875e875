"""Computes the index's entries of many files, in child processes if there is much to do.

Parsing and splitting text is pure Python for the most part: beside the event loop it would hold the
interpreter's lock for as long as it takes.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from bot.context.files.select import File
from bot.context.files.tree import texts
from bot.context.git.repository import GitRepository
from bot.context.limits import limit_process
from bot.context.secrets.mask import Span
from bot.context.workers import read_items, run_in_children
from bot.retrieval.document import build_document

BUILD_SECONDS = 900.0
PROCESSOR_SECONDS = 600
MEMORY_BYTES = 2_000_000_000
"""The most that a child process may take: a file can be made to ask for all of a machine."""
_PARALLEL_BYTES = 64_000
"""Bytes up to which entries are computed in this process, in some 10 ms."""
_LENGTH = struct.Struct("<I")

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes in all."""


def build_rows(
    repository: GitRepository, files: Sequence[File], progress: Progress | None = None
) -> Iterator[tuple[File, bytes]]:
    """Yield the entry of each file, ready to be stored.

    Raises:
        RepositoryError: the repository cannot be read, or a child process was killed.
    """
    total = sum(file.size for file in files)
    build = _in_children if total > _PARALLEL_BYTES else _build_in_process
    done = 0
    for file, row in build(repository, files):
        yield file, row
        done += file.size
        if progress is not None:
            progress(done, total)


def _build_in_process(
    repository: GitRepository, files: Sequence[File]
) -> Iterator[tuple[File, bytes]]:
    for file, text in zip(files, texts(repository, files), strict=True):
        yield file, build_document(file.path, text).dump()


def _in_children(repository: GitRepository, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
    return run_in_children(
        "bot.retrieval.build",
        repository,
        sorted(files, key=lambda file: (-file.size, file.path)),
        lambda file: file.size,
        _read_row,
        f"Indexing {repository.name} was cut short, so its questions get no excerpts until the "
        "next try.",
    )


def _read_row(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    row = stream.read(length)
    return row if len(row) == length else None


def _serve(arguments: Sequence[str], asked: bytes) -> Iterator[bytes]:
    repository = GitRepository(Path(arguments[0]), arguments[1], seconds=BUILD_SECONDS)
    files = [
        File(path, oid, size, lines, kind, tuple(Span(*span) for span in spans), *rest)
        for path, oid, size, lines, kind, spans, *rest in read_items(asked)
    ]
    for _, row in _build_in_process(repository, files):
        yield _LENGTH.pack(len(row)) + row


if __name__ == "__main__":
    limit_process(MEMORY_BYTES, PROCESSOR_SECONDS)
    os.nice(5)
    for packed in _serve(sys.argv[1:], sys.stdin.buffer.read()):
        sys.stdout.buffer.write(packed)
