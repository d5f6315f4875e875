"""A full disk, a locked file, a lost connection: a clear word, and nothing corrupted or doubled."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from sqlalchemy import event

from bot.store.errors import StoreError, reason_of
from bot.store.ledger import Cap
from bot.store.sql.database import Database
from bot.store.sql.url import locate
from bot.store.store import Store
from bot.telemetry.interfaces import Line


async def test_a_full_disk_is_no_database_that_can_be_used(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be read, so a look alone would call it good. SQLite's own word for it misleads."""
    path = tmp_path / "forewarm.db"
    store = await Store.open(str(path), now=clock)
    assert await store.ping() >= 0
    no_room = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: no_room)
    with pytest.raises(StoreError, match="disk is full"):
        await store.ping()
    await store.close()

    async def cannot_open(database: Database) -> None:
        raise StoreError("unreachable", "open", "OperationalError SQLITE_CANTOPEN")

    monkeypatch.setattr("bot.store.store.migrate", cannot_open)
    with pytest.raises(StoreError, match="disk is full"):
        await Store.open(str(path), now=clock)


def line(number: int, body: str = "{}") -> Line:
    return Line(number, 1.0, "Kind", body)


async def test_a_full_disk_is_said_and_leaves_what_was_there_intact(
    tmp_path: Path, clock: Any
) -> None:
    """The next question after some space was freed must find everything as it was."""
    path = tmp_path / "forewarm.db"
    await (await Store.open(str(path), now=clock)).close()
    database = Database(locate(str(path)))

    def shrink(connection: Any, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    event.listen(database.connections.engine, "connect", shrink)
    store = Store(database, clock)

    async def fill() -> None:
        for number in range(1, 1000):
            await store.journal.append("s", [line(number, "x" * 5000)])

    with pytest.raises(StoreError) as caught:
        await fill()
    assert caught.value.reason == "full"
    assert "free some space" in caught.value.user_message
    kept = await store.journal.read()
    assert [e.number for e in kept] == list(range(1, len(kept) + 1))
    await store.close()
    roomy = await Store.open(str(path), now=clock)
    await roomy.journal.append("s", [line(len(kept) + 1)])
    assert len(await roomy.journal.read()) == len(kept) + 1
    await roomy.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
async def impatient(tmp_path: Path, clock: Any) -> AsyncIterator[Store]:
    """A store on a file, that gives up after half a second."""
    path = str(tmp_path / "forewarm.db")
    await (await Store.open(path, now=clock)).close()
    store = Store(Database(locate(path), patience=0.5), clock)
    yield store
    await store.close()


async def test_a_file_that_stays_locked_is_said(impatient: Store, tmp_path: Path) -> None:
    """Some other program holds the file: the operator can be told which kind of trouble it is."""
    holder = sqlite3.connect(tmp_path / "forewarm.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        await impatient.state.put("kind", "key", b"value")
    assert caught.value.reason == "locked"
    holder.execute("ROLLBACK")
    holder.close()
    await impatient.state.put("kind", "key", b"value")


async def test_a_file_that_is_locked_for_a_moment_only_makes_a_write_wait(
    impatient: Store, tmp_path: Path
) -> None:
    """A backup tool may hold it for a moment; reads go on meanwhile."""
    holder = sqlite3.connect(tmp_path / "forewarm.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(impatient.state.put("kind", "key", b"value"))
    await asyncio.sleep(0.1)
    assert await impatient.state.get("kind", "key") is None
    holder.execute("COMMIT")
    holder.close()
    await writing
    assert await impatient.state.get("kind", "key") == b"value"


async def test_a_damaged_file_is_said_at_opening(tmp_path: Path, clock: Any) -> None:
    """Better no start than answers on top of rubble."""
    path = tmp_path / "forewarm.db"
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreError) as caught:
        await Store.open(str(path), now=clock)
    assert caught.value.reason == "corrupt"


async def test_a_folder_that_cannot_be_made_is_said_at_opening(tmp_path: Path, clock: Any) -> None:
    """FOREWARM_HOME may point anywhere."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        await Store.open(str(tmp_path / "file" / "forewarm.db"), now=clock)
    assert caught.value.reason in ("unreachable", "refused")


async def test_the_file_is_readable_by_its_owner_alone(tmp_path: Path, clock: Any) -> None:
    """It holds text of threads and, with OAuth, tokens."""
    path = tmp_path / "home" / "forewarm.db"
    store = await Store.open(str(path), now=clock)
    await store.state.put("kind", "key", b"value")
    modes = {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("postgresql://u:secretpw@127.0.0.1:1/x", "unreachable"),
        ("postgresql://u:secretpw@no-such-host.invalid/x", "unreachable"),
    ],
)
async def test_a_server_that_is_not_there_is_said_without_its_password(
    server: str, reason: str, clock: Any
) -> None:
    """The error goes to a terminal or a log."""
    store = Store(Database(locate(server), patience=0.2), clock)
    with pytest.raises(StoreError) as caught:
        await store.ping()
    assert caught.value.reason == reason
    assert "secretpw" not in f"{caught.value!r} {caught.value} {store!r}"
    await store.close()


async def test_a_server_that_accepts_and_then_says_nothing_is_given_up(clock: Any) -> None:
    """A machine that vanished behind a firewall: Slack waits three seconds, not thirty."""

    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    store = Store(Database(locate(f"postgresql://u@127.0.0.1:{port}/x"), patience=0.1), clock)
    async with asyncio.timeout(4):  # Connecting alone would be waited for longer than that.
        with pytest.raises(StoreError) as caught:
            await store.ping()
    assert caught.value.reason == "unreachable"
    await store.close()
    silent.close()


async def test_a_database_that_does_not_exist_is_said(postgres_url: str, clock: Any) -> None:
    """A typing error in DATABASE_URL is no reason to wait for minutes."""
    with pytest.raises(StoreError) as caught:
        await Store.open(postgres_url + "_nowhere", now=clock)
    assert caught.value.reason == "missing"


async def test_cancelling_a_caller_never_leaves_half_a_write(store: Store) -> None:
    """An answer is stopped while it is being stored: the row is there whole, or not at all."""
    for delay in range(12):
        task = asyncio.create_task(store.ledger.reserve(f"r{delay}", 0.1, [Cap("s", 100.0)]))
        for _ in range(delay):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store.ledger.reserve("last", 0.1, [Cap("s", 100.0)])
    # All work that was begun has ended by now: one connection writes, in order, or rows are locked.
    await asyncio.sleep(0.05)
    _, reserved = (await store.ledger.spent())["s"]
    for number in range(12):
        await store.ledger.settle(f"r{number}", 0.0)
    await store.ledger.settle("last", 0.0)
    assert reserved >= 0.1
    assert await store.ledger.spent() == {"s": (0.0, 0.0)}


async def test_terminated_connections_are_replaced_and_the_work_is_done(
    postgres_url: str, clock: Any
) -> None:
    """A failover of the database drops every connection at once."""
    store = await Store.open(postgres_url, now=clock)
    server = await asyncpg.connect(postgres_url)
    for number in range(1, 6):
        await asyncio.gather(*(store.state.put("k", str(i), b"v") for i in range(8)))
        await server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await store.journal.append("s", [line(number)])
        assert len(await store.journal.read()) == number
    await server.close()
    await store.close()


class CutBetween:
    """Forwards to PostgreSQL; when armed, hangs up instead of telling that a commit is done.

    Done is what ends in no transaction (ReadyForQuery `I`) and has changed something.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.armed = False
        self.cuts = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)

        async def up() -> None:
            while data := await reader.read(65536):
                far_writer.write(data)
            far_writer.close()

        async def down() -> None:
            while data := await far_reader.read(65536):
                changed = any(word in data for word in (b"COMMIT\0", b"INSERT ", b"UPDATE "))
                if self.armed and changed and b"Z\0\0\0\x05I" in data:
                    self.armed = False
                    self.cuts += 1
                    break
                writer.write(data)
            writer.close()
            far_writer.close()

        await asyncio.gather(up(), down(), return_exceptions=True)


@pytest.fixture
async def proxy(postgres_url: str, clock: Any) -> AsyncIterator[tuple[CutBetween, Store]]:
    parts = urlsplit(postgres_url)
    proxy = CutBetween(parts.hostname or "127.0.0.1", parts.port or 5432)
    port = await proxy.start()
    user = parts.netloc.rpartition("@")[0]
    through = urlunsplit(
        (parts.scheme, f"{user}@127.0.0.1:{port}", parts.path, "sslmode=disable", "")
    )
    store = await Store.open(through, now=clock)
    yield proxy, store
    await store.close()
    await proxy.stop()


Verb = Callable[[Store], Awaitable[Any]]


async def _record(store: Store) -> bool:
    return await store.inbox.record(
        {},
        id="q",
        workspace="T",
        channel="C",
        ts="1",
        at=0.0,
        owner="a",
        lease_seconds=0.0,
        event="Ev",
    )


async def _save_context(store: Store) -> bool:
    return await store.contexts.save("T", "c", {"a": 1}, "U1")


VERBS: dict[str, tuple[Verb, Any]] = {
    "record": (_record, True),
    "first sight": (lambda s: s.events.first_sight("Ev"), True),
    "swap": (lambda s: s.state.swap("k", "key", b"v", None), True),
    "save a context": (_save_context, True),
    "reserve": (lambda s: s.ledger.reserve("r", 0.6, [Cap("s", 1.0)]), None),
    "append": (lambda s: s.journal.append("s", [line(1), line(2)]), None),
    "audit": (lambda s: s.audit.write("T", "U", "attach", "C"), None),
    "keep a turn": (lambda s: s.turns.append("T", "C", "1", "q", [{}], "payments"), None),
}


@pytest.mark.parametrize("name", VERBS)
async def test_a_reply_lost_after_the_commit_is_no_second_time_and_no_refusal(
    proxy: tuple[CutBetween, Store], name: str
) -> None:
    """The kill between the database's acceptance and its reply: done once, and told as done."""
    cutter, store = proxy
    verb, expected = VERBS[name]
    cutter.armed = True
    assert await verb(store) == expected
    assert cutter.cuts == 1
    assert len(await store.inbox.waiting()) == (name == "record")
    assert len(await store.journal.read()) == (2 if name == "append" else 0)
    assert len(await store.audit.last()) == (name == "audit")
    assert await store.ledger.spent() == ({"s": (0.0, 0.6)} if name == "reserve" else {})


async def test_what_was_taken_when_the_reply_was_lost_is_still_handed_out(
    proxy: tuple[CutBetween, Store], clock: Any
) -> None:
    """A claim or lease that is committed but not reported would have no holder."""
    cutter, store = proxy
    await _record(store)
    cutter.armed = True
    assert [c.id for c in await store.inbox.claim_expired("b", 10.0)] == ["q"]
    cutter.armed = True
    lease = await store.leases.acquire("warm/p", "b", 30.0)
    assert lease is not None
    cutter.armed = True
    await store.inbox.finish("q", "b", "answered")
    cutter.armed = True
    assert await store.leases.release(lease, b"result")
    assert cutter.cuts == 4
    assert await store.inbox.waiting() == []


async def test_a_backup_made_while_questions_come_in_is_whole(tmp_path: Path, clock: Any) -> None:
    """The command that the documentation gives, at a bad moment."""
    store = await Store.open(str(tmp_path / "forewarm.db"), now=clock)
    stop = False

    async def keep_writing() -> int:
        number = 0
        while not stop:
            number += 1
            await store.journal.append("s", [line(number)])
        return number

    writing = asyncio.create_task(keep_writing())
    await asyncio.sleep(0.05)
    backup = tmp_path / "backup.db"

    def back_up() -> None:
        connection = sqlite3.connect(tmp_path / "forewarm.db")
        connection.execute(f"VACUUM INTO '{backup}'")
        connection.close()

    await asyncio.to_thread(back_up)
    stop = True
    written = await writing
    await store.close()
    restored = await Store.open(str(backup), now=clock)
    numbers = [entry.number for entry in await restored.journal.read()]
    await restored.close()
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) <= written


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("pgbouncer=true", "parameter"),
        ("ssl=true", "parameter"),
        ("sslmode=verify-full", "tls"),
    ],
)
async def test_a_parameter_that_keeps_the_server_away_is_named(
    postgres_server: str, clock: Any, parameters: str, reason: str
) -> None:
    """Hosts of databases write such parameters into the addresses that they show."""
    with pytest.raises(StoreError) as caught:
        await Store.open(f"{postgres_server.partition('?')[0]}?{parameters}", now=clock)
    assert caught.value.reason == reason
    assert "DATABASE_URL" in caught.value.user_message


def test_a_server_without_tls_is_no_server_that_is_away() -> None:
    refused = ConnectionError('PostgreSQL server at "db:5432" rejected SSL upgrade')
    assert reason_of(refused) == "tls"
    assert reason_of(ConnectionRefusedError(111, "Connection refused")) == "unreachable"
    assert reason_of(ssl.SSLCertVerificationError(1, "self-signed certificate")) == "tls"


def test_an_unforeseen_failure_says_its_code() -> None:
    assert "(Error 3F000)" in StoreError("other", "open", "Error 3F000").user_message
