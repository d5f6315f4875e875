"""Checks the citations of an answer on its way from the model to the screen.

Words come in pieces of any size and leave as Markdown in which each citation that holds is a link,
each that does not is plain code, and no other link is alive. Three rules shape it.

*Each character leaves once, in its order, and is never altered afterwards.* Slack has shown it by
then. So the filter decides about a character before it lets it go, and holds back the shortest tail
of the text whose meaning later words can change: a path that is still growing, an open bracket, a
backtick whose partner is missing.

*A right citation is never shown in part.* A model writes 30 to 200 tokens a second, so a citation
of 60 characters may take two seconds to arrive. The tail is therefore held for as long as words go
on to come. It is let go when the model has paused for `PAUSE` seconds, when it is longer than
`HELD` characters, or when the answer ends. A clock that starts with the first character of a tail
would cut citations at some speed.

*A whole citation waits for its file.* The paths of the snapshot are listed, and the files that
citations name are read, in threads; `files_to_read` names them, `know` and `supply` hand them in.
Reading takes milliseconds, but after a push the first reading may look through a whole commit.
`READING` seconds bound it. A citation whose file has not come by then is shown as plain code and
counted as not found, since a link that was not checked is worse than none.

Every piece of text takes the same path: `Scanner` recognises one construct at a time, `Verifier`
judges the citations among them, `SafeMarkdownWriter` collects the result. The result does not
depend on the pieces in which the text came, unless a limit above was reached. `CitationFilter` is
pure: text and times come in, text comes out. `CheckedText` and `Checker` below it are the thin
shell that reads a snapshot in threads. If a step let text go before its meaning is certain, or read
the clock itself, the first two rules would break, and no test of a single piece would show it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Collection, Coroutine, Mapping, Sequence

from bot.context.pack import Snapshot
from bot.delivery.citations.check import Failure, Finding, Inquiry, inquire
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import (
    FileKey,
    LargeFile,
    PathIndex,
    Source,
    read_source,
)
from bot.delivery.citations.safe_output import SafeMarkdownWriter
from bot.delivery.citations.scanner import Scanner
from bot.delivery.citations.tokens import WAIT
from bot.delivery.citations.verifier import Checked, Verifier

PAUSE = 1.5
"""Seconds without new text after which a tail is let go: a pause that a reader notices."""
READING = 5.0
"""Seconds that a whole citation waits for its file."""
HELD = 400
"""Characters that are held back at most."""
KEPT_FILES = 256
KEPT_CHARACTERS = 6_000_000
"""Files of a snapshot that stay in memory for its next answers, and their characters."""
KEPT_SNAPSHOTS = 16
KEPT_PATHS = 100_000
"""Snapshots that answers may come back to, and the paths of all of them."""
_AT_ONCE = 2
"""Files of one snapshot that are read at once: they must not take every thread."""


class CitationFilter:
    """One answer's text on its way to the screen.

    `files_to_read` names the files that have to be read before a citation can be checked; hand
    them in with `supply`, and the paths with `know`.
    """

    def __init__(
        self,
        hosts: Hosts,
        index: PathIndex | None = None,
        sources: Mapping[FileKey, Source | LargeFile] | None = None,
    ) -> None:
        self._writer = SafeMarkdownWriter()
        self._verifier = Verifier(hosts, index, sources or {})
        self._scanner = Scanner(self._writer, self._verifier)
        self._raw = ""
        self._fed_at = 0.0
        self._waiting_since: float | None = None
        self._ended = False
        # Characters at the beginning of the raw text whose citations are not the model's.
        self._uncounted = 0

    def __repr__(self) -> str:
        return f"<CitationFilter {self._verifier} holding {len(self._raw)} characters>"

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many citations were good, corrected and struck."""
        counts = self._verifier.counts
        return counts.good, counts.corrected, counts.struck

    @property
    def used(self) -> frozenset[FileKey]:
        """The files at our own commit that citations name which hold."""
        return frozenset(self._verifier.used)

    @property
    def checked(self) -> Sequence[Checked]:
        """The citations in the order of the text, each with its verdict."""
        return tuple(self._verifier.checked)

    @property
    def reading(self) -> bool:
        """Whether a whole citation waits for its file."""
        return bool(self._raw) and self._verifier.waiting

    @property
    def due(self) -> float | None:
        """When the tail that is held back must be shown; None: nothing is held."""
        if not self._raw:
            return None
        if self._verifier.waiting and self._waiting_since is not None:
            return self._waiting_since + READING
        return self._fed_at + PAUSE

    def files_to_read(self) -> Sequence[FileKey]:
        """Return the files that are needed and were not named before."""
        return self._verifier.files_to_read()

    def inquiries(self) -> Sequence[Inquiry]:
        """Return the checks of large files that are needed and were not named before."""
        return self._verifier.inquiries()

    def know(self, index: PathIndex) -> None:
        """From now on citations can be checked."""
        self._verifier.know(index)

    def supply(self, key: FileKey, source: Source | LargeFile) -> None:
        self._verifier.sources[key] = source

    def supply_finding(self, inquiry: Inquiry, finding: Finding | Failure) -> None:
        self._verifier.findings[inquiry] = finding

    def feed(self, text: str, now: float, *, counted: bool = True) -> None:
        """Take in the model's text as it arrives; `now` in seconds.

        Text that is not `counted` stands before the model's: its citations are linked alone.
        """
        if text:
            self._uncounted += 0 if counted else len(text)
            self._raw += text
            self._fed_at = now

    def end(self) -> None:
        """Take note that no more text will come: only files are waited for from now on."""
        self._ended = True

    def settled(self, now: float, *, final: bool = False) -> str:
        """Return the text that may be shown by now; `final`: all of it, for no more will come."""
        self._scan(now, final=final)
        while self._raw and (final or self._is_overdue(now)):
            self._verifier.forcing = True
            self._verifier.counting = not self._uncounted
            released = self._scanner.release(self._raw)
            self._raw = self._raw[released:]
            self._uncounted = max(0, self._uncounted - released)
            self._verifier.forcing = False
            self._scan(now, final=final)
        if final:
            self._scanner.close()
        return self._writer.take_text()

    def _is_overdue(self, now: float) -> bool:
        # Words behind a citation that waits for its file are no tail: they are only bound by time.
        too_long = len(self._raw) > HELD and not self._verifier.waiting
        due = self.due
        return too_long or (due is not None and now >= due)

    def _scan(self, now: float, *, final: bool) -> None:
        raw, at = self._raw, 0
        self._verifier.waiting = False
        while at < len(raw):
            self._verifier.counting = not self._uncounted
            after = self._scanner.step(raw, at, final or self._ended)
            if after == WAIT:
                break
            self._uncounted = max(0, self._uncounted - (after - at))
            at = after
            self._waiting_since = None
        self._raw = raw[at:]
        if not self._verifier.waiting:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now


def check_text(text: str, snapshot: Snapshot) -> tuple[str, tuple[Checked, ...]]:
    """Check a whole text: return it as Slack would show it, and its citations. Blocks."""
    states = snapshot.repositories()
    check = CitationFilter(Hosts(states), PathIndex.of(snapshot))
    check.feed(text, 0.0)
    check.end()
    shown = [check.settled(0.0)]
    while True:
        files, inquiries = check.files_to_read(), check.inquiries()
        for key in files:
            check.supply(key, read_source(snapshot, key))
        for inquiry in inquiries:
            check.supply_finding(inquiry, inquire(snapshot, inquiry))
        if not files and not inquiries:
            break
        shown.append(check.settled(0.0))
    shown.append(check.settled(0.0, final=True))
    return "".join(shown), tuple(check.checked)


class Checker:
    """Reads one snapshot's paths and files for the answers that cite it."""

    def __init__(self, snapshot: Snapshot, hosts: Collection[str] = ()) -> None:
        self.hosts = Hosts(snapshot.repositories(), hosts)
        self._snapshot = snapshot
        self._index: asyncio.Task[PathIndex] | None = None
        self._prepared: asyncio.Task[None] | None = None
        self._sources: OrderedDict[FileKey, Source | LargeFile] = OrderedDict()
        self._turn = asyncio.Semaphore(_AT_ONCE)

    def __repr__(self) -> str:
        return f"<Checker of {self.hosts}: {len(self._sources)} files read>"

    @property
    def paths(self) -> int:
        """The number of the snapshot's paths, 0 until they are listed."""
        done = self._index is not None and self._index.done() and not self._index.cancelled()
        if not done or self._index is None or self._index.exception() is not None:
            return 0
        return self._index.result().count

    async def index(self) -> PathIndex:
        """Return the snapshot's paths, listed once."""
        failed = (
            self._index is not None
            and self._index.done()
            and (self._index.cancelled() or self._index.exception() is not None)
        )
        if self._index is None or failed:
            self._index = asyncio.ensure_future(asyncio.to_thread(PathIndex.of, self._snapshot))
        return await asyncio.shield(self._index)

    async def prepare(self) -> None:
        """Look through the base commits once, so that no citation waits for that."""
        if self._prepared is None:
            self._prepared = asyncio.ensure_future(asyncio.to_thread(_survey, self._snapshot))
        with contextlib.suppress(Exception):
            # Reading the file will tell.
            await asyncio.shield(self._prepared)

    async def source(self, key: FileKey) -> Source | LargeFile:
        """Return a file at head and base."""
        if key not in self._sources:
            async with self._turn:
                source = await asyncio.to_thread(read_source, self._snapshot, key)
            self._sources[key] = source
            while len(self._sources) > 1 and self._keeps_too_much():
                self._sources.popitem(last=False)
        self._sources.move_to_end(key)
        return self._sources[key]

    async def find(self, inquiry: Inquiry) -> Finding | Failure:
        """Return what a check of a citation of a large file finds."""
        async with self._turn:
            return await asyncio.to_thread(inquire, self._snapshot, inquiry)

    def _keeps_too_much(self) -> bool:
        kept = [source for source in self._sources.values() if isinstance(source, Source)]
        size = sum(len(source.head or "") + len(source.base or "") for source in kept)
        return len(self._sources) > KEPT_FILES or size > KEPT_CHARACTERS


def _survey(snapshot: Snapshot) -> None:
    for state in snapshot.repositories():
        if state.commit != state.base_commit:
            snapshot.read_base(state.name, "")


class CheckedText(CitationFilter):
    """A filter that reads what it needs by a checker. `bot.delivery.delivery.Check`."""

    def __init__(self, checker: Checker) -> None:
        super().__init__(checker.hosts)
        self._checker = checker
        self._listing = False

    def work(self) -> list[Coroutine[None, None, None]]:
        """Return the reading that has to be done, each part once."""
        work = [self._read(key) for key in self.files_to_read()]
        work += [self._find(inquiry) for inquiry in self.inquiries()]
        if not self._listing:
            self._listing = True
            work += [self._list(), self._checker.prepare()]
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

    async def _find(self, inquiry: Inquiry) -> None:
        try:
            self.supply_finding(inquiry, await self._checker.find(inquiry))
        except Exception:
            self.supply_finding(inquiry, "unchecked")
            raise


class Checkers:
    """Makes the filter of each answer; answers on one snapshot share what has been read."""

    def __init__(self) -> None:
        self._checkers: OrderedDict[tuple[int, tuple[str, ...]], Checker] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Checkers of {len(self._checkers)} snapshots>"

    def __call__(self, snapshot: Snapshot, link_hosts: Sequence[str] = ()) -> CheckedText:
        # By identity: two contexts may show one commit and allow different files.
        # The checker keeps the snapshot alive, so the id is not used again.
        key = (id(snapshot), tuple(link_hosts))
        if key not in self._checkers:
            self._checkers[key] = Checker(snapshot, link_hosts)
            while len(self._checkers) > 1 and self._keeps_too_much():
                self._checkers.popitem(last=False)
        self._checkers.move_to_end(key)
        return CheckedText(self._checkers[key])

    def _keeps_too_much(self) -> bool:
        paths = sum(checker.paths for checker in self._checkers.values())
        return len(self._checkers) > KEPT_SNAPSHOTS or paths > KEPT_PATHS
