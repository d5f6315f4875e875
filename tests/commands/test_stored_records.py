"""`forewarm why`, `feedback` and `audit` on a database as a bot leaves it."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bot.answer.feedback import Opinion
from bot.cli import main
from bot.clock import system_now
from bot.commands.stored_records import since_time
from bot.errors import ForewarmError
from bot.retrieval.coverage import read_rows
from bot.store.history import Asked, History
from bot.store.store import Store
from bot.telemetry.codec import encode, kind_of
from bot.telemetry.interfaces import Line
from tests.telemetry.conftest import Make
from tests.telemetry.test_explain import decided

NOW = 1_800_014_400.0


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out = capsys.readouterr()
    assert ended.value.code == 0, out.err
    return out.out


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a database with two opinions, an audit line and a decision."""
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path))
    monkeypatch.setenv("FOREWARM_CONTEXTS", str(tmp_path / "contexts"))
    monkeypatch.setenv("COLUMNS", "200")
    asyncio.run(_fill(tmp_path))
    return tmp_path


async def _fill(home: Path) -> None:
    store = await Store.open(f"sqlite:///{home / 'forewarm.db'}", now=system_now)
    make, now = Make(), system_now()
    records: list[Any] = [
        make.built(at=now - 60),
        make.received(at=now - 50, channel="C0PAY"),
        decided(at=now - 40),
    ]
    lines = [Line(n, r.at, kind_of(r), encode(r)) for n, r in enumerate(records, 1)]
    await store.journal.append("test", lines)
    for question, value, comment in (("q1", "up", None), ("q2", "down", "=wrong [file], see pay")):
        await store.feedback.give(
            Opinion(
                question=question,
                user="U1",
                workspace="T1",
                value=value,  # type: ignore[arg-type]  # one of the two
                comment=comment,
                context="payments",
            )
        )
    await store.audit.write("T1", "U0BOSS", "attach", "payments", {"url": "https://x.example/y"})
    await store.close()


def test_why_tells_the_reason_from_the_journal(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run(capsys, "why", "C0PAY")
    assert "C0PAY (context payments) is cold: no question is expected within the hour" in text
    found = json.loads(run(capsys, "why", "C0PAY", "--since", "10m", "--json"))
    assert [one["kind"] for one in found["happenings"]] == ["built", "question", "decision"]
    with pytest.raises(SystemExit):
        main(["why", "C0NONE"])
    assert "Nothing is recorded of C0NONE" in capsys.readouterr().err


def test_feedback_is_a_table_json_csv_and_questions(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "=wrong [file], see pay" in run(capsys, "feedback")
    rows = json.loads(run(capsys, "feedback", "--json"))
    assert [(row["question"], row["value"]) for row in rows] == [("q1", "up"), ("q2", "down")]
    table = list(csv.DictReader(run(capsys, "feedback", "--csv", "--bad").splitlines()))
    # A spreadsheet must not take a comment for a formula.
    assert [row["comment"] for row in table] == ["'=wrong [file], see pay"]


def test_a_bad_answer_becomes_a_row_once(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def past(history: History, id: str) -> Asked:
        return Asked({"text": "where is it?", "surface": "modal"}, ())

    monkeypatch.setattr(History, "past", past)
    file = home / "questions.jsonl"
    file.write_text('{"id": "a", "question": "old", "files": []}')
    assert "1 questions were added" in run(capsys, "feedback", "--eval", str(file))
    assert "0 questions were added" in run(capsys, "feedback", "--eval", str(file))
    assert [(row.id, row.question) for row in read_rows(file.read_text())] == [
        ("a", "old"),
        ("q2", "where is it?"),
    ]


def test_the_audit_log_can_be_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "U0BOSS" in run(capsys, "audit")
    [row] = json.loads(run(capsys, "audit", "--json"))
    assert (row["action"], row["detail"]) == ("attach", {"url": "https://x.example/y"})
    assert run(capsys, "audit", "--csv").splitlines()[0] == "at,actor,action,subject,detail"


@pytest.mark.parametrize(
    ("given", "seconds"), [("90m", 5_400), ("2h", 7_200), ("7d", 604_800), ("0d", 0)]
)
def test_a_span_counts_back_from_now(given: str, seconds: float) -> None:
    assert since_time(given, NOW) == NOW - seconds


def test_a_day_is_one_of_utc_and_anything_else_is_refused() -> None:
    assert since_time("2027-01-15", NOW) == 1_799_971_200.0
    for given in ("yesterday", "2x", "", "-1d"):
        with pytest.raises(ForewarmError, match="is no time"):
            since_time(given, NOW)
