"""Both engines for every test of the store: a fresh file, a fresh PostgreSQL schema."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest

from bot.store.sql.tables import metadata
from bot.store.store import Store


class Clock:
    """Wall time that a test turns by hand."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def _scratch(server: str) -> Iterator[str]:
    """A database of our own on the server, dropped at the end."""
    name = f"forewarm_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(_on_server(server, f'CREATE DATABASE "{name}"'))
    parts = urlsplit(server)
    try:
        yield urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
    finally:
        asyncio.run(_on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture(scope="session")
def _empty_database(postgres_server: str) -> Iterator[str]:
    with _scratch(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def _migrated_database(postgres_server: str) -> Iterator[str]:
    with _scratch(postgres_server) as url:
        asyncio.run(_migrate(url))
        yield url


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "forewarm.db"
    asyncio.run(_migrate(str(path)))
    return path


@pytest.fixture
def empty_postgres(_empty_database: str) -> str:
    """A database on PostgreSQL without any table."""
    asyncio.run(_on_server(_empty_database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
    return _empty_database


@pytest.fixture
def postgres_url(_migrated_database: str) -> str:
    """A database on PostgreSQL with all tables and no rows."""
    names = ", ".join(f'"{name}"' for name in metadata.tables)
    asyncio.run(_on_server(_migrated_database, f"TRUNCATE {names} RESTART IDENTITY"))
    return _migrated_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, of each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'forewarm.db'}"
    found: str = request.getfixturevalue("empty_postgres")
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables and no rows, of each engine in turn.

    Migrating takes longer than most tests; it has tests of its own.
    """
    if request.param == "sqlite":
        path = tmp_path / "forewarm.db"
        shutil.copy(request.getfixturevalue("_migrated_file"), path)
        return f"sqlite:///{path}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    opened = await Store.open(url, now=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def other(store: Store, url: str, clock: Clock) -> AsyncIterator[Store]:
    """A second replica on the same database."""
    opened = await Store.open(url, now=clock)
    yield opened
    await opened.close()


async def _migrate(url: str) -> None:
    await (await Store.open(url, now=Clock())).close()


async def _on_server(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
