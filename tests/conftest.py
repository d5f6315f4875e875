"""The services of the machine that tests of several packages need."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
import structlog

LOCAL_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture(autouse=True)
def _default_logs() -> Iterator[None]:
    """A test that configures the logs changes nothing for the next test in its process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of a PostgreSQL server: `FOREWARM_TEST_POSTGRES`, which has to answer where it is
    set, or the one on this machine; where none answers, what needs it is skipped."""
    named = os.environ.get("FOREWARM_TEST_POSTGRES")
    server = named or LOCAL_SERVER
    try:
        asyncio.run(_look(server))
    except (OSError, asyncpg.PostgresError) as error:
        if named:
            raise
        pytest.skip(
            f"no PostgreSQL answers on this machine ({type(error).__name__});"
            " name another in FOREWARM_TEST_POSTGRES"
        )
    return server


async def _look(server: str) -> None:
    await (await asyncpg.connect(server, timeout=10)).close()
