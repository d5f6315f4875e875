"""Runs Slack's own Node clients against a local Slack, in real time and processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / ".package-lock.json"
LOCK = HERE / "package-lock.json"

Json = dict[str, Any]


class Script:
    """A running Node script: what it says, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self, key: str | None = None, seconds: float = 30.0) -> Json:
        """Return the next line, or the next that has `key`."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
            assert line, f"the script ended while {key or 'a line'} was waited for"
            said = self._read(line)
            if said is not None and (key is None or key in said):
                return said

    async def rest(self) -> list[Json]:
        """Return everything that it still says until it ends; fail if it ends badly."""
        assert self._process.stdout is not None
        text = await asyncio.wait_for(self._process.stdout.read(), 60)
        assert await self._process.wait() == 0
        said = [self._read(line) for line in text.splitlines()]
        return [line for line in said if line is not None]

    @staticmethod
    def _read(line: bytes) -> Json | None:
        # The clients log to the same output; only JSON objects are meant for us.
        try:
            said = json.loads(line)
        except ValueError:
            return None
        return said if isinstance(said, dict) else None


Run = Callable[..., AbstractAsyncContextManager[Script]]


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node, with Slack's clients installed from the lock file beside this."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("Slack's Node clients were not run: node and npm are not on PATH")
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < LOCK.stat().st_mtime:
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    return found


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    """A local Slack on real sockets and real time."""
    made = LocalSlack({"delivery": {"ack_seconds": 1.0, "ping_seconds": 0.5}})
    async with made.serve():
        yield made


@pytest.fixture
def run(node: str, slack: LocalSlack) -> Run:
    """Start a script against the local Slack; it is told to end, and has to, at the end."""

    @asynccontextmanager
    async def start(script: str, *arguments: str, transport: str = "") -> AsyncIterator[Script]:
        environment = {
            "PATH": os.environ["PATH"],
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_APP_TOKEN": slack.app.app_token,
            "SLACK_SIGNING_SECRET": slack.app.signing_secret,
            "TRANSPORT": transport,
        }
        process = await asyncio.create_subprocess_exec(
            node,
            str(HERE / script),
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=HERE,
            env=environment,
        )
        try:
            yield Script(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.communicate(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()

    return start
