"""`forewarm report`: the fold's figures, from the store, for people, machines and as a chart."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from bot.cli import build
from bot.clock import system_now
from bot.errors import ForewarmError
from bot.store.sql.url import default_url
from bot.store.store import Store
from bot.telemetry.figures.daily_stats import DailyStats
from bot.telemetry.figures.money import day_of
from bot.telemetry.figures.report import BadSince, as_tables, build_report, since_day
from bot.telemetry.interfaces import Line
from bot.telemetry.journal import Journal

NOON = 1_800_014_400.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any) -> Path:
    """A home with a journal of two days, written through the real store."""
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    asyncio.run(_fill(default_url(tmp_path), make))
    return tmp_path


async def _fill(url: str, make: Any) -> None:
    store = await Store.open(url, now=system_now)
    journal = Journal(store.journal, source="a", live=DailyStats(), flush_seconds=0)
    journal.start()
    for days in (1, 0):
        at = system_now() - days * 86_400 - 60
        common = {"at": at, "context": "payments"}
        journal.write(make.received(**common))
        journal.write(make.ended(**common, started_at=at, usd=0.25, missed="tools_changed"))
        journal.write(make.ended(**common, started_at=at, purpose="question", usd=0.5))
        journal.write(make.words(**common, total=1.25))
        journal.write(make.answered(**common))
    await journal.close()
    await store.close()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(build(), ["report", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_holds_the_figures_of_the_fold(home: Path) -> None:
    """The Home tab's figures, for a machine."""
    document = json.loads(run("--json"))
    total = document["total"]
    assert (total["usd"], total["answers_usd"], total["warmth_usd"]) == (1.5, 1.0, 0.5)
    assert (total["questions"], total["warm"]["p50"]) == (2, 1.25)
    assert total["misses"] == [["tools_changed", 2]]
    assert list(document["contexts"]) == ["payments"]
    assert len(document["days"]) == 2
    assert set(total) == set(asdict(DailyStats().summary(0.0)))


def test_a_table_is_printed_for_people(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a context, one a day, and why the cache was missed."""
    monkeypatch.setenv("COLUMNS", "160")
    shown = run()
    assert "payments" in shown
    assert "1.50" in shown
    assert day_of(system_now()) in shown
    assert "tools_changed" in shown


def printed(*records: Any) -> list[str]:
    """Return the lines of a report on these records, as a pipe gets them."""
    figures = DailyStats()
    for record in records:
        figures.apply(record)
    console = Console(width=80)
    with console.capture() as caught:
        console.print(*as_tables(build_report(figures, NOON, since=day_of(0.0))), sep="\n")
    return caught.get().splitlines()


def test_piped_no_figure_is_cut_and_no_line_is_too_long(
    home: Path, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    """A report in a mail or a log has 80 columns; a figure that ends in an ellipsis is none."""
    monkeypatch.delenv("COLUMNS", raising=False)
    name = "the-payments-platform-and-everything-around-it"
    lines = printed(make.ended(context=name, purpose="question", usd=90_000.25))
    assert sum(line.count("90000.25") for line in lines) == 4
    assert "".join(re.findall(r"(?m)^ ([a-z-]+)", "\n".join(lines))).count(name) == 2
    lines += run().splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_the_money_shown_adds_up(make: Any) -> None:
    """The cost of drafts and sorting is shown as well, or people look for the rest."""
    spent = {"question": 1.0, "refresh": 2.0, "draft": 4.0, "classify": 8.0}
    records = [make.ended(purpose=purpose, usd=usd) for purpose, usd in spent.items()]
    row = next(line for line in printed(*records) if "payments" in line)
    assert row.split() == ["payments", "0", "0", "1.00", "2.00", "12.00", "15.00", "0", "0"]


def test_since_and_context_narrow_it_down(home: Path) -> None:
    """Today only, one context only."""
    today = day_of(system_now() - 60)
    document = json.loads(run("--json", "--since", today, "--context", "payments"))
    assert document["total"]["usd"] == 0.75
    assert list(document["days"]) == [today]


def test_a_chart_is_written(home: Path) -> None:
    """Money and waits by day."""
    run("--plot", str(home / "chart.png"))
    assert (home / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_a_chart_that_cannot_be_written_is_said(home: Path) -> None:
    """An unknown ending, a folder that is not there."""
    for name in ("chart.nonsense", "nowhere/chart.png"):
        with pytest.raises(ForewarmError, match="cannot be written"):
            run("--plot", str(home / name))


def test_an_unknown_context_names_those_there_are(home: Path) -> None:
    """A typing error must not look like a quiet month."""
    with pytest.raises(ForewarmError, match="payments"):
        run("--context", "paymnets")


def test_without_a_database_it_says_so_and_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in the wrong folder."""
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(ForewarmError):
        run()
    assert not (tmp_path / "none").exists()


def test_since_is_a_day_or_a_number_of_days() -> None:
    """Everything else is refused with an example."""
    now = 1_800_014_400.0  # 2027-01-15
    assert since_day("7d", now) == "2027-01-08"
    assert since_day("2026-11-01", now) == "2026-11-01"
    for wrong in ("", "yesterday", "2026-02-31", "7", "-7d"):
        with pytest.raises(BadSince):
            since_day(wrong, now)


def test_records_that_cannot_be_read_are_told_beside_the_document(home: Path) -> None:
    """A script reads standard output: it stays JSON."""
    asyncio.run(_append_broken(default_url(home)))
    done = CliRunner().invoke(build(), ["report", "--json", "--since", "2020-01-01"])
    assert json.loads(done.stdout)["total"]["questions"] > 0
    assert done.stderr.count("A stored FirstWords cannot be read (no JSON)") == 1


async def _append_broken(url: str) -> None:
    store = await Store.open(url, now=system_now)
    lines = [Line(number, NOON, "FirstWords", "{") for number in (1, 2)]
    await store.journal.append("newer", lines)
    await store.close()
