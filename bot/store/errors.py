"""Failures of the store, told apart by their remedy.

Every failure of the database leaves this room as one `StoreError`. Nothing is half written: each
operation is one transaction.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import ssl
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.errors import ForewarmError

Reason = Literal[
    "full",  # no room left on the disk
    "locked",  # another transaction holds the lock for too long
    "unreachable",  # the server or the file's folder cannot be reached, or the connection died
    "credentials",  # the server does not accept the user or the password
    "missing",  # the server has no database of this name
    "tls",  # the server speaks no TLS, or its certificate is not trusted
    "parameter",  # the address holds a parameter that neither the server nor the driver takes
    "refused",  # no right to write
    "corrupt",  # the file is damaged or is no database
    "schema",  # never set up
    "newer",  # written by a newer version of Forewarm
    "other",
]

_ABOUT_TLS = re.compile(r"ssl|certificate", re.IGNORECASE)

LEAST_FREE = 65_536
"""Bytes that SQLite needs to open its write-ahead log and the index of that."""

TRANSIENT: frozenset[Reason] = frozenset({"locked", "unreachable"})

_SENTENCES: dict[Reason, str] = {
    "full": "The database's disk is full, so nothing can be stored: free some space on it.",
    "locked": "The database is held by another process, so nothing can be stored right now: stop"
    " the other process, or try again in a minute.",
    "unreachable": "No database answers{place}, so nothing can be stored right now: start the"
    " PostgreSQL server, or correct the host and the port in DATABASE_URL.",
    "credentials": "The PostgreSQL server{place} does not accept the user or the password in"
    " DATABASE_URL, so nothing can be stored: correct them in that variable.",
    "missing": "The PostgreSQL server{place} has no database of the name in DATABASE_URL, so"
    " nothing can be stored: create it with `createdb`, or correct the name.",
    "tls": "No trusted connection to the PostgreSQL server{place} can be made, because it offers no"
    " TLS or its certificate is not known: correct `sslmode` and `sslrootcert` in DATABASE_URL, or"
    " the server.",
    "parameter": "DATABASE_URL holds a parameter behind its `?` that the PostgreSQL server{place}"
    " does not take: remove it; sslmode, sslrootcert and application_name are usual ones.",
    "refused": "The bot may not write to the database{place}, so nothing can be stored: give that"
    " right to the user in DATABASE_URL, or to the bot's user if it is a file.",
    "corrupt": "The database file{place} is damaged or is no database, so nothing can be stored:"
    " restore the newest backup (docs/operations.md), or move the file away to begin without data.",
    "schema": "There are no tables of this version in the database{place}, so nothing can be read:"
    " set FOREWARM_HOME or DATABASE_URL to those of the bot, or start `forewarm serve` once, which"
    " sets them up.",
    "newer": "A newer version of Forewarm wrote the database{place}, so this version cannot use it:"
    " install that version again, or restore a backup that was made before that version was used.",
    "other": "The database{place} failed in an unforeseen way ({detail}), so nothing was stored:"
    " look for this moment in the log of the database.",
}

_FILE_UNREACHABLE = (
    "The database file {place} cannot be opened{why}, so nothing can be stored: correct"
    " DATABASE_URL, or FOREWARM_HOME if that is not set, to a place where the bot's user may write."
)

_SQLITE: dict[str, Reason] = {
    "SQLITE_FULL": "full",
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_CANTOPEN": "unreachable",
    "SQLITE_IOERR": "unreachable",
    "SQLITE_READONLY": "refused",
    "SQLITE_PERM": "refused",
    "SQLITE_AUTH": "refused",
    "SQLITE_CORRUPT": "corrupt",
    "SQLITE_NOTADB": "corrupt",
}

# PostgreSQL's classes and codes (its manual, appendix A), longest prefix first.
_SQLSTATE: tuple[tuple[str, Reason], ...] = (
    ("53100", "full"),
    ("40001", "locked"),
    ("40P01", "locked"),
    ("55P03", "locked"),
    ("57014", "locked"),
    ("42P01", "schema"),
    ("42703", "schema"),
    ("25006", "refused"),
    ("42501", "refused"),
    ("3D000", "missing"),
    ("28", "credentials"),
    ("42704", "parameter"),
    ("22023", "parameter"),
    ("55P02", "parameter"),
    ("08", "unreachable"),
    ("53", "unreachable"),
    ("57P", "unreachable"),
    ("58", "unreachable"),
    ("XX001", "corrupt"),
    ("XX002", "corrupt"),
)


class StoreError(ForewarmError):
    """The store could not do `operation`. `reason` says why; `transient` that waiting may help."""

    def __init__(self, reason: Reason, operation: str, detail: str = "", place: str = "") -> None:
        """`place` is the database's host or file, never with a password."""
        super().__init__(
            _sentence(reason, detail, place),
            asker_message="My database does not answer at the moment, so I cannot. Ask again in a"
            " few minutes; the operators see the reason in my log.",
        )
        self.reason: Reason = reason
        self.operation = operation
        self.detail = detail


def _sentence(reason: Reason, detail: str, place: str) -> str:
    is_file = place.startswith("/")
    if reason == "unreachable" and is_file:
        why = ", since it is a folder" if detail == IsADirectoryError.__name__ else ""
        return _FILE_UNREACHABLE.format(place=place, why=why)
    sentence = _SENTENCES[reason].replace("{detail}", detail or "no reason given")
    return sentence.replace("{place}", f" at {place}" if place else "")


def is_full(folder: Path) -> bool:
    """Tell whether a folder's disk has no room for one more page."""
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False


class LeaseLost(ForewarmError):
    """Another process has taken this question over: nothing more may be shown or stored for it."""

    def __init__(self, question: str) -> None:
        super().__init__(
            "Another process has taken this question over, so this one stops: nothing is to be done"
        )
        self.question = question


def reason_of(error: BaseException) -> Reason | None:
    """Return why the database failed, or None if the error is not the database's."""
    if isinstance(error, PoolTimeout):
        return "locked"
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return "unreachable"
        return _reason_of_driver(error.orig) if error.orig else "other"
    if isinstance(error, StatementError):
        return "other"
    return _reason_of_driver(error)


def _reason_of_driver(error: BaseException) -> Reason | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return next((reason for code, reason in _SQLSTATE if state.startswith(code)), "other")
    if isinstance(error, sqlite3.Error):
        return _reason_of_sqlite(error)
    # SQLAlchemy hides it behind an error of its own.
    if "ClientConfigurationError" in (type(error).__name__, type(error.__cause__).__name__):
        return "tls" if _ABOUT_TLS.search(str(error)) else "parameter"
    if isinstance(error, ssl.SSLError) or (
        isinstance(error, ConnectionError) and "rejected SSL" in str(error)
    ):
        return "tls"
    if isinstance(error, OSError | asyncio.TimeoutError | EOFError):
        return "unreachable"
    # asyncpg's InterfaceError has no state: the connection was closed under the statement.
    if type(error).__module__.startswith(("asyncpg", "sqlalchemy.dialects.postgresql")):
        return "unreachable" if "clos" in str(error) else "other"
    return None


def _reason_of_sqlite(error: sqlite3.Error) -> Reason:
    name = getattr(error, "sqlite_errorname", "") or ""
    if "no such table" in str(error) or "no such column" in str(error):
        return "schema"
    match = (reason for code, reason in _SQLITE.items() if name.startswith(code))
    return next(match, "other")


def detail_of(error: BaseException) -> str:
    """Return a few words for the log: kinds and codes, never a value that was being stored."""
    driver = getattr(error, "orig", None) or error
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", None)
    return f"{type(driver).__name__} {code}" if code else type(driver).__name__
