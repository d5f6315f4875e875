"""The whole product on one machine, over real sockets: model, local Slack, page, and the bot.

The bot is the program that `forewarm serve` runs, in a process of its own. It gets the addresses
of the others from the same variables that an operator sets.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from forewarm_playground.page.routes import Introduction, Page
from forewarm_playground.slack.local import LocalSlack

from bot.errors import ForewarmError

OWNER = "U0YOU"
CHANNEL = "C0CODEBASE"
QUIET_CHANNEL = "C0RANDOM"
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
Tell = Callable[[str], None]


class DemoError(ForewarmError):
    """A part of the demo did not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoConfig:
    """Settings of one demo. `model` is the model's id, `model_url` its server (None: Claude's).

    `repository` is a local path or an address, `budget_tokens` the size of its part in the prompt.
    The page shows `notice` and offers `questions`. `prefill_speed`, in tokens per second, lets the
    page say how long a prefill will take. `max_wait` is the longest wait in seconds for which the
    bot may choose excerpts. `show_places` names matching places above the words of a weak model.
    """

    home: Path
    repository: str
    model: str
    model_url: str | None
    budget_tokens: int
    instructions: str = "Answer in a few sentences."
    notice: str = ""
    questions: tuple[str, ...] = ()
    prefill_speed: float | None = None
    max_wait: float | None = None
    show_places: bool = False
    port: int = 0
    single_slot: bool = False
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Demo:
    """A running demo."""

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
        """Give every prefix of the bot a new salt, so that its cache is cold."""
        async with aiohttp.ClientSession() as session:
            headers = {"Authorization": f"Bearer {self.token}"}
            async with session.post(f"{self.bot_url}/state/forget", headers=headers) as answer:
                answer.raise_for_status()


@asynccontextmanager
async def running_demo(config: DemoConfig, tell: Tell = lambda words: None) -> AsyncIterator[Demo]:
    """Run a demo. Yield once the bot is ready and was invited to its channels."""
    async with AsyncExitStack() as stack:
        config.home.mkdir(parents=True, exist_ok=True)
        contexts = _write_context(config)
        token, bot_port = secrets.token_urlsafe(24), free_port()
        bot_url = f"http://127.0.0.1:{bot_port}"
        slack = LocalSlack(_slack_config())
        introduction = Introduction(config.notice, config.questions, CHANNEL, config.prefill_speed)
        page = Page(bot_url, token, introduction)
        require_port(config.port)
        url = await stack.enter_async_context(slack.serve(config.port, mount=page.mount))
        tell("starting the bot")
        environment = _environment(config, slack, contexts, token, bot_port)
        process = await stack.enter_async_context(_bot(environment, config.home / "bot.log"))
        await _until_ready(process, bot_url, token, config.home / "bot.log", tell)
        # The bot joins as a user would invite it: it greets the channel, and warms the codebase.
        for channel in (CHANNEL, QUIET_CHANNEL):
            slack.user(OWNER).invite(channel, slack.bot_user)
        yield Demo(slack, url, bot_url, token, process)


def _slack_config() -> dict[str, Any]:
    from bot.slack.manifest import Features, manifest

    people = (
        {"id": OWNER, "name": "you", "real_name": "You", "admin": True},
        {"id": "U0MATE", "name": "mate", "real_name": "A Teammate"},
    )
    members = tuple(person["id"] for person in people)
    topics = {CHANNEL: "answers from this repository", QUIET_CHANNEL: "no codebase here"}
    names = {CHANNEL: "codebase", QUIET_CHANNEL: "random"}
    return {
        "app": {"manifest": manifest(Features()), "name": "forewarm"},
        "users": people,
        "channels": tuple(
            {"id": channel, "name": names[channel], "topic": topic, "members": members}
            for channel, topic in topics.items()
        ),
    }


def _write_context(config: DemoConfig) -> Path:
    """Write the context file that an operator would write."""
    folder = config.home / "contexts"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"channels = [{_quoted(CHANNEL)}]",
        f"model = {_quoted(config.model)}",
        f"instructions = {_quoted(config.instructions)}",
        f"budget_tokens = {config.budget_tokens}",
        *([] if config.max_wait is None else [f"max_wait = {config.max_wait}"]),
        *(["show_places = true"] if config.show_places else []),
        "",
        "[[repositories]]",
        f"url = {_quoted(config.repository)}",
        f"name = {_quoted(_name_of(config.repository))}",
    ]
    for key, globs in (("include", config.include), ("exclude", config.exclude)):
        if globs:
            lines.append(f"{key} = [{', '.join(map(_quoted, globs))}]")
    (folder / "codebase.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def _name_of(repository: str) -> str:
    """Return a name that a context file takes, from the last part of a path or address."""
    last = repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")[:60] or "repository"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _environment(
    config: DemoConfig, slack: LocalSlack, contexts: Path, token: str, port: int
) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "FOREWARM_"))}
    made = {
        "SLACK_BOT_TOKEN": slack.token,
        "SLACK_APP_TOKEN": slack.app.app_token,
        "SLACK_API_URL": slack.api_url,
        "PORT": str(port),
        "FOREWARM_HOST": "127.0.0.1",
        "FOREWARM_HOME": str(config.home / "bot"),
        "FOREWARM_CONTEXTS": str(contexts),
        "FOREWARM_STATE_TOKEN": token,
        "FOREWARM_SINGLE_SLOT": "true" if config.single_slot else "false",
        "FOREWARM_LOCAL_REPOSITORIES": config.repository,
        "FOREWARM_SALT": secrets.token_hex(4),
    }
    if config.single_slot:
        # The model would let further questions wait without a word. The bot tells their place.
        made["FOREWARM_ANSWERS_AT_ONCE"] = "1"
    if config.model_url is not None:
        kept.pop("ANTHROPIC_API_KEY", None)
        made["ANTHROPIC_BASE_URL"] = config.model_url
    return {**kept, **made, **config.environment}


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
    process: asyncio.subprocess.Process, url: str, token: str, log: Path, tell: Tell
) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                raise DemoError(f"The bot ended at once; its last log line is: {_last_line(log)}")
            try:
                async with session.get(f"{url}/readyz", headers=headers) as answer:
                    state = await answer.json()
                    if state["ok"]:
                        return
                    tell("waiting for " + ", ".join(state["missing"]))
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise DemoError(f"The bot was not ready within {READY_SECONDS:.0f} s; its log is {log}.")


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "nothing"


def require_port(port: int) -> None:
    """Raise `DemoError` if another program listens on the port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} is in use by another program: stop that one, or choose another with"
                " --port."
            ) from error


def free_port() -> int:
    """Return a port that nothing listens on, and that the system gives to no connection.

    The bot listens a second later. A port that the system chooses may be a connection's by then:
    some twenty thousand of them are made in a run of all tests.
    """
    while True:
        # Not by a seed, which tests may have set: workers would choose alike.
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
