"""Names that others rely on: scripts, files of contexts, dashboards, and turns that are stored.

The lists are those of version 0.1.0. A name may be added; one that is missing breaks an
installation, so a rename has to read both names, or to say the new one (`bot.settings.RENAMED`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import TypeAdapter
from typer.testing import CliRunner

from bot.answer import tools
from bot.app import replica_actions, shared_memory, warmth
from bot.app.contexts import clones, slack_contexts
from bot.claude.model_check import ModelCheck
from bot.claude.models import ModelSettings
from bot.claude.probe_finding import ProbeFinding
from bot.cli import build
from bot.context.config.schema import ContextConfig
from bot.context.secrets.mask import Span, mask
from bot.slack.people import context_choice
from bot.store import deleted_messages
from bot.stored import dump
from bot.telemetry.journal import Journal
from bot.telemetry.metrics import Metrics
from bot.telemetry.projections import LiveProjections

OPTIONS = {
    "serve": "",
    "demo": "--home --port --repository",
    "check": "--json --life --listen --live",
    "check-model": "--base-url --json",
    "manifest": "--host --name --url --why",
    "pack": "--at --budget --json --output --state -o",
    "report": "--context --json --plot --since",
    "simulate": (
        "--json --keep --log --model --noisy-typing --plot --prefill-seconds --seed --tokens"
        " --typing --wait-cost --warm-ttft"
    ),
    "local-slack": "--config --host --json --movable-clock --port",
    "local-claude": "--config --host --json --port --virtual-clock",
    "bench ttft": (
        "--json --lead --model --plot --repository --runs --tokens --typing --url"
    ),
}  # fmt: skip

CONTEXT_KEYS = {
    "ContextConfig": (
        "access answer_drafts budget_tokens channels effort instructions limits link_hosts mode"
        " model name prompts repositories thinking warm"
    ),
    "RepositoryConfig": "depth exclude first include max_file_bytes name ref url web",
    "AccessConfig": "bots external guests operators",
    "LimitsConfig": "answers_daily_usd channel_per_hour user_per_hour",
    "WarmConfig": "daily_limit_usd wait_cost_per_hour",
}

TOOLS = {
    "search": "pattern regex repository under",
    "read": "end path repository start",
    "list": "repository under",
    "history": "path repository",
}

METRICS = {
    "cache_misses_total",
    "decisions_total",
    "feedback_total",
    "journal_failing",
    "journal_pending",
    "journal_refused_total",
    "perceived_wait_seconds",
    "prefixes",
    "questions_ended_total",
    "questions_open",
    "questions_total",
    "request_seconds",
    "requests_total",
    "signals_total",
    "spent_usd_total",
    "tokens_total",
    "wait_part_seconds",
    "warm_ups_total",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_commands_keep_their_options(name: str) -> None:
    command: Any = typer.main.get_command(build())
    for word in name.split():
        command = command.get_command(None, word)
    options = {option for one in command.params for option in one.opts}
    assert set(OPTIONS[name].split()) <= options


def test_pack_keeps_its_options_as_a_process_of_its_own() -> None:
    """Its arguments are read twice: by the whole command line, and by argparse on a short way."""
    run = subprocess.run(
        [sys.executable, "-m", "bot", "pack", "--help"], capture_output=True, text=True, check=True
    )
    assert all(option in run.stdout for option in OPTIONS["pack"].split())


def test_contexts_keep_their_keys() -> None:
    """They stand in files, and in the contexts that were set in Slack."""
    schema = TypeAdapter(ContextConfig).json_schema()
    found = {"ContextConfig": schema, **schema["$defs"]}
    for table, keys in CONTEXT_KEYS.items():
        assert set(keys.split()) <= found[table]["properties"].keys()


def test_tools_keep_their_names_and_arguments() -> None:
    """Stored turns call them; Claude is sent those turns again."""
    found = {str(one["name"]): set(one["input_schema"]["properties"]) for one in tools.DECLARATIONS}
    for name, arguments in TOOLS.items():
        assert set(arguments.split()) <= found[name]


def test_state_keeps_its_kinds() -> None:
    """`tests/store/test_earlier_version.py` reads a value of each."""
    assert (warmth.KIND, warmth.KEY) == ("warmth", "driver")
    assert clones.KIND == "pack"
    assert slack_contexts.DRAFTS == "codebase draft"
    assert replica_actions.INTERRUPTIONS == "interruption"
    assert shared_memory.QUOTAS == "quota"
    assert deleted_messages.DELETED_MESSAGES == "deleted_message"
    assert context_choice.VIEWED == "viewed_channel"
    assert context_choice.LAST_ASKED == "last_context"
    assert warmth.PREFIX == "writing:"


def test_a_masked_value_keeps_its_form() -> None:
    assert mask(b"key = abc\n", [Span(6, 9, "AWS key")]) == b"key = [masked: AWS key]\n"


def test_metrics_keep_their_names() -> None:
    class Away:
        """A store that is never asked."""

    metrics = Metrics()
    metrics.watch_journal(Journal(Away(), source="s", live=LiveProjections()))  # type: ignore[arg-type]
    lines = metrics.text(0.0).decode().splitlines()
    found = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
    assert {f"forewarm_{name}" for name in METRICS} <= found


# --- what `--json` prints -----------------------------------------------------------------------


def run_json(*arguments: str) -> Any:
    done = CliRunner().invoke(build(), list(arguments))
    return json.loads(done.stdout)


def test_check_keeps_its_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path))
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ANTHROPIC_API_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    findings = run_json("check", "--json")
    assert findings
    assert all({"part", "verdict", "text"} <= one.keys() for one in findings)


def test_pack_keeps_its_keys(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.bin").write_bytes(b"\0\1\2")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    found = run_json("pack", str(tmp_path), "--json")
    keys = "target tokens bytes files overhead omitted fingerprint blocks seconds"
    assert set(keys.split()) <= found.keys()
    assert {"kind", "tokens", "fingerprint", "repository"} <= found["blocks"][0].keys()
    assert {"repository", "path", "reason"} <= found["omitted"][0].keys()


def test_simulate_keeps_its_keys(tmp_path: Path) -> None:
    trace, log = tmp_path / "trace.jsonl", tmp_path / "log.jsonl"
    events = [
        {"t": 60.0 * n, "user": "U1", "thread": f"{n}", "chars": 40, "asks": True}
        for n in range(1, 4)
    ]
    trace.write_text("".join(json.dumps(event) + "\n" for event in events))
    (found,) = run_json("simulate", str(trace), "--json", "--log", str(log))
    keys = (
        "trace questions api_usd wait_p50 wait_p95 wait_mean total_usd optimum_usd ratio baselines"
        " best_fixed against_best"
    )
    assert set(keys.split()) <= found.keys()
    line = json.loads(log.read_text().splitlines()[0])
    assert {"t", "action", "ttl", "reason"} <= line.keys()


def test_check_model_keeps_its_keys() -> None:
    keys = (
        "model works problems settings max_input_tokens max_tokens warmed_tokens read_tokens"
        " cold_seconds warm_seconds usd"
    )
    assert set(keys.split()) <= set(constants(ModelCheck.as_json))
    settings = dump(ModelSettings("claude-sonnet-5-5"))
    assert {"model", "thinking", "effort", "max_tokens"} <= settings.keys()


def test_what_a_live_check_tells_keeps_its_keys() -> None:
    line = json.loads(ProbeFinding("stream", "found", "It lives.").line())
    assert {"item", "outcome", "text", "facts"} <= line.keys()


def test_the_local_servers_keep_their_keys() -> None:
    """Scripts read from them where the servers listen."""
    from forewarm_playground import commands

    assert {"url", "api_url"} <= set(constants(commands.slack_addresses))
    assert "url" in set(constants(commands.claude_addresses))


def test_bench_ttft_keeps_its_keys() -> None:
    from bot.commands.bench_ttft import Run, summarise

    run = dump(Run("cold", 1.0, 0, 0, 0))
    assert {"strategy", "wait", "read", "written", "uncached", "parts", "ack"} <= run.keys()
    runs = [Run(strategy, 1.0, 0, 0, 0) for strategy in ("cold", "kept")]
    found = summarise(runs, 1.0)
    keys = {"title", "runs", "median", "p95"}
    assert keys <= found["cold"].keys()
    assert keys | {"share_of_cold"} <= found["kept"].keys()


def constants(function: Any) -> Iterator[str]:
    """Yield the strings in a function's code: the keys of the document that it builds."""
    for one in function.__code__.co_consts:
        if isinstance(one, str):
            yield one
        elif isinstance(one, tuple):
            yield from (part for part in one if isinstance(part, str))
