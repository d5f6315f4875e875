"""Run one command to its end; print its seconds, peak memory (MB) and exit code as JSON.

A program of its own, which imports next to nothing: a process's peak memory counts from its fork,
so a child of a large process never seems smaller than its parent.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One process: wall seconds, peak memory in MB, and its exit code; None: it was stopped."""

    seconds: float
    megabytes: float
    code: int | None


def measured(command: Sequence[str], environment: Mapping[str, str], patience: float) -> Measured:
    """Run `command` in a small process's child, for at most `patience` seconds."""
    launcher = [sys.executable, "-I", "-S", __file__, str(patience), *command]
    run = subprocess.run(
        launcher, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    return Measured(**json.loads(run.stdout))


def main(patience: float, command: Sequence[str]) -> None:
    """Be the small process."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True
        os.killpg(process.pid, signal.SIGKILL)

    # An alarm rather than a wait with a timeout, which looks only every 50 ms.
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, patience)
    code = process.wait()
    seconds = time.perf_counter() - began
    scale = 1e6 if sys.platform == "darwin" else 1e3
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / scale
    result = {"seconds": seconds, "megabytes": megabytes, "code": None if stopped else code}
    print(json.dumps(result))  # noqa: T201 - the result itself


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
