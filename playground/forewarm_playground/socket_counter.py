"""Counts the bytes between two ends of a connection that live in one event loop.

A byte that was sent and not yet received belongs to the present moment: a clock that jumps
meanwhile overtakes it. The operating system cannot be asked (its acknowledgements are delayed on
purpose), so both ends are counted here: everything that one end has sent, the other has to
receive, its end-of-stream included.
"""

from __future__ import annotations

import socket
import weakref
from collections.abc import Callable
from typing import Any

Address = tuple[Any, ...]
Reading = Callable[[socket.socket], bool]
"""Whether the loop would notice bytes arriving at this socket now."""

_WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared with, never bound


class End:
    """One end of a connection.

    `finished`: its end-of-stream is sent. `drained`: it saw the other end's, or a reset.
    """

    def __init__(self, sock: CountedSocket, local: Address, remote: Address) -> None:
        self.socket = weakref.ref(sock)
        self.local = local
        self.remote = remote
        self.peer: End | None = None
        self.sent = self.received = 0
        self.finished = self.drained = self.closed = False

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<End {self.local}→{self.remote} [{self.sent} sent, {self.received} got | {state}]>"

    def owes(self) -> bool:
        """Whether something that this end sent has not reached the other one."""
        peer = self.peer
        if peer is None:
            return not self.closed
        if peer.closed or peer.drained:
            return False
        return self.finished or self.sent > peer.received


class CountedSocket(socket.socket):
    """A socket that tells its `SocketCounter` what it sends, receives and closes."""

    def __init__(self, wire: SocketCounter, fileno: int, local: Address, remote: Address) -> None:
        super().__init__(fileno=fileno)
        self.setblocking(False)
        self._wire = wire
        self.end = End(self, local, remote)

    def send(self, data: Any, flags: int = 0, /) -> int:
        return self._sent(super().send(data, flags))

    def sendmsg(self, *args: Any) -> int:
        return self._sent(super().sendmsg(*args))

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        try:
            data = super().recv(bufsize, flags)
        except OSError as error:
            self._broken(error)
            raise
        self._received(len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        try:
            size = super().recv_into(buffer, nbytes, flags)
        except OSError as error:
            self._broken(error)
            raise
        self._received(size)
        return size

    def shutdown(self, how: int, /) -> None:
        if how in (socket.SHUT_WR, socket.SHUT_RDWR):
            self.end.finished = True
            self._wire.weigh(self.end)
        super().shutdown(how)

    def close(self) -> None:
        if not self.end.closed:
            self._wire.forget(self.end)
        super().close()

    def _sent(self, size: int) -> int:
        self.end.sent += size
        self._wire.weigh(self.end)
        return size

    def _received(self, size: int) -> None:
        self.end.received += size
        self.end.drained = self.end.drained or size == 0
        self._wire.weigh(self.end.peer)

    def _broken(self, error: OSError) -> None:
        if not isinstance(error, (BlockingIOError, InterruptedError)):
            self.end.drained = True
            self._wire.weigh(self.end.peer)


class SocketCounter:
    """All connections of one loop whose ends are counted."""

    def __init__(self) -> None:
        self._ends: dict[tuple[Address, Address], End] = {}
        self._listeners: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._owing: set[End] = set()

    def __repr__(self) -> str:
        return f"<SocketCounter [{len(self._ends)} ends, {len(self._owing)} owing]>"

    def listen(self, sock: socket.socket) -> None:
        """Note a listening socket: who connects to it has its other end here, accepted or not."""
        self._listeners.add(sock)

    def adopt(self, sock: socket.socket) -> socket.socket:
        """Take over a connected TCP socket and return the counted one that replaces it.

        A socket of another kind, or one whose peer has gone already, is returned as it is.
        """
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return sock
        try:
            local, remote = sock.getsockname(), sock.getpeername()
        except OSError:
            return sock
        counted = CountedSocket(self, sock.detach(), local, remote)
        end = counted.end
        self._ends[end.local, end.remote] = end
        end.peer = self._ends.get((end.remote, end.local))
        if end.peer is not None:
            end.peer.peer = end
            self.weigh(end.peer)
        self.weigh(end)
        return counted

    def weigh(self, end: End | None) -> None:
        """Note whether `end` owes its peer anything."""
        if end is None:
            return
        if end.owes():
            self._owing.add(end)
        else:
            self._owing.discard(end)

    def forget(self, end: End) -> None:
        """Note that `end` was closed."""
        end.closed = end.finished = True
        for one in (end, end.peer):
            self.weigh(one)
        if end.peer is None or end.peer.closed:
            self._ends.pop((end.local, end.remote), None)
            self._ends.pop((end.remote, end.local), None)

    def holds(self, address: Address) -> bool:
        """Whether this loop has a connection whose own address is `address`."""
        return any(local == address for local, _ in self._ends)

    def in_transit(self, reading: Reading) -> bool:
        """Whether a byte is under way that the loop will notice when it arrives.

        Bytes that wait at a socket that is not read (with a paused reader) do not count: they wait
        for the application, not for the network.
        """
        return any(self._under_way(end, reading) for end in self._owing)

    def _under_way(self, end: End, reading: Reading) -> bool:
        if end.peer is None:
            return any(_answers(listener, end.remote) for listener in self._listeners)
        receiver = end.peer.socket()
        return receiver is not None and reading(receiver)


def _answers(listener: socket.socket, address: Address) -> bool:
    if listener.fileno() < 0:
        return False
    host, port = listener.getsockname()[:2]
    return bool(port == address[1] and (host in _WILDCARDS or host == address[0]))
