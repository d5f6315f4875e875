"""Answers questions about large files and other commits in child processes with limits.

A look-up or a citation names any file of a repository. A large one takes tens of times its bytes
while it is split, masked or parsed, and holds the interpreter's lock meanwhile. So the bot asks a
child for the answer alone. The children live on between two questions: starting one takes a third
of a second. One that is not asked for `IDLE_SECONDS` ends by itself.

Every call blocks and is meant for a thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from bot.context.child import (
    CRASHED,
    FAILED,
    MEMORY,
    Limits,
    dumps,
    loads,
    rebuild_error,
)
from bot.context.errors import LookUpLimitError
from bot.context.workers import child_environment

R = TypeVar("R")

IDLE_SECONDS = 300
CALL_SECONDS = 60.0
"""The longest that one call may take: the first look at another commit takes the most."""
MOST_RESULT = 40_000_000
"""Bytes of one result. A text that is read whole has at most 10 MB, in UTF-8."""
_MOST = 6
_MOST_OF_ONE = 2
"""Children in all, and of one context."""
_LENGTH = struct.Struct("!Q")
_PIECE = 1 << 20


class Reader:
    """The children of one context. `name` is what errors call it."""

    def __init__(self, pool: Readers, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._pool = pool

    def __repr__(self) -> str:
        return f"<Reader of {self.name}>"

    def run(self, function: Callable[..., R], /, *arguments: Any) -> R:
        """Call a module's function in a child and return its result.

        Raises:
            LookUpLimitError: the call took more than a limit, or no child was free in time.
            ForewarmError: the function raised it.
        """
        asked = dumps((function, arguments))
        until = time.monotonic() + min(CALL_SECONDS, self.limits.seconds)
        while True:
            child = self._pool.take(self, until)
            try:
                kind, data = child.call(asked, until)
                if kind == MEMORY:
                    child.stop()
                    raise LookUpLimitError(self.name, _memory(self.limits))
            except TimeoutError:
                child.stop()
                raise LookUpLimitError(self.name, f"{CALL_SECONDS:g} seconds") from None
            except (EOFError, OSError):
                if child.has_idled():
                    continue
                raise LookUpLimitError(self.name, child.exceeded()) from None
            except BaseException:
                child.stop()
                raise
            finally:
                self._pool.give_back(child)
            result = loads(data)
            if kind == FAILED:
                raise rebuild_error(*result)
            if kind == CRASHED:
                raise RuntimeError(f"the child process failed: {result}")
            return cast(R, result)


class Readers:
    """The children of all contexts: at most so many at once, started when they are needed."""

    def __init__(self) -> None:
        self._children: list[_Child] = []
        self._changed = threading.Condition()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Readers: {len(self._children)} processes>"

    def of(self, name: str, limits: Limits) -> Reader:
        """Return the reader of a context."""
        return Reader(self, name, limits)

    def close(self) -> None:
        """End all children and refuse later questions."""
        with self._changed:
            self._closed = True
            self._stop(self._children)

    def stop(self, name: str) -> None:
        """End the children of the contexts of a name."""
        with self._changed:
            self._stop([child for child in self._children if child.owner.name == name])

    def _stop(self, children: Sequence[_Child]) -> None:
        for child in tuple(children):
            child.stop()
            self._children.remove(child)
        self._changed.notify_all()

    def take(self, owner: Reader, until: float) -> _Child:
        """Return a child of the context that nothing else uses; give it back."""
        with self._changed:
            while True:
                child = None if self._closed else self._free(owner)
                if child is not None:
                    child.busy = True
                    return child
                left = until - time.monotonic()
                if self._closed or left <= 0 or not self._changed.wait(left):
                    raise LookUpLimitError(owner.name, "the time for which it may wait its turn")

    def give_back(self, child: _Child) -> None:
        with self._changed:
            child.busy = False
            child.used_at = time.monotonic()
            if child.ended:
                child.stop()
                if child in self._children:
                    self._children.remove(child)
            self._changed.notify_all()

    def _free(self, owner: Reader) -> _Child | None:
        own = [child for child in self._children if child.owner is owner]
        if (idle := next((child for child in own if not child.busy), None)) is not None:
            return idle
        if len(own) >= _MOST_OF_ONE:
            return None
        others = [child for child in self._children if not child.busy]
        if len(self._children) >= _MOST and others:
            oldest = min(others, key=lambda child: child.used_at)
            oldest.stop()
            self._children.remove(oldest)
        if len(self._children) >= _MOST:
            return None
        self._children.append(_Child(owner))
        return self._children[-1]


class _Child:
    """A process that answers one call after the other."""

    def __init__(self, owner: Reader) -> None:
        self.owner = owner
        self.busy = False
        self.used_at = 0.0
        self._limits = limits = owner.limits
        words = (limits.memory_bytes, limits.processor_seconds, IDLE_SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bot.context.child", *map(str, words)],
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def call(self, asked: bytes, until: float) -> tuple[int, bytes]:
        """Send a call and return the kind of the answer and its bytes.

        Raises:
            TimeoutError, EOFError, OSError: no whole answer came.
            LookUpLimitError: it is too long.
        """
        rest = memoryview(_LENGTH.pack(len(asked)) + asked)
        while rest:
            rest = rest[self._in.write(rest) :]
        head = self._receive(1 + _LENGTH.size, until)
        length = _LENGTH.unpack(head[1:])[0]
        if length > min(MOST_RESULT, self._limits.output_bytes):
            raise LookUpLimitError(self.owner.name, f"{MOST_RESULT / 1e6:,.0f} MB of text")
        return head[0], self._receive(length, until)

    def has_idled(self) -> bool:
        """Tell whether it ended since nothing was asked for a while: then another may answer."""
        return self._process.wait() == -signal.SIGALRM

    def exceeded(self) -> str:
        """Say which limit it died of."""
        if self._process.wait() in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"{self._limits.processor_seconds:,} seconds of processor time"
        return _memory(self._limits)

    def stop(self) -> None:
        """End the process and those that it started. It may have ended already.

        The thread that has a call to it may still read: the pipes are closed when it gives it back.
        """
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if not self.busy and self._process.stdout is not None:
            self._in.close()
            self._process.stdout.close()

    def _receive(self, count: int, until: float) -> bytes:
        out = bytearray()
        while len(out) < count:
            left = until - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1_000):
                raise TimeoutError
            piece = os.read(self._out, min(count - len(out), _PIECE))
            if not piece:
                raise EOFError
            out += piece
        return bytes(out)


def _memory(limits: Limits) -> str:
    return f"{limits.memory_bytes / 1e6:,.0f} MB of memory"
