"""Continue an answer although the store fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot.answer.interfaces import NotOurs
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)


@contextmanager
def suppressed_store_failures(question: str) -> Iterator[None]:
    """Log errors of the store and continue; raise only `NotOurs`, which ends an answer."""
    try:
        yield
    except NotOurs:
        raise
    except ForewarmError as error:
        log.warning("answer_not_stored", question=question, why=type(error).__name__)
