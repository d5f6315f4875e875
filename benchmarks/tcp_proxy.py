"""A wire between a bot and its database that can be cut, and held still, while both live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65_536


class Wire:
    """Passes bytes on, both ways, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._awaited: bytes | None = None
        self.held = asyncio.Event()
        self._refusing = False
        self.cuts = 0

    def __repr__(self) -> str:
        state = "passing" if self._passing.is_set() else "held"
        return f"<Wire to {self._host}:{self._port}: {len(self._open) // 2} open, {state}>"

    def cut(self) -> None:
        """Break every connection off; new ones are let through."""
        self.cuts += 1
        for writer in tuple(self._open):
            writer.transport.abort()

    def refuse(self) -> None:
        """Break every connection off and let no new one through, until `release`."""
        self._refusing = True
        self.cut()

    def hold_after(self, statement: bytes) -> None:
        """Let the next message with `statement` reach the server, and none of its replies back.

        `held` is set once it has gone through.
        """
        self._awaited = statement
        self.held.clear()

    def release(self) -> None:
        """Let replies pass again."""
        self._awaited = None
        self._refusing = False
        self._passing.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there_writer}
        self._open |= ends
        try:
            await asyncio.gather(self._up(reader, there_writer), self._down(there_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._awaited is not None and self._awaited in data:
                    self._awaited = None
                    self._passing.clear()
                    self.held.set()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wire(host: str, port: int) -> AsyncIterator[tuple[Wire, int]]:
    """Lay a wire; yields it and the port of its near end."""
    laid = Wire(host, port)
    server = await asyncio.start_server(laid.connected, "127.0.0.1", 0)
    try:
        yield laid, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        laid.release()
        laid.cut()
