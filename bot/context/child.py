"""Runs the work on a stranger's repository in a child process with limits.

A repository of a few hundred bytes can ask for all of a machine's memory, and a parser can hold the
interpreter's lock for seconds. So the bot lists, reads, parses and packs in a child. Memory,
processor time, wall time and output are limited there; the processes that the child starts (git)
inherit the first two. The parent waits without blocking its event loop, and takes the result apart
in a way that lets other threads run.

The child is `python -m bot.context.child`. It reads frames (a length and a pickle) from its
standard input: a function of a module and its arguments. It answers each with one frame. One child
serves one `ChildSession`, and ends with it. Those that answer look-ups live on: see
`bot.context.reader`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pickle
import signal
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Protocol, TypeVar, cast

from bot.context.errors import LimitError
from bot.context.limits import allow_processor_seconds, limit_process
from bot.context.workers import child_environment
from bot.errors import ForewarmError
from bot.garbage_collection import paused, set_aside

R = TypeVar("R")

_LENGTH = struct.Struct("!Q")
_PIECE = 2_000
"""Entries of a mapping that are read at once, in some ten milliseconds."""
_LARGE = 200_000
"""Bytes of a result that is kept out of garbage collections: some thousand files."""
DONE, FAILED, MEMORY, CRASHED = range(4)
"""The kinds of an answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that the work on one context's repositories may take, in one go.

    `memory_bytes` bounds each process, `processor_seconds` each process, `seconds` the wall time of
    one call, `output_bytes` its result.
    """

    memory_bytes: int = 2_000_000_000
    processor_seconds: int = 600
    seconds: float = 900.0
    output_bytes: int = 600_000_000


class Run(Protocol):
    """Calls a function with its arguments, somewhere else than on the event loop."""

    def __call__(self, function: Callable[..., R], /, *arguments: Any) -> Awaitable[R]: ...


@asynccontextmanager
async def in_threads(name: str) -> AsyncIterator[Run]:
    """Run in threads of this process, without limits: for commands that people run themselves."""

    async def run(function: Callable[..., R], /, *arguments: Any) -> R:
        return await asyncio.to_thread(function, *arguments)

    yield run


class ChildSession:
    """One child process, started by the first call."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, function: Callable[..., R], /, *arguments: Any) -> R:
        """Call a module's function in the child and return its result.

        Raises:
            LimitError: the call took more than a limit, or the child died of it.
            ForewarmError: the function raised it.
        """
        asked = await asyncio.to_thread(_dumped, (function, arguments))
        try:
            kind, data = await asyncio.wait_for(self._call(asked), self._limits.seconds)
        except TimeoutError:
            self.stop()
            raise LimitError(self._name, f"{self._limits.seconds:g} seconds") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._death() from None
        if kind == MEMORY:
            self.stop()
            raise LimitError(self._name, f"{self._limits.memory_bytes / 1e6:,.0f} MB of memory")
        result = await asyncio.to_thread(loads, data)
        if kind == FAILED:
            raise rebuild_error(*result)
        if kind == CRASHED:
            raise RuntimeError(f"the child process failed: {result}")
        return cast(R, result)

    def stop(self) -> None:
        """End the child and the processes that it started."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        self.stop()
        if self._process is not None:
            await _ended(self._process)

    async def _call(self, asked: bytes) -> tuple[int, bytes]:
        if self._process is None:
            self._process = await self._start()
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(_LENGTH.pack(len(asked)))
        process.stdin.write(asked)
        await process.stdin.drain()
        head = await process.stdout.readexactly(1 + _LENGTH.size)
        length = _LENGTH.unpack(head[1:])[0]
        if length > self._limits.output_bytes:
            self.stop()
            raise LimitError(self._name, f"{self._limits.output_bytes / 1e6:,.0f} MB of text")
        return head[0], await process.stdout.readexactly(length)

    async def _start(self) -> asyncio.subprocess.Process:
        limits = self._limits
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.context.child",
            str(limits.memory_bytes),
            str(limits.processor_seconds),
            env=child_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _death(self) -> LimitError:
        assert self._process is not None
        code = await _ended(self._process)
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return LimitError(
                self._name, f"{self._limits.processor_seconds:,} seconds of processor time"
            )
        return LimitError(self._name, f"{self._limits.memory_bytes / 1e6:,.0f} MB of memory")


def in_children(limits: Limits) -> Sessions:
    """Return a way to open sessions whose calls run in a child process with these limits."""

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[Run]:
        session = ChildSession(name, limits)
        try:
            yield session.run
        finally:
            await session.close()

    return opened


Sessions = Callable[[str], contextlib.AbstractAsyncContextManager[Run]]
"""Opens a session for the repositories of one context, which is named in errors."""


async def _ended(process: asyncio.subprocess.Process) -> int:
    """Return the exit code of a process that ends.

    Asyncio reports the end only when each pipe is read to its end, so a result that was not read
    would hold `wait` for ever.
    """
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


class _Writer(pickle.Pickler):
    """Writes the large mappings that it knows by their numbers, and finds those that it does not.

    `found` are the mappings that it has found, an outer one before those that it holds.
    """

    def __init__(self, out: IO[bytes], numbers: Mapping[int, int]) -> None:
        super().__init__(out, pickle.HIGHEST_PROTOCOL)
        self._numbers = numbers
        self.found: dict[int, dict[Any, Any]] = {}

    def persistent_id(self, thing: object) -> int | None:
        if type(thing) is dict and len(thing) > _PIECE:
            if id(thing) in self._numbers:
                return self._numbers[id(thing)]
            self.found[id(thing)] = thing
        return None


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` wrote. `mappings` are the large ones, by number."""

    def __init__(self, data: IO[bytes]) -> None:
        super().__init__(data)
        self.mappings: list[dict[Any, Any]] = []

    def persistent_load(self, number: int) -> dict[Any, Any]:
        return self.mappings[number]


class _Nowhere(io.RawIOBase):
    def write(self, data: object, /) -> int:
        return 0


def dumps(result: object) -> bytes:
    """Pickle a result so that `loads` can read it in small steps."""
    finder = _Writer(cast(IO[bytes], _Nowhere()), {})
    finder.dump(result)
    mappings = list(reversed(finder.found.values()))
    out = io.BytesIO()
    writer = _Writer(out, {id(mapping): number for number, mapping in enumerate(mappings)})
    writer.dump([-(-len(mapping) // _PIECE) for mapping in mappings])
    for mapping in mappings:
        items = iter(mapping.items())
        while piece := tuple(islice(items, _PIECE)):
            writer.dump(piece)
    writer.dump(result)
    return out.getvalue()


def _dumped(result: object) -> bytes:
    with paused():
        return dumps(result)


def loads(data: bytes) -> Any:
    """Read what `dumps` wrote.

    pickle holds the interpreter's lock while it reads. So a large mapping is read piece by piece,
    and other threads run between two pieces. What is read lives long and makes no garbage: it is
    kept out of garbage collections, which would stop the event loop to look through it.
    """
    if len(data) < _LARGE:
        return _read(data)
    with set_aside():
        return _read(data)


def _read(data: bytes) -> Any:
    reader = _Reader(io.BytesIO(data))
    for pieces in reader.load():
        mapping: dict[Any, Any] = {}
        for _ in range(pieces):
            mapping.update(reader.load())
        reader.mappings.append(mapping)
    return reader.load()


def rebuild_error(kind: type[ForewarmError], text: str, facts: dict[str, Any]) -> ForewarmError:
    """Make an error anew: its own constructor wants other arguments than its text."""
    error = kind.__new__(kind)
    error.args = (text,)
    error.__dict__.update(facts)
    return error


# --- in the child --------------------------------------------------------------------------------


def serve(asked: IO[bytes], answered: IO[bytes], idle: int = 0, processor: int = 0) -> None:
    """Answer each call in turn until the parent closes its end.

    With `idle` the process ends after so many seconds without a call, by SIGALRM, and each call may
    take `processor` seconds of processor time.
    """
    while True:
        signal.alarm(idle)
        head = asked.read(_LENGTH.size)
        signal.alarm(0)
        if len(head) < _LENGTH.size:
            return
        if idle:
            allow_processor_seconds(processor)
        data = asked.read(_LENGTH.unpack(head)[0])
        kind, result = _answer(data)
        answered.write(bytes([kind]) + _LENGTH.pack(len(result)))
        answered.write(result)
        answered.flush()


def _answer(data: bytes) -> tuple[int, bytes]:
    try:
        function, arguments = loads(data)
        del data
        return DONE, dumps(function(*arguments))
    except ForewarmError as error:
        return FAILED, dumps((type(error), str(error), error.__dict__))
    except MemoryError:
        return MEMORY, b""
    except Exception as error:
        return CRASHED, dumps(f"{type(error).__name__}: {error}"[:2_000])


def main() -> None:
    """Serve. A third argument is for a child that lives on: see `serve`."""
    memory_bytes, processor_seconds, *idle = map(int, sys.argv[1:])
    limit_process(memory_bytes, processor_seconds)
    os.nice(5)
    answered = os.fdopen(os.dup(1), "wb")
    # Nothing that is called may write between the frames.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin.buffer, answered, idle[0] if idle else 0, processor_seconds)


if __name__ == "__main__":
    # The functions that are called import this module by its name.
    from bot.context import child

    child.main()
