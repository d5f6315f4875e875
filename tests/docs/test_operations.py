"""The commands of docs/operations.md, run as they are written."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from bot.answer.feedback import Opinion
from bot.clock import system_now
from bot.store.store import Store
from bot.telemetry.codec import encode, kind_of
from bot.telemetry.interfaces import Line
from tests.telemetry.conftest import Make

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TABLE = re.findall(r"\| `(forewarm [^`]+)`", PAGE.partition("## Questions that")[2])
NAME = "forewarm_documents"


def block(beginning: str) -> str:
    [found] = [one for one in BLOCKS if one.startswith(beginning)]
    return str(found)


def run(text: str, folder: Path, **more: str) -> str:
    """Run a block in a shell, as a reader would who has installed the bot."""
    scripts = str(Path(sys.executable).parent)
    environment = {"PATH": f"{scripts}:{os.environ['PATH']}", "HOME": str(folder), **more}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


async def _write(url: str, lines: int) -> None:
    store = await Store.open(url, now=system_now)
    for number in range(lines):
        await store.audit.write("T1", "U1", "attach", f"context{number}")
    record = Make().received(at=system_now() - 60, channel="C0PAYMENTS")
    await store.journal.append("test", [Line(1, record.at, kind_of(record), encode(record))])
    await store.feedback.give(
        Opinion(question="q", user="U1", workspace="T1", value="down", context="payments")
    )
    await store.close()


async def _count(url: str) -> int:
    store = await Store.open(url, now=system_now, set_up=False)
    found = len(await store.audit.last())
    await store.close()
    return found


def write(url: str, lines: int) -> None:
    asyncio.run(_write(url, lines))


def count(url: str) -> int:
    return asyncio.run(_count(url))


@contextmanager
def database(server: str) -> Iterator[str]:
    """Yield the address of an empty database on a server."""
    parts = urlsplit(server)

    async def order(statement: str) -> None:
        import asyncpg  # type: ignore[import-untyped]  # ships no types

        connection = await asyncpg.connect(server, timeout=10)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(order(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"))
    asyncio.run(order(f"CREATE DATABASE {NAME}"))
    try:
        yield urlunsplit((parts.scheme, parts.netloc, f"/{NAME}", parts.query, ""))
    finally:
        asyncio.run(order(f"DROP DATABASE {NAME} WITH (FORCE)"))


@pytest.fixture
def home(tmp_path: Path) -> str:
    """Return the address of the database of a bot that ran in this folder."""
    (tmp_path / ".forewarm").mkdir()
    url = f"sqlite:///{tmp_path / '.forewarm' / 'forewarm.db'}"
    write(url, 3)
    return url


def test_the_backup_holds_everything_and_can_be_put_back(home: str, tmp_path: Path) -> None:
    run(block("python3 -c"), tmp_path)
    write(home, 2)
    assert count(home) == 5
    run(block("rm -f .forewarm"), tmp_path)
    assert count(home) == 3


@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="PostgreSQL's tools are not installed")
def test_the_same_with_postgresql(postgres_server: str, tmp_path: Path) -> None:
    with database(postgres_server) as url:
        write(url, 3)
        run(block("pg_dump"), tmp_path, DATABASE_URL=url)
        write(url, 2)
        assert count(url) == 5
        run(block("pg_restore"), tmp_path, DATABASE_URL=url)
        assert count(url) == 3


def test_the_move_to_postgresql_and_back(home: str, postgres_server: str, tmp_path: Path) -> None:
    with database(postgres_server) as url:
        there = re.sub(r"postgresql://\S+", url, block("COPY_TO="))
        assert "audit: 3" in run(there, tmp_path)
        assert "audit: 3" in run(block("forewarm db copy --to"), tmp_path, DATABASE_URL=url)
        assert count(url) == count(str(tmp_path / "moved.db")) == 3


def test_the_questions_that_operators_ask_are_answered(home: str, tmp_path: Path) -> None:
    assert [one.split()[1] for one in TABLE] == ["why", "feedback", "feedback", "audit"]
    printed = [run(one, tmp_path) for one in TABLE]
    assert "context payments" in printed[0]
    assert "down" in printed[1]
    assert "questions.jsonl" in printed[2]
    assert "attach" in printed[3]


def test_every_block_of_the_page_is_run_here() -> None:
    begins = ("python3 -c", "rm -f", "pg_dump", "pg_restore", "COPY_TO=", "forewarm db copy --to")
    assert [one for one in BLOCKS if not one.startswith(begins)] == []


def test_each_log_event_of_the_page_is_written_by_the_code() -> None:
    source = "\n".join(file.read_text("utf-8") for file in (ROOT / "bot").rglob("*.py"))
    named = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE)
    events = {name for name in named if not name.startswith("forewarm_")}
    assert len(events) > 10
    assert sorted(name for name in events if name not in source) == []
