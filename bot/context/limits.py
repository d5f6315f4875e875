"""Limits on the memory and the processor time of a process and of all that it starts."""

from __future__ import annotations

import contextlib
import resource


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
