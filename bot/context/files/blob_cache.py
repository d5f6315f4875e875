"""The facts about each blob, worked out once and kept by blob id: signs, lines, places of secrets.

Of a secret only its place is kept. Much unseen content is looked at by child
processes, so that neither the event loop nor the interpreter's lock waits for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from bot.context.atomic_write import write_atomically
from bot.context.files.heuristics import ContentSigns, Look
from bot.context.files.kinds import Kind
from bot.context.files.text import count_lines, needs_cuts, normalize, render_text
from bot.context.git.repository import GitRepository
from bot.context.limits import limit_process
from bot.context.secrets.formats import ScanKind
from bot.context.secrets.mask import SCANNER_VERSION, Span
from bot.context.workers import read_items, run_in_children

FACTS_VERSION = f"7.{SCANNER_VERSION}"
SCAN_SECONDS = 600.0
PROCESSOR_SECONDS = 600
MEMORY_BYTES = 2_000_000_000
"""The most that a child process may take, if the process that starts it has no lower limit."""
_PARALLEL_BYTES = 4_000_000
_SHARE_BYTES = 6_000_000
_LIKELY_BYTES = 200_000
_LARGEST_CACHE = 64_000_000
"""Bytes of the file. A larger one is not kept: the bot reads it beside its event loop."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes in all."""


MOST_MASKED = 2_000
"""A file that would hide more values is left out as a file of credentials."""


class Facts(NamedTuple):
    """`raw` counts the blob's bytes, `size` those of the shown text, `lines` its lines."""

    raw: int
    size: int
    lines: int
    signs: ContentSigns
    spans: tuple[Span, ...] = ()


class Wanted(NamedTuple):
    """A blob to look at, and as what: the same bytes may be read as code and as configuration.

    `vouched`, `ours` and `is_text` are the repository's own words: it is not generated, not
    vendored, a text.
    """

    oid: str
    kind: Kind
    scan: ScanKind
    vouched: bool = False
    look: Look = ""
    ours: bool = False
    is_text: bool = False

    @property
    def key(self) -> str:
        words = "".join(
            letter
            for letter, given in zip("vot", (self.vouched, self.ours, self.is_text), strict=True)
            if given
        )
        return f"{self.oid}.{self.kind[0]}.{self.scan}.{self.look[:2]}{words}"


NOTEBOOK_FACTOR = 10
"""A notebook may have so many times the bytes of another file: its outputs are cut."""


def limit_of(wanted: Wanted, limit: int) -> int:
    """Return the most bytes that this blob may have."""
    return limit * NOTEBOOK_FACTOR if wanted.look == "notebook" else limit


def examine(
    raw: bytes,
    kind: Kind,
    scan: ScanKind,
    vouched: bool = False,
    look: Look = "",
    ours: bool = False,
    is_text: bool = False,
) -> Facts:
    """Look at one blob. Secrets are sought only in a text that may be shown."""
    # Most blobs are known: a process that meets no other one does not load these rules.
    from bot.context.files.content_signs import content_signs
    from bot.context.secrets.find import find_secrets

    signs = content_signs(raw, kind, look, is_text=is_text)
    if signs.binary or signs.pointer or signs.credentials:
        return Facts(len(raw), 0, 0, signs)
    left_out = (signs.minified or signs.generated or signs.lock) and not vouched
    if left_out or (signs.vendored and not ours):
        return Facts(len(raw), len(raw), 0, signs)
    data = normalize(raw)
    spans = tuple(find_secrets(data, scan))
    if len(spans) > MOST_MASKED:
        return Facts(len(raw), 0, 0, signs._replace(credentials=True))
    notebook = look == "notebook"
    if needs_cuts(raw, notebook=notebook):
        signs = signs._replace(shortened=True)
    text = render_text(raw, spans, shorten=signs.shortened, notebook=notebook)
    return Facts(len(raw), len(text), count_lines(text), signs, spans)


class FactsCache:
    """Facts by blob id in one file. Losing it costs time, nothing else."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._loaded: dict[str, list[object]] | None = None
        self._fresh = 0

    def __repr__(self) -> str:
        return f"<FactsCache {len(self._rows)} blobs>"

    def __reduce__(self) -> tuple[object, ...]:
        return _cache_at, (self._path,)

    @property
    def _rows(self) -> dict[str, list[object]]:
        """The rows, read when they are first needed."""
        if self._loaded is None:
            self._loaded = {} if self._path is None else _load(self._path)
        return self._loaded

    def get(self, wanted: Wanted) -> Facts | None:
        row = self._rows.get(wanted.key)
        return None if row is None else _from_row(row)

    def put(self, wanted: Wanted, facts: Facts) -> None:
        self._rows[wanted.key] = _to_row(facts)
        self._fresh += 1

    def forget(self) -> None:
        """Drop the rows in memory if none is new. Another process has written the file since."""
        if not self._fresh:
            self._loaded = None

    def save(self, at_least: int = 1) -> None:
        """Write if that many blobs are new. Two writers at once lose work, never correctness."""
        if self._path is None or self._fresh < at_least:
            return
        document = {"version": FACTS_VERSION, "blobs": self._rows}
        data = json.dumps(document, separators=(",", ":")).encode()
        if len(data) <= _LARGEST_CACHE:
            write_atomically(self._path, data, durable=False)
        self._fresh = 0


@lru_cache(maxsize=64)
def _cache_at(path: Path | None) -> FactsCache:
    """Return one cache for all the calls of a child process."""
    return FactsCache(path)


def _load(path: Path) -> dict[str, list[object]]:
    try:
        document = json.loads(path.read_bytes())
        if document["version"] == FACTS_VERSION:
            blobs: dict[str, list[object]] = document["blobs"]
            return blobs
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {}


def _to_row(facts: Facts) -> list[object]:
    signs = sum(bit << place for place, bit in enumerate(facts.signs))
    row: list[object] = [facts.raw, facts.size, facts.lines, signs]
    return [*row, *([[list(span) for span in facts.spans]] if facts.spans else [])]


_COUNT = len(ContentSigns._fields)
_SIGNS = tuple(
    ContentSigns(*(bool(bits >> place & 1) for place in range(_COUNT)))
    for bits in range(1 << _COUNT)
)


def _from_row(row: list[object]) -> Facts:
    raw, size, lines, signs, *rest = row
    assert isinstance(raw, int)
    assert isinstance(size, int)
    assert isinstance(lines, int)
    assert isinstance(signs, int)
    if not rest:
        return Facts(raw, size, lines, _SIGNS[signs])
    assert isinstance(rest[0], list)
    return Facts(raw, size, lines, _SIGNS[signs], tuple(Span(*span) for span in rest[0]))


def gather(
    repository: GitRepository,
    wanted: Iterable[Wanted],
    limit: int,
    cache: FactsCache,
    progress: Progress | None = None,
) -> dict[Wanted, Facts | int]:
    """Return the facts of every wanted blob, from the cache or anew.

    A blob with more bytes than `limit` is never read: its size stands in place of facts. A missing
    blob has -1.
    """
    found: dict[Wanted, Facts | int] = {}
    unknown: list[Wanted] = []
    for item in wanted:
        facts = cache.get(item)
        if facts is None:
            unknown.append(item)
        else:
            found[item] = facts if facts.raw <= limit_of(item, limit) else facts.raw
    sizes = repository.sizes([item.oid for item in unknown]) if unknown else []
    missing: dict[Wanted, int] = {}
    for item, size in zip(unknown, sizes, strict=True):
        if 0 <= size <= limit_of(item, limit):
            missing[item] = size
        else:
            found[item] = size
    if missing:
        found.update(_look(repository, missing, cache, progress))
    return found


def _look(
    repository: GitRepository,
    missing: Mapping[Wanted, int],
    cache: FactsCache,
    progress: Progress | None,
) -> Iterator[tuple[Wanted, Facts]]:
    total = sum(missing.values())
    look = _look_in_children if total > _PARALLEL_BYTES else _look_here
    done = 0
    for item, facts in look(repository, missing):
        cache.put(item, facts)
        yield item, facts
        done += missing[item]
        if progress:
            progress(done, total)


def _look_here(
    repository: GitRepository, missing: Mapping[Wanted, int]
) -> Iterator[tuple[Wanted, Facts]]:
    items = list(missing)
    _expect(sum(missing.values()))
    for item, raw in zip(items, repository.blobs([item.oid for item in items]), strict=True):
        yield item, examine(raw, *item[1:])


def _expect(size: int) -> None:
    """Begin to load the rules for tokens if so many bytes will hardly do without them."""
    if size >= _LIKELY_BYTES:
        from bot.context.secrets.find import preload

        preload()


def _look_in_children(
    repository: GitRepository, missing: Mapping[Wanted, int]
) -> Iterator[tuple[Wanted, Facts]]:
    return run_in_children(
        "bot.context.files.blob_cache",
        repository,
        sorted(missing, key=lambda item: (-missing[item], item)),
        missing.__getitem__,
        _read_row,
        f"Looking through {repository.name} for secrets was cut short, so nothing of it is shown: "
        "try again.",
        share=_SHARE_BYTES,
    )


def _read_row(stream: IO[bytes]) -> Facts | None:
    line = stream.readline()
    return _from_row(json.loads(line)) if line else None


def _serve(arguments: Sequence[str], asked: bytes) -> Iterable[bytes]:
    repository = GitRepository(Path(arguments[0]), arguments[1], seconds=SCAN_SECONDS)
    items = [Wanted(*item) for item in read_items(asked)]
    _expect(_PARALLEL_BYTES)
    for item, raw in zip(items, repository.blobs([item.oid for item in items]), strict=True):
        row = _to_row(examine(raw, *item[1:]))
        yield json.dumps(row, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    limit_process(MEMORY_BYTES, PROCESSOR_SECONDS)
    for row in _serve(sys.argv[1:], sys.stdin.buffer.read()):
        sys.stdout.buffer.write(row)
