"""Every usual mistake is told in the same words as before, by the program as it is run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.fork_server import start_fork_server
from tests.commands.mistakes import MISTAKES, Mistake, World, world
from tests.samples import IS_SOAK

TEXTS = Path(__file__).with_name("mistakes.md")
HEAD = "| number | what the operator did | exact text |\n|---|---|---|\n"
IN_EVERY_RUN = frozenset({"6", "36", "38"})
"""No faster test makes these. Each run is a process of two seconds, so the others are soaked."""


@pytest.fixture
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    with start_fork_server() as fork_server:
        async with world(tmp_path_factory.mktemp("world"), fork_server) as opened:
            yield opened


def row(mistake: Mistake, said: str) -> str:
    """Return a row of the table: an answer of several lines stands in one cell."""
    cells = (mistake.number, mistake.did, "<br>".join(said.splitlines()))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


async def write_table(made: World) -> None:
    """Write `mistakes.md` anew."""
    rows = [row(mistake, await made.answer(mistake)) for mistake in MISTAKES]
    TEXTS.write_text(HEAD + "".join(rows))


async def test_each_mistake_is_told_in_these_words(made: World) -> None:
    expected = dict(re.findall(r"^\| (\S+) (\| .*)$", TEXTS.read_text("utf-8"), re.MULTILINE))
    assert [one.number for one in MISTAKES] == list(expected)[1:]
    for mistake in MISTAKES:
        if IS_SOAK or mistake.number in IN_EVERY_RUN:
            said = row(mistake, await made.answer(mistake)).removeprefix(f"| {mistake.number} ")
            assert said.strip() == expected[mistake.number]


def test_no_text_is_a_traceback_or_holds_a_secret() -> None:
    texts = TEXTS.read_text("utf-8")
    assert "Traceback" not in texts
    assert "made-up" not in texts
    assert "secret@" not in texts
