"""Slack, Claude and git are reached through the proxy that the environment names, and only so."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

CONTEXT = """
channels = ["C0PAY"]
model = "claude-sonnet-5-5"
[[repositories]]
url = "https://{host}/acme/payments"
"""


async def asked_of_proxy(folder: Path, git_host: str, **more: str) -> set[str]:
    """Run `forewarm check` behind a proxy that refuses everything; return what it was asked for."""
    asked: set[str] = set()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = (await reader.readline()).decode().split()
        asked.add(" ".join(first[:2]))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    contexts = folder / "contexts"
    contexts.mkdir(parents=True)
    (contexts / "pay.toml").write_text(CONTEXT.replace("{host}", git_host))
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "check"),
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "HTTPS_PROXY": f"http://127.0.0.1:{port}",
                "PORT": "0",
                "SLACK_BOT_TOKEN": "xoxb-local",
                "SLACK_APP_TOKEN": "xapp-1-local",
                "SLACK_API_URL": "https://slack.invalid/api/",
                "ANTHROPIC_BASE_URL": "https://claude.invalid",
                "ANTHROPIC_API_KEY": "sk-ant-local",
                **more,
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(120):
            await process.wait()
    return asked


async def test_every_service_is_reached_through_the_proxy(tmp_path: Path) -> None:
    assert await asked_of_proxy(tmp_path, "git.invalid") == {
        "CONNECT slack.invalid:443",
        "CONNECT claude.invalid:443",
        "CONNECT git.invalid:443",
    }


async def test_hosts_of_no_proxy_are_reached_without_it(tmp_path: Path) -> None:
    given = "slack.invalid,git.invalid"
    asked = await asked_of_proxy(tmp_path, "git.invalid", NO_PROXY=given)
    assert asked == {"CONNECT claude.invalid:443"}
