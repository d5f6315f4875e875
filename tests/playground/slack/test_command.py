"""`forewarm local-slack` runs alone, for a client in another process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

RUN = "import typer; from bot.commands.local.local_slack import local_slack; typer.run(local_slack)"
CONFIG = """
[app]
name = "tested"

[[users]]
id = "U0ONE"

[[channels]]
id = "C0ONE"
members = ["U0ONE", "bot"]
"""


def ask(url: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    """Send a request as any language would, and return the JSON that comes back."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection.request("POST" if body else "GET", path, json.dumps(body or {}), headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and its address."""
    (tmp_path / "slack.toml").write_text(CONFIG)
    arguments = ["--port", "0", "--config", str(tmp_path / "slack.toml"), "--movable-clock"]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments, "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = ""
    while not text.rstrip().endswith("}"):
        line = process.stdout.readline()
        assert line, "the command ended"
        text += line
    yield process, json.loads(text)["url"]
    process.kill()
    process.communicate()


def test_it_serves_controls_and_ends_when_told(
    running: tuple[subprocess.Popen[str], str],
) -> None:
    """A scenario from outside: act, call as the app, move the clock, look; then a clean end."""
    process, url = running
    act = {"user": "U0ONE", "do": "mention", "channel": "C0ONE", "text": "hi"}
    ts = ask(url, "/_control/act", act)["ts"]
    reply = {"channel": "C0ONE", "thread_ts": ts, "text": "answer"}
    assert ask(url, "/api/chat.postMessage", reply, "xoxb-local")["ok"]
    assert ask(url, "/_control/clock", {"advance": 3600})["movable"]
    messages = ask(url, "/_control/transcript?channel=C0ONE")["messages"]
    texts = [message["text"] for message in messages]
    assert texts == ["<@U0BOT> hi", "answer"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
