"""Blocks of the documents that no other test runs: read, or run on this machine alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
from forewarm_playground.claude import config as claude_config
from typer.testing import CliRunner

from benchmarks.made_repository import commit
from bot.claude.prices import price_list_of, use_prices
from bot.cli import build
from bot.context.config.load import parse_context
from bot.warm.replay.traces import read_trace
from tests.docs.test_commands import PAGES, ROOT

BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOP = 'channels = ["C0PAYMENTS"]\n'
URL = '[[repositories]]\nurl = "https://github.com/acme/payments"\n'


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("README.md", "", ""),
        ("docs/contexts.md", "", ""),
        ("docs/git-hosts.md", TOP, ""),
        ("docs/providers.md", TOP, URL),
    ],
)
def test_each_context_that_is_shown_can_be_used(page: str, before: str, after: str) -> None:
    shown = [one for one in blocks(page, "toml") if "[[repositories]]" in one + after]
    assert shown
    for one in shown:
        text = before + one + after
        parse_context("payments", tomllib.loads(text), file=page, text=text, relative_to=ROOT)


def test_the_prices_that_are_shown_go_before_the_lists(tmp_path: Path) -> None:
    [shown] = [one for one in blocks("docs/operations.md", "toml") if "as_of" in one]
    file = tmp_path / "prices.toml"
    file.write_text(shown)
    try:
        use_prices(file)
        assert price_list_of() == date(2026, 12, 1)
    finally:
        use_prices(None)


def test_the_local_claude_takes_the_configuration_that_is_shown() -> None:
    [shown] = [one for one in blocks("docs/playground.md", "toml") if "keep_bodies" in one]
    assert claude_config.config_from(tomllib.loads(shown)).keys


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in PAGES])
def test_a_shell_and_python_can_read_each_block(page: str) -> None:
    for one in blocks(page, "sh"):
        # A word in angle brackets is the reader's own.
        text = re.sub(r"<([\w ]+)>", r"\1", one)
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), one
    for one in blocks(page, "python"):
        # A fragment may stand for the inside of an async function.
        body = "".join(f"    {line}\n" for line in one.splitlines())
        compile(f"async def main():\n{body}", page, "exec")


@pytest.mark.parametrize("page", ["README.md", "docs/first-run.md", "docs/shipping.md"])
def test_files_that_a_block_installs_from_exist(page: str) -> None:
    text = "\n".join(blocks(page, "sh"))
    named = re.findall(r"-r (\S+)", text) + re.findall(r"cp (deploy/\S+)", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_make_knows_each_target() -> None:
    text = "\n".join(one for page in ("README.md", "CONTRIBUTING.md") for one in blocks(page, "sh"))
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert {"demo", "test", "check", "soak"} <= set(targets)
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


def test_the_key_of_a_deployment_is_made(tmp_path: Path) -> None:
    [shown] = [one for one in blocks("docs/git-hosts.md", "sh") if "ssh-keygen" in one]
    make = next(line for line in shown.splitlines() if line.startswith("ssh-keygen"))
    subprocess.run(["bash", "-ec", make], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "payments_key.pub").exists()


def test_the_playground_is_measured_as_shown(tmp_path: Path) -> None:
    [shown] = [one for one in blocks("docs/playground.md", "sh") if "benchmarks" in one]
    [short] = [line for line in shown.splitlines() if "--hours" in line]
    command = re.sub(r"--hours \d+", "--hours 2", short)
    scripts = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command], cwd=ROOT, env={"PATH": scripts}, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["hours"] == 2


def test_coverage_is_measured_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the first block, in a folder beside the repository."""
    code = {f"src/{name}.py": f"def {name}():\n    return 1\n\n\n" * 40 for name in ("pay", "ship")}
    commit(tmp_path / "payments", code)
    here = tmp_path / "here"
    (here / "contexts").mkdir(parents=True)
    (here / "contexts" / "payments.toml").write_text(
        f'{TOP}[[repositories]]\nurl = "{tmp_path / "payments"}"\n'
    )
    row = {"id": "1", "question": "How does pay work?", "files": [{"path": "src/pay.py"}]}
    (here / "questions.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("FOREWARM_LOCAL_REPOSITORIES", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    offline = next(one for one in blocks("docs/evidence.md", "sh") if "forewarm eval" in one)
    lines = [line.split("  #")[0].split() for line in offline.splitlines() if line]
    for words in (words for words in lines if "--from-store" not in words):
        result = CliRunner().invoke(build(), words[1:])
        assert result.exit_code == 0, (words, result.output)


def test_a_trace_is_read_as_shown(tmp_path: Path) -> None:
    [shown] = blocks("docs/governor.md", "json")
    file = tmp_path / "trace.jsonl"
    file.write_text(shown)
    assert [(one.thread, one.is_question) for one in read_trace(file)] == [(1, True), (1, False)]
