"""Questions about files that a child process answers: about large ones, and at other commits.

These functions run in a child of `bot.context.reader`, or in this process for a command that
people run themselves. A few texts and commits stay known there for the next question.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bot.context.files.blob_cache import FactsCache, Wanted
from bot.context.files.select import File
from bot.context.files.tree import Survey, read_left_out, survey, texts, uncut_texts
from bot.context.git.repository import GitRepository, decode_path, encode_path
from bot.context.pack import SMALL_BYTES, SMALL_LINES
from bot.context.pack_builder import Source
from bot.context.reader import Reader

R = TypeVar("R")

_LONGEST = 10_000
"""Bytes of a line that are returned."""

Place = File | Wanted
"""A file that is shown, or one that was left out and may be read."""
Hit = tuple[str, int, bytes]
"""Path, number and raw text of a line."""


def is_small(file: File) -> bool:
    """Tell whether a file is read and parsed in the bot's own process.

    A text with cuts is small, but what is cut need not be.
    """
    return file.size <= SMALL_BYTES and file.lines <= SMALL_LINES and not file.shortened


def small_text(repository: GitRepository, file: File) -> str:
    """Return the shown text of a small file."""
    return next(texts(repository, [file])).decode("utf-8")


def run_in(reader: Reader | None, function: Callable[..., R], /, *arguments: Any) -> R:
    """Call a function in a child of `reader`, in this process if there is no reader."""
    return function(*arguments) if reader is None else reader.run(function, *arguments)


def ask_about(
    reader: Reader | None,
    repository: GitRepository,
    file: File,
    function: Callable[..., R],
    *arguments: Any,
) -> R | None:
    """Call `function(path, text, *arguments)`, here if the file is small."""
    if is_small(file):
        return function(file.path, small_text(repository, file), *arguments)
    return run_in(reader, ask_file, repository, file.path, file, function, arguments)


def ask_file(
    repository: GitRepository,
    path: str,
    place: Place,
    function: Callable[..., R],
    arguments: Sequence[Any],
) -> R | None:
    """Call `function(path, text, *arguments)`; return None if the file may not be read."""
    text = text_of(repository, path, place)
    return None if text is None else function(path, text, *arguments)


def ask_versions(
    source: Source,
    path: str,
    places: tuple[Place, Place | str | None],
    function: Callable[..., R],
    arguments: Sequence[Any],
) -> R | None:
    """Call `function(path, head, base, *arguments)`; return None if the file may not be read.

    `places` are those at the head and at the base. In place of the second stands the base's commit
    if it is not known, and None if the base has no such file.
    """
    head, base = places
    text = text_of(source.repository, path, head)
    if text is None:
        return None
    old = None if base is None else base_text(source, path, base)
    return function(path, text, old, *arguments)


def base_text(source: Source, path: str, place: Place | str) -> str | None:
    """Return a file's text at the base. `place` is the base's commit if no more is known."""
    known = place_in(survey_at(source, place), path) if isinstance(place, str) else place
    return None if known is None else text_of(source.repository, path, known)


def place_in(found: Survey, path: str) -> Place | None:
    """Return a file as a commit has it."""
    return found.files.get(path) or found.readable.get(path)


@lru_cache(maxsize=4)
def text_of(repository: GitRepository, path: str, place: Place) -> str | None:
    """Return the shown text of a file; None if it may not be read."""
    file = place if isinstance(place, File) else left_out_file(repository, path, place)
    return None if file is None else next(texts(repository, [file])).decode("utf-8")


@lru_cache(maxsize=256)
def left_out_file(repository: GitRepository, path: str, wanted: Wanted) -> File | None:
    """Look into a file that the prompt leaves out; return None if it may not be read."""
    return read_left_out(repository, {path: wanted}, FactsCache(None)).get(path)


@lru_cache(maxsize=2)
def survey_at(source: Source, commit: str) -> Survey:
    """Look at another commit by the rules of the context."""
    found = survey(source.repository, commit, source.rules, source.cache)
    source.cache.forget()
    return found


class MaskedLines:
    """Lines of masked files. The lines of a file are asked for in their order.

    One text is kept at a time, and it is not split: a list of its lines can take fifty times its
    bytes.
    """

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        self._file: File | None = None
        self._text = b""
        self._at = (1, 0)

    def line(self, file: File, number: int, raw: bytes, pattern: str | None) -> bytes | None:
        """Return a found line as it may be shown, None if only its hidden value was found.

        `pattern` is the literal that was sought, None for an expression.
        """
        if file is not self._file:
            self._file, self._at = file, (1, 0)
            self._text = next(uncut_texts(self._repository, [file]))
        text = self._line(number)
        if text is None:
            return None
        if text == raw.rstrip(b"\r") or (pattern is not None and pattern.encode() in text):
            return text
        return None

    def _line(self, number: int) -> bytes | None:
        line, start = self._at if number >= self._at[0] else (1, 0)
        while line < number:
            end = self._text.find(b"\n", start)
            if end < 0:
                return None
            line, start = line + 1, end + 1
        self._at = (line, start)
        end = self._text.find(b"\n", start)
        return self._text[start:] if end < 0 else self._text[start:end]


class LeftOut(NamedTuple):
    """Lines that were found in files that the prompt leaves out, and those files."""

    places: Mapping[str, Wanted]
    hits: Sequence[Hit]


def show_left_out(
    repository: GitRepository, found: LeftOut, pattern: str, regex: bool
) -> list[Hit]:
    """Return the lines that may be shown, as they may be shown."""
    files = {
        path: file
        for path, wanted in found.places.items()
        if (file := left_out_file(repository, path, wanted)) is not None
    }
    masked, shown = MaskedLines(repository), list[Hit]()
    for path, number, line in found.hits:
        file = files.get(path)
        if file is None or file.recoded:
            continue
        text: bytes | None = line
        if file.spans:
            text = masked.line(file, number, line, None if regex else pattern)
        if text is not None:
            shown.append((path, number, text))
    return shown


def search_rewritten(
    repository: GitRepository,
    files: Sequence[File],
    arguments: Sequence[str],
    most_bytes: int,
    limit: int,
) -> list[Hit]:
    """Run `git grep` over the shown texts of files; return the first lines that it finds.

    They are written to a folder, since git does not have these texts.
    """
    with tempfile.TemporaryDirectory(prefix="forewarm-search-") as name:
        folder = Path(name)
        for number, text in enumerate(uncut_texts(repository, files)):
            (folder / str(number)).write_bytes(text)
        hits = repository.grep(arguments, most_bytes, folder)
        found = (
            (files[int(at)].path, number, line[:_LONGEST])
            for at, number, line in hits
            if at.isdigit()
        )
        return heapq.nsmallest(limit, found, key=lambda hit: (encode_path(hit[0]), hit[1]))


def split_names(raw: bytes) -> Iterator[str]:
    """Yield the paths of a record that NULs divide, one after the other."""
    start = 0
    while start < len(raw):
        end = raw.find(b"\0", start)
        end = len(raw) if end < 0 else end
        yield decode_path(raw[start:end].removeprefix(b"\n"))
        start = end + 1
