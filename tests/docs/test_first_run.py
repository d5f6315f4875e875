"""The first-run guide's commands, run as they stand there, against both emulators."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.slack.local import LocalSlack

from bot.commands.local.demo_stack import free_port
from tests.running import is_whole

GUIDE = Path(__file__).parents[2] / "docs" / "first-run.md"
CHANNEL = "C0PAYMENTS"
_FENCE = re.compile(r"^```sh ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Return the guide's shell blocks in order: what to do with each, and its text."""
    return [(kind, text) for kind, text in _FENCE.findall(GUIDE.read_text("utf-8"))]


def texts(wanted: str) -> Iterator[str]:
    return (text for kind, text in blocks() if kind == wanted)


def environment(folder: Path) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    kept = {"PATH": f"{scripts}:{os.environ['PATH']}", "HOME": str(folder)}
    code = {"REPOSITORY": str(folder / "payments"), "FOREWARM_LOCAL_REPOSITORIES": str(folder)}
    return {**kept, **code, "CHANNEL": CHANNEL, "COLUMNS": "200"}


async def run(text: str, folder: Path, env: dict[str, str]) -> str:
    """Run a block in a shell that stops at the first failure; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", text),
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    assert process.returncode == 0, f"{text}\n{out.decode()}\n{err.decode()}"
    return out.decode()


def repository(folder: Path) -> None:
    folder.mkdir()
    (folder / "refunds.py").write_text("def retry():\n    return 'after an hour'\n" * 400)
    who = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "begin")):
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


@asynccontextmanager
async def neighbours(manifest: Any) -> AsyncIterator[tuple[LocalSlack, dict[str, str]]]:
    """Run a Slack in which the app was made from the manifest, and a Claude."""
    world = {
        "app": {"manifest": manifest},
        "users": ({"id": "U0ASKER", "name": "asker"},),
        "channels": ({"id": CHANNEL, "name": "payments", "members": ("U0ASKER",)},),
        "limits": {"stream_seconds": 1.0, "rates": False},
    }
    async with AsyncExitStack() as stack:
        slack = LocalSlack(world)
        await stack.enter_async_context(slack.serve())
        speed = Latency(base=0.01, per_uncached_token=0, per_cached_token=0, decode=2000)
        claude = LocalClaude(Config(latency=speed))
        claude.rule("refunds", "They are retried in `refunds.py:1`.")
        env = {
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_APP_TOKEN": slack.app.app_token,
            "SLACK_API_URL": slack.api_url,
            "ANTHROPIC_API_KEY": "sk-ant-local",
            "ANTHROPIC_BASE_URL": await stack.enter_async_context(claude.serve()),
            "PORT": str(free_port()),
        }
        yield slack, env


@asynccontextmanager
async def served(text: str, folder: Path, env: dict[str, str]) -> AsyncIterator[None]:
    """Run the block that serves until the end of the context; it must end in good order."""
    with (folder / "serve.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec {text.strip()}"), cwd=folder, env=env, stdout=log, stderr=log
        )
        try:
            await _ready(folder, env)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 40)
    assert code == 0, (folder / "serve.log").read_text()


async def _ready(folder: Path, env: dict[str, str]) -> None:
    """Wait as a reader of the guide does: until its own command succeeds."""
    probe = next(text for text in texts("run") if "readyz" in text)
    for _ in range(150):
        tried = await asyncio.create_subprocess_exec(
            *("bash", "-c", probe),
            cwd=folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if await tried.wait() == 0:
            return
        await asyncio.sleep(0.2)
    raise AssertionError((folder / "serve.log").read_text())


async def test_a_reader_who_follows_the_guide_gets_an_answer(tmp_path: Path) -> None:
    """A guide that is not run goes stale, and costs a stranger the first evening with the bot."""
    repository(tmp_path / "payments")
    env = environment(tmp_path)
    make, context, check, ready, report = texts("run")
    await run(make, tmp_path, env)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    async with neighbours(manifest) as (slack, more):
        env |= more
        await run(context, tmp_path, env)
        asker = slack.user("U0ASKER")
        asker.invite(CHANNEL)
        assert "✗" not in await run(check, tmp_path, env)
        async with served(next(texts("serve")), tmp_path, env):
            await run(ready, tmp_path, env)
            asked = asker.mention(CHANNEL, "where are refunds retried?")
            await slack.until(lambda: is_whole(slack.bot_messages(CHANNEL, asked)), "the answer")
            assert "refunds.py:1" in slack.bot_messages(CHANNEL, asked)[0].text
            assert "first" in await run(report, tmp_path, env)


async def test_the_guides_probe_cleans_up_and_prints_lines_to_send(tmp_path: Path) -> None:
    """The log that operators are asked to send is lines of JSON, and their channel is as it was."""
    repository(tmp_path / "payments")
    env = environment(tmp_path)
    make, context, *_ = texts("run")
    await run(make, tmp_path, env)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    async with neighbours(manifest) as (slack, more):
        env |= more
        await run(context, tmp_path, env)
        slack.user("U0ASKER").invite(CHANNEL)
        # The guide's own command; only the minutes for which a stream is watched are fewer.
        probe = next(texts("probe")).replace("--listen 0", "--listen 0 --life 3")
        await run(probe, tmp_path, env)
        lines = (tmp_path / "findings.jsonl").read_text().splitlines()
        outcomes = [json.loads(line)["outcome"] for line in lines]
        assert set(outcomes) == {"found", "unprobed"}
        assert outcomes.count("found") > 10
        assert slack.bot_messages(CHANNEL) == []


def test_every_block_is_run_or_holds_what_only_its_reader_has() -> None:
    """A new command in the guide must not slip past this file."""
    assert {kind for kind, _ in blocks()} == {"", "run", "serve", "probe"}
    reader = ("export ", "python3 -m venv", "pip install", "forewarm check --live $CHANNEL >")
    assert [text for text in texts("") if not text.startswith(reader)] == []
