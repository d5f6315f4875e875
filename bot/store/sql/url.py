"""Which database a URL means.

`postgres://`, `postgresql://` with any libpq parameters, `sqlite:///relative/path`,
`sqlite:////absolute/path`, or a bare path of a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from bot.errors import ForewarmError

Kind = Literal["sqlite", "postgresql"]

# Written by hosts into their URLs for libpq; asyncpg would pass them to the server, which refuses.
_LIBPQ_ONLY = frozenset({"channel_binding", "connect_timeout", "gssencmode", "keepalives"})


_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class BadDatabaseUrl(ForewarmError):
    """DATABASE_URL names no database that this product speaks. The URL itself is not shown."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"DATABASE_URL {problem}: set it to postgresql://user:password@host/name or"
            " sqlite:///path/to/forewarm.db."
        )


@dataclass(frozen=True, slots=True)
class Location:
    """Address of the database: a file for SQLite, a DSN for PostgreSQL."""

    kind: Kind
    path: Path | None = None
    dsn: str | None = None

    @property
    def place(self) -> str:
        """The host or the file, without user and password."""
        if self.path:
            return str(self.path.absolute())
        parts = urlsplit(self.dsn or "")
        if "," in parts.netloc:
            return parts.netloc.rpartition("@")[2]
        if not parts.hostname:
            return "a local socket"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{host}:{parts.port or 5432}"

    def __repr__(self) -> str:
        # The DSN holds a password.
        return f"<Location {self.kind} at {self.place}>"


def default_url(home: Path) -> str:
    """Return the URL of the file that is used if DATABASE_URL is not set."""
    return f"sqlite:///{home / 'forewarm.db'}"


def locate(url: str) -> Location:
    """Return what `url` means; raise `BadDatabaseUrl`."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Location("sqlite", path=_file(url))
    name = scheme.split("+")[0].lower()
    if name == "sqlite":
        return Location("sqlite", path=_file(rest.removeprefix("/") or "forewarm.db"))
    if name in ("postgres", "postgresql"):
        return Location("postgresql", dsn=_dsn(url))
    raise BadDatabaseUrl(
        f"starts with {scheme!r}, which is no database that Forewarm can use",
    )


def _file(path: str) -> Path:
    if path.startswith(":memory:"):
        raise BadDatabaseUrl("names a database in memory, which is lost when the process ends")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise BadDatabaseUrl(
            f"begins with {Path(path).parts[0]}, which is no home folder"
        ) from None


def _dsn(url: str) -> str:
    parts = urlsplit(url)
    if parts.fragment or "@" in parts.path:
        raise BadDatabaseUrl(
            "cannot be read, because its password holds a character that ends the host's name;"
            " write / as %2F, # as %23 and @ as %40"
        )
    try:
        # Several hosts with a comma between them are left to the driver.
        if "," not in parts.netloc:
            parts.port  # noqa: B018 - it is checked when it is read
    except ValueError:
        raise BadDatabaseUrl("names a port that is no number up to 65535") from None
    _check_ssl(dict(parse_qsl(parts.query)))
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in _LIBPQ_ONLY]
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), ""))


def _check_ssl(parameters: Mapping[str, str]) -> None:
    """Raise `BadDatabaseUrl` for parameters that the driver would refuse without naming them."""
    mode = parameters.get("sslmode", "prefer")
    if mode not in _SSL_MODES:
        raise BadDatabaseUrl(f"has the sslmode {mode!r}, which is none of {', '.join(_SSL_MODES)}")
    for key in _FILES:
        if key in parameters and not Path(parameters[key]).is_file():
            raise BadDatabaseUrl(f"names {parameters[key]} as its {key}, where no file can be read")
