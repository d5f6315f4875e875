"""`forewarm eval` as people and scripts run it, on a small repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from bot.cli import build
from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo

if TYPE_CHECKING:
    from tests.context.conftest import Repo

MODULE = '"""{name}."""\n\n' + "def {name}_work(order):\n    return order + 1\n\n\n" * 300
NAMES = ("refund", "receipt", "parcel", "invoice", "voucher", "ledger")


@pytest.fixture
def questions(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path / "home"))
    commit = repo.commit({f"src/{name}.py": MODULE.format(name=name) for name in NAMES})
    rows = [
        {"id": name, "question": f"How does {name} work?", "files": [{"path": f"src/{name}.py"}]}
        for name in NAMES
    ]
    rows.append({"id": "gone", "question": "?", "commit": commit, "files": [{"path": "gone.py"}]})
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def run(repo: Repo, *arguments: str | Path) -> Result:
    given = ["eval", *map(str, arguments), "--repository", str(repo.path)]
    return CliRunner().invoke(build(), given)


def test_the_document_tells_coverage_by_pair_of_sizes(repo: Repo, questions: Path) -> None:
    sizes = ("--budget", "10000,400000", "--excerpts", "0,4000")
    result = run(repo, questions, *sizes, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["questions"] == 6
    assert found["absent"] == [{"id": "gone", "files": ["gone.py"]}]
    table = {(cell["budget"], cell["excerpts"]): cell for cell in found["table"]}
    assert len(table) == 4
    assert table[10_000, 0]["files"] < 1 == table[10_000, 4_000]["files"]
    assert table[400_000, 0]["files"] == 1
    assert table[10_000, 4_000]["wait"] == pytest.approx(0.996)
    assert sum(table[10_000, 0]["where"].values()) == 6
    assert found["best"] in found["table"]
    assert found["auto"]["excerpts"] == 0


def test_rows_are_written_for_one_pair(repo: Repo, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    pair = ("--budget", "10000", "--excerpts", "4000")
    result = run(repo, questions, *pair, "--rows", out)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == list(NAMES)
    for row in rows:
        assert row["covered"] is True
        assert set(row) >= {"id", "covered", "excerpts", "files"}
        for one in row["excerpts"]:
            assert set(one) == {"path", "first", "last", "tokens"}
        assert sum(one["tokens"] for one in row["excerpts"]) <= 4_000


def test_the_table_is_for_people(repo: Repo, questions: Path) -> None:
    result = run(repo, questions, "--budget", "10000", "--excerpts", "4000")
    assert result.exit_code == 0, result.output
    assert "100.0%" in result.output
    assert "budget_tokens = 10000 and excerpt_tokens = 4000" in result.output
    assert "1 more need a file that the commit does not have" in result.output


def test_a_chart_is_drawn(repo: Repo, questions: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.png"
    sizes = ("--budget", "10000", "--excerpts", "0,4000")
    result = run(repo, questions, *sizes, "--plot", chart)
    assert result.exit_code == 0, result.output
    assert chart.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--budget", "a"], "not a list of numbers"),
        (["--excerpts", "-5"], "not a list of numbers"),
        (["--rows", "out"], "needs one budget and one excerpt size"),
        (["--at", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    repo: Repo, questions: Path, arguments: list[str], problem: str
) -> None:
    result = run(repo, questions, *arguments)
    assert result.exit_code == 1
    assert problem in str(result.exception)


@pytest.mark.parametrize("text", ["", "\n\n", "nonsense\n"])
def test_a_file_without_questions_is_refused(repo: Repo, tmp_path: Path, text: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text(text)
    assert run(repo, path).exit_code == 1
    assert run(repo, tmp_path / "missing").exit_code == 1


@pytest.mark.parametrize("arguments", [[], ["--from-store", "7"], ["q.jsonl", "--from-store", "7"]])
def test_questions_come_from_a_file_or_from_the_store_of_a_context(
    repo: Repo, tmp_path: Path, arguments: list[str]
) -> None:
    repo.commit({"a.py": "x = 1\n"})
    result = run(repo, *arguments)
    assert result.exit_code == 1
    assert "--from-store" in str(result.exception)


def test_several_repositories_are_measured_in_one_run(
    repo: Repo, questions: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both.jsonl"
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    both.write_text("".join(json.dumps({**row, "repo": "shop"}) + "\n" for row in rows[:4]))
    more = tmp_path / "more.jsonl"
    more.write_text("".join(json.dumps({**row, "repo": "other"}) + "\n" for row in rows[4:6]))
    out = tmp_path / "rows.jsonl"
    given = ["eval", str(both), str(more), "--repository", f"shop={repo.path}"]
    given += ["--repository", f"other={repo.path}", "--budget", "10000", "--excerpts", "4000"]
    result = CliRunner().invoke(build(), [*given, "--rows", str(out), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["questions"] == 6
    assert [one["repository"] for one in found["repositories"]] == ["shop", "other"]
    assert [one["questions"] for one in found["repositories"]] == [4, 2]
    (cell,) = found["table"]
    assert (cell["files"], cell["wait"]) == (1, pytest.approx(0.996))
    assert found["best"] == cell
    assert len(out.read_text().splitlines()) == 6


def test_a_question_about_no_given_repository_is_named(repo: Repo, questions: Path) -> None:
    given = ["eval", str(questions), "--repository", f"a={repo.path}"]
    result = CliRunner().invoke(build(), [*given, "--repository", f"b={repo.path}"])
    assert result.exit_code == 1
    assert "Question refund is about no repository of a, b" in str(result.exception)
    result = CliRunner().invoke(build(), [*given, "--repository", f"a={repo.path}"])
    assert "Two repositories are called a" in str(result.exception)
