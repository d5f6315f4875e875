"""Leaping time: fast, in order, and never ahead of a byte, a thread, a child or a statement."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import struct
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg  # type: ignore[import-untyped]  # ships no types
import httpx2
import pytest
from aiohttp import web
from forewarm_playground import virtual_time
from forewarm_playground.virtual_time import Deadlock, VirtualTimeLoop

HOUR = 3600.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def loop() -> VirtualTimeLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualTimeLoop)
    return running


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def ticking(seconds: float = 1.0) -> AsyncIterator[list[float]]:
    """A timer that would drive the clock away as soon as a leap is permitted."""
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(seconds)
            ticks.append(loop().time())

    task = asyncio.create_task(tick())
    try:
        yield ticks
    finally:
        task.cancel()


def test_an_hour_passes_without_an_hour() -> None:
    """The point of it all: waiting costs nothing but the leap."""

    async def scenario() -> tuple[float, int]:
        await asyncio.sleep(1_000 * HOUR)
        return loop().time(), loop().jumps

    elapsed, jumps = virtual_time.run(scenario())
    assert elapsed == 1_000 * HOUR
    assert jumps < 100


def test_timers_fire_in_the_order_and_at_the_time_they_were_set_for() -> None:
    """Else a simulated hour would not be an hour."""

    async def scenario() -> list[tuple[int, float]]:
        fired: list[tuple[int, float]] = []

        async def wait(seconds: int) -> None:
            await asyncio.sleep(seconds)
            fired.append((seconds, loop().time()))

        await asyncio.gather(*[wait(seconds) for seconds in (500, 3, 70_000, 1, 3)])
        return fired

    assert virtual_time.run(scenario()) == [(s, float(s)) for s in (1, 3, 3, 500, 70_000)]


def test_time_stands_still_while_anything_is_ready() -> None:
    """Work takes no time: only waiting does."""

    async def scenario() -> float:
        async with ticking(0.001):
            for _ in range(1_000):
                await asyncio.sleep(0)
        return loop().time()

    assert virtual_time.run(scenario()) == 0.0


def test_wall_time_is_the_epoch_plus_the_loops_time() -> None:
    """A stamp of `now()` agrees with the time that was waited."""

    async def scenario() -> tuple[float, float]:
        await asyncio.sleep(90)
        return virtual_time.now(), loop().now()

    assert virtual_time.run(scenario(), epoch=1_000.0) == (1_090.0, 1_090.0)


async def _aiohttp(url: str, body: bytes) -> bytes:
    async with aiohttp.ClientSession() as client, client.post(url, data=io.BytesIO(body)) as reply:
        return await reply.read()


async def _httpx(url: str, body: bytes) -> bytes:
    async with httpx2.AsyncClient(timeout=60) as client:
        return (await client.post(url, content=body)).content


async def _streams(url: str, body: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("client", [_aiohttp, _httpx, _streams])
def test_the_clock_does_not_jump_while_a_request_is_in_flight(
    client: Callable[[str, bytes], Awaitable[bytes]],
) -> None:
    """A body of 8 MB fills every buffer on its way there and back; a timer of a millisecond waits
    to drive the clock away. With any library, no time may pass."""
    body = bytes(8 * 2**20)

    async def echo(request: web.Request) -> web.Response:
        data = bytearray()
        async for chunk in request.content.iter_any():
            data += chunk
        return web.Response(body=bytes(data))

    async def scenario() -> tuple[int, float, list[float]]:
        async with serving(echo) as url, ticking(0.001) as ticks:
            before = loop().time()
            reply = await client(url, body)
            return len(reply), loop().time() - before, list(ticks)

    size, elapsed, ticks = virtual_time.run(scenario())
    assert size == len(body)
    assert elapsed == 0.0
    assert ticks == []


@contextlib.contextmanager
def slow_network(at: socket.socket | None = None, seconds: float = 0.1) -> Iterator[None]:
    """Delay what arrives (only at one socket, if given) by real time: nearly always the loopback
    delivers at once, and then nothing could be overtaken anyway."""
    polls = loop()._polls
    poll, until = polls.poll, time.monotonic() + seconds
    loop().patience = None

    def late(timeout: float | None) -> list[Any]:
        if time.monotonic() >= until:
            return poll(timeout)
        time.sleep(0.01)
        return [one for one in poll(0) if at is not None and one[0].fd != at.fileno()]

    polls.poll = late  # type: ignore[method-assign]
    yield
    polls.poll = poll  # type: ignore[method-assign]


Meet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(meet: Meet) -> AsyncIterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    async with await asyncio.start_server(meet, sock=listener):
        yield listener


def test_a_byte_that_the_network_delays_is_waited_for() -> None:
    """However long it really takes to arrive, it arrives at the moment it was sent."""

    async def scenario() -> float:
        arrived: asyncio.Future[float] = loop().create_future()

        async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            arrived.set_result(loop().time())
            writer.close()

        async with listening(receive) as listener:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            await asyncio.sleep(1)
            with slow_network():
                writer.write(b"x")
                async with ticking():
                    at = await arrived
            writer.close()
            return at

    assert virtual_time.run(scenario()) == 1.0


def test_a_server_that_waits_by_a_timer_does_not_hold_the_clock() -> None:
    """The latency of an emulator is a wait like any other; its client waits with it."""

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(20)
        return web.Response(text="done")

    async def scenario() -> float:
        async with serving(slow) as url:
            await asyncio.gather(_aiohttp(url, b""), _httpx(url, b""))
            return loop().time()

    assert virtual_time.run(scenario()) == 20.0


def test_each_piece_of_a_stream_arrives_at_its_own_time() -> None:
    """A stream's times are what the perceived wait is made of."""

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(5):
            await asyncio.sleep(7)
            await response.write(b"x")
        return response

    async def scenario() -> list[float]:
        async with (
            serving(drip) as url,
            ticking(1.0),
            aiohttp.ClientSession() as client,
            client.get(url) as reply,
        ):
            return [loop().time() async for _ in reply.content.iter_any()]

    assert virtual_time.run(scenario()) == [7.0, 14.0, 21.0, 28.0, 35.0]


def test_idle_connections_and_websockets_do_not_hold_the_clock() -> None:
    """The bot keeps a socket to Slack open for hours."""

    async def accept(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async def scenario() -> tuple[str, float]:
        async with (
            serving(accept) as url,
            aiohttp.ClientSession() as client,
            client.ws_connect(url) as ws,
        ):
            await asyncio.sleep(HOUR)
            await ws.send_str("still here")
            return await ws.receive_str(), loop().time()

    assert virtual_time.run(scenario()) == ("still here", HOUR)


def test_a_reader_that_has_paused_does_not_hold_the_clock() -> None:
    """Bytes that are not read yet wait for the program, not for the network: a client that reads
    slowly by a timer must not stop time for ever."""

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(bytes(2**18))
        return response

    async def scenario() -> tuple[int, float]:
        async with (
            serving(flood) as url,
            aiohttp.ClientSession() as client,
            client.get(url) as reply,
        ):
            await asyncio.sleep(60)
            return len(await reply.read()), loop().time()

    assert virtual_time.run(scenario()) == (64 * 2**18, 60.0)


def test_a_connection_that_is_not_yet_accepted_holds_the_clock() -> None:
    """Between connect and accept neither end has sent a byte, and yet something is under way."""

    async def scenario() -> float:
        accepted: asyncio.Future[float] = loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(loop().time())
            writer.close()

        async with listening(accept) as listener:
            with slow_network(listener):
                async with ticking(0.001):
                    _, writer = await asyncio.open_connection(*listener.getsockname())
                    at = await accepted
            writer.close()
            return at

    assert virtual_time.run(scenario()) == 0.0


def test_the_end_of_a_connection_is_waited_for_like_a_byte() -> None:
    """A dropped connection is noticed at the moment it drops, not after the next timer."""

    async def scenario() -> tuple[bytes, float]:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.close()

        async with listening(hang_up) as listener:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            async with ticking(0.001):
                writer.write(b"x")
                await asyncio.sleep(0)
                with slow_network():
                    end = await reader.read()
                    at = loop().time()
            writer.close()
            return end, at

    assert virtual_time.run(scenario()) == (b"", 0.0)


def test_a_thread_at_work_holds_the_clock() -> None:
    """A database or a file read in a thread takes real time, and virtual time must wait for it."""

    async def scenario() -> tuple[list[float], float]:
        async with ticking() as ticks:
            await asyncio.to_thread(time.sleep, 0.05)
            return list(ticks), loop().time()

    assert virtual_time.run(scenario()) == ([], 0.0)


def test_a_synchronous_client_in_a_thread_meets_a_server_that_waits() -> None:
    """The thread holds the clock and waits for the server, the server waits for the clock: the
    server's word that it waits on purpose resolves it."""

    async def slow(request: web.Request) -> web.Response:
        assert request.transport is not None
        with virtual_time.waiting_for(request.transport.get_extra_info("peername")):
            await asyncio.sleep(20)
        return web.Response(text="done")

    def fetch(url: str) -> bytes:
        with urllib.request.urlopen(url) as reply:  # noqa: S310  our own server
            data: bytes = reply.read()
            return data

    async def scenario() -> tuple[bytes, float]:
        async with serving(slow) as url, ticking():
            return await asyncio.to_thread(fetch, url), loop().time()

    assert virtual_time.run(scenario()) == (b"done", 20.0)


def test_a_wait_for_a_client_inside_the_loop_excuses_no_thread() -> None:
    """A server's deliberate wait may only excuse the client that it keeps waiting."""

    async def slow(request: web.Request) -> web.Response:
        assert request.transport is not None
        with virtual_time.waiting_for(request.transport.get_extra_info("peername")):
            await asyncio.sleep(20)
        return web.Response(text="done")

    async def scenario() -> float:
        async with serving(slow) as url:
            asking = asyncio.create_task(_aiohttp(url, b""))
            await asyncio.to_thread(time.sleep, 0.1)
            before = loop().time()
            await asking
            return before

    assert virtual_time.run(scenario()) == 0.0


def test_a_child_process_holds_the_clock_until_it_ends() -> None:
    """git runs in real time."""

    async def scenario() -> tuple[list[float], int | None]:
        async with ticking() as ticks:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "import time; time.sleep(0.1); print('x')",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await child.communicate()
            return list(ticks), child.returncode

    assert virtual_time.run(scenario()) == ([], 0)


def test_a_child_that_cannot_start_leaves_nothing_held() -> None:
    """A hold that is never given back would stop the clock for good."""

    async def scenario() -> float:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/nonexistent/program")
        await asyncio.sleep(HOUR)
        return loop().time()

    assert virtual_time.run(scenario()) == HOUR


def test_a_statement_in_postgresql_holds_the_clock(postgres_server: str) -> None:
    """The server is another process: the driver's own futures are what is waited for."""

    async def scenario() -> list[float]:
        async with ticking(0.001) as ticks:
            database = await asyncpg.connect(postgres_server)
            async with database.transaction():
                await database.execute("select pg_sleep(0.02)")
                await database.fetch("select pg_sleep(0.02), $1::int", 3)
            await database.close()
            return list(ticks)

    assert virtual_time.run(scenario()) == []


def test_in_flight_holds_the_clock_for_what_the_loop_cannot_see() -> None:
    """The way to say that a thread or a process of one's own is at work."""

    async def scenario() -> tuple[list[float], float]:
        done = asyncio.Event()
        running = loop()

        def work() -> None:
            time.sleep(0.05)
            running.call_soon_threadsafe(done.set)

        async with ticking() as ticks:
            with virtual_time.in_flight("a thread of our own"):
                threading.Thread(target=work).start()
                await done.wait()
            held = list(ticks)
            await asyncio.sleep(HOUR)
        return held, loop().time()

    assert virtual_time.run(scenario()) == ([], HOUR)


def test_the_module_functions_do_nothing_in_an_ordinary_loop() -> None:
    """The emulators run in both kinds of loop with the same code."""

    async def scenario() -> float:
        with virtual_time.in_flight("x"), virtual_time.waiting_for(("127.0.0.1", 1)):
            await asyncio.sleep(0)
        return virtual_time.now()

    before = time.time()
    assert before <= asyncio.run(scenario()) <= time.time()


def test_a_clock_that_is_held_for_ever_says_by_whom() -> None:
    """A test that hangs must end, and name what it hangs on."""

    async def scenario() -> None:
        with virtual_time.in_flight("a reply that never comes"):
            await asyncio.sleep(1)

    with pytest.raises(Deadlock) as caught:
        virtual_time.run(scenario(), patience=0.05)
    assert caught.value.held == ["a reply that never comes"]
    assert "a reply that never comes" in caught.value.user_message


def test_a_program_that_waits_for_nothing_is_told_so() -> None:
    """No timer, no work: an ordinary loop would hang without a word."""

    async def waits_for_nothing() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock) as caught:
        virtual_time.run(waits_for_nothing(), patience=0.05)
    assert caught.value.held == []
    assert any("waits_for_nothing" in task for task in caught.value.tasks)


def test_files_are_sent_by_counted_bytes(tmp_path: Path) -> None:
    """The kernel's own copying would go past the count, and the clock ahead of it."""
    path = tmp_path / "page.html"
    path.write_bytes(bytes(2**20))

    async def page(request: web.Request) -> web.FileResponse:
        return web.FileResponse(path)

    async def scenario() -> tuple[int, list[float]]:
        async with serving(page) as url, ticking(0.001) as ticks:
            size = len(await _aiohttp(url, b""))
            owed = loop()._wire.in_transit(lambda sock: True)
            assert not owed
            return size, list(ticks)

    # Reading the file happens in a thread, sending it over the wire: neither takes virtual time.
    assert virtual_time.run(scenario()) == (2**20, [])


def test_a_connection_to_elsewhere_is_not_counted() -> None:
    """Only both ends in one loop can be compared."""
    with socket.create_server(("127.0.0.1", 0)) as outside:

        async def scenario() -> float:
            _, writer = await asyncio.open_connection(*outside.getsockname())
            writer.write(b"hello")
            await asyncio.sleep(HOUR)
            writer.close()
            return loop().time()

        assert virtual_time.run(scenario()) == HOUR


def test_a_peer_that_is_gone_before_it_is_accepted_does_no_harm() -> None:
    """A client that connects and resets at once leaves a socket without an address."""

    async def scenario() -> float:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with listening(meet) as listener:
            for _ in range(20):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                gone: Any = writer.transport
                linger = struct.pack("ii", 1, 0)
                gone.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                gone.abort()
            await asyncio.sleep(HOUR)
            return loop().time()

    assert virtual_time.run(scenario()) == HOUR


def test_the_repr_tells_the_state() -> None:
    """The representation in a debugger is true."""

    async def scenario() -> str:
        await asyncio.sleep(2)
        with virtual_time.in_flight("x"):
            return repr(loop())

    assert (
        virtual_time.run(scenario())
        == "<VirtualTimeLoop [2 s, 1 jumps | 1 held, <SocketCounter [0 ends, 0 owing]>]>"
    )
