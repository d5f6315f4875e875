"""Sixty usual mistakes of operators. `mistakes.md` holds what the program says to each."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import aiohttp
from aiohttp import web
from forewarm_playground.claude import Identity, LocalClaude
from forewarm_playground.claude.config import config_from
from forewarm_playground.slack.config import ALL_SCOPES
from forewarm_playground.slack.local import LocalSlack

from benchmarks.fork_server import ForkServer
from benchmarks.made_repository import commit
from bot.commands.local.demo_stack import free_port
from tests.slack.githost import certificate, serving_tls

KEY = "sk-ant-local"
GOOD = 'channels = ["C0PAY"]\nmodel = "claude-sonnet-5-5"\n\n[[repositories]]\nurl = "{code}"\n'
NOISE = re.compile(r"^(?:✓ |· |\{|\d+ to fix\.$)")
Act = Callable[["World", int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake: its number, the words for it and how it is made.

    `environment` replaces variables (an empty one is not set). `files` are context files.
    `prepare` is called with the mistake's folder before the start, and what it returns is closed
    at the end. `act` is done beside a bot that runs; `event` is the log line that then tells of
    the mistake.
    `{...}` in texts are names of the world's places.
    """

    number: str
    did: str
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=lambda: {"pay.toml": GOOD})
    command: tuple[str, ...] = ("check",)
    prepare: Callable[[Path], Any] = lambda place: None
    act: Act | None = None
    event: str = ""
    few_scopes: bool = False


class World:
    """Both emulators and a repository, beside which mistakes are made one after another."""

    def __init__(
        self,
        folder: Path,
        fork_server: ForkServer,
        slack: LocalSlack,
        poor: LocalSlack,
        claude_url: str,
        git_host: str,
        database: str,
    ) -> None:
        self.folder, self._fork_server, self.slack, self._poor = folder, fork_server, slack, poor
        self._claude_url, self._git_host, self._database = claude_url, git_host, database
        self.code = folder / "code"
        commit(self.code, {"pay.py": "x = 1\n" * 500})
        (folder / "file").write_text("")

    async def answer(self, mistake: Mistake) -> str:
        """Make the mistake; return every line of the answer that tells of it."""
        place = self.folder / mistake.number
        contexts = place / "contexts"
        contexts.mkdir(parents=True)
        for name, text in mistake.files.items():
            body = text if isinstance(text, bytes) else self._filled(text, place).encode()
            (contexts / name).write_bytes(body)
        held = mistake.prepare(place)
        port, environment = free_port(), self._environment(place)
        environment |= {"PORT": str(port)}
        environment |= {k: self._filled(v, place) for k, v in mistake.environment.items()}
        if mistake.few_scopes:
            environment |= {
                "SLACK_API_URL": self._poor.api_url,
                "SLACK_BOT_TOKEN": self._poor.token,
                "SLACK_APP_TOKEN": self._poor.app.app_token,
            }
        log = place / "output"
        arguments = [self._filled(word, place) for word in mistake.command]
        given = {name: value for name, value in environment.items() if value}
        pid = await self._fork_server.start(given, log, arguments)
        if mistake.act is not None:
            await self._wait(lambda: log.exists() and '"started"' in log.read_text())
            await mistake.act(self, port)
            await self._wait(lambda: mistake.event in log.read_text())
            await self._fork_server.kill(pid, 15)
        async with asyncio.timeout(60):
            while await self._fork_server.exit_code(pid) is None:
                await asyncio.sleep(0.02)
        if held is not None:
            held.close()
        return self._told(mistake, log.read_text(), place)

    async def _wait(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.02)

    def _environment(self, place: Path) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "COLUMNS": "2000",
            "SLACK_BOT_TOKEN": self.slack.token,
            "SLACK_APP_TOKEN": self.slack.app.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": self._claude_url,
            "FOREWARM_STATE_TOKEN": "a long random text",
            "FOREWARM_HOST": "127.0.0.1",
            "FOREWARM_HOME": str(place / "home"),
            "FOREWARM_CONTEXTS": str(place / "contexts"),
            "FOREWARM_LOCAL_REPOSITORIES": str(self.folder),
        }

    def _filled(self, text: str, place: Path) -> str:
        names: dict[str, object] = {"code": self.code, "folder": self.folder, "place": place}
        names |= {
            "slack": self.slack.url.rpartition(":")[2],
            "claude": self._claude_url,
            "host": self._git_host,
            "database": self._database,
        }
        for name, value in names.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def _told(self, mistake: Mistake, output: str, place: Path) -> str:
        if mistake.event:
            line = next(line for line in output.splitlines() if mistake.event in line)
            fields = json.loads(line)
            return json.dumps({k: v for k, v in fields.items() if k not in ("timestamp", "logger")})
        lines = [line.rstrip() for line in output.splitlines() if line and not NOISE.match(line)]
        told = "\n".join(lines)
        # The size follows from the code's commit, which is another one in each world.
        told = re.sub(r"takes \d,\d{3} tokens", "takes 3,678 tokens", told)
        for real, shown in ((place, "/srv/forewarm"), (self.folder, "/srv"), (os.getcwd(), "/srv")):
            told = told.replace(str(real), shown)
        for address in (self.slack.url, self._claude_url, self._git_host, self._database):
            told = told.replace(address.rpartition(":")[2], "3000")
        return told


@asynccontextmanager
async def world(folder: Path, fork_server: ForkServer) -> AsyncIterator[World]:
    """Open what mistakes are made beside."""
    channels = (
        {"id": "C0PAY", "name": "pay", "members": ("U0ASKER", "bot")},
        {"id": "C0AWAY", "name": "away", "members": ("U0ASKER",)},
        {"id": "C0OLD", "name": "old", "members": ("U0ASKER", "bot"), "archived": True},
    )
    models = {"claude-haiku-5-5": {"context": 3_000}}
    async with AsyncExitStack() as stack:
        few = tuple(s for s in ALL_SCOPES if s not in ("app_mentions:read", "chat:write"))
        slack, poor = (
            LocalSlack({"channels": channels}),
            LocalSlack({"app": {"scopes": few}, "channels": channels}),
        )
        await stack.enter_async_context(slack.serve())
        await stack.enter_async_context(poor.serve())
        claude = LocalClaude(replace(config_from({"models": models}), keys={KEY: Identity()}))
        url = await stack.enter_async_context(claude.serve())
        folder.mkdir(exist_ok=True)
        host = await stack.enter_async_context(serving_tls(_refuse, certificate(folder)))
        database = await stack.enter_async_context(strict_database())
        yield World(folder, fork_server, slack, poor, url, host, database)


@asynccontextmanager
async def strict_database() -> AsyncIterator[str]:
    """Serve a PostgreSQL that accepts no password; yield its host and port."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"N", None):  # no TLS; then the start of a session
            length = int.from_bytes(await reader.readexactly(4), "big")
            await reader.readexactly(length - 4)
            if answer is None:
                fields = b"SFATAL\0C28P01\0Mpassword authentication failed\0\0"
                answer = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"


async def _refuse(request: web.Request) -> web.Response:
    return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})


async def send_event(port: int, stamp: float) -> None:
    """Send an event that is not signed with this installation's secret."""
    headers = {
        "X-Slack-Request-Timestamp": str(int(stamp)),
        "X-Slack-Signature": f"v0={'0' * 64}",
    }
    async with aiohttp.ClientSession() as session:
        await session.post(f"http://127.0.0.1:{port}/slack/events", data=b"{}", headers=headers)


async def send_wrongly_signed(made: World, port: int) -> None:
    await send_event(port, time.time())


async def send_late(made: World, port: int) -> None:
    await send_event(port, time.time() - 600)


async def send_push(made: World, port: int) -> None:
    """Send a push as GitHub would if another secret had been typed there."""
    async with aiohttp.ClientSession() as session:
        await session.post(
            f"http://127.0.0.1:{port}/webhooks/github",
            data=b"{}",
            headers={"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={'0' * 64}"},
        )


async def break_context(made: World, port: int) -> None:
    """Save a context file with an error while the bot runs."""
    file = made.folder / "39" / "contexts" / "pay.toml"
    file.write_text(GOOD.replace("{code}", str(made.code)) + "modle = 'x'\n")


def put_old_database(place: Path) -> None:
    (place / "forewarm.db").write_text("")


def put_newer_database(place: Path) -> None:
    """Set up a database as a version does that does not exist yet."""
    connection = database_of(place)
    connection.execute("CREATE TABLE forewarm_version (version_num TEXT)")
    connection.execute("INSERT INTO forewarm_version VALUES ('9999')")
    connection.commit()
    connection.close()


def lock_database(place: Path) -> sqlite3.Connection:
    connection = database_of(place)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def database_of(place: Path) -> sqlite3.Connection:
    (place / "home").mkdir()
    return sqlite3.connect(place / "home" / "forewarm.db")


def damage_database(place: Path) -> None:
    (place / "home").mkdir()
    (place / "home" / "forewarm.db").write_bytes(b"no database" * 500)


def hold_home(place: Path) -> TextIO:
    """Hold the database file as a bot that runs does."""
    (place / "home").mkdir()
    lock = (place / "home" / "forewarm.db.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def make_folder_of_context(place: Path) -> None:
    (place / "contexts" / "shop.toml").mkdir()


def context(text: str) -> dict[str, str | bytes]:
    """Return the only context file."""
    return {"pay.toml": text}


SECRET = "0123456789abcdef0123456789abcdef"
HTTP = {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": SECRET}

MISTAKES: tuple[Mistake, ...] = (
    Mistake(
        number="1",
        did="set SLACK_BOT_TOKEN to a user's token (xoxp-…)",
        environment={"SLACK_BOT_TOKEN": "xoxp-1-made-up"},
    ),
    Mistake(
        number="2",
        did="exchanged SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
        environment={"SLACK_BOT_TOKEN": "xapp-1-made-up", "SLACK_APP_TOKEN": "xoxb-made-up"},
    ),
    Mistake(
        number="3",
        did="installed the app without the scopes app_mentions:read and chat:write",
        few_scopes=True,
    ),
    Mistake(
        number="4",
        did="listed a channel that does not exist (C0NONE) and one without the bot (C0AWAY)",
        files=context(GOOD.replace('"C0PAY"', '"C0PAY", "C0NONE", "C0AWAY"')),
    ),
    Mistake(
        number="5",
        did='wrote the channel\'s name: channels = ["#general"]',
        files=context(GOOD.replace("C0PAY", "#general")),
    ),
    Mistake(
        number="6",
        did="named a private repository without a token for its host",
        files=context(GOOD.replace("{code}", "https://{host}/acme/private")),
        environment={"GIT_SSL_CAINFO": "{folder}/certificate.pem"},
    ),
    Mistake(
        number="7",
        did='wrote a glob with an open bracket: include = ["src/[a"]',
        files=context(GOOD + 'include = ["src/[a"]\n'),
    ),
    Mistake(
        number="8",
        did='wrote a glob that matches nothing: include = ["sorce/**"]',
        files=context(GOOD + 'include = ["sorce/**"]\n'),
    ),
    Mistake(
        number="9",
        did='wrote a text for a list: channels = "C0PAY"',
        files=context(GOOD.replace('["C0PAY"]', '"C0PAY"')),
    ),
    Mistake(
        number="10",
        did='misspelled the model: model = "claude-sonet-5-5"',
        files=context(GOOD.replace("sonnet", "sonet")),
    ),
    Mistake(
        number="11",
        did="left PORT at a port that another program uses",
        environment={"PORT": "{slack}"},
    ),
    Mistake(
        number="12",
        did="set FOREWARM_HOME to a file",
        environment={"FOREWARM_HOME": "{folder}/file"},
    ),
    Mistake(
        number="13",
        did="did not start the PostgreSQL server that DATABASE_URL names",
        environment={"DATABASE_URL": "postgresql://forewarm:secret@127.0.0.1:9/forewarm"},
    ),
    Mistake(
        number="14",
        did="set DATABASE_URL to a MySQL database",
        environment={"DATABASE_URL": "mysql://forewarm:secret@127.0.0.1/forewarm"},
    ),
    Mistake(
        number="15",
        did="set DATABASE_URL=localhost:5432",
        environment={"DATABASE_URL": "localhost:5432"},
    ),
    Mistake(
        number="16",
        did="gave two context files the same channel",
        files={"pay.toml": GOOD, "shop.toml": GOOD},
    ),
    Mistake(
        number="17",
        did="misspelled a key: modle",
        files=context('modle = "x"\n' + GOOD),
    ),
    Mistake(
        number="18",
        did="copied another app's signing secret; Slack sends an event",
        environment=HTTP,
        command=("serve",),
        act=send_wrongly_signed,
        event="slack_requests_refused",
    ),
    Mistake(
        number="19",
        did="cannot reach the Claude API from this machine",
        environment={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
    ),
    Mistake(
        number="20",
        did="set a wrong ANTHROPIC_API_KEY",
        environment={"ANTHROPIC_API_KEY": "sk-ant-made-up"},
    ),
    Mistake(
        number="21",
        did="set FOREWARM_LOG_LEVEL=LOUD",
        environment={"FOREWARM_LOG_LEVEL": "LOUD"},
    ),
    Mistake(
        number="22",
        did="set FOREWARM_OPERATORS=@boss",
        environment={"FOREWARM_OPERATORS": "@boss"},
    ),
    Mistake(
        number="23a",
        did='named a branch that does not exist: ref = "mian"',
        files=context(GOOD + 'ref = "mian"\n'),
    ),
    Mistake(
        number="23b",
        did="left a bracket open in a context file",
        files=context("channels = [\n"),
    ),
    Mistake(
        number="23c",
        did="set FOREWARM_CONTEXTS to a folder that does not exist",
        environment={"FOREWARM_CONTEXTS": "{place}/kontexts"},
    ),
    Mistake(number="23d", did="set PORT=abc", environment={"PORT": "abc"}),
    Mistake(
        number="23e",
        did='wrote budget_tokens = "400k"',
        files=context('budget_tokens = "400k"\n' + GOOD),
    ),
    Mistake(
        number="24",
        did="set neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET",
        environment={"SLACK_APP_TOKEN": ""},
    ),
    Mistake(
        number="25",
        did="did not set ANTHROPIC_API_KEY",
        environment={"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""},
    ),
    Mistake(
        number="26",
        did="set FOREWARM_DAILY_LIMIT_USD='$20'",
        environment={"FOREWARM_DAILY_LIMIT_USD": "$20"},
    ),
    Mistake(
        number="27",
        did="named a clone on this machine outside FOREWARM_LOCAL_REPOSITORIES",
        environment={"FOREWARM_LOCAL_REPOSITORIES": ""},
    ),
    Mistake(
        number="28",
        did='copied the SSH address: url = "git@github.com:acme/payments.git"',
        files=context(GOOD.replace("{code}", "git@github.com:acme/payments.git")),
    ),
    Mistake(
        number="29",
        did="wrote [repositories] with one pair of brackets",
        files=context(GOOD.replace("[[repositories]]", "[repositories]")),
    ),
    Mistake(
        number="30",
        did="left the repository's url out",
        files=context(GOOD.replace('url = "{code}"', 'ref = "main"')),
    ),
    Mistake(
        number="31",
        did="saved the context file as UTF-16 in an editor on Windows",
        files={"pay.toml": GOOD.encode("utf-16")},
    ),
    Mistake(
        number="32",
        did="chose a model whose window is smaller than the code and an answer",
        files=context(GOOD.replace("claude-sonnet-5-5", "claude-haiku-5-5")),
    ),
    Mistake(
        number="33",
        did="lists an archived channel",
        files=context(GOOD.replace('"C0PAY"', '"C0PAY", "C0OLD"')),
    ),
    Mistake(
        number="34",
        did="set FOREWARM_PRICES to a file that does not exist",
        environment={"FOREWARM_PRICES": "/nonexistent/prices.toml"},
    ),
    Mistake(
        number="35",
        did="starts version 0.2 without FOREWARM_HOME beside version 0.1's database in $HOME",
        environment={"FOREWARM_HOME": ""},
        prepare=put_old_database,
        command=("serve",),
    ),
    Mistake(
        number="36",
        did="set ANTHROPIC_BASE_URL with /v1 at its end",
        environment={"ANTHROPIC_BASE_URL": "{claude}/v1"},
    ),
    Mistake(
        number="37",
        did="runs it on a machine without git",
        environment={"PATH": "/nonexistent"},
    ),
    Mistake(
        number="38",
        did="has a clock that is ten minutes wrong; Slack sends an event",
        environment=HTTP,
        command=("serve",),
        act=send_late,
        event="slack_requests_refused",
    ),
    Mistake(
        number="39",
        did="saved a misspelled key in a context file while the bot runs",
        command=("serve",),
        act=break_context,
        event="context_kept_as_it_was",
    ),
    Mistake(
        number="40",
        did="typed another secret at GitHub's webhook than GITHUB_WEBHOOK_SECRET; GitHub sends a"
        " push",
        environment={"GITHUB_WEBHOOK_SECRET": "a long random text"},
        command=("serve",),
        act=send_push,
        event="webhooks_refused",
    ),
    Mistake(
        number="41",
        did="wrote a number for a list: channels = 5",
        files=context(GOOD.replace('["C0PAY"]', "5")),
    ),
    Mistake(
        number="42",
        did="named two repositories whose names are the same",
        files=context(GOOD + '\n[[repositories]]\nurl = "{code}"\n'),
    ),
    Mistake(
        number="43",
        did="set SLACK_APP_TOKEN to the bot token, and SLACK_BOT_TOKEN not at all",
        environment={"SLACK_APP_TOKEN": "xoxb-made-up", "SLACK_BOT_TOKEN": ""},
    ),
    Mistake(
        number="44",
        did="set SLACK_SIGNING_SECRET to the app-level token",
        environment={"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "xapp-made-up"},
    ),
    Mistake(
        number="45",
        did="kept the quotes of a settings file: SLACK_BOT_TOKEN='\"xoxb-…\"'",
        environment={"SLACK_BOT_TOKEN": '"xoxb-made-up"'},
    ),
    Mistake(
        number="46",
        did="set GITHUB_APP_PRIVATE_KEY_FILE to a file that does not exist",
        environment={"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY_FILE": "/nonexistent/key.pem"},
    ),
    Mistake(
        number="47",
        did="set GITHUB_APP_PRIVATE_KEY_FILE to a file that holds no key",
        environment={"GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY_FILE": "{code}/pay.py"},
    ),
    Mistake(number="48", did="set PORT=99999", environment={"PORT": "99999"}),
    Mistake(
        number="49",
        did="set FOREWARM_CONTEXTS to a context file",
        environment={"FOREWARM_CONTEXTS": "{place}/contexts/pay.toml"},
    ),
    Mistake(
        number="50",
        did="saved the context file in Latin-1",
        files={"pay.toml": b'instructions = "Gr\xf6\xdfe"\n'},
    ),
    Mistake(
        number="51",
        did="made a folder called shop.toml among the context files",
        prepare=make_folder_of_context,
    ),
    Mistake(
        number="52",
        did="went back to an earlier version of Forewarm after an upgrade",
        prepare=put_newer_database,
    ),
    Mistake(
        number="53",
        did="left another program at work on the database file",
        prepare=lock_database,
    ),
    Mistake(
        number="54",
        did="copied a damaged file to forewarm.db",
        prepare=damage_database,
    ),
    Mistake(
        number="55",
        did="wrote a wrong password in DATABASE_URL",
        environment={"DATABASE_URL": "postgresql://forewarm:made-up@{database}/forewarm"},
    ),
    Mistake(
        number="56",
        did="wrote a password that holds a slash in DATABASE_URL",
        environment={"DATABASE_URL": "postgresql://forewarm:made/up@{database}/forewarm"},
    ),
    Mistake(
        number="57",
        did="set HTTPS_PROXY to a proxy that takes no connection",
        environment={"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"},
        files=context(GOOD.replace("{code}", "https://git.example.com/acme/payments")),
    ),
    Mistake(
        number="58",
        did="let the token of a git host expire",
        environment={
            "GIT_SSL_CAINFO": "{folder}/certificate.pem",
            "FOREWARM_GIT_TOKEN_LOCALHOST": "made-up",
        },
        files=context(GOOD.replace("{code}", "https://{host}/acme/private")),
    ),
    Mistake(
        number="59",
        did="starts a second bot on one FOREWARM_HOME",
        prepare=hold_home,
        command=("serve",),
    ),
    Mistake(
        number="60",
        did="set a key twice",
        files=context('model = "claude-haiku-5-5"\n' + GOOD),
    ),
    Mistake(
        number="61",
        did="copied curly quotes from a web page",
        files=context(GOOD.replace('"C0PAY"', "\u201cC0PAY\u201d")),
    ),
    Mistake(
        number="62",
        did="copied the address of a page of GitHub",
        files=context(GOOD.replace("{code}", "https://github.com/acme/payments/tree/main")),
    ),
    Mistake(
        number="63",
        did="set FOREWARM_PROVIDER=bedrok",
        environment={"FOREWARM_PROVIDER": "bedrok"},
    ),
    Mistake(
        number="64",
        did="set SLACK_API_URL to a port at which nothing listens",
        environment={"SLACK_API_URL": "http://127.0.0.1:9/api/"},
    ),
    Mistake(
        number="65",
        did="wrote the context as YAML",
        files={"pay.yaml": "channels: [C0PAY]\n"},
    ),
)
