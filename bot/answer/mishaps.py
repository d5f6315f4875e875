"""What may fail without keeping an answer from people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot.answer.interfaces import NotOurs
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)


@contextmanager
def suppressed_store_failures(question: str) -> Iterator[None]:
    """Let a store that fails be the operators' news; raise only `NotOurs`, which ends an answer."""
    try:
        yield
    except NotOurs:
        raise
    except ForewarmError as error:
        log.warning("not_stored", question=question, why=type(error).__name__)
