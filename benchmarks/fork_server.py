"""Bot processes that start at once: forked off a process that has imported the program already.

Each is `forewarm serve` from its first line on, with its own environment, log and process id, and
can be killed like any other. Importing takes longer than most of the lives that a chaos run gives.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class ForkServer:
    """Starts and ends bot processes; all of them end with it. Serves any number of event loops."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"<ForkServer, process {self._process.pid}>"

    async def start(
        self, environment: Mapping[str, str], log: Path, arguments: Sequence[str] = ()
    ) -> int:
        """Start a bot, or a command with these arguments, that appends to `log`; return its pid."""
        order = {"do": "start", "environment": dict(environment), "log": str(log)}
        # A server of an earlier version knows no arguments.
        more = {"arguments": list(arguments)} if arguments else {}
        return int(await self._order({**order, **more}))

    async def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send a signal; after SIGKILL the process is gone when this returns."""
        await self._order({"do": "kill", "pid": pid, "signal": int(number)})

    async def exit_code(self, pid: int) -> int | None:
        """Return how a process ended (minus a signal's number), None while it lives."""
        found = await self._order({"do": "poll", "pid": pid})
        return None if found is None else int(found)

    async def _order(self, order: Mapping[str, Any]) -> Any:
        return await asyncio.to_thread(self._ordered, json.dumps(order).encode() + b"\n")

    def _ordered(self, order: bytes) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(order)
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())


@contextmanager
def start_fork_server(
    module: str = "benchmarks.fork_server", folder: Path | None = None
) -> Iterator[ForkServer]:
    """Open a fork server, which runs `module` in `folder`; its processes are killed at the end."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()
            yield ForkServer(process)
        finally:
            process.stdin.close()


# --- the other side -----------------------------------------------------------------------------


class _Children:
    def __init__(self) -> None:
        self._codes: dict[int, int | None] = {}

    def start(
        self, environment: Mapping[str, str], log: str, arguments: Sequence[str] = ("serve",)
    ) -> int:
        pid = os.fork()
        if pid == 0:
            _run_command(environment, log, arguments)
        self._codes[pid] = None
        return pid

    def kill(self, pid: int, number: int) -> None:
        if self.poll(pid) is None:
            os.kill(pid, number)
            if number == signal.SIGKILL:
                self._reap(pid, 0)

    def poll(self, pid: int) -> int | None:
        if self._codes[pid] is None:
            self._reap(pid, os.WNOHANG)
        return self._codes[pid]

    def _reap(self, pid: int, options: int) -> None:
        found, status = os.waitpid(pid, options)
        if found:
            self._codes[pid] = os.waitstatus_to_exitcode(status)

    def kill_all(self) -> None:
        for pid in self._codes:
            self.kill(pid, signal.SIGKILL)


def _run_command(environment: Mapping[str, str], log: str, arguments: Sequence[str]) -> None:
    """Be `forewarm` with these arguments until its end; never returns."""
    from bot.cli import main as forewarm

    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for to, number in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(to, number)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["forewarm", *arguments]
        forewarm(arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Obey one order a line on stdin, answering each with a line of JSON."""
    import bot.app.bot
    import bot.app.installation_check
    import bot.cli
    import bot.commands.check
    import bot.commands.serve
    import bot.telemetry.logs  # noqa: F401 - imported for those who are forked off

    children = _Children()
    _say("ready")
    with suppress(KeyboardInterrupt):
        for line in sys.stdin:
            order = json.loads(line)
            match order.pop("do"):
                case "start":
                    _say(children.start(**order))
                case "kill":
                    children.kill(order["pid"], order["signal"])
                    _say(None)
                case "poll":
                    _say(children.poll(order["pid"]))
    children.kill_all()


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
