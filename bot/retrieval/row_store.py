"""Keeps the index's entries in one SQLite file per repository, by blob id and path.

The file holds nothing that could not be computed again. A file that is damaged, or that another
version wrote, is therefore deleted and begun anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

from bot.context.git.repository import decode_path, encode_path

INDEX_VERSION = 5
"""Raise it if terms, chunks or the layout of a row change: indexes are then built anew."""

_APPLICATION_ID = 0x46574958  # "FWIX": no other program's database is taken for an index.
_BUSY_SECONDS = 5.0
_KEPT_PER_LIVE = 3
"""Rows that are kept for each row in use; the oldest beyond this are deleted."""

_FEW = 200
"""Rows up to which each is looked up by itself; beyond, the whole table is read once."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RowKey(NamedTuple):
    """Identifies an entry: the same blob has other terms under another path or other masks."""

    oid: str
    path: str
    masks: int


class RowStore:
    """Rows by key. Safe for several processes, each with a store of its own.

    `path` is None for a store in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._database = self._open()

    def __repr__(self) -> str:
        return f"<RowStore {self._path or 'in memory'}>"

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, keys: Iterable[RowKey]) -> dict[RowKey, bytes]:
        """Return the rows that are known of these keys. A damaged file has none."""
        wanted = set(keys)
        try:
            return dict(self._read(wanted))
        except sqlite3.DatabaseError as error:
            self._begin_anew(str(error))
            return {}

    def save(self, rows: Mapping[RowKey, bytes], live: int) -> None:
        """Keep rows. `live` is the number of rows in use, which bounds how many are kept in all.

        A disk that is full or busy costs the rows, nothing else.
        """
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO rows (oid, path, masks, data) VALUES (?, ?, ?, ?)",
                    ((*_stored(key), data) for key, data in rows.items()),
                )
                self._delete_oldest(live * _KEPT_PER_LIVE + 1_000)
        except sqlite3.OperationalError as error:
            log.warning("retrieval_index_not_saved", path=str(self._path), error=str(error))
        except sqlite3.DatabaseError as error:
            self._begin_anew(str(error))

    def _delete_oldest(self, most: int) -> None:
        count = self._database.execute("SELECT count(*) FROM rows").fetchone()[0]
        if count > most:
            self._database.execute(
                "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows ORDER BY rowid LIMIT ?)",
                (count - most,),
            )

    def _read(self, wanted: set[RowKey]) -> Iterator[tuple[RowKey, bytes]]:
        columns = "SELECT oid, path, masks, data FROM rows"
        if len(wanted) > _FEW:
            rows: Iterable[tuple[str, bytes, int, bytes]] = self._database.execute(columns)
        else:
            rows = [
                row
                for key in wanted
                for row in self._database.execute(f"{columns} WHERE oid = ?", (key.oid,))
            ]
        for oid, path, masks, data in rows:
            key = RowKey(oid, decode_path(path), masks)
            if key in wanted:
                yield key, data

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or self._path is None:
                raise
            return self._recreate(str(error))
        except (sqlite3.DatabaseError, ValueError) as error:
            return self._recreate(str(error))

    def _connect(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        name = ":memory:" if self._path is None else str(self._path)
        database = sqlite3.connect(name, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            _prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _begin_anew(self, problem: str) -> None:
        self._database.close()
        self._database = self._recreate(problem)

    def _recreate(self, problem: str) -> sqlite3.Connection:
        log.warning("retrieval_index_rebuilt", path=str(self._path), reason=problem)
        if self._path is not None:
            for suffix in ("", "-wal", "-shm", "-journal"):
                with contextlib.suppress(OSError):
                    Path(f"{self._path}{suffix}").unlink()
        try:
            return self._connect()
        except (sqlite3.Error, OSError, ValueError) as error:
            # A disk that takes no file costs a rebuild at every start, not the excerpts.
            log.warning("retrieval_index_not_saved", path=str(self._path), error=str(error))
            self._path = None
            return self._connect()


def _stored(key: RowKey) -> tuple[str, bytes, int]:
    return key.oid, encode_path(key.path), key.masks


def _prepare(database: sqlite3.Connection) -> None:
    """Create the table in a new file; check an old one.

    Raises:
        ValueError: another version wrote the file.
    """
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    mark, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and (mark, version) != (_APPLICATION_ID, INDEX_VERSION):
        raise ValueError(f"it has version {version} and not {INDEX_VERSION}")
    if not tables:
        with database:
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {INDEX_VERSION}")
            database.execute(
                "CREATE TABLE IF NOT EXISTS rows (oid TEXT, path BLOB, masks INTEGER, data BLOB, "
                "UNIQUE (oid, path, masks))"
            )
