"""A copy of a database holds the same rows, whichever way it goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.answer.feedback import Opinion
from bot.cli import build
from bot.clock import system_now
from bot.store.copy import ROWS, NotEmpty, copy_database
from bot.store.store import Store
from bot.telemetry.interfaces import Line

LINES = 2 * ROWS + 3


async def fill(url: str) -> None:
    """Leave rows with text that is hard to store, binary values, and more than one step's."""
    store = await Store.open(url, now=system_now)
    lines = [Line(n, 1_800_000_000.0 + n, "Signal", '{"x": "\\ud800"}') for n in range(LINES)]
    await store.journal.append("a", lines)
    await store.state.put("kind", "key", b"\x00\xff")
    await store.audit.write("T1", "U1", "attach", "pay", {"why": "\x00 and \ud800"})
    await store.feedback.give(
        Opinion(
            question="q", user="U1", workspace="T1", value="down", comment="\ud800", context="pay"
        )
    )
    await store.close()


async def told(url: str) -> tuple[object, ...]:
    """Return what a bot would read there, and let it write a further row of every serial."""
    store = await Store.open(url, now=system_now)
    page = [entry async for entries in store.journal.replay() for entry in entries]
    found = (
        [(one.seq, one.kind, one.body) for one in page],
        await store.state.get("kind", "key"),
        [(one.actor, one.detail) for one in await store.audit.last()],
        await store.feedback.since(0.0),
    )
    await store.journal.append("b", [Line(1, 1_900_000_000.0, "Signal", "{}")])
    await store.audit.write("T1", "U2", "attach", "pay")
    assert await store.journal.last() > page[-1].seq
    await store.close()
    return found


async def test_a_database_goes_to_postgresql_and_back_with_every_row(
    tmp_path: Path, empty_postgres: str
) -> None:
    first, again = f"sqlite:///{tmp_path / 'first.db'}", f"sqlite:///{tmp_path / 'again.db'}"
    await fill(first)
    steps: list[tuple[str, int, int]] = []
    there = await copy_database(first, empty_postgres, lambda *step: steps.append(step))
    back = await copy_database(empty_postgres, again, lambda *step: None)
    assert there == back
    assert there["journal"] == LINES
    assert [done for table, done, _ in steps if table == "journal"] == [0, ROWS, 2 * ROWS, LINES]
    shutil.copy(tmp_path / "first.db", tmp_path / "kept.db")
    assert await told(first) == await told(empty_postgres) == await told(again)


async def test_a_target_that_holds_rows_is_left_alone(tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    await fill(str(first))
    await fill(str(second))
    before = second.read_bytes()
    with pytest.raises(NotEmpty, match="is not empty"):
        await copy_database(str(first), str(second), lambda *step: None)
    assert second.read_bytes() == before


def test_the_command_prints_the_counts_and_takes_the_present_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    asyncio.run(fill(str(tmp_path / "forewarm.db")))
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path))
    given = ["db", "copy", "--to", str(tmp_path / "copy.db")]
    result = CliRunner().invoke(build(), given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert f"journal: {LINES:,}" in result.output
    assert "rows were copied" in result.output
