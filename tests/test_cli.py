"""The command line as a table: each entry leads somewhere, none is paid for before its call."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from bot.__main__ import replace_unknown_letters
from bot.cli import COMMANDS, build
from bot.commands.check import can_show


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


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_our_letters_shows_the_rest(encoding: str) -> None:
    """An end in the middle of `forewarm check` would hide what is to be fixed."""
    run = subprocess.run(
        [sys.executable, "-m", "bot", "manifest", "--name", "Frage\u2713"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert can_show("\u2713", "utf-8")
    assert not can_show("\u2713", encoding)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    replace_unknown_letters(stream)
    stream.write("\u2713 all")
    stream.flush()
    assert stream.buffer.getvalue() == b"? all"


def test_a_full_disk_under_the_output_is_one_sentence() -> None:
    run = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m bot schema > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.strip().startswith("forewarm: No space is left on the disk")
    assert len(run.stderr.strip().splitlines()) == 1
