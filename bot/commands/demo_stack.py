"""The whole product on one machine, over real sockets: model, local Slack, page, and the bot.

The bot is the very program that `forewarm serve` runs, in a process of its own; it is told where
its neighbours are by the same variables that an operator sets.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from forewarm_playground.page.routes import Page
from forewarm_playground.slack.local import LocalSlack

from bot.errors import ForewarmError

CHANNEL = "C0CODEBASE"
QUIET_CHANNEL = "C0RANDOM"
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
Tell = Callable[[str], None]


class StageError(ForewarmError):
    """A part of the local product did not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is to be played. `model` is the model's id, `model_url` its server (None: Claude's).

    `repository` is a local path or an address; `budget_tokens` what of it fits.
    """

    home: Path
    repository: str
    model: str
    model_url: str | None
    budget_tokens: int
    instructions: str = "Answer in a few sentences."
    notice: str = ""
    port: int = 0
    single_slot: bool = False
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """A running product."""

    slack: LocalSlack
    url: str
    bot_url: str
    token: str
    bot: asyncio.subprocess.Process

    async def state(self) -> dict[str, Any]:
        """Return the bot's own `/state`."""
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {self.token}"}
            async with session.get(f"{self.bot_url}/state", headers=headers) as answer:
                answer.raise_for_status()
                found: dict[str, Any] = await answer.json()
                return found

    async def forget(self) -> None:
        """Have the bot forget its cache."""
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {self.token}"}
            async with session.post(f"{self.bot_url}/state/forget", headers=headers) as answer:
                answer.raise_for_status()


@asynccontextmanager
async def staged(script: Script, tell: Tell = lambda words: None) -> AsyncIterator[Stage]:
    """Play a script: yields once the bot is ready to answer."""
    async with AsyncExitStack() as stack:
        script.home.mkdir(parents=True, exist_ok=True)
        contexts = _write_context(script)
        token, bot_port = secrets.token_urlsafe(24), _free_port()
        bot_url = f"http://127.0.0.1:{bot_port}"
        slack = LocalSlack(_slack_config())
        page = Page(bot_url, token, script.notice)
        require_port(script.port)
        url = await stack.enter_async_context(slack.serve(script.port, mount=page.mount))
        tell("starting the bot")
        environment = _environment(script, slack, contexts, token, bot_port)
        process = await stack.enter_async_context(_bot(environment, script.home / "bot.log"))
        await _until_ready(process, bot_url, script.home / "bot.log", tell)
        yield Stage(slack, url, bot_url, token, process)


def _slack_config() -> dict[str, Any]:
    from bot.slack.manifest import Features, manifest

    people = (
        {"id": "U0YOU", "name": "you", "real_name": "You", "admin": True},
        {"id": "U0MATE", "name": "mate", "real_name": "A Teammate"},
    )
    return {
        "app": {"manifest": manifest(Features()), "name": "forewarm"},
        "users": people,
        "channels": (
            {
                "id": CHANNEL,
                "name": "codebase",
                "topic": "answers from this repository",
                "members": ("U0YOU", "U0MATE", "bot"),
            },
            {
                "id": QUIET_CHANNEL,
                "name": "random",
                "topic": "no codebase here",
                "members": ("U0YOU", "U0MATE", "bot"),
            },
        ),
    }


def _write_context(script: Script) -> Path:
    """Write the context file that an operator would write."""
    folder = script.home / "contexts"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"channels = [{_quoted(CHANNEL)}]",
        f"model = {_quoted(script.model)}",
        f"instructions = {_quoted(script.instructions)}",
        f"budget_tokens = {script.budget_tokens}",
        "",
        "[[repositories]]",
        f"url = {_quoted(script.repository)}",
        'name = "forewarm"',
    ]
    for key, globs in (("include", script.include), ("exclude", script.exclude)):
        if globs:
            lines.append(f"{key} = [{', '.join(map(_quoted, globs))}]")
    (folder / "codebase.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _environment(
    script: Script, slack: LocalSlack, contexts: Path, token: str, port: int
) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "FOREWARM_"))}
    made = {
        "SLACK_BOT_TOKEN": slack.token,
        "SLACK_APP_TOKEN": slack.app.app_token,
        "SLACK_API_URL": slack.api_url,
        "PORT": str(port),
        "FOREWARM_HOST": "127.0.0.1",
        "FOREWARM_HOME": str(script.home / "bot"),
        "FOREWARM_CONTEXTS": str(contexts),
        "FOREWARM_STATE_TOKEN": token,
        "FOREWARM_SINGLE_SLOT": "true" if script.single_slot else "false",
        "FOREWARM_LOCAL_REPOSITORIES": script.repository,
        "FOREWARM_SALT": secrets.token_hex(4),
    }
    if script.model_url is not None:
        kept.pop("ANTHROPIC_API_KEY", None)
        made["ANTHROPIC_BASE_URL"] = script.model_url
    return {**kept, **made, **script.environment}


@asynccontextmanager
async def _bot(
    environment: Mapping[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", env=environment, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), STOP_SECONDS)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def _until_ready(
    process: asyncio.subprocess.Process, url: str, log: Path, tell: Tell
) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                raise StageError(f"The bot ended at once; its last word was: {_last_line(log)}")
            try:
                async with session.get(f"{url}/readyz") as answer:
                    state = await answer.json()
                    if state["ok"]:
                        return
                    tell("waiting for " + ", ".join(state["missing"]))
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise StageError(f"The bot was not ready within {READY_SECONDS:.0f} s; its log is {log}.")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


def require_port(port: int) -> None:
    """Raise `StageError` where another program listens on the port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise StageError(
                f"Port {port} is in use by another program: stop that one, or choose another with"
                " --port."
            ) from error


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
