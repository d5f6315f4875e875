"""Unsigned requests of every kind over real sockets: refused within bounds, never parsed."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.hostile_requests import (
    BODIES,
    EXTRAS,
    SENDINGS,
    SIGNATURES,
    TYPES,
    Request,
    send,
)
from bot.app.web import WebServer
from bot.slack import transport
from bot.slack.identity import Identity
from bot.slack.transport import EventsEntry
from tests.samples import samples

ME = Identity("T0OURS", "Ours", "U0BOT", "B0BOT", frozenset(), app_id="A0OURS")
MOST_CALLS = 60_000
"""Calls of functions, in Python and in C, that one request may cause, its sender's included."""
MOST_CALLS_IN_CHUNKS = 300_000
"""The same for a body in 5,000 chunks: the HTTP library reads a chunk with about 34 calls."""
MOST_CALLS_IN_A_STEP = 100_000
MOST_SECONDS = 20.0
PATIENCE = 60.0
"""Seconds: counting two million calls takes one on an idle machine."""

REQUESTS = st.builds(
    Request,
    st.sampled_from(sorted(BODIES)),
    st.sampled_from(TYPES),
    st.sampled_from(sorted(SIGNATURES)),
    st.sampled_from(sorted(EXTRAS)),
    # 50,000 chunks take two million calls. They have a test of their own.
    st.sampled_from([way for way in SENDINGS if way != "smallest chunks"]),
)


class App:
    """Stands for Bolt: nothing may reach it."""

    def __init__(self) -> None:
        self.reached: list[Any] = []

    async def async_dispatch(self, request: Any) -> Any:
        self.reached.append(request)


@dataclass
class Port:
    runner: asyncio.Runner
    server: WebServer
    app: App
    decoded: list[bytes]


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    app: Any = App()
    decoded: list[bytes] = []
    with asyncio.Runner() as runner:
        server = WebServer("127.0.0.1", 0, time.time)
        EventsEntry(app, ME, "secret" * 6, time.time).add_to(server.application.router)
        runner.run(server.start())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transport, "decode", lambda body: decoded.append(body))
            yield Port(runner, server, app, decoded)
        runner.run(server.stop())


def calls_of(port: Port, request: Request) -> tuple[list[int], int]:
    """Send a request; return the statuses and the number of calls until it was over."""
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    async def counted_send() -> list[int]:
        sys.setprofile(counted)
        try:
            return await send(port.server.port, request, time.time(), MOST_SECONDS)
        finally:
            sys.setprofile(None)

    return port.runner.run(counted_send()), count


def most_calls(request: Request) -> int:
    return MOST_CALLS_IN_CHUNKS if request.sending == "many chunks" else MOST_CALLS


@settings(
    max_examples=samples(40, 10_000),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(sent=REQUESTS)
def test_every_unsigned_request_is_refused_within_bounds(
    port: Port, caplog: pytest.LogCaptureFixture, sent: Request
) -> None:
    """No request leaves more than a counter: no line, no task, no parsed byte."""
    with caplog.at_level(logging.DEBUG):
        caplog.clear()
        statuses, calls = calls_of(port, sent)
        assert not [line for line in caplog.records if line.exc_info]
    assert all(status == 100 or 400 <= status < 500 for status in statuses), statuses
    assert port.app.reached == []
    assert port.decoded == []
    assert calls <= most_calls(sent)
    open_tasks = [t for t in asyncio.all_tasks(port.runner.get_loop()) if not t.done()]
    assert len(open_tasks) < 50


@pytest.mark.parametrize("body", sorted(BODIES))
def test_each_body_is_refused(port: Port, body: str) -> None:
    request = Request(body, TYPES[1], "wrong", "none", "whole")
    statuses, calls = calls_of(port, request)
    assert statuses
    assert statuses[0] in (401, 413)
    assert calls <= MOST_CALLS


@pytest.mark.parametrize("extra", sorted(EXTRAS))
@pytest.mark.parametrize("sending", ["whole", "chunked", "pipelined"])
def test_each_header_is_refused(port: Port, extra: str, sending: str) -> None:
    statuses, calls = calls_of(port, Request("event", TYPES[0], "wrong", extra, sending))
    assert statuses or extra == "expect"
    assert all(400 <= status < 500 or status == 100 for status in statuses)
    assert calls <= MOST_CALLS


def test_no_step_of_the_event_loop_reads_more_than_a_few_thousand_chunks(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    """256 KiB read at once, in chunks of one byte, were 50 ms of processor in one step."""
    count, longest, run = 0, 0, asyncio.Handle._run

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    def run_counted(handle: asyncio.Handle) -> None:
        nonlocal count, longest
        count = 0
        run(handle)
        longest = max(longest, count)

    async def send_counted() -> list[int]:
        sys.setprofile(counted)
        try:
            return await send(port.server.port, request, time.time(), 2 * PATIENCE)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr("benchmarks.hostile_requests.REPLY_SECONDS", PATIENCE)
    monkeypatch.setattr(asyncio.Handle, "_run", run_counted)
    request = Request("event", TYPES[0], "wrong", "none", "smallest chunks")
    assert port.runner.run(send_counted()) == [401]
    assert longest <= MOST_CALLS_IN_A_STEP
