"""The lines that a process writes to its log, for tests to read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from bot.telemetry.logs import configure


def logged(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


@contextmanager
def log_lines(level: str = "DEBUG") -> Iterator[io.StringIO]:
    """Log as the program does, but into what is returned; read it with `logged`."""
    root = logging.getLogger()
    before, threshold = root.handlers, root.level
    stream = io.StringIO()
    configure(level, stream)
    try:
        yield stream
    finally:
        root.handlers, root.level = before, threshold
        structlog.reset_defaults()
