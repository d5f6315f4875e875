"""Run one command to its end; print its seconds, processor time, peak memory and exit code as JSON.

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
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measured:
    """One process with its children: wall and processor seconds, the peak memory of the largest in
    MB, and its exit code (None: it was stopped).
    """

    seconds: float
    processor: float
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
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = Measured(
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / scale,
        None if stopped else code,
    )
    print(json.dumps(asdict(run)))  # noqa: T201 - the result itself


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
