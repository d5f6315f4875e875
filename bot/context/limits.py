"""Limits on the memory and the processor time of a process and of all that it starts."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time

BACKGROUND = 10
"""The nice value of searches: an expression may compute for ten seconds on each processor."""


def limit_process(memory_bytes: int, processor_seconds: int) -> None:
    """Limit this process and the processes that it starts from now on, each for itself.

    At the limit of time the kernel sends SIGXCPU. At the limit of memory an allocation fails.
    """
    for kind, most in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_CPU, processor_seconds),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # A kernel that does not know one limit leaves the other in force.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (allowed, hard))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_processor_seconds(seconds: int) -> None:
    """Let this process take so many seconds of processor time from now on."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(time.process_time()) + 1 + seconds
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


def limit_started(pid: int, memory_bytes: int) -> None:
    """Limit the memory of a process that was just started, and of those that it starts.

    Only Linux can limit another process: elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    # It may have ended already, or a sandbox may forbid it.
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
        allowed = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        resource.prlimit(pid, resource.RLIMIT_DATA, (allowed, hard))


def lower_priority(pid: int) -> None:
    """Let a process that was just started compute when others have nothing to do."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, BACKGROUND)


_PAGE = resource.getpagesize()


def resident_bytes() -> int:
    """Return the memory that this process has now; 0 if the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
