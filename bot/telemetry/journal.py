"""The one journal: a record is folded at once, and stored in order soon after.

An accepted record is lost only with the process: records wait in memory for at most the flush
interval, or for as long as the store is away. While it is away, memory is bounded: beyond its room
the journal refuses records, frequent kinds first, counts them and says so once.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from bot.errors import ForewarmError
from bot.stored import UnreadableValue
from bot.telemetry.codec import Reader, encode, kind_of
from bot.telemetry.interfaces import FREQUENT, Entry, JournalStore, Line
from bot.telemetry.projection import Projection

ROOM = 50_000
BATCH = 500
FLUSH_SECONDS = 0.05
FREQUENT_SHARE = 0.8
"""The part of the room that frequent kinds may fill; the rest is for money and answers."""

_log = structlog.get_logger(__name__)


class Journal:
    """Takes this process's records (`source` names the process, once for each start).

    `live` folds are given every record: this process's at once, other replicas' by `follow`.
    `own` folds are given this process's records only: what is scraped from each replica.
    """

    def __init__(
        self,
        store: JournalStore,
        *,
        source: str,
        live: Projection,
        own: Projection | None = None,
        room: int = ROOM,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._store = store
        self._source = source
        self._live = live
        self._own = own
        self._on_other: Callable[[object], None] | None = None
        self._room = room
        self._flush_seconds = flush_seconds
        self._waiting: deque[Line] = deque()
        self._written = self._stored = self._seen = 0
        self._began: int | None = None
        self._arrived = asyncio.Event()
        self._progress = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._reader = Reader(_log_unreadable)
        self.refused = 0
        self.failing = False

    def start(
        self,
        *,
        follow_seconds: float | None = None,
        on_other: Callable[[object], None] | None = None,
    ) -> None:
        """Begin storing. With `follow_seconds`, also read other replicas' records that often.

        `on_other` is called with each of their records, once: this replica learns from them.
        """
        self._on_other = on_other
        self._tasks.append(asyncio.create_task(self._store_forever(), name="journal"))
        if follow_seconds is not None:
            follow = self._follow_forever(follow_seconds)
            self._tasks.append(asyncio.create_task(follow, name="journal follow"))

    def write(self, record: object) -> None:
        """Take a record. Returns at once; raises `UnknownRecord` or ValueError for what is none."""
        kind, at = kind_of(record), float(getattr(record, "at", math.nan))
        if not math.isfinite(at):
            raise ValueError(f"{kind} has no time")
        body = encode(record)
        self._fold(record)
        if not self._has_room(kind):
            self._refuse(kind)
            return
        self._written += 1
        self._waiting.append(Line(self._written, at, kind, body))
        self._arrived.set()

    @property
    def pending(self) -> int:
        """How many records are folded but not yet stored."""
        return len(self._waiting)

    @property
    def unread(self) -> int:
        """How many stored records this version could not read."""
        return self._reader.unread.total()

    async def replay(
        self, fold: Projection, since: float, *, kinds: Sequence[str] | None = None
    ) -> int:
        """Fold the records stored since a Unix time, up to the beginning of this journal.

        It begins at the first call of this method: from there on `follow` reads.
        """
        if self._began is None:
            self._began = self._seen = await self._store.last()
        after, count = 0, 0
        while page := await self._store.read(after, upto=self._began, since=since, kinds=kinds):
            for record in self._readable(page):
                _fold(fold, record)
            after, count = page[-1].seq, count + len(page)
            await asyncio.sleep(0)  # Years of records must not hold the loop.
        return count

    async def flush(self) -> None:
        """Wait until everything accepted so far is stored."""
        target = self._written
        self._arrived.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._stored >= target)

    async def close(self, seconds: float = 10.0) -> int:
        """Store what is left, for at most so many seconds; return how many records were lost."""
        if self._tasks:
            try:
                await asyncio.wait_for(self.flush(), seconds)
            except TimeoutError:
                _log.error("journal_records_lost", records=self.pending)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        return self.pending

    async def follow(self) -> int:
        """Fold what other replicas have stored since the last look; return how many records."""
        end, count = await self._store.last(), 0
        while self._seen < end:
            page = await self._store.read(self._seen, upto=end, not_from=self._source)
            records = self._readable(page)
            for record in records:
                _fold(self._live, record)
            if self._on_other is not None:
                _tell(self._on_other, records)
            count += len(page)
            # Own records lie in between: if none of another replica is left, the end is reached.
            self._seen = page[-1].seq if page else end
        return count

    def _has_room(self, kind: str) -> bool:
        share = FREQUENT_SHARE if kind in FREQUENT else 1.0
        return len(self._waiting) < self._room * share

    def _refuse(self, kind: str) -> None:
        if not self.refused:
            _log.error("journal_full", first=kind, room=self._room)
        self.refused += 1

    def _fold(self, record: object) -> None:
        _fold(self._live, record)
        if self._own is not None:
            _fold(self._own, record)

    def _readable(self, page: Sequence[Entry]) -> list[object]:
        """Return the records of a page without those that this version cannot read."""
        records = map(self._reader.read, page)
        return [record for record in records if record is not None]

    async def _store_forever(self) -> None:
        pause = 0.1
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await asyncio.sleep(self._flush_seconds)
            while self._waiting:
                try:
                    await self._store_batch()
                    pause = 0.1
                except Exception as error:
                    self._complain(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 5.0)

    async def _store_batch(self) -> None:
        batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
        await self._store.append(self._source, batch)
        for _ in batch:
            self._waiting.popleft()
        self.failing = False
        self._stored = batch[-1].number
        async with self._progress:
            self._progress.notify_all()

    def _complain(self, error: Exception) -> None:
        if not self.failing:
            _log.error("journal_not_stored", pending=self.pending, exc_info=error)
        self.failing = True

    async def _follow_forever(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.follow()
            except ForewarmError as error:
                _log.warning("journal_not_read", error=error.user_message)

    def __repr__(self) -> str:
        state = ", store away" if self.failing else ""
        return (
            f"<Journal of {self._source}: {self._written} written, {self.pending} pending,"
            f" {self.refused} refused{state}>"
        )


def _log_unreadable(error: UnreadableValue) -> None:
    _log.warning("journal_record_unreadable", kind=error.name, why=error.problem)


def _fold(fold: Projection, record: object) -> None:
    try:
        fold.apply(record)
    except Exception:
        # A wrong figure must not cost a user an answer.
        _log.exception("a fold failed", fold=repr(fold), record=type(record).__name__)


def _tell(listener: Callable[[object], None], records: Sequence[object]) -> None:
    for record in records:
        try:
            listener(record)
        except Exception:
            _log.exception("journal_listener_failed", record=type(record).__name__)
