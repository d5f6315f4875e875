"""Several bots between one local Slack and one local Claude, as real processes on one database."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.slack.local import LocalSlack

from benchmarks.balancer import Balancer, balancer
from benchmarks.fork_server import ForkServer, start_fork_server
from benchmarks.made_repository import commit
from benchmarks.oracle import reply
from benchmarks.tcp_proxy import Wire, wire
from bot.commands.local.demo_stack import free_port
from bot.errors import ForewarmError

CHANNELS = ("C0PAY", "C0SHIP", "C0BILL", "C0TAX", "C0ORDER", "C0STOCK", "C0RISK", "C0LEDGER")
PEOPLE = tuple(f"U0P{number}" for number in range(6))
READY_SECONDS = 90.0
QUICK = Latency(base=0.05, per_uncached_token=0.00001, per_cached_token=0.000001, decode=1000.0)
EVENTS_PATH = "/slack/events"
TOKEN = "replicas"  # noqa: S105 - of bots that live for one run on this machine


class NotReady(ForewarmError):
    """A bot did not come up."""


@dataclass(slots=True)
class Replica:
    """One bot: what survives its deaths, and the process that is it now, if any."""

    number: int
    port: int
    log: Path
    environment: Mapping[str, str]
    pid: int | None = None
    started_at: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log's lines about an event, all lives together, oldest first."""
        found = []
        for line in self.log.read_text("utf-8", "replace").splitlines():
            if event in line and line.startswith("{"):
                said = json.loads(line)
                found += [said] if said.get("event") == event else []
        return found


@dataclass(frozen=True, slots=True)
class Open:
    """A question that the store knows and that has no end; `owner` is who holds it."""

    id: str
    owner: str | None


@dataclass(slots=True)
class Cluster:
    """Everything that a run needs in its hands.

    `wire` is the way to PostgreSQL, if it is that; `balancer` stands before the bots over HTTP.
    """

    slack: LocalSlack
    claude: LocalClaude
    replicas: list[Replica]
    fork_server: ForkServer
    wire: Wire | None
    database: str
    balancer: Balancer | None = None
    deaths: dict[str, float] = field(default_factory=dict)

    # --- life and death -------------------------------------------------------------------------

    @property
    def alive(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.pid is not None]

    async def start(self, replica: Replica) -> None:
        replica.pid = await self.fork_server.start(replica.environment, replica.log)
        replica.started_at = time.time()

    async def kill(self, replica: Replica) -> None:
        """Kill without a warning; gone when this returns."""
        if replica.pid is not None:
            pid, replica.pid = replica.pid, None
            await self.fork_server.kill(pid)
            for line in replica.logged("started"):
                self.deaths.setdefault(line["replica"], time.time())

    async def kill_all(self) -> None:
        for replica in self.alive:
            await self.kill(replica)

    async def terminate(self, replica: Replica, seconds: float) -> tuple[int, float]:
        """Ask to end; return the exit code and how long it took. Raises TimeoutError."""
        assert replica.pid is not None
        began = time.monotonic()
        await self.fork_server.kill(replica.pid, signal.SIGTERM)
        async with asyncio.timeout(seconds):
            while (code := await self.fork_server.exit_code(replica.pid)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        replica.pid = None
        return code, time.monotonic() - began

    async def ready(self, replica: Replica) -> float:
        """Wait until a replica says that it can answer; return the seconds since its start."""
        async with aiohttp.ClientSession() as session:
            while time.time() < replica.started_at + READY_SECONDS:
                try:
                    async with session.get(f"{replica.url}/readyz") as answer:
                        if answer.status == 200:
                            return time.time() - replica.started_at
                except aiohttp.ClientError:
                    pass
                if replica.pid is None or await self.fork_server.exit_code(replica.pid) is not None:
                    break
                await asyncio.sleep(0.05)
        raise NotReady(f"Replica {replica.number} did not become ready; its log is {replica.log}.")

    # --- the store, from outside ----------------------------------------------------------------

    async def unfinished(self) -> list[Open]:
        """Return the questions that the store knows of and that have no end."""
        query = "SELECT id, owner FROM questions WHERE finished_at IS NULL"
        return [Open(*row) for row in await self.rows(query)]

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read from the database, past the bots and past the wire."""
        if not self.database.startswith("postgres"):
            return _rows(Path(self.database), query)
        import asyncpg  # type: ignore[import-untyped]  # ships no types

        connection = await asyncpg.connect(self.database)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@asynccontextmanager
async def cluster(
    folder: Path,
    *,
    replicas: int = 1,
    server: str | None = None,
    fork_server: ForkServer | None = None,
    slack: Mapping[str, Any] | None = None,
    latency: Latency = QUICK,
    environment: Mapping[str, str] | None = None,
    http: bool = False,
) -> AsyncIterator[Cluster]:
    """Build everything but start no bot yet.

    With `http` Slack posts its events to a load balancer before the bots; else they open sockets.

    `fork_server` is that of the bots, one of their own by default. `server` is the URL of a
    PostgreSQL on which a database is made for them, and dropped at the end; without one the bots
    (one, then) use SQLite. `slack` are tables over the local Slack's configuration.
    """
    async with AsyncExitStack() as stack:
        contexts = _write_context(folder)
        local = LocalSlack(_slack_config(slack or {}))
        await stack.enter_async_context(local.serve())
        claude = LocalClaude(Config(latency=latency, limits=None))
        claude.rule(None, reply)
        claude_url = await stack.enter_async_context(claude.serve())
        laid, url, direct = None, None, str(folder / "home0" / "forewarm.db")
        if server is not None:
            direct = await stack.enter_async_context(_database(server))
            parts = urlsplit(direct)
            laid, port = await stack.enter_async_context(
                wire(parts.hostname or "127.0.0.1", parts.port or 5432)
            )
            user = parts.netloc.rpartition("@")[0]
            near = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
            url = urlunsplit((parts.scheme, near, parts.path, "", ""))
        shared = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "FOREWARM_"))},
            "SLACK_BOT_TOKEN": local.token,
            "SLACK_APP_TOKEN": "" if http else local.app.app_token,
            "SLACK_SIGNING_SECRET": local.app.signing_secret,
            "SLACK_API_URL": local.api_url,
            "ANTHROPIC_API_KEY": "sk-ant-local",
            "ANTHROPIC_BASE_URL": claude_url,
            "FOREWARM_PROVIDER": "anthropic",
            "FOREWARM_HOST": "127.0.0.1",
            "FOREWARM_CONTEXTS": str(contexts),
            "FOREWARM_STATE_TOKEN": TOKEN,
            "FOREWARM_LOCAL_REPOSITORIES": str(folder),
            "FOREWARM_DAILY_LIMIT_USD": "100000",
            "DATABASE_URL": url or "",
            **(environment or {}),
        }
        made = [_replica(folder, number, shared) for number in range(replicas)]
        if fork_server is None:
            fork_server = stack.enter_context(start_fork_server())
        around = Cluster(local, claude, made, fork_server, laid, direct)
        stack.push_async_callback(around.kill_all)
        if http:
            around.balancer, before = await stack.enter_async_context(
                balancer(lambda: [replica.url for replica in around.alive])
            )
            around.slack.point_at(before + EVENTS_PATH)
        yield around


def _replica(folder: Path, number: int, shared: Mapping[str, str]) -> Replica:
    log, port = folder / f"replica{number}.log", free_port()
    log.touch()
    own = {"PORT": str(port), "FOREWARM_HOME": str(folder / f"home{number}")}
    return Replica(number, port, log, {**shared, **own})


def _slack_config(over: Mapping[str, Any]) -> dict[str, Any]:
    from bot.slack.manifest import Features, manifest

    tables: dict[str, Any] = {
        "app": {"manifest": manifest(Features()), "name": "forewarm"},
        "users": tuple({"id": person, "name": person.lower()} for person in PEOPLE),
        "channels": tuple(
            {"id": channel, "name": channel.lower(), "members": (*PEOPLE, "bot")}
            for channel in CHANNELS
        ),
        "limits": {"rates": False, "events_per_hour": 10_000_000},
    }
    for name, table in over.items():
        tables[name] = {**tables.get(name, {}), **table}
    return tables


def _write_context(folder: Path) -> Path:
    """Write a repository and the context that reads it."""
    code, contexts = folder / "code", folder / "contexts"
    if not code.exists():
        contexts.mkdir()
        lines = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(300))
        commit(code, {"pay.py": lines}, "first")
        names = ", ".join(f'"{channel}"' for channel in CHANNELS)
        (contexts / "pay.toml").write_text(
            f'channels = [{names}]\nmodel = "claude-sonnet-5-5"\n\n'
            f'[[repositories]]\nurl = "{code}"\nname = "pay"\n\n'
            "[limits]\nanswers_daily_usd = 100000\n"
            "user_per_hour = 1000000\nchannel_per_hour = 1000000\n"
        )
    return contexts


@asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    """A database of our own on a server, dropped at the end."""
    import asyncpg

    name = f"forewarm_run_{uuid.uuid4().hex[:12]}"
    parts = urlsplit(server)
    admin = await asyncpg.connect(server, timeout=10)
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as file:
        return list(file.execute(query))
