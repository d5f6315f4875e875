"""The filter between the model's words and the screen: citations become links, bad links none.

Text and time come in, safe Markdown goes out, each character once. Only the shortest tail that can
still change its meaning is held back, for at most `HELD` characters and `HOLD` seconds, or
`READING` for a citation whose file is being read. Pure; the `Checker` beneath it is the thin shell
that reads a snapshot's files in threads.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Collection, Coroutine, Mapping, Sequence

from bot.context.pack import Snapshot
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import FileKey, PathIndex, Source, read_source
from bot.delivery.citations.safe_output import SafeMarkdownWriter
from bot.delivery.citations.scanner import Scanner
from bot.delivery.citations.tokens import WAIT
from bot.delivery.citations.verifier import Verifier

HOLD = 0.150
"""Seconds that a tail is held back at most."""
READING = 0.500
"""The same for a whole citation whose file is being read, once first words are out: less than the
gap between two calls of one answer, so that it costs at most one of them."""
HELD = 200
"""Characters that are held back at most."""
KEPT_FILES = 256
"""Files of a snapshot that stay in memory for its next answers."""
KEPT_SNAPSHOTS = 16


class CitationFilter:
    """One answer's text on its way to the screen.

    `wanted` names the files that have to be read before a citation can be checked; hand them in
    with `supply`, and the paths with `know`. What has not come in time leaves its citations as
    plain text: what is on screen is not altered any more.
    """

    def __init__(
        self,
        hosts: Hosts,
        index: PathIndex | None = None,
        sources: Mapping[FileKey, Source] | None = None,
    ) -> None:
        self._outlet = SafeMarkdownWriter()
        self._verifier = Verifier(hosts, index, sources or {})
        self._scanner = Scanner(self._outlet, self._verifier)
        self._raw = ""
        self._fed = 0
        self._begun = False
        self._feeds: deque[tuple[int, float]] = deque()

    def __repr__(self) -> str:
        return f"<CitationFilter {self._verifier} holding {len(self._raw)} characters>"

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many citations were good, corrected and struck."""
        counts = self._verifier.counts
        return counts.good, counts.corrected, counts.struck

    @property
    def due(self) -> float | None:
        """When what is held back must be shown; None: nothing is held."""
        if not self._raw:
            return None
        patient = self._begun and self._verifier.waiting
        return self._feeds[0][1] + (READING if patient else HOLD)

    def wanted(self) -> Sequence[FileKey]:
        """Return the files that are needed and were not named before."""
        return self._verifier.wanted()

    def know(self, index: PathIndex) -> None:
        """From now on citations can be checked."""
        self._verifier.know(index)

    def supply(self, key: FileKey, source: Source) -> None:
        self._verifier.sources[key] = source

    def feed(self, text: str, now: float) -> None:
        """Take in the model's text as it arrives; `now` in seconds."""
        if text:
            self._feeds.append((self._fed, now))
            self._fed += len(text)
            self._raw += text

    def settled(self, now: float, *, final: bool = False) -> str:
        """Return what may be shown by now; `final`: everything, for no more text will come."""
        self._scan(final=final)
        while self._raw and (final or self._overdue(now)):
            self._verifier.forcing = True
            self._drop(self._scanner.release(self._raw))
            self._verifier.forcing = False
            self._scan(final=final)
        if final:
            self._scanner.close()
        shown = self._outlet.taken()
        self._begun = self._begun or bool(shown.strip())
        return shown

    def _overdue(self, now: float) -> bool:
        due = self.due
        return len(self._raw) > HELD or (due is not None and now >= due)

    def _scan(self, *, final: bool) -> None:
        raw, at = self._raw, 0
        self._verifier.waiting = False
        while at < len(raw):
            after = self._scanner.step(raw, at, final)
            if after == WAIT:
                break
            at = after
        self._drop(at)

    def _drop(self, length: int) -> None:
        self._raw = self._raw[length:]
        begin = self._fed - len(self._raw)
        while len(self._feeds) > 1 and self._feeds[1][0] <= begin:
            self._feeds.popleft()


class Checker:
    """Reads one snapshot's paths and files for the answers that cite it."""

    def __init__(self, snapshot: Snapshot, hosts: Collection[str] = ()) -> None:
        self.hosts = Hosts(snapshot.repositories(), hosts)
        self._snapshot = snapshot
        self._index: asyncio.Task[PathIndex] | None = None
        self._sources: OrderedDict[FileKey, Source] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Checker of {self.hosts}: {len(self._sources)} files read>"

    async def index(self) -> PathIndex:
        """Return the snapshot's paths, listed once."""
        if self._index is None or self._index.cancelled():
            self._index = asyncio.ensure_future(asyncio.to_thread(PathIndex.of, self._snapshot))
        return await asyncio.shield(self._index)

    async def source(self, key: FileKey) -> Source:
        """Return a file at head and base."""
        if key not in self._sources:
            source = await asyncio.to_thread(read_source, self._snapshot, key)
            self._sources[key] = source
            if len(self._sources) > KEPT_FILES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(key)
        return self._sources[key]


class CheckedText(CitationFilter):
    """A filter that reads what it needs by a checker. `bot.delivery.delivery.Check`."""

    def __init__(self, checker: Checker) -> None:
        super().__init__(checker.hosts)
        self._checker = checker
        self._listing = False

    def work(self) -> list[Coroutine[None, None, None]]:
        """Return the reading that has to be done, each part once."""
        work = [self._read(key) for key in self.wanted()]
        if not self._listing:
            self._listing = True
            work.append(self._list())
        return work

    async def _list(self) -> None:
        self.know(await self._checker.index())

    async def _read(self, key: FileKey) -> None:
        try:
            self.supply(key, await self._checker.source(key))
        except Exception:
            # Nothing holds in it, and no further citation waits for it.
            self.supply(key, Source(None, None))
            raise


class Checkers:
    """Makes the filter of each answer; answers on one snapshot share what has been read."""

    def __init__(self) -> None:
        self._checkers: OrderedDict[int, Checker] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Checkers of {len(self._checkers)} snapshots>"

    def __call__(self, snapshot: Snapshot) -> CheckedText:
        # By identity: two contexts may show one commit and allow different files.
        # The checker keeps the snapshot alive, so the id is not used again.
        key = id(snapshot)
        if key not in self._checkers:
            self._checkers[key] = Checker(snapshot)
            if len(self._checkers) > KEPT_SNAPSHOTS:
                self._checkers.popitem(last=False)
        self._checkers.move_to_end(key)
        return CheckedText(self._checkers[key])
