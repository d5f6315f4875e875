"""Bad starts: each is one clear sentence, and the process ends."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest
from forewarm_playground.slack.local import LocalSlack

GOOD = {"SLACK_BOT_TOKEN": "xoxb-local", "SLACK_APP_TOKEN": "xapp-1-A0LOCAL-1-local"}


async def last_word(home: Path, environment: dict[str, str]) -> str:
    """Start the bot with nothing but these variables; return its last line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "serve",
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **environment,
        },
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError("the bot neither started nor ended") from None
    assert process.returncode == 1
    return output.decode().strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN"),
        ({"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "SLACK_API_URL"),
        ({"DATABASE_URL": "mysql://somewhere/x"}, "DATABASE_URL"),
        ({"PORT": "many"}, "PORT"),
    ],
)
async def test_what_is_wrong_is_named_and_no_token_is_shown(
    tmp_path: Path, change: dict[str, str], named: str
) -> None:
    slack = LocalSlack({})
    async with slack.serve():
        environment = {**GOOD, "SLACK_API_URL": slack.api_url, "PORT": "0", **change}
        word = await last_word(tmp_path, environment)
    assert word.startswith("forewarm: ")
    assert named in word
    assert "wrong" not in word


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    slack = LocalSlack({})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with slack.serve():
            environment = {
                **GOOD,
                "SLACK_API_URL": slack.api_url,
                "PORT": port,
                "FOREWARM_HOST": "127.0.0.1",
            }
            word = await last_word(tmp_path, environment)
    assert f"Port {port}" in word
