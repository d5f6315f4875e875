"""The command line as a table: each entry leads somewhere, none is paid for before its call."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from bot.cli import COMMANDS, build


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists(name: str) -> None:
    module, function, _ = COMMANDS[name]
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bot", *name.split(), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "usage: " in run.stdout.lower()


def test_the_list_of_commands_imports_none_of_the_heavy_modules() -> None:
    """`forewarm --help` must answer at once; what a command needs is the command's to import."""
    code = (
        "import sys\n"
        "sys.argv = ['forewarm', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'slack_bolt', 'anthropic', 'aiohttp', 'sqlalchemy', 'rich', 'structlog',"
        " 'detect_secrets', 'matplotlib', 'boto3', 'botocore', 'google'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in run.stdout
    for name in COMMANDS:
        assert name.split()[0] in run.stdout


def test_an_unknown_command_is_refused() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bot", "frobnicate"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "frobnicate" in run.stderr


def test_the_version_is_printed_without_a_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bot", "--version"], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, f"forewarm {version('forewarm-bot')}\n")


@pytest.mark.parametrize(
    ("called", "told"),
    [
        (["sevre"], "No such command 'sevre'. Did you mean 'serve'?"),
        (["db", "cpoy"], "No such command 'cpoy'. Did you mean 'copy'?"),
        (["xyzzy"], "No such command 'xyzzy'."),
        (["local-slack", "--port", "99999"], "65535"),
    ],
)
def test_a_slip_is_told_in_one_sentence(called: list[str], told: str) -> None:
    result = CliRunner().invoke(build(), called)
    assert result.exit_code == 2
    assert told in result.output
