"""The services of the machine that tests of several packages need."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
import structlog

LONGEST = (
    "durability/test_kills_by_name.py",
    "durability/test_random_kills.py",
    "page/test_accessibility.py",
    "durability/test_two_versions.py",
    "page/test_surfaces.py",
    "page/test_browser.py",
    "durability/",
    "safety/",
    "benchmarks/",
    "docs/test_first_run.py",
    "slack/test_flows.py",
)
"""Files and folders whose tests mostly wait, the longest first."""
LOCAL_SERVER = "postgresql://postgres@127.0.0.1:5432/postgres"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each worker begin with a share of the longest tests: none of them is begun last.

    A worker is given a contiguous part of the list (pytest-xdist, `--dist worksteal`).
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    taken: set[pytest.Item] = set()
    for number, name in enumerate(LONGEST):
        found = [item for item in items if f"/tests/{name}" in str(item.path)]
        shares[number % workers] += [item for item in found if item not in taken]
        taken.update(found)
    others = [item for item in items if item not in taken]
    size, at = len(items) // workers, 0
    items.clear()
    for share in shares:
        room = max(size - len(share), 0)
        items += [*share, *others[at : at + room]]
        at += room
    items += others[at:]


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
