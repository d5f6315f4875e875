"""An event loop with virtual time: an hour passes in milliseconds, and no event is skipped.

`loop.time()` stays constant while anything can still happen at the present moment. Once nothing
can, it jumps exactly to the next timer. Bot, emulators and test clients run in one such loop over
real sockets. Time jumps if all of these hold:

1. No callback is ready, and polling the selector yields no event.
2. No byte is in transit between two ends of a connection inside this loop. `SocketCounter` counts
   the bytes that were sent and received. A connection that waits to be accepted counts too.
3. No work outside the loop is pending: a thread of `run_in_executor` (so name resolution and
   `asyncio.to_thread`), a child process, a statement in a database driver, or code inside
   `in_flight("description")`.

So a request in transit needs no token of its own, with any HTTP library. A server that waits
by a timer (a latency, a deliberate stall) blocks nothing, because then only the timer is left.
Long-lived websockets and idle connections have no bytes in transit and block nothing.

While work is pending, time stands still, however long the work takes. If nothing moves for
`patience` real seconds, `Deadlock` names the pending work.

The loop cannot see threads that were started by hand, other processes that connect to a server in
this loop, and bytes inside TLS. Wrap those in `in_flight`, or use a loop with real time. The loop
sees a synchronous client in `asyncio.to_thread`. A server that answers such a client by a timer
calls `waiting_for(peer)`, so that the clock runs although the thread is pending. Both emulators do.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from forewarm_playground.errors import PlaygroundError
from forewarm_playground.socket_counter import Address, SocketCounter

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH = 1_795_424_400.0
"""Unix time at which a leaping loop starts by default: Monday 2026-11-23, 09:00 UTC."""

_DRIVERS = frozenset(
    f"{package}.{module}"
    for package, modules in {
        "asyncpg": ("connection", "connect_utils", "cursor", "prepared_stmt", "transaction"),
    }.items()
    for module in modules
)
"""Modules whose futures are fulfilled by a thread or a server outside the loop."""


class Deadlock(PlaygroundError):
    """Nothing has moved for the loop's patience: the program waits for what cannot come.

    `held` names what held the clock; `tasks` are the tasks that were waiting.
    """

    def __init__(self, seconds: float, held: list[str], tasks: list[str]) -> None:
        holders = ", ".join(held) or "nothing, and no timer is set"
        super().__init__(
            f"Nothing moved for {seconds:g} real seconds; the clock is held by: {holders}; "
            f"waiting: {'; '.join(tasks) or 'no task'}."
        )
        self.held = held
        self.tasks = tasks


class _Selector(selectors.DefaultSelector):
    """Polls for real. The loop decides whether to wait or to jump."""

    idle: Callable[[float | None], list[tuple[selectors.SelectorKey, int]]]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self.poll(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        return self.idle(timeout)

    def poll(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout)

    def reads(self, sock: socket.socket) -> bool:
        key = self.get_map().get(sock)
        return key is not None and bool(key.events & selectors.EVENT_READ)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, in seconds since the loop was made.

    `epoch` is the Unix time that `now()` starts from; `patience` the real seconds without any
    movement after which it raises `Deadlock`, or None to wait for ever. With `hold_children`
    false, child processes do not hold the clock: for children that serve rather than end.
    """

    def __init__(
        self,
        *,
        epoch: float = EPOCH,
        patience: float | None = 30.0,
        hold_children: bool = True,
    ) -> None:
        self._elapsed = 0.0
        self._polls = _Selector()
        self._polls.idle = self._idle
        self._wire = SocketCounter()
        self._held: Counter[str] = Counter()
        self._outside_waits = 0
        self.epoch = epoch
        self.patience = patience
        self.hold_children = hold_children
        self.jumps = 0
        super().__init__(self._polls)

    def __repr__(self) -> str:
        return (
            f"<VirtualTimeLoop [{self._elapsed:g} s, {self.jumps} jumps | "
            f"{self._held.total()} held, {self._wire!r}]>"
        )

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._elapsed

    def now(self) -> float:
        """Return the virtual Unix time in seconds."""
        return self.epoch + self._elapsed

    @contextlib.contextmanager
    def in_flight(self, what: str) -> Iterator[None]:
        """Hold the clock while `what` is at work somewhere that the loop cannot see."""
        release = self._hold(what)
        try:
            yield
        finally:
            release()

    @contextlib.contextmanager
    def waiting_for(self, peer: Address | None) -> Iterator[None]:
        """Let time jump although `peer`, a client outside the loop, waits for a reply.

        A server wraps its deliberate waits in it. For a peer inside the loop it does nothing.
        """
        outside = peer is not None and not self._wire.holds(peer)
        self._outside_waits += outside
        try:
            yield
        finally:
            self._outside_waits -= outside

    def _hold(self, what: str) -> Callable[[], None]:
        self._held[what] += 1

        def release() -> None:
            self._held[what] -= 1
            if not self._held[what]:
                del self._held[what]

        return release

    def _hold_until(self, future: asyncio.Future[Any], what: str) -> None:
        release = self._hold(what)
        future.add_done_callback(lambda _: release())

    # Work outside the loop

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self._hold_until(future, f"thread {getattr(func, '__qualname__', func)!s}")
        return future

    def create_future(self) -> asyncio.Future[Any]:
        future = super().create_future()
        module = sys._getframe(1).f_globals.get("__name__")
        if module in _DRIVERS:
            self._hold_until(future, f"database driver {module}")
        return future

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if not _is_loopback(address):
            return await super().sock_connect(sock, address)
        with self.in_flight(f"connecting to {address}"):
            return await super().sock_connect(sock, address)

    async def shutdown_default_executor(self, *args: Any) -> None:
        with self.in_flight("threads that end"):
            await super().shutdown_default_executor(*args)

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with self.in_flight("starting a child process"):
            transport, protocol = await super().subprocess_exec(*args, **kwargs)
        return self._watch_child(transport, protocol)

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with self.in_flight("starting a child process"):
            transport, protocol = await super().subprocess_shell(*args, **kwargs)
        return self._watch_child(transport, protocol)

    def _watch_child(self, transport: Any, protocol: Any) -> tuple[Any, Any]:
        if self.hold_children and transport.get_returncode() is None:
            exited = protocol.process_exited
            release = self._hold(f"child process {transport.get_pid()}")
            protocol.process_exited = lambda: (release(), exited())
        return transport, protocol

    # Bytes in transit inside the loop

    def _make_socket_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        return super()._make_socket_transport(self._wire.adopt(sock), *args, **kwargs)  # type: ignore[misc]

    def _start_serving(self, protocol_factory: Any, sock: socket.socket, *args: Any) -> None:
        self._wire.listen(sock)
        super()._start_serving(protocol_factory, sock, *args)  # type: ignore[misc]

    async def _sendfile_native(self, *args: Any) -> int:
        # Bytes that the kernel copies from file to socket would not be counted.
        raise asyncio.SendfileNotAvailableError("a leaping loop counts every byte it sends")

    # The jump

    def _idle(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and not self._is_held():
            self._jump(timeout)
            return []
        started = time.monotonic()
        events = self._polls.poll(self.patience)
        if not events and self.patience and time.monotonic() - started >= self.patience:
            raise Deadlock(self.patience, self._holders(), self._waiting())
        return events

    def _is_held(self) -> bool:
        held = self._held.total()
        return held > self._outside_waits or self._wire.in_transit(self._polls.reads)

    def _jump(self, timeout: float) -> None:
        self.jumps += 1
        self._elapsed += timeout

    def _holders(self) -> list[str]:
        wire = ["bytes on the wire"] if self._wire.in_transit(self._polls.reads) else []
        return [*sorted(self._held), *wire]

    def _waiting(self) -> list[str]:
        return sorted(repr(task) for task in asyncio.all_tasks(self) if not task.done())


def _is_loopback(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else ""
    return host == "::1" or str(host).startswith("127.")


def in_flight(what: str) -> contextlib.AbstractContextManager[None]:
    """Hold the running loop's clock if it is virtual. Do nothing in a loop with real time."""
    loop = asyncio.get_running_loop()
    return loop.in_flight(what) if isinstance(loop, VirtualTimeLoop) else contextlib.nullcontext()


def waiting_for(peer: Address | None) -> contextlib.AbstractContextManager[None]:
    """Say that a server's wait for `peer` is deliberate; nothing in a loop with real time."""
    loop = asyncio.get_running_loop()
    return loop.waiting_for(peer) if isinstance(loop, VirtualTimeLoop) else contextlib.nullcontext()


def now() -> float:
    """Return the running loop's virtual Unix time, or real Unix time in an ordinary loop."""
    loop = asyncio.get_running_loop()
    return loop.now() if isinstance(loop, VirtualTimeLoop) else time.time()


def run(main: Coroutine[Any, Any, T], *, epoch: float = EPOCH, patience: float | None = 30.0) -> T:
    """Run `main` in a loop of its own on virtual time, and return its result."""
    with asyncio.Runner(
        loop_factory=lambda: VirtualTimeLoop(epoch=epoch, patience=patience)
    ) as runner:
        return runner.run(main)
